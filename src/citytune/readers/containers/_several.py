"""Make one table of several files: the months of one system, or a file for each station."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import polars as pl

from citytune._errors import InputError
from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._unit_of_files import in_one_unit, under_one_name

FILE = "file"
"""Column with the name of each row's file, which may be a station's."""
_FORMULA = re.compile(r"(?<![A-Za-z0-9])(no|co|o|bc)$", re.IGNORECASE)
_NUMBERS = re.compile(r"([-_ ]+[0-9]*)+$")


def join(
    parts: Sequence[SourceTable], name: str, findings: Findings, what: str = "files"
) -> SourceTable:
    """The rows of tables with the same columns, one after the other.

    Rows that two files hold alike count once when the readings are laid out.
    """
    parts = under_one_name(parts)
    first = parts[0]
    for part in parts[1:]:
        _refuse_other_columns(first, part)
    parts = in_one_unit(parts, findings)
    kinds = {column: _common([part.schema[column] for part in parts]) for column in first.schema}
    commas = frozenset[str]().union(*(part.commas for part in parts))
    rows = [_alike(part, kinds, commas) for part in parts]
    if FILE not in first.schema:
        rows = [
            one.with_columns(pl.lit(_told_apart(part, parts)).alias(FILE))
            for one, part in zip(rows, parts, strict=True)
        ]
    joined = pl.concat(rows)
    findings.note(
        "several-files",
        f"{len(parts)} {what} were read as one table",
        "rows that are alike in two of them count once",
        count=len(parts),
    )
    exact = _exact(parts) if all(part.exact is not None for part in parts) else None
    return SourceTable(joined, joined.collect_schema(), name, _shared([p.stem for p in parts]),
                       commas, first.units, first.titles, exact, len(parts))  # fmt: skip


def _refuse_other_columns(first: SourceTable, other: SourceTable) -> None:
    ours, theirs = set(first.schema), set(other.schema)
    if ours == theirs:
        return
    said = [
        f"{table.name} has {listed(sorted(more), 4, quoted=True)}, which {rest.name} has not"
        for table, rest, more in ((first, other, ours - theirs), (other, first, theirs - ours))
        if more
    ]
    raise InputError(
        f"the files have different columns: {'; '.join(said)}. Pass files of one kind together, "
        "and others as covariates= or on their own"
    )


def _common(kinds: Sequence[pl.DataType]) -> pl.DataType:
    """A type that holds the cells of all parts: text and numbers together are text."""
    if len(set(kinds)) == 1:
        return kinds[0]
    if all(kind.is_numeric() for kind in kinds):
        return pl.Int64() if all(kind.is_integer() for kind in kinds) else pl.Float64()
    if all(isinstance(kind, pl.Datetime) for kind in kinds):
        zones = {kind.time_zone for kind in kinds if isinstance(kind, pl.Datetime)}
        if len(zones) == 1:
            return pl.Datetime("us", zones.pop())
    return pl.String()


def _alike(
    part: SourceTable, kinds: dict[str, pl.DataType], commas: frozenset[str]
) -> pl.LazyFrame:
    made: list[pl.Expr] = []
    for name, kind in kinds.items():
        column = pl.col(name).cast(kind) if part.schema[name] != kind else pl.col(name)
        if name in commas and name not in part.commas and kind == pl.String:
            column = column.str.replace(".", ",", literal=True)
        made.append(column)
    return part.rows.select(made)


def _told_apart(part: SourceTable, parts: Sequence[SourceTable]) -> str:
    """A file's name without its endings, or its whole path if another has that name too."""
    return part.stem if sum(one.stem == part.stem for one in parts) == 1 else part.name


def _shared(stems: Sequence[str]) -> str:
    """What the names of the files begin with in common, which may tell the quantity.

    Numbers that differ are left out, and what looks like a formula because a word was cut.

    >>> [_shared(two) for two in (["no2_2025-01", "no2_2025-02"], ["pv1", "pv2"], ["nord", "noor"])]
    ['no2', 'pv', '']
    """
    shortest = min(stems, key=len)
    length = next(
        (i for i, letter in enumerate(shortest) if any(stem[i] != letter for stem in stems)),
        len(shortest),
    )
    said = shortest[:length]
    if any(stem[len(said) :][:1].isdigit() for stem in stems):
        said = said.rstrip("0123456789")
    if any(stem[len(said) :][:1].isalnum() for stem in stems):
        said = _FORMULA.sub("", said)
    return _NUMBERS.sub("", said)


def _exact(parts: Sequence[SourceTable]) -> Any:
    def written(names: tuple[str, ...]) -> pl.DataFrame:
        found = [part.exact(names) for part in parts if part.exact is not None]
        return pl.concat(found)

    return written
