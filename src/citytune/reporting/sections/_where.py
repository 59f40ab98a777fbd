"""Where the forecast errs: sensor by sensor, and on a map where places are known."""

from __future__ import annotations

import math
from typing import Any

from citytune.reporting import _charts as charts
from citytune.reporting import _words as words
from citytune.reporting._material import Material
from citytune.reporting._measures import SensorError
from citytune.reporting._numbers import number, percent

MOST_ROWS = 200
"""Longest table; a page of 5,000 sensors is read by nobody."""
SHORT_TABLE_ROWS = 12
"""A table of so few sensors is shown at once."""


def where(material: Material) -> dict[str, Any] | None:
    """The map and the table of sensors, the worst for its level first; None without a holdout."""
    if material.scores is None:
        return None
    ranked = sorted(material.sensors, key=lambda s: (not math.isfinite(s.relative), -s.relative))
    return {
        "map": _map(material),
        "naive": material.call(material.naive) if material.naive else "naive",
        "rows": [_row(sensor) for sensor in ranked[:MOST_ROWS]],
        "left_out": max(0, len(ranked) - MOST_ROWS),
        "few": len(ranked) <= SHORT_TABLE_ROWS,
    }


def _row(sensor: SensorError) -> list[str]:
    change = sensor.mae / sensor.rival - 1 if sensor.rival > 0 else math.nan
    return [
        sensor.name,
        number(sensor.level),
        number(sensor.mae),
        percent(sensor.relative, 1),
        words.less_or_more(change),
    ]


def _map(material: Material) -> dict[str, Any] | None:
    figure = charts.error_map(material.frame, material.sensors)
    if figure is None:
        return None
    placed = charts.located(material.frame, material.sensors)
    placed.sort(key=lambda place: -place[0].relative)
    return {
        "figure": figure,
        "rows": [
            [sensor.name, f"{north:.4f}", f"{east:.4f}", percent(sensor.relative, 1)]
            for sensor, north, east in placed[:MOST_ROWS]
        ],
    }
