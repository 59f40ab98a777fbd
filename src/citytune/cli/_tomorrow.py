"""Show the next day of a forecast in a table that fits the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from citytune._text import capital, counted, number, percent
from citytune.cli._console import say, stdout

if TYPE_CHECKING:
    from rich.table import Table

    from citytune.forecasting import Forecast, Outlook, SensorOutlook

MOST_ROWS = 20
"""Sensors shown; a screen holds no more."""
WIDE = 100
"""Columns from which there is room for the interval of the peak."""


def tomorrow(forecast: Forecast) -> None:
    """Print the peak, the day and the chances of every sensor, those that matter first."""
    from citytune.forecasting import outlook

    found = outlook(forecast)
    unit = f" in {forecast.quantity.unit}" if forecast.quantity.unit else ""
    say(f"{capital(found.title)}, {forecast.quantity.name.replace('_', ' ')}{unit}:")
    say(_table(found, wide=stdout().width >= WIDE))
    if (hidden := len(found.rows) - MOST_ROWS) > 0:
        say(f"… and {counted(hidden, 'more sensor')}; the table of the forecast has all.")
    if found.alerts:
        say(f"A chance is that of passing {_once(forecast)}.")


def _once(forecast: Forecast) -> str:
    return "at least once" if forecast.copula is not None else "in the most likely step"


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
        f"{percent(chance)}{' !' if chance >= level else '  '}"
        for chance, level in zip(row.chances, found.levels, strict=True)
    ]
