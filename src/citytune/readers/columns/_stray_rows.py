"""Rows among those of a table that are none of it, and cells that stand for those below them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import polars as pl

from citytune._text import counted, listed
from citytune.readers.cells._columns import Columns, look_at
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.times._clock_times import clock_times

_SUMMARY = (
    r"(?i)^\W*((sub|grand|day|daily|week|weekly|month|monthly|tages|wochen|monats)[\s_-]*)?(total\w*|totaal|sum|sums|"
    r"summe|somme|suma|soma|gesamt|average|avg|mean|mittel(wert)?|durchschnitt|moyenne|media|médias?|"
    r"promedio|min|max|minimum|maximum|dtv|dwv|aadt|awdt|adt|tmja|"
    r"std|stdev|stddev|num|count|data ?\[?%\]?|"
    r"合計|合计|小計|小计|总计|總計|日計|日计|平均|합계|소계|평균|итого|всего|среднее|toplam|ortalama|"
    r"σύνολο|μέση|razem|ogółem|średnia|celkem|průměr|összesen|átlag|yhteensä|keskiarvo|snitt|"
    r"gennemsnit|medel(värde)?|ukupno|المجموع|الإجمالي|סה.{0,2}כ|รวม|เฉลี่ย)(\W|$)"
)
"""What stands in place of a time in a row that sums up others."""
SHARE_OF_EMPTY_DATES = 0.5
"""Share of empty dates from which a date is written once for the rows below it."""
MOST_STRAY_ROWS = 0.02
"""Share of rows that may have no time of the day, such as titles."""
SHARE_OF_NEW_DAYS = 0.95
"""Share of dates at which the time of the day begins anew, if they are written so."""


def without_summaries(table: SourceTable, time: tuple[str, ...], findings: Findings) -> SourceTable:
    """The table without rows of totals and means, which a word in place of their time tells."""
    words = [name for name in time if table.schema[name] == pl.String]
    if not words:
        return table
    summary = pl.any_horizontal(
        pl.col(n).str.contains(_SUMMARY).fill_null(value=False) for n in words
    )
    found = table.rows.select(summary.alias("found")).collect(engine="streaming")["found"]
    if not (count := int(found.sum())) or count > len(found) / 4:
        return table
    said = table.rows.filter(summary).select(pl.concat_str(words, separator=" ", ignore_nulls=True))
    examples = said.unique(maintain_order=True).head(3).collect().to_series().to_list()
    findings.note(
        "summaries",
        f"{counted(count, 'row')} of sums, such as {listed(examples, quoted=True)}",
        "not read as data",
        count=count,
    )
    kept = pl.lit(~found)
    exact = None if table.exact is None else functools.partial(_kept, table.exact, ~found)
    return replace(table, rows=table.rows.collect().filter(kept).lazy(), exact=exact)


def _kept(
    exact: Callable[[tuple[str, ...]], pl.DataFrame], rows: pl.Series, names: tuple[str, ...]
) -> pl.DataFrame:
    return exact(names).filter(rows)


def with_dates(table: SourceTable, time: tuple[str, ...], findings: Findings) -> SourceTable:
    """The table with a date in each row, where it is written once for all rows of the day."""
    if len(time) != 2:
        return table
    date, clock = time
    if date not in table.schema or clock not in table.schema:
        return table
    empty = table.rows.select(pl.col(date).is_null().mean()).collect(engine="streaming").item()
    if empty is None or empty < SHARE_OF_EMPTY_DATES:
        return table
    found = clock_times(table, look_at(table, clock))
    if found is None:
        return table
    rows = table.rows.select(there=pl.col(date).is_not_null(), at=found.seconds).collect()
    timed = rows.drop_nulls("at")  # titles and sources have no time of the day
    there, turns = timed["there"], timed["at"] < timed["at"].shift()
    if len(timed) < (1 - MOST_STRAY_ROWS) * len(rows) or not there[0] or turns.filter(~there).sum():
        return table
    if float(turns.filter(there).mean() or 0) < SHARE_OF_NEW_DAYS - 1 / int(there.sum()):  # type: ignore[arg-type]
        return table
    findings.note(
        "merged-dates",
        f"column {date!r} holds a date in {100 * (1 - empty):.2g} % of the rows, where the time of "
        "the day begins anew",
        "each date was taken for the rows below it",
        count=int((~there).sum()),
    )
    of_rows = pl.when(found.seconds.is_not_null()).then(pl.col(date)).forward_fill()
    filled = pl.when(found.seconds.is_not_null()).then(of_rows).otherwise(pl.col(date))
    return replace(table, rows=table.rows.with_columns(filled.alias(date)))


def with_names_below(
    table: SourceTable, seconds: pl.Expr, columns: Columns, findings: Findings
) -> SourceTable:
    """The table with a name in each row, where it is written once above the rows of a sensor.

    The times begin anew at each name, and nowhere else.
    """
    words = [n for n, one in columns.by_name.items() if one.kind == "text" and len(one.cells) > 1]
    if not words:
        return table
    empty = table.rows.select(pl.col(n).is_null().mean() for n in words)
    shares = empty.collect(engine="streaming").row(0)
    able = [
        n
        for n, share in zip(words, shares, strict=True)
        if share is not None and share > SHARE_OF_EMPTY_DATES
    ]
    if not able:
        return table
    rows = table.rows.select(*able, seconds.alias("_at")).collect()
    begins = (rows["_at"].diff() < 0).fill_null(value=True)
    found = [n for n in able if rows[n].is_not_null().equals(begins)]
    if not found:
        return table
    findings.note(
        "merged-names",
        f"column {found[0]!r} holds a name where the times begin anew, and none below it",
        "each name was taken for the rows below it",
        count=int((~begins).sum()),
    )
    filled = table.rows.with_columns(pl.col(found).forward_fill())
    return replace(table, rows=filled, exact=None)
