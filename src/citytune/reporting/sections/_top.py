"""The top of the page: one sentence to remember, what follows from it, and a few tiles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from citytune.evaluation import NAIVE, SAME, WORDS
from citytune.reporting import _words as words
from citytune.reporting._material import Material
from citytune.reporting._numbers import duration, listed, number, percent, plural

MOST_NAMES = 12
"""Sensors named in a sentence."""
UNTESTED = "Not tested yet: the history is too short to hold any of it back and compare."
UNMEASURED = (
    "The forecast below is made all the same, but nobody can say yet how good it is. Come back "
    "when more has been measured: then the page compares it with simple rules."
)


def top(material: Material) -> dict[str, Any]:
    """Title, headline, verdict, tiles, and the sensors with too little history."""
    return {
        "title": material.title or _title(material),
        "subtitle": _subtitle(material),
        "headline": _headline(material),
        "verdict": [said for said in _verdict(material) if said],
        "tiles": [tile for tile in _tiles(material) if tile],
        "fallback": listed(material.fallback, MOST_NAMES),
        "alone": len(material.fallback) == 1,
    }


def _title(material: Material) -> str:
    parts = material.frame.quantity.name.replace("_", " ").split()
    name = " ".join(part.upper() if any(map(str.isdigit, part)) else part for part in parts)
    return f"{words.capital(name)}: forecast and how far to trust it"  # pm2.5 is PM2.5


def _subtitle(material: Material) -> str:
    forecast = material.forecast
    ahead = duration(len(forecast.mean) * forecast.clock.step)
    return (
        f"{plural(len(material.frame.sensors), 'sensor')} from {material.source}; "
        f"{ahead} ahead, from {forecast.clock.text(0)}"
    )


def _headline(material: Material) -> str:
    """The one sentence to remember."""
    if material.scores is None:
        return UNTESTED
    error = material.metric("tuned", "mae")
    if not math.isfinite(error):
        return "Nothing was measured on the held-out days, so there is no error to report."
    rival = material.naive or "zero-shot"
    change = material.change(rival)
    if not math.isfinite(change):
        return (
            f"A mean error of {number(error)} {material.unit}".rstrip() + f" {_unseen(material)}."
        )
    return f"{words.capital(words.compared(change, material.call(rival)))}, {_unseen(material)}."


def _unseen(material: Material) -> str:
    """How much was held out: "on 14 days it had not seen"."""
    days = 0.0 if material.scores is None else material.scores.days
    if days < 1:
        return f"on {plural(max(1, round(24 * days)), 'hour')} it had not seen"
    return f"on {plural(round(days), 'day')} it had not seen"


def _verdict(material: Material) -> list[str]:
    """What follows from the headline, in a few sentences; nothing hidden."""
    if material.scores is None:
        return [UNMEASURED]
    return [_advice(material), _untouched(material), _stronger(material), _per_sensor(material)]


def _advice(material: Material) -> str:
    if material.naive is None:
        return ""
    naive, count = material.call(material.naive), sum(name in NAIVE for name in material.models)
    chosen = f", the best of {count} simple rules in hindsight" if count > 1 else ""
    match words.tone(material.change(material.naive)):
        case "bad":
            return (
                f"The simple rule wins here: {naive}{chosen}. Use it, or come back with more "
                "history; the tuned model has not earned its place yet."
            )
        case "same":
            return (
                f"For the mean alone, {naive}{chosen}, would do as well; what the tuned model "
                "adds is its intervals."
            )
        case "good" if chosen:
            return f"The rival, {naive}, is{chosen[1:]}: a forecast anyone can make with a pencil."
    return ""


def _untouched(material: Material) -> str:
    change, rival = material.change("zero-shot"), material.call("zero-shot")
    if not math.isfinite(change):
        return words.unable(material.model.card) if material.anchored else ""
    if material.model.strategy == "zero-shot":
        return f"Nothing was tuned: the forecast is that of {rival}."
    start = {
        "good": "Tuning paid",
        "bad": "Tuning did not pay",
        "same": "Tuning changed little",
    }[words.tone(change)]
    return f"{start}: {words.compared(change, rival)}."


def _stronger(material: Material) -> str:
    """A rival beyond the simple rules that did better still, if there is one."""
    simple = {"tuned", "zero-shot", *NAIVE}
    changes = {name: material.change(name) for name in material.models if name not in simple}
    better = {name: change for name, change in changes.items() if change > SAME}
    if not better:
        return ""
    best = max(better, key=better.__getitem__)
    saved = 1 - 1 / (1 + better[best])
    return f"{words.capital(material.call(best))} did better still: {percent(saved)} less error."


def _per_sensor(material: Material) -> str:
    pairs = [(s.mae, s.rival) for s in material.sensors if math.isfinite(s.rival)]
    if material.naive is None or len(pairs) < 2:
        return ""
    won = sum(tuned < rival for tuned, rival in pairs)
    than = f"forecast better than by {WORDS[material.naive]}"
    if won == len(pairs):
        return f"Every one of the {won:,} sensors is {than}."
    if won == 0:
        return f"None of the {len(pairs):,} sensors is {than}."
    return f"{won:,} of {len(pairs):,} sensors {'is' if won == 1 else 'are'} {than}."


def _tiles(material: Material) -> list[dict[str, str]]:
    return [
        _change_tile(material, material.naive),
        _change_tile(material, "zero-shot"),
        _coverage_tile(material),
        _error_tile(material),
    ]


def _change_tile(material: Material, rival: str | None) -> dict[str, str]:
    change = material.change(rival)
    if rival is None or not math.isfinite(change):
        return {}
    tone = words.tone(change)
    value = "same" if tone == "same" else percent(abs(change))
    said = {"good": "less error than", "bad": "more error than", "same": "error as"}[tone]
    return {"value": value, "label": f"{said} {material.call(rival)}", "tone": tone}


def _coverage_tile(material: Material) -> dict[str, str]:
    held = material.metric("tuned", "coverage_90")
    if not math.isfinite(held):
        return {}
    label = "of what was measured lay in the 90\N{NO-BREAK SPACE}% intervals"
    return {"value": percent(held), "label": label, "tone": words.held(held)}


def _error_tile(material: Material) -> dict[str, str]:
    error = material.metric("tuned", "mae")
    if not math.isfinite(error) or not material.sensors:
        return {}
    level = float(np.mean([sensor.level for sensor in material.sensors]))
    of = f", where the mean level is {number(level)}" if level > 0 else ""
    value = f"{number(error)}\N{NO-BREAK SPACE}{material.unit}".rstrip()
    return {"value": value, "label": f"mean error{of}", "tone": "unknown"}
