"""Bring the readings of several files to one unit, where the files say units of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from citytune._errors import InputError
from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._numbers import cells
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._unit_parts import Part, with_whole_units
from citytune.readers.cells._units import factor_between, unit_in, unit_of, unit_of_titles


def under_one_name(parts: Sequence[SourceTable]) -> list[SourceTable]:
    """The tables, columns called alike but for their unit under the name that the first gives."""
    first = parts[0]
    names = {_bare(name): name for name in first.schema if _bare(name) != name}
    found = []
    for part in parts:
        new = {
            name: names[_bare(name)]
            for name in part.schema
            if name not in first.schema
            and _bare(name) in names
            and _bare(name) != name
            and names[_bare(name)] not in part.schema
        }
        units = {new[name]: unit_in(name) or "" for name in new}
        renamed = replace(part.with_rows(part.rows.rename(new)), units={**part.units, **units})
        found.append(renamed if new else part)
    return found


def in_one_unit(parts: Sequence[SourceTable], findings: Findings) -> list[SourceTable]:
    """The tables, with each column in the unit of the first table.

    Raises:
        InputError: The units of a column cannot be converted.
    """
    first, found, said = parts[0], [parts[0]], dict[str, str]()
    for part in parts[1:]:
        changed = []
        silent = not any((first.units, first.titles, part.units, part.titles))
        for name in () if silent else first.schema:
            ours, theirs = _unit(first, name), _unit(part, name)
            if not ours or not theirs or ours == theirs:
                continue
            factor = _factor(theirs, ours)
            if factor is None:
                raise InputError(
                    f"column {name!r} is in {_spelt(ours)} in {first.name} and in {_spelt(theirs)} "
                    f"in {part.name}; "
                    "pass files of one unit together"
                )
            if part.schema[name] == pl.String or part.schema[name].is_numeric():
                changed.append((_number(part, name) * factor).alias(name))
                said[part.name] = f"{_spelt(theirs)}, not {_spelt(ours)}"
        rows = part.rows.with_columns(changed)
        schema = rows.collect_schema()
        found.append(replace(part, rows=rows, schema=schema) if changed else part)
    if said:
        one = next(iter(said.values()))
        findings.note(
            "converted",
            f"{listed(list(said), 3, quoted=True)} {'is' if len(said) == 1 else 'are'} in {one}",
            f"all files were read in {one.partition(', not ')[2]}",
            count=len(said),
        )
    return found


def _unit(table: SourceTable, name: str) -> Part | None:
    """The unit that a table says of a column: below its name, in it, or in a line above them."""
    whole, factors = with_whole_units(table, (name,), Findings(""))
    if name in factors:
        return Part(factors[name], whole.units[name])
    unit = (
        unit_of(table.units.get(name, ""))
        or unit_in(name)
        or (unit_of_titles(table.titles) if table.schema[name].is_numeric() else "")
    )
    return Part(1.0, unit) if unit else None


def _factor(theirs: Part, ours: Part) -> float | None:
    whole = 1.0 if theirs.unit == ours.unit else factor_between(theirs.unit, ours.unit)
    return None if whole is None else whole * theirs.factor / ours.factor


def _spelt(part: Part) -> str:
    return part.unit if part.factor == 1.0 else f"{part.factor:g} {part.unit}"


def _bare(name: str) -> str:
    """A name without the unit behind it."""
    bare = re.sub(r"\s*[(\[][^()\[\]]*[)\]]\s*$", "", name)
    return bare if bare != name and unit_in(name) else name


def _number(table: SourceTable, name: str) -> pl.Expr:
    if table.schema[name] == pl.String:
        return cells(name, name in table.commas).number
    return pl.col(name).cast(pl.Float64)
