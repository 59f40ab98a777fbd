"""Show how a table is understood: the role of each column, some of its cells, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from citytune._fork import refuse_after_fork
from citytune._text import listed
from citytune.frame import Fault
from citytune.readers._source import open_table, source_name
from citytune.readers.cells._columns import Column
from citytune.readers.cells._damage import damage_told
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable, bare
from citytune.readers.cells._units import UNIT_COLUMNS
from citytune.readers.cells._vocabulary import goes_beside, plain_name
from citytune.readers.columns._request import Request
from citytune.readers.columns._roles import Roles, understand
from citytune.readers.values._covariates import sort_out

MOST_ALIKE = 6
"""Columns of one role that are shown one by one."""
GUESSES = ("guessed-time", "unfolded", "several-quantities", "guessed-sensor", "guessed-target",
           "guessed-layout", "guessed-quantity")  # fmt: skip


@dataclass(frozen=True)
class ColumnRole:
    """What one column is taken for."""

    name: str
    role: str
    """"time", "sensor", "reading", "parameter", "validity", "known ahead", "place", "unit" or
    "not used"."""
    cells: tuple[str, ...]
    """Three of its cells."""
    why: str


@dataclass(frozen=True)
class Explanation:
    """How a table is understood."""

    columns: tuple[ColumnRole, ...]
    """Of the table, in its order; many sensors of one kind share a line."""

    def __str__(self) -> str:
        table = [("column", "role", "cells", "why")]
        table += [(c.name, c.role, ", ".join(c.cells), c.why) for c in self.columns]
        widths = [max(len(row[i]) for row in table) for i in range(3)]
        return "\n".join(
            "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3]])
            for row in table
        )


def explain(source: Any, **options: Any) -> Explanation:
    """How a source is understood, column by column; takes what `read` takes.

    Raises:
        TableError: The table cannot be understood; the message lists what would settle it.
        InputError: The file is not there, or an argument does not fit it.

    Example:
        >>> import polars as pl
        >>> days = ["2024-01-01", "2024-01-02"]
        >>> table = pl.DataFrame({"day": days, "no": [7, 8], "flow": [3, 4]})
        >>> [(column.name, column.role) for column in explain(table).columns]
        [('day', 'time'), ('no', 'not used'), ('flow', 'reading')]
    """
    refuse_after_fork()
    request, findings = Request(**options), Findings(source_name(source))
    table = open_table(source, findings, table=request.table, query=request.query)
    asked = sort_out(request.covariates, table)
    with damage_told(findings):
        table, roles = understand(table, request, asked.columns, findings)
        rows = [_of(roles.columns.by_name[name], table, roles) for name in table.schema
                if name in roles.columns.by_name]  # fmt: skip
    return Explanation(tuple(_gathered(rows)))


def in_one_line(faults: Sequence[Fault]) -> str:
    """What was guessed of a source's columns, in one line, from a frame's faults.

    >>> in_one_line([Fault("guessed-time", "note", "the time was read from 'day'", "")])
    "the time was read from 'day'"
    """
    said = {fault.kind: fault.message.partition("; not used")[0] for fault in faults}
    return "; ".join(said[kind] for kind in GUESSES if kind in said)


def _of(column: Column, table: SourceTable, roles: Roles) -> ColumnRole:
    role, why = _role(column, table, roles)
    cells = tuple(str(cell)[:24] for cell in column.cells.head(3).to_list())
    return ColumnRole(bare(column.name), role, cells, why)


def _role(column: Column, table: SourceTable, roles: Roles) -> tuple[str, str]:
    name = column.name
    if name in roles.time:
        ends = "; the end of each interval" if roles.moments.ends else ""
        return "time", _KINDS.get(column.kind, column.kind) + ends
    if name in roles.sensor:
        return "sensor", "with the time it tells the rows apart"
    if name in roles.targets:
        if column.cells.is_empty():
            return "reading", "no numbers in the rows looked at"
        unit = table.units.get(name) or roles.unit
        comma = ", with a decimal comma" if name in table.commas else ""
        return "reading", "numbers that change" + (f", in {unit}" if unit else "") + comma
    if roles.parameter is not None and name == roles.parameter.column:
        return "parameter", f"says what is measured; {roles.parameter.said} is read"
    if name in roles.covariates:
        return "known ahead", "as asked for"
    if name in roles.places:
        return "place", "coordinates of the sensors"
    if roles.valid is not None and name in roles.valid.meta.root_names():
        return "validity", "says which readings are valid"
    if {plain_name(name), plain_name(name.rpartition(".")[2])} & UNIT_COLUMNS:
        return "unit", "of the readings"
    return "not used", _why_not(column)


_KINDS = {"moment": "moments", "range": "ranges of time", "clock": "times of the day",
          "clock-range": "ranges of the day", "number": "numbers that count time"}  # fmt: skip


def _why_not(column: Column) -> str:
    if column.kind == "empty":
        return "empty"
    if column.counter:
        return "counts the rows"
    if column.kind in ("moment", "range", "clock", "clock-range"):
        return "another time"
    if column.constant:
        return "one value in every row"
    if column.kind in ("text", "bool", "other"):
        return {"text": "text", "bool": "yes or no", "other": "neither numbers nor text"}[
            column.kind
        ]
    if goes_beside(column.name):
        return "by its name weather, calendar or a side value"
    return "numbers, but another column is read"


def _gathered(rows: Sequence[ColumnRole]) -> list[ColumnRole]:
    """Many columns of one role and reason as one line."""
    found: list[ColumnRole] = []
    groups: dict[tuple[str, str], list[ColumnRole]] = {}
    for row in rows:
        groups.setdefault((row.role, row.why), []).append(row)
    for row in rows:
        group = groups[row.role, row.why]
        if len(group) <= MOST_ALIKE:
            found.append(row)
        elif group[0] is row:
            names = listed([one.name for one in group], 3, quoted=True)
            found.append(ColumnRole(names, row.role, row.cells, row.why))
    return found
