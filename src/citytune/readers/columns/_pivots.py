"""Rows of totals among those of a pivot table: each has a label such as North Total in some column.

A total has no time, or no time of the day, which all other rows have.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import polars as pl

from citytune._text import counted, listed
from citytune.readers.cells._columns import look_at
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._formats import looks_like_dates
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._time_words import CLOCK_TIME
from citytune.readers.cells._vocabulary import plain_name, tokens

_TOTAL = (
    r"(?i)(^|[\s:-])(grand[\s-]|sub[\s-]?)?(total|totals|totale|totaal|eindtotaal|ergebnis|summe|"
    r"gesamtergebnis|gesamtsumme|zwischensumme|totalsumma|hovedtotal|suma( końcowa)?|"
    r"total g[eé]n[eé]ral|totale complessivo|合計|総計|小計|总计|小计)\W*$"
)
_LABELS = frozenset(
    ["row_labels", "zeilenbeschriftungen", "etiquettes_de_lignes", "etiquetas_de_fila",
     "rijlabels", "etichette_di_riga", "rotulos_de_linha"]
)  # fmt: skip
"""What spreadsheets call the labels of the rows of a pivot table."""
_OF_DAY = r"^\s*(\d{1,2}(:\d\d)?( ?[AaPp][Mm])?)\s*$"
LAST_ROWS = 5
"""Among which a pivot table has a total."""
MOST_TOTALS = 0.5
"""Share of rows that may be totals."""


def with_dates_of_labels(table: SourceTable, findings: Findings) -> SourceTable:
    """The table with a date in each row, where labels are dates with the hours of each below it."""
    name = next(iter(table.schema), "")
    if plain_name(name) not in _LABELS or table.schema[name] != pl.String \
            or {"date", "hour"} & {*table.schema}:  # fmt: skip
        return table
    rows = table.rows.collect()
    hours = rows[name].str.contains(_OF_DAY).fill_null(value=False)
    dates = rows[name].filter(~hours & ~rows[name].str.contains(_TOTAL)).drop_nulls()
    if not hours.any() or hours[0] or not len(dates) or not looks_like_dates(dates):
        return table
    findings.note(
        "merged-dates",
        f"column {name!r} holds dates, and below each the times of its day",
        "each date was taken for the rows below it; its own row is their total",
        count=len(dates),
    )
    date = pl.when(~hours).then(pl.col(name)).forward_fill().alias("date")
    long = rows.with_columns(date).filter(hours).rename({name: "hour"})
    return table.with_rows(long.lazy())


def without_totals_of_pivots(table: SourceTable, findings: Findings) -> SourceTable:
    """The table without its rows of totals, where one of the last rows is one."""
    table = with_dates_of_labels(table, findings)
    texts = [name for name, kind in table.schema.items() if kind == pl.String]
    if table.exact is None or not texts:
        return table
    label = pl.any_horizontal(pl.col(texts).str.contains(_TOTAL)).fill_null(value=False)
    if not table.rows.tail(LAST_ROWS).select(label.any()).collect().item():
        return table
    rows = table.rows.collect()
    total = rows.select(label).to_series()
    lacking = [name for name in _lacking(rows, total) if _tells_time(table, name)]
    if total.mean() > MOST_TOTALS or not lacking:  # type: ignore[operator]
        return table
    total &= rows.select(pl.any_horizontal(pl.col(lacking).is_null())).to_series()
    if not (count := int(total.sum())):
        return table
    said = rows.filter(total).select(pl.coalesce(
        pl.when(pl.col(n).str.contains(_TOTAL)).then(pl.col(n)) for n in texts
    ).alias("said"))["said"].unique(maintain_order=True)  # fmt: skip
    findings.note(
        "summaries",
        f"{counted(count, 'row')} of totals, such as {listed(said.head(3).to_list(), quoted=True)}",
        "not read as data",
        count=count,
    )
    exact = functools.partial(_kept, table, ~total)
    return replace(table, rows=rows.filter(~total).lazy(), exact=exact)


def _lacking(rows: pl.DataFrame, total: pl.Series) -> list[str]:
    """Columns that all other rows fill, and some totals do not."""
    there = rows.filter(~total).null_count().row(0, named=True)
    lost = rows.filter(total).null_count().row(0, named=True)
    return [name for name in rows.columns if not there[name] and lost[name]]


def _tells_time(table: SourceTable, name: str) -> bool:
    timed = look_at(table, name).kind in ("moment", "range", "clock", "clock-range")
    return timed or {*tokens(name), plain_name(name)} & {*CLOCK_TIME} != set()


def _kept(table: SourceTable, kept: pl.Series, names: tuple[str, ...]) -> pl.DataFrame:
    assert table.exact is not None
    return table.exact(names).filter(kept)
