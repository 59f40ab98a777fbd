"""The first screen: the next day of every sensor, those that matter first."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from citytune._text import capital, counted, listed, number, percent
from citytune.forecasting import LEVELS, Forecast, Outlook, SensorOutlook
from citytune.reporting._material import Material
from citytune.reporting._spark import spark

NAMED = 5
"""Most sensors that the headline names."""
MOST_ROWS = 1000
"""Longest table."""
FEW = 8
"""So many sensors need no search."""
SHOWN = 12
"""Rows shown before somebody asks for all."""
RECENT_DAYS, MOST_RECENT = 2, 192
"""Measurements in a sensor's chart: days, and at most so many steps."""


def tomorrow(material: Material) -> dict[str, Any]:
    """One row a sensor, and what their charts are drawn from."""
    found, forecast = material.outlook, material.watched
    where = {name: i for i, name in enumerate(forecast.sensors)}
    rows = found.rows[:MOST_ROWS]
    return {
        "headline": _headline(found, material.unit),
        "search": len(rows) > FEW,
        "title": capital(found.title),
        "columns": _columns(found, material.unit),
        "rows": [_row(row, found, forecast, where[row.sensor]) for row in rows],
        "left_out": max(0, len(found.rows) - MOST_ROWS),
        "shown": SHOWN,
        "once": forecast.copula is not None,
        "level": percent(found.levels[0]) if found.levels else "",
        "data": _data(material, [where[row.sensor] for row in rows]),
    }


def _headline(found: Outlook, unit: str) -> str:
    """What to take away, and which sensors it says nothing of."""
    said = _of_known(found, unit)
    blind = [row.sensor for row in found.rows if not math.isfinite(row.peak)]
    if not blind or len(blind) == len(found.rows):
        return said
    has = "has" if len(blind) == 1 else "have"
    judged = ", and alerts there cannot be judged" if found.alerts else ""
    return f"{said} {listed(blind, NAMED)} {has} no forecast{judged}."


def _of_known(found: Outlook, unit: str) -> str:
    """Which alerts are likely, or where it is highest, among the sensors with a forecast."""
    known = [row for row in found.rows if math.isfinite(row.peak)]
    if not known:
        return f"{capital(found.title)}: no sensor has a forecast."
    raised = [
        (row, i) for row in known for i, at in enumerate(found.levels) if row.chances[i] >= at
    ]
    if found.alerts and not raised:
        likely = max(max(row.chances) for row in known)
        return (
            f"{capital(found.title)}: no alert is likely; the highest chance is {percent(likely)}."
        )
    if raised:
        row, i = raised[0]
        many = len({one.sensor for one, _ in raised})
        others = f", and {counted(many - 1, 'more sensor')}" if many > 1 else ""
        how = "likely" if row.chances[i] >= 0.5 else "possible"
        return (
            f"{capital(found.title)}: {found.alerts[i]} is {how} at {row.sensor} "
            f"({percent(row.chances[i])}){others}."
        )
    row = max(known, key=lambda one: one.peak)
    peak = f"{number(row.peak)} {unit}".strip()
    return f"{capital(found.title)}: highest at {row.sensor}, {peak} at {row.when[-5:]}."


def _columns(found: Outlook, own: str) -> list[dict[str, str]]:
    unit = f" ({found.unit})" if found.unit else ""
    kinds = [
        (f"peak ({own})" if own else "peak", "number"),
        ("at", "text"),
        (f"{found.amount}{unit}", "number"),
    ]
    kinds += [(f"chance of {name}", "number") for name in found.alerts]
    return [{"name": name, "kind": kind} for name, kind in [("sensor", "text"), *kinds]]


def _row(row: SensorOutlook, found: Outlook, forecast: Forecast, column: int) -> dict[str, Any]:
    steps = slice(found.steps)
    edges = forecast.quantiles[steps, column]
    limit = forecast.alerts[0].thresholds[column] if forecast.alerts else math.nan
    return {
        "name": row.sensor,
        "spark": spark(edges[:, 0], forecast.point[steps, column], edges[:, -1], limit),
        "tone": _tone(row, found),
        "peak": number(row.peak),
        "interval": f"{number(row.low)} to {number(row.high)}",
        "values": [_sortable(row.peak), row.when, _sortable(row.day)],
        "when": row.when[5:] or "–",
        "day": number(row.day),
        "chances": [
            {"text": percent(chance), "value": _sortable(chance), "tone": _level(chance, level)}
            for chance, level in zip(row.chances, found.levels, strict=True)
        ],
        "quality": _quality(forecast, column),
    }


def _level(chance: float, level: float) -> str:
    if not math.isfinite(chance):
        return ""
    return "high" if chance >= level else "some" if chance >= level / 2 else "low"


def _tone(row: SensorOutlook, found: Outlook) -> str:
    """The worst of its alerts."""
    tones = {_level(chance, at) for chance, at in zip(row.chances, found.levels, strict=True)}
    return next((tone for tone in ("high", "some", "low") if tone in tones), "")


def _quality(forecast: Forecast, column: int) -> str:
    """What the forecast is, if it is not the model's."""
    words = list(dict.fromkeys(forecast.quality[:, column]))
    return "" if words == ["model"] else ", ".join(str(word) for word in words[:2])


def _sortable(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""


def _data(material: Material, columns: list[int]) -> dict[str, Any]:
    """What the charts are drawn from, in the order of the rows: times, then lists of numbers."""
    forecast, frame = material.watched, material.frame
    clock = forecast.clock
    origin = frame.clock.index(clock.start)
    before = min(
        MOST_RECENT, RECENT_DAYS * clock.steps_per_day + (28 if clock.steps_per_day < 4 else 0)
    )
    first, last = max(0, min(origin, len(frame)) - before), max(0, min(origin, len(frame)))
    recent = {name: frame.values[first:last, i] for i, name in enumerate(frame.sensors)}
    none = np.full(last - first, np.nan, np.float32)
    return {
        "times": _texts(clock.local(0, len(forecast.mean))),
        "recent": _texts(frame.clock.local(first, last - first)),
        "unit": material.unit,
        "label": str(forecast.quantity).replace("_", " "),
        "zero": forecast.quantity.low == 0,
        "sensors": [
            {
                "point": _numbers(forecast.point[:, i]),
                "bands": [_numbers(edge) for edge in _edges(forecast.quantiles[:, i])],
                "measured": _numbers(recent.get(forecast.sensors[i], none)),
                "limits": [
                    [watch.alert.words(forecast.quantity), float(watch.thresholds[i])]
                    for watch in forecast.alerts
                    if math.isfinite(watch.thresholds[i])
                ],
            }
            for i in columns
        ],
    }


def _edges(quantiles: Any) -> list[Any]:
    """Of the 90 % interval and, in it, of the 50 % one: 25 % is half-way from 20 to 30 %."""
    quarter, three = (
        (quantiles[:, LEVELS.index(a)] + quantiles[:, LEVELS.index(b)]) / 2
        for a, b in ((0.2, 0.3), (0.7, 0.8))
    )
    return [quantiles[:, 0], quarter, three, quantiles[:, -1]]


def _texts(times: Any) -> list[str]:
    return [str(time)[:16] for time in times.astype("datetime64[m]")]


def _numbers(values: Any) -> list[float | None]:
    """Four significant digits: what a chart can show."""
    return [float(f"{value:.4g}") if math.isfinite(value) else None for value in values.tolist()]
