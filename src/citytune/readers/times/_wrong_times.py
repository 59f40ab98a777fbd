"""Say which cells of a column of times are none."""

from __future__ import annotations

import polars as pl

from citytune._text import counted, listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.times._times import SANE_SECONDS, Moments

_EXAMPLE = "write times such as 2024-03-31 14:00, one format in the whole column"


def spelt_times(table: SourceTable, time: tuple[str, ...], row: int) -> str:
    """The cells of a row's time, as they are written."""
    found = table.rows.slice(row, 1).select(pl.struct(_as_text(table, name) for name in time))
    return _spelt(found.collect(engine="streaming").to_series()[0])


def refuse_wrong_times(
    table: SourceTable, time: tuple[str, ...], moments: Moments, findings: Findings
) -> None:
    """Add the error of cells that are no time: how many, and the first three with their rows."""
    wrong = (
        table.rows.select(
            pl.struct(_as_text(table, name) for name in time).alias("cells"),
            moments.seconds.alias("seconds"),
        )
        .with_row_index("row", offset=1)
        .filter(pl.col("seconds").is_null())
        .select("row", "cells")
    )
    count = wrong.select(pl.len()).collect(engine="streaming").item()
    shown = ", ".join(
        f"{_spelt(found)} in row {row}" for row, found in wrong.head(3).collect().rows()
    )
    findings.error(
        "unreadable-times",
        f"column {listed(list(time), quoted=True)}: {counted(count, 'cell')} cannot be read as "
        f"time: {shown}",
        f"correct or delete these rows; {_EXAMPLE}",
        count=count,
    )


def _as_text(table: SourceTable, name: str) -> pl.Expr:
    """Cells as text; moments beyond any calendar as their number, which polars cannot spell."""
    column, kind = pl.col(name), table.schema[name]
    if kind.is_nested() or kind in (pl.Duration, pl.Object, pl.Binary):
        return pl.lit(f"({kind.base_type().__name__})").alias(name)
    if not isinstance(kind, pl.Datetime):
        return column.cast(pl.String)
    sane = column.dt.epoch("s").is_between(*SANE_SECONDS)
    return pl.when(sane).then(pl.when(sane).then(column).cast(pl.String)).otherwise(
        column.cast(pl.Int64).cast(pl.String)
    ).alias(name)  # fmt: skip


def _spelt(found: dict[str, object]) -> str:
    return " ".join("(empty)" if cell is None else repr(cell) for cell in found.values())
