"""Say in words and in a small table how rare values and alerts were foretold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from citytune.evaluation._alerts import AlertScore
from citytune.evaluation._rare import WORDS, Region
from citytune.evaluation._text import SAME, beside, cell, count, percent, table

Call = Callable[[str], str]
"""Model → what it is called in a sentence."""
USUAL = "how often such values came at that hour before"
ENDS = {"few": "rarest", "many": "usual"}
"""The regions that are set beside each other, and how their values are."""


def regions_said(regions: Sequence[Region], rivals: Sequence[str], call: Call) -> str:
    """What the tuned model gains in the rarest values beside what it gains in usual ones."""
    told = {r.name: _compared(r.errors, rivals, call) for r in regions if r.values}
    parts = [f"where values were {how}, {told[n]}" for n, how in ENDS.items() if told.get(n)]
    if not parts:
        return "Too little was measured to tell rare values from usual ones."
    return f"The tuned model has, {'; '.join(parts)}."


def alert_said(score: AlertScore, rival: str | None, call: Call, unit: str) -> str:
    """What an alert would have been worth, in one or two sentences; plain where nothing came."""
    if not score.values:
        return f"{score.name}: nothing was measured where it could be scored."
    if not score.events:
        return f"{score.name}: {_nothing_came(score, unit)}."
    own = score.models["tuned"]
    beyond = f"{score.events:,} of {count(score.values, 'value')} lay beyond it"
    told = f"the tuned model foretold {percent(own['recall'])} of them"
    told += f"; {_came_true(own)}" + _theirs(score, rival, call)
    return f"{score.name}: {beyond}, and {told}. {_warned(score)}{_sure(score)}".strip()


def rare_table(
    regions: Sequence[Region], alerts: Sequence[AlertScore], names: Sequence[str], unit: str
) -> list[str]:
    """Lines of two small tables, for the models named; empty without anything to show."""
    lines: list[str] = []
    if any(region.values for region in regions):
        head = f"mean error{f', {unit}' if unit else ''}"
        rows = [[head, "values", *names]]
        rows += [
            [WORDS[r.name], f"{r.values:,}", *(cell(r.errors.get(n, math.nan)) for n in names)]
            for r in regions
        ]
        lines += ["", *table(rows)]
    for score in alerts:
        if not score.events:
            lines += ["", alert_said(score, None, str, unit)]
            continue
        head = f"{score.name}, {score.events:,} of {score.values:,}"
        rows = [[head, "precision", "recall", "F1", "caught", "hours ahead", "Brier skill"]]
        rows += [[name, *_cells(score, name)] for name in names if name in score.models]
        lines += ["", *table(rows)]
    return lines


def _cells(score: AlertScore, name: str) -> list[str]:
    found = score.models[name]
    shares = [percent(found[metric]) for metric in ("precision", "recall", "f1")]
    caught = f"{found['caught']:.0f} of {score.episodes}" if score.episodes else "–"
    skill = percent(score.brier_skill) if name == "tuned" else "–"
    return [*shares, caught, _hours(found["lead_hours"]), skill]


def _short(value: float) -> str:
    """Four digits that matter, less those that are 0."""
    text = cell(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _hours(lead: float) -> str:
    return f"{lead:.3g}" if math.isfinite(lead) else "–"


def _compared(errors: Mapping[str, float], rivals: Sequence[str], call: Call) -> str:
    own = errors["tuned"]
    said = [
        beside(1 - own / errors[name], call(name))
        for name in rivals
        if errors.get(name, 0) > 0 and math.isfinite(own)
    ]
    return " and ".join(said)


def _nothing_came(score: AlertScore, unit: str) -> str:
    ever = "though some did before" if score.events_before else "and none ever did before"
    most = ""
    if score.alert.threshold is not None:
        word = "highest" if score.alert.above else "lowest"
        most = f" (the {word} was {_short(score.furthest)}{f' {unit}' if unit else ''})"
    raised = score.models["tuned"]["raised"]
    vain = (
        f"the tuned model raised it for {count(int(raised), 'value')}, each in vain"
        if raised
        else "the tuned model never raised it either"
    )
    return (
        f"none of the {count(score.values, 'value')} scored passed it{most}, {ever}, so nobody can "
        f"say whether it would be foretold; {vain}"
    )


def _came_true(found: Mapping[str, float]) -> str:
    if not found["raised"]:
        return "it never raised this alert"
    return f"{percent(found['precision'])} of its alerts came true"


def _theirs(score: AlertScore, rival: str | None, call: Call) -> str:
    if rival is None or rival not in score.models:
        return ""
    found = score.models[rival]
    return f" ({call(rival)}: {percent(found['recall'])} and {percent(found['precision'])})"


def _warned(score: AlertScore) -> str:
    if not score.episodes:
        return "No episode began after a forecast. "
    own = score.models["tuned"]
    ahead = f", on average {_hours(own['lead_hours'])} hours ahead" if own["caught"] else ""
    return f"It warned before {own['caught']:.0f} of {count(score.episodes, 'episode')}{ahead}. "


def _sure(score: AlertScore) -> str:
    skill = score.brier_skill
    if not math.isfinite(skill):
        return ""
    if skill < SAME:
        return f"Its probabilities are no better than {USUAL}."
    return f"Its probabilities have {percent(skill)} less squared error (Brier) than {USUAL}."
