"""Say in words and in small tables how well rare values and alerts were forecast."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from citytune._text import counted, number, percent
from citytune.evaluation._alerts import AlertScore
from citytune.evaluation._rare import WORDS, Region
from citytune.evaluation._text import SAME_ERROR, compared, table

Call = Callable[[str], str]
"""Model → what it is called in a sentence."""
USUAL = "the usual frequency for that hour"
ENDS = {"few": "the rarest values", "many": "typical values"}
"""The regions that are compared in words, and what their values are called."""


def regions_said(regions: Sequence[Region], rivals: Sequence[str], call: Call) -> str:
    """What the tuned model gains on the rarest values and on typical ones."""
    found = {r.name: _compared(r.errors, rivals, call) for r in regions if r.values}
    parts = [f"{found[n]} for {values}" for n, values in ENDS.items() if found.get(n)]
    if not parts:
        return "Too little was measured to tell rare values from typical ones."
    return f"The tuned model has {'; '.join(parts)}."


def alert_said(score: AlertScore, rival: str | None, call: Call, unit: str) -> str:
    """How good the warnings were, in a few sentences; also where no value passed the threshold."""
    if not score.values:
        return f"{score.name}: nothing was measured that could be scored."
    if not score.events:
        return f"{score.name}: {_nothing_came(score, unit)}"
    own = score.models["tuned"]
    beyond = f"{score.events:,} of {counted(score.values, 'value')} were {_beyond(score, unit)}"
    warned = f"The tuned model warned of {percent(own['recall'])} of them; {_right(own)}"
    return (
        f"{score.name}: {beyond}. {warned}{_theirs(score, rival, call)}. "
        f"{_episodes(score)}{_probabilities(score)}"
    ).strip()


def rare_table(
    regions: Sequence[Region], alerts: Sequence[AlertScore], names: Sequence[str], unit: str
) -> list[str]:
    """Lines of two small tables, for the models named; empty without anything to show."""
    lines: list[str] = []
    if any(region.values for region in regions):
        head = f"mean error{f', {unit}' if unit else ''}"
        rows = [[head, "values", *names]]
        rows += [
            [WORDS[r.name], f"{r.values:,}", *(number(r.errors.get(n), 4) for n in names)]
            for r in regions
        ]
        lines += ["", *table(rows)]
    for score in alerts:
        if not score.events:
            lines += ["", alert_said(score, None, str, unit)]
            continue
        head = f"{score.name}, {score.events:,} of {counted(score.values, 'value')}"
        rows = [["", "right", "warned of", "F1", "episodes", "hours ahead", "Brier skill"]]
        rows += [[name, *_cells(score, name)] for name in names if name in score.models]
        lines += ["", f"Warnings of {head}", *table(rows)]
        level = percent(score.alert.level)
        lines.append(f"tuned warns from a chance of {level} on, the others by their middle value.")
    return lines


def _cells(score: AlertScore, name: str) -> list[str]:
    found = score.models[name]
    shares = [percent(found[metric]) for metric in ("precision", "recall", "f1")]
    caught = f"{found['caught']:.0f} of {score.episodes}" if score.episodes else "–"
    skill = percent(score.brier_skill) if name == "tuned" else "–"
    return [*shares, caught, _hours(found["lead_hours"]), skill]


def _short(value: float) -> str:
    """Four digits that matter, without trailing zeros."""
    text = number(value, 4)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _hours(lead: float) -> str:
    return f"{lead:.3g}" if math.isfinite(lead) else "–"


def _compared(errors: Mapping[str, float], rivals: Sequence[str], call: Call) -> str:
    own = errors["tuned"]
    found = [
        compared(1 - own / errors[name], call(name))
        for name in rivals
        if errors.get(name, 0) > 0 and math.isfinite(own)
    ]
    return " and ".join(found)


def _beyond(score: AlertScore, unit: str) -> str:
    """Such as "above 150 µg/m³"."""
    side = "above" if score.alert.above else "below"
    if score.alert.threshold is None:
        return f"{side} their sensor's threshold"
    return f"{side} {_short(score.alert.threshold)} {unit}".rstrip()


def _nothing_came(score: AlertScore, unit: str) -> str:
    most = ""
    if score.alert.threshold is not None:
        word = "highest" if score.alert.above else "lowest"
        most = f" (the {word} was {_short(score.furthest)}{f' {unit}' if unit else ''})"
    before = counted(score.events_before, "value") if score.events_before else "none"
    raised = int(score.models["tuned"]["raised"])
    gave = f"gave {counted(raised, 'false warning')}" if raised else "gave no warning either"
    return (
        f"none of the {counted(score.values, 'value')} in the test period was "
        f"{_beyond(score, unit)}{most}, and {before} in the history before, so this test cannot "
        f"tell how well such values are warned of. The tuned model {gave}."
    )


def _right(found: Mapping[str, float]) -> str:
    if not found["raised"]:
        return "it gave no warning at all"
    return f"{percent(found['precision'])} of its warnings were right"


def _theirs(score: AlertScore, rival: str | None, call: Call) -> str:
    if rival is None or rival not in score.models:
        return ""
    found = score.models[rival]
    return f" ({call(rival)}: {percent(found['recall'])} and {percent(found['precision'])})"


def _episodes(score: AlertScore) -> str:
    if not score.episodes:
        return "No episode began after a forecast. "
    own = score.models["tuned"]
    ahead = f", on average {_hours(own['lead_hours'])} hours ahead" if own["caught"] else ""
    return f"It warned before {own['caught']:.0f} of {counted(score.episodes, 'episode')}{ahead}. "


def _probabilities(score: AlertScore) -> str:
    skill = score.brier_skill
    if not math.isfinite(skill):
        return ""
    if skill < SAME_ERROR:
        return f"Its probabilities score no better (Brier) than {USUAL}."
    return f"Its probabilities score {percent(skill)} better (Brier) than {USUAL}."
