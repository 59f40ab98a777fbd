"""Where the forecast is wrong: sensor by sensor, and on a map where places are known."""

from __future__ import annotations

import math
from typing import Any

from citytune._text import number, percent
from citytune.evaluation import error_change
from citytune.reporting import _charts as charts
from citytune.reporting._material import Material
from citytune.reporting._measures import SensorError

MOST_ROWS = 200
"""Longest table; nobody reads a page of 5,000 sensors."""
SHORT_TABLE_ROWS = 12
"""A table of so few sensors is shown at once."""


def where(material: Material) -> dict[str, Any] | None:
    """The map and the table of sensors, the worst first; None without a test period."""
    if material.scores is None:
        return None
    ranked = sorted(material.sensors, key=lambda s: (not math.isfinite(s.relative), -s.relative))
    return {
        "map": _map(material),
        "naive": material.call(material.naive) if material.naive else "the best simple rule",
        "level": material.in_unit("mean level"),
        "error": material.in_unit("mean error"),
        "rows": [_row(sensor) for sensor in ranked[:MOST_ROWS]],
        "left_out": max(0, len(ranked) - MOST_ROWS),
        "few": len(ranked) <= SHORT_TABLE_ROWS,
    }


def _row(sensor: SensorError) -> list[str]:
    saved = 1 - sensor.mae / sensor.rival if sensor.rival > 0 else math.nan
    return [
        sensor.name,
        number(sensor.level),
        number(sensor.mae),
        percent(sensor.relative, 1),
        error_change(saved),
    ]


def _map(material: Material) -> dict[str, Any] | None:
    figure = charts.error_map(material.frame, material.sensors)
    if figure is None:
        return None
    errors = {sensor.name: sensor.relative for sensor in material.sensors}
    placed = charts.located(material.frame, errors)
    placed.sort(key=lambda place: -errors[place[0]])
    return {
        "figure": figure,
        "rows": [
            [name, f"{north:.4f}", f"{east:.4f}", percent(errors[name], 1)]
            for name, north, east in placed[:MOST_ROWS]
        ],
    }
