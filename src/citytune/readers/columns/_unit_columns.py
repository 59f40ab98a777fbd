"""Columns that say the unit of each row."""

from __future__ import annotations

import polars as pl

from citytune._text import listed
from citytune.readers.cells._columns import Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._unit_parts import Part, part_of
from citytune.readers.cells._units import UNIT_COLUMNS, are_units, factor_between, unit_of
from citytune.readers.cells._vocabulary import plain_name


def unit_columns(columns: Columns) -> list[str]:
    """Columns that are called so and may hold units."""
    return [
        name
        for name, column in columns.by_name.items()
        if column.kind == "text"
        and {plain_name(name), plain_name(name.rpartition(".")[2])} & UNIT_COLUMNS
        and are_units(map(str, column.cells))
    ]


def units_of(columns: Columns, name: str) -> list[str]:
    """The units that a column holds, spelt one way."""
    return [unit_of(str(cell)) or str(cell) for cell in columns.by_name[name].cells]


def unit_column(
    view: SourceTable, columns: Columns, findings: Findings
) -> tuple[str, pl.Expr | None]:
    """The unit of what is read by a column of units, and what its rows are multiplied by.

    Units of one kind, such as W and kW, are converted to the most common one.

    Returns:
        Nothing if there is no such column, or its units are of several kinds.
    """
    named = unit_columns(columns)
    if not named:
        return "", None
    found = view.rows.select(pl.col(named[0]).drop_nulls().value_counts(sort=True))
    counts = found.collect(engine="streaming").to_series().struct.field(named[0]).to_list()
    parts = [part_of(str(cell)) or Part(1.0, unit_of(str(cell)) or str(cell)) for cell in counts]
    units = [part.unit for part in parts]
    if all(part == parts[0] for part in parts) and (not parts or parts[0].factor == 1.0):
        return units[0] if units else "", None
    factors = [_factor(part, units[0]) for part in parts]
    if None in factors:
        return "", None
    said = sorted({str(cell) if part.factor != 1.0 else part.unit
                   for cell, part in zip(counts, parts, strict=True)})  # fmt: skip
    findings.note(
        "converted",
        f"readings in {listed(said, quoted=True)}, as column {named[0]!r} says",
        f"all were read in {units[0]}",
    )
    scale = pl.col(named[0]).replace_strict(counts, factors, default=1.0, return_dtype=pl.Float64)
    return units[0], scale


def _factor(part: Part, unit: str) -> float | None:
    """What numbers of a part of a unit are multiplied by, to be in another; None if unknown."""
    factor = 1.0 if part.unit == unit else factor_between(part.unit, unit)
    return None if factor is None else factor * part.factor
