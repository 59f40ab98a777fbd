"""Show how the forecasts of a record did, week by week, in a table that fits the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from citytune._text import number, percent
from citytune.cli._console import say, stdout

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

    from citytune.evaluation import Verified

WIDE = 100
"""Columns from which there is room for both errors."""


def weeks(table: pl.DataFrame, unit: str, words: Mapping[str, str]) -> None:
    """Print a row a week, and one for all; `words` are those of the alerts, by their columns."""
    from citytune.evaluation import by_week, verified

    whole = verified(table)
    if whole is None:
        say("Nothing that was forecast has been measured yet; `citytune refresh` reads what came.")
        return
    alerts = [*whole.alerts]
    say(f"Past forecasts, {whole.first} to {whole.last}; errors in {unit or 'units'}:")
    rows = {**by_week(table), "all": whole}
    say(_table(rows, alerts, wide=stdout().width >= WIDE))
    say("change: of the error, against yesterday's values.")
    for i, name in enumerate(alerts):
        said = words.get(name, name)
        say(f"alert {i + 1}: {said}; its mean chance as forecast: how often it came true.")


def _table(rows: dict[str, Verified], alerts: list[str], *, wide: bool) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("week from", no_wrap=True)
    headings = ["values", "error", *(["yesterday's"] if wide else []), "change", "in 90 %"]
    headings += [f"alert {i + 1}" for i in range(len(alerts))]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, week in rows.items():
        errors = [number(week.mae), *([number(week.naive)] if wide else [])]
        table.add_row(
            name, f"{week.values:,}", *errors, percent(-week.saved, signed=True),
            percent(week.coverage), *(_pair(week, alert) for alert in alerts),
        )  # fmt: skip
    return table


def _pair(week: Verified, alert: str) -> str:
    if alert not in week.alerts:
        return "–"
    said, came = week.alerts[alert]
    return f"{percent(said)}: {percent(came)}"
