"""Blocks of columns side by side, each with times of its own: those of the time that was named."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from citytune._text import listed
from citytune.readers.cells._columns import Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.times._rivals import clocks_of_their_own


def of_named_time(
    table: SourceTable,
    time: tuple[str, ...],
    columns: Columns,
    named: Collection[str],
    findings: Findings,
) -> tuple[SourceTable, Columns]:
    """The table without the columns to the right of other times that keep clocks of their own.

    Rows beyond the end of a shorter block are left out.

    Args:
        table: Holds the columns.
        time: That was named.
        columns: What they hold.
        named: Columns that were named, which stay.
        findings: Told which were left out.
    """
    names = list(columns.by_name)
    if len(time) != 1 or time[0] not in names:
        return table, columns
    others = [name for name in columns.times if name not in named]
    own = clocks_of_their_own(table, time[0], others) if others else []
    block, rest, into = list[str](), list[str](), None
    for name in names:
        into = {time[0]: block}.get(name, rest if name in own else into)
        if into is not None and name != time[0]:
            into.append(name)
    readings = {*columns.numbers(own)}
    if not own or not readings & {*block} or not readings & {*rest}:
        return table, columns
    gone = [name for name in rest if name not in named]
    findings.note(
        "other-clocks",
        f"{listed(gone, 6, quoted=True)} stand with times of their own",
        f"not read with {time[0]!r}; name their times with time= to read them",
        count=len(gone),
    )
    kept = Columns({name: one for name, one in columns.by_name.items() if name not in gone})
    some = [pl.col(name).is_not_null() for name in [time[0], *block]]
    whole = table.rows.select(pl.any_horizontal(some).all())
    if whole.collect(engine="streaming").item():
        return table.with_other_columns(table.rows.drop(gone)), kept
    return table.with_rows(table.rows.filter(pl.any_horizontal(some)).drop(gone)), kept
