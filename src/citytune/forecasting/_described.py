"""A forecast in a line of text, and as a table for a notebook."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from citytune._tables import html_block, html_lines, html_table
from citytune._text import counted, number, percent
from citytune.forecasting._outlook import outlook
from citytune.forecasting._quality import ABSENT

if TYPE_CHECKING:
    from citytune.forecasting._forecast import Forecast

SHOWN = 10
"""Sensors that a notebook shows."""


def line_of(forecast: Forecast) -> str:
    """What is forecast, for how many sensors, how far and from when; and what is not as usual."""
    horizon, count = forecast.mean.shape
    clock = forecast.clock
    zone = f" {clock.timezone}" if clock.timezone else ""
    said = (
        f"{forecast.quantity}, {count} sensor{'s' * (count != 1)}, {horizon} "
        f"step{'s' * (horizon != 1)} of {clock.freq} from {clock.text(0)}{zone}"
    )
    first = zip(forecast.sensors, forecast.quality[0], strict=True)
    if absent := [name for name, word in first if word == ABSENT]:
        said += f"; absent: {', '.join(absent)}"
    if forecast.fallback:
        said += f"; by the naive rule, for want of history: {', '.join(forecast.fallback)}"
    return said


def html_of(forecast: Forecast) -> str:
    """Peak and total of the next day by sensor, with the chance of each alert."""
    # Without the copula it is a matter of milliseconds; the peak is that of the highest hour.
    found = outlook(replace(forecast, copula=None))
    unit = f" ({found.unit})" if found.unit else ""
    head = ["sensor", "peak", "90 % interval", "when", f"{found.amount}{unit}", *found.alerts]
    rows = [
        [
            row.sensor, number(row.peak), f"{number(row.low)} to {number(row.high)}",
            row.when or "–", number(row.day), *(percent(chance) for chance in row.chances),
        ]
        for row in found.rows[:SHOWN]
    ]  # fmt: skip
    more = len(found.rows) - len(rows)
    said = [f"and {counted(more, 'more sensor')}"] if more > 0 else []
    table = html_table(head, rows)
    return html_block(line_of(forecast), html_lines([found.title]), table,
                      html_lines([*said, *forecast.notes]))  # fmt: skip
