"""Registers of one meter side by side, of which one counts at a time: on-peak and off-peak."""

from __future__ import annotations

import re

import polars as pl

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._units import ENERGY, unit_in
from citytune.readers.cells._vocabulary import TARIFFS, tokens
from citytune.readers.columns._folded import number_of

FEWEST_ROWS = 24
"""Rows from which the registers are seen to take turns."""
_BAND = re.compile(r"[fp][1-6]")
"""Bands of the tariffs of Italy (F1 to F3) and Spain (P1 to P6); chargers are called so too."""
MOST_IDLE = 0.1
"""Share of rows in which no register counts, up to which such names are those of bands."""
MOST_TOGETHER = 0.02
"""Share of rows in which two may count, and each must: the step of a change holds both."""


def with_registers_added(table: SourceTable, findings: Findings) -> SourceTable:
    """The table with the sum of the columns that differ in the tariff alone and take turns."""
    groups: dict[str, list[str]] = {}
    for name in table.schema:
        words = tokens(name)
        unit = unit_in(name)
        tariffs = [w for w in words if w in TARIFFS or (unit in ENERGY and _BAND.fullmatch(w))]
        if tariffs and unit:
            rest = "_".join(word for word in words if word not in tariffs)
            groups.setdefault(f"{rest} [{unit}]", []).append(name)
    for names in groups.values():
        if len(names) > 1 and _take_turns(table, names):
            findings.note(
                "tariffs",
                f"{listed(names, quoted=True)} were added up: registers that count at different "
                "times of the day",
                f"pass target={names[0]!r} for one of them",
            )
            numbers = [number_of(table, name) for name in names]
            there = pl.any_horizontal(number.is_not_null() for number in numbers)
            added = pl.when(there).then(pl.sum_horizontal(numbers)).alias(" + ".join(names))
            table = table.with_other_columns(table.rows.with_columns(added).drop(names))
    return table


def _take_turns(table: SourceTable, names: list[str]) -> bool:
    """Whether nearly all rows have a reading in one of some columns, and 0 or none in the rest."""
    numbers = [number_of(table, name).fill_null(0.0) for name in names]
    rows = table.rows.select(n.alias(str(i)) for i, n in enumerate(numbers))
    busy = rows.select(pl.all() != 0).collect(engine="streaming")
    busy = busy.select(column for column in busy if column.any())
    together = busy.filter(pl.sum_horizontal(pl.all().cast(pl.Int32)) > 1)
    count = len(busy)
    if busy.width < 2 or count < FEWEST_ROWS:
        return False
    idle = count - int(busy.select(pl.any_horizontal(pl.all()).sum()).item())
    bands = any(_BAND.fullmatch(word) for name in names for word in tokens(name))
    least = min(int(column.sum()) for column in busy)
    return len(together) <= MOST_TOGETHER * count <= least and not (
        bands and idle > MOST_IDLE * count
    )
