"""The top of the page: one sentence to remember, what follows from it, and a few tiles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from citytune._text import capital, counted, duration, listed, number, percent
from citytune.evaluation import NAIVE, SAME_ERROR, compared, judge_coverage, judge_error
from citytune.reporting import _words as words
from citytune.reporting._material import Material

MOST_NAMES = 12
"""Sensors named in a sentence."""
UNTESTED = "Not tested yet: the history is too short for a test period."
UNMEASURED = (
    "The forecast below was made all the same, but its error is not known yet. With more history, "
    "this page compares it with simple rules."
)
NUMBERS = {2: "two", 3: "three"}


def top(material: Material) -> dict[str, Any]:
    """Title, headline, verdict, tiles, and the sensors with too little history."""
    return {
        "title": material.title or _title(material),
        "subtitle": _subtitle(material),
        "headline": _headline(material),
        "verdict": [sentence for sentence in _verdict(material) if sentence],
        "tiles": [tile for tile in _tiles(material) if tile],
        "fallback": listed(material.fallback, MOST_NAMES),
        "alone": len(material.fallback) == 1,
    }


def _title(material: Material) -> str:
    parts = material.frame.quantity.name.replace("_", " ").split()
    name = " ".join(part.upper() if any(map(str.isdigit, part)) else part for part in parts)
    return f"{capital(name)}: forecast and how far to trust it"  # pm2.5 is PM2.5


def _subtitle(material: Material) -> str:
    forecast = material.forecast
    ahead = duration(len(forecast.mean) * forecast.clock.step)
    return (
        f"{counted(len(material.frame.sensors), 'sensor')} from {material.source}; "
        f"forecast for {ahead} from {forecast.clock.text(0)}"
    )


def _headline(material: Material) -> str:
    """The one sentence to remember."""
    if material.scores is None:
        return UNTESTED
    error = material.metric("tuned", "mae")
    if not math.isfinite(error):
        return "Nothing was measured in the test period, so there is no error to report."
    rival = material.naive or "zero-shot"
    if not math.isfinite(material.saved(rival)):
        return (
            f"The mean error in the test period was {number(error)} {material.unit}".rstrip() + "."
        )
    return material.scores.sentence(rival)


def _verdict(material: Material) -> list[str]:
    """What follows from the headline, in a few sentences; nothing hidden."""
    if material.scores is None:
        return [UNMEASURED]
    return [_rule(material), _zero_shot(material), _stronger(material), _per_sensor(material)]


def _rule(material: Material) -> str:
    """What the comparison with the best simple rule means."""
    if material.naive is None:
        return ""
    naive, rules = material.call(material.naive), sum(name in NAIVE for name in material.models)
    match judge_error(material.saved(material.naive)):
        case "bad":
            return f"The simple rule is better here. Use {naive}, or try again with more history."
        case "same":
            return (
                f"{capital(naive)} would do as well for the forecast itself; what the tuned model "
                "adds is its intervals."
            )
        case "good" if rules > 1:
            many = NUMBERS.get(rules, rules)
            return f"That is the best of {many} simple rules anyone could use, chosen afterwards."
    return ""


def _zero_shot(material: Material) -> str:
    """What fine-tuning changed."""
    saved, rival = material.saved("zero-shot"), material.call("zero-shot")
    if not math.isfinite(saved):
        return words.unable(material.model.card) if material.anchored else ""
    if material.model.strategy == "zero-shot":
        return f"The forecast is that of {rival}."
    start = {
        "good": "In the test, fine-tuning helped",
        "bad": "In the test, fine-tuning did not help",
        "same": "In the test, fine-tuning changed little",
    }[judge_error(saved)]
    return f"{start}: {compared(saved, rival)}."


def _stronger(material: Material) -> str:
    """A rival beyond the simple rules that was better still, if there is one."""
    simple = {"tuned", "zero-shot", *NAIVE}
    saved = {name: material.saved(name) for name in material.models if name not in simple}
    better = {name: one for name, one in saved.items() if one < -SAME_ERROR}
    if not better:
        return ""
    best = min(better, key=better.__getitem__)
    lower = 1 - 1 / (1 - better[best])
    return f"{capital(material.call(best))} was better still: {percent(lower)} lower error."


def _per_sensor(material: Material) -> str:
    pairs = [(s.mae, s.rival) for s in material.sensors if math.isfinite(s.rival)]
    if material.naive is None or len(pairs) < 2:
        return ""
    won, naive = sum(tuned < rival for tuned, rival in pairs), material.call(material.naive)
    if won == len(pairs):
        return f"All {won:,} sensors beat {naive}."
    if won == 0:
        return f"None of the {len(pairs):,} sensors beats {naive}."
    return f"{won:,} of {len(pairs):,} sensors {'beats' if won == 1 else 'beat'} {naive}."


def _tiles(material: Material) -> list[dict[str, str]]:
    return [
        _error_change_tile(material, material.naive),
        _error_change_tile(material, "zero-shot"),
        _coverage_tile(material),
        _error_tile(material),
    ]


def _error_change_tile(material: Material, rival: str | None) -> dict[str, str]:
    saved = material.saved(rival)
    if rival is None or not math.isfinite(saved):
        return {}
    tone = judge_error(saved)
    value = "same" if tone == "same" else percent(abs(saved))
    label = {"good": "lower error than", "bad": "higher error than", "same": "error as"}[tone]
    return {"value": value, "label": f"{label} {material.call(rival)}", "tone": tone}


def _coverage_tile(material: Material) -> dict[str, str]:
    coverage = material.metric("tuned", "coverage_90")
    if not math.isfinite(coverage):
        return {}
    label = "of the measurements were in the 90 % intervals"
    return {"value": percent(coverage), "label": label, "tone": judge_coverage(coverage)}


def _error_tile(material: Material) -> dict[str, str]:
    error = material.metric("tuned", "mae")
    if not math.isfinite(error) or not material.sensors:
        return {}
    level = float(np.mean([sensor.level for sensor in material.sensors]))
    unit = f" {material.unit}".rstrip()
    typical = f" (typical level: {number(level)}{unit})" if level > 0 else ""
    return {"value": f"{number(error)}{unit}", "label": f"mean error{typical}", "tone": "unknown"}
