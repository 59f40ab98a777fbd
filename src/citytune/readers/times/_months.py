"""Dates that are the first of each month if the day comes first, and a few days in a row if not."""

from __future__ import annotations

import polars as pl

from citytune.readers.cells._findings import Findings
from citytune.readers.cells._formats import find_format, parsed
from citytune.readers.cells._table import SourceTable
from citytune.readers.times._date_order import Order

FEWEST_MONTHS = 6
"""Months from which dates are doubted."""


def refuse_months(table: SourceTable, name: str, order: Order | None, findings: Findings) -> None:
    """Refuse dates such as 01/01/2024, 01/02/2024, 01/03/2024, of which nobody knows the order."""
    if table.schema[name] != pl.String or order is not None:
        return
    cells = table.rows.select(pl.col(name).alias("cell").unique(maintain_order=True))
    distinct = cells.head(400).collect(engine="streaming").to_series()
    form = find_format(distinct)
    if form is None or form.rival is None:
        return
    first = form._replace(pattern=form.rival)
    found = parsed(distinct, first).drop_nulls()
    dates = pl.from_epoch(found, "s")
    days = dates.dt.day().to_list()
    if found.n_unique() >= FEWEST_MONTHS and {*days} == {1} and bool((found % 86_400 == 0).all()):
        findings.error(
            "which-date-order",
            f"the dates in column {name!r}, such as {distinct[1]!r}, are the first days of "
            f"{len(days)} months or {len(days)} days of a few, and nothing tells which",
            "pass date_order='day' for months or date_order='month' for days, or write the year "
            "first (2024-03-31)",
        )
