"""The first screen: the next day of every sensor, those that matter first."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from citytune._text import capital, chance, counted, listed, number, percent
from citytune.forecasting import LEVELS, USUAL, Alert, Forecast, Outlook, SensorOutlook, Watch
from citytune.reporting import _charts as charts
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
    return day_table(forecast, found, MOST_ROWS) | {
        "search": len(rows) > FEW,
        "shown": SHOWN,
        "map": _map(material),
        "data": _data(material, [where[row.sensor] for row in rows]),
    }


def day_table(forecast: Forecast, found: Outlook, most: int) -> dict[str, Any]:
    """The next day in a sentence and in a row for each sensor, those that matter first."""
    where = {name: i for i, name in enumerate(forecast.sensors)}
    unit = forecast.quantity.unit
    return {
        "headline": _headline(found, unit, asked=_was_asked(forecast)),
        "title": capital(found.title),
        "columns": _columns(found, unit),
        "rows": [_row(row, found, forecast, where[row.sensor]) for row in found.rows[:most]],
        "left_out": max(0, len(found.rows) - most),
        "once": forecast.copula is not None,
        "level": percent(found.levels[0]) if found.levels else "",
        "asked": _was_asked(forecast),
    }


def _map(material: Material) -> dict[str, Any] | None:
    """The day's peaks at their places."""
    rows = {row.sensor: row for row in material.outlook.rows if math.isfinite(row.peak)}
    peaks = {name: row.peak for name, row in rows.items()}
    unit = material.unit
    said = {name: f"{number(row.peak)} {unit}".strip() for name, row in rows.items()}
    heading = f"peak ({unit})" if unit else "peak"
    figure = charts.place_map(material.frame, peaks, said, heading)
    return None if figure is None else {"figure": figure, "heading": heading}


def _was_asked(forecast: Forecast) -> bool:
    """Whether anybody asked for an alert; the usual one is passed on every working day."""
    return any(map(_is_asked, forecast.alerts))


def _is_asked(watch: Watch) -> bool:
    return watch.alert != Alert.parse(USUAL)


def _headline(found: Outlook, unit: str, *, asked: bool) -> str:
    """What to take away, and which sensors it says nothing of."""
    said = _of_known(found, unit, asked)
    blind = [row.sensor for row in found.rows if not math.isfinite(row.peak)]
    if not blind or len(blind) == len(found.rows):
        return said
    has = "has" if len(blind) == 1 else "have"
    judged = ", and alerts there cannot be judged" if found.alerts else ""
    return f"{said} {listed(blind, NAMED)} {has} no forecast{judged}."


def _of_known(found: Outlook, unit: str, asked: bool) -> str:
    """Which alerts are likely, or where it is highest, among the sensors with a forecast."""
    known = [row for row in found.rows if math.isfinite(row.peak)]
    if not known:
        return f"{capital(found.title)}: no sensor has a forecast."
    raised = [(row, i) for row in known for i, up in enumerate(found.raised(row)) if up]
    if asked and not raised:
        likely = max(max(row.chances) for row in known)
        if any(row.chances[i] >= at for row in known for i, at in enumerate(found.levels)):
            dead = listed([row.sensor for row in known if row.sensor in found.dead], NAMED)
            return f"{capital(found.title)}: no alert, but {dead} cannot tell: see its quality."
        return (
            f"{capital(found.title)}: no alert is likely; the highest chance is {chance(likely)}."
        )
    if asked and raised:
        row, i = raised[0]
        many = len({one.sensor for one, _ in raised})
        others = f", and {counted(many - 1, 'more sensor')}" if many > 1 else ""
        how = "likely" if row.chances[i] >= 0.5 else "possible"
        return (
            f"{capital(found.title)}: {found.alerts[i]} is {how} at {row.sensor} "
            f"({chance(row.chances[i])}){others}."
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
        "tone": _tone(row, forecast),
        "peak": number(row.peak),
        "interval": f"{number(row.low)} to {number(row.high)}",
        "values": [_sortable(row.peak), row.when, _sortable(row.day)],
        "when": row.when[5:] or "–",
        "day": number(row.day),
        "chances": [
            {
                "text": chance(share),
                "value": _sortable(share),
                "tone": _level(share, watch.alert.level) if _is_asked(watch) else "",
                "limit": _own_limit(watch, column),
            }
            for share, watch in zip(row.chances, forecast.alerts, strict=True)
        ],
        "quality": _quality(forecast, column),
    }


def _own_limit(watch: Watch, column: int) -> str:
    """Where an alert of the rarest values begins for a sensor."""
    limit = watch.thresholds[column]
    if watch.alert.rarest is None or not math.isfinite(limit):
        return ""
    return f"{'>' if watch.alert.above else '<'} {number(limit)}"


def _level(chance: float, level: float) -> str:
    if not math.isfinite(chance):
        return ""
    return "high" if chance >= level else "some" if chance >= level / 2 else "low"


def _tone(row: SensorOutlook, forecast: Forecast) -> str:
    """The worst of the alerts that were asked for."""
    alerts = zip(row.chances, forecast.alerts, strict=True)
    tones = {_level(share, watch.alert.level) for share, watch in alerts if _is_asked(watch)}
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
