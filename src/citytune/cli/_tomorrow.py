"""Show the next day of a forecast in a table that fits the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from citytune._text import capital, chance, counted, number
from citytune.cli._console import say, stdout

if TYPE_CHECKING:
    from rich.table import Table

    from citytune.forecasting import Forecast, Outlook, SensorOutlook, Watch
    from citytune.watching import Alarm

MOST_ROWS = 20
"""Sensors shown; a screen holds no more."""
MOST_ALARMS = 5
WIDE = 100
"""Columns from which there is room for the interval of the peak."""


def tomorrow(forecast: Forecast, found: Outlook | None = None) -> None:
    """Print the peak, the day and the chances of every sensor, those that matter first.

    Args:
        forecast: Of all sensors, or of some.
        found: The next day of all of them; by default of those of the forecast.
    """
    from citytune.forecasting import outlook

    found = found or outlook(forecast)
    unit = f" in {forecast.quantity.unit}" if forecast.quantity.unit else ""
    say(f"{capital(found.title)}, {forecast.quantity.name.replace('_', ' ')}{unit}:")
    say(_table(found, wide=stdout().width >= WIDE))
    if (hidden := len(found.rows) - MOST_ROWS) > 0:
        say(f"… and {counted(hidden, 'more sensor')}; the table of the forecast has all.")
    if found.alerts:
        say(f"A chance is that of passing {_once(forecast)}.")
    for watch in forecast.alerts:
        if watch.alert.rarest is not None and (span := _span(watch, forecast.quantity.unit)):
            say(f"{capital(watch.alert.words(forecast.quantity))} is {span}.")


def unusual(alarms: Sequence[Alarm]) -> None:
    """Print what is no longer as it was, with what to do."""
    for alarm in alarms[:MOST_ALARMS]:
        say(f"Unusual: {alarm.sentence}. {alarm.advice}")
    if (hidden := len(alarms) - MOST_ALARMS) > 0:
        say(f"… and {counted(hidden, 'more sensor')} with something unusual.")


def _once(forecast: Forecast) -> str:
    return "at least once" if forecast.copula is not None else "in the most likely step"


def _span(watch: Watch, unit: str) -> str:
    """Where an alert of the rarest values begins, over all sensors; empty if that is not known."""
    known = sorted(at for at in watch.thresholds if math.isfinite(at))
    if not known:
        return ""
    side = "above" if watch.alert.above else "below"
    low, high = number(known[0]), number(known[-1])
    span = low if low == high else f"{low} to {high}"
    return f"{side} {span} {unit}".strip() + (", by sensor" if low != high else "")


def _table(found: Outlook, *, wide: bool) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("sensor", no_wrap=True, overflow="ellipsis", min_width=8)
    amount = found.amount + (f" ({found.unit})" if found.amount == "total" else "")
    numbers = ["peak", *(["90 % interval"] if wide else []), "at", amount]
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    for name in found.alerts:
        table.add_column(f"chance of {name}", justify="right", overflow="fold", max_width=18)
    for row in found.rows[:MOST_ROWS]:
        table.add_row(row.sensor, *_cells(row, wide=wide), *_chances(found, row))
    return table


def _cells(row: SensorOutlook, *, wide: bool) -> list[str]:
    interval = [f"{number(row.low)} to {number(row.high)}"] if wide else []
    return [number(row.peak), *interval, row.when[5:] or "–", number(row.day)]


def _chances(found: Outlook, row: SensorOutlook) -> list[str]:
    """One past its level is marked, also where there are no colours."""
    return [
        f"{chance(share)}{' !' if raised else '  '}"
        for share, raised in zip(row.chances, found.raised(row), strict=True)
    ]
