"""What every container gives: one table of named columns, not yet understood."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

MARK = "\u200b"
"""A space of no width behind a name that polars would take for a pattern, or we use ourselves."""
MOMENT = "_time"
"""Column of each row's moment, once it is known."""
_RISKY = re.compile(
    r"^(\*|\^.*\$|cell|number|wrong|row|_(time|sensor|moment|n|row|rows|day|v\w*))$", re.DOTALL
)

_LEVEL = r"""['"]([^'"]*)['"]"""
_LEVELS = re.compile(rf"\({_LEVEL}(?:, ?{_LEVEL})+\)")
"""A name that pandas made of several rows of names: ('NO2', 'north')."""


def guarded(name: str) -> str:
    """A column's name as it is used in here.

    >>> guarded("flow"), bare(guarded("^a.*$")), guarded("('NO2', 'north')")
    ('flow', '^a.*$', 'NO2 north')
    """
    if _LEVELS.fullmatch(name):
        name = " ".join(part for part in re.findall(_LEVEL, name) if part.strip())
    return name + MARK if _RISKY.match(name) else name


def bare(name: str) -> str:
    """A column's name as the person knows it."""
    return name.removesuffix(MARK)


@dataclass(frozen=True)
class SourceTable:
    """A table not yet understood: columns with names and types, rows still on disk if possible."""

    rows: pl.LazyFrame
    schema: pl.Schema
    name: str
    """As the person called it, for messages."""
    stem: str = ""
    """The file's name without its endings, which often tells the quantity."""
    commas: frozenset[str] = frozenset()
    """Text columns whose numbers write 1,5 for one and a half."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Column → its unit, where a row of units or an attribute says so."""
    titles: tuple[str, ...] = ()
    """Lines above the table."""
    exact: Callable[[tuple[str, ...]], pl.DataFrame] | None = None
    """Gives columns as the text they were written in, row by row; None if they were never text."""
    files: int = 1
    """Of how many files this is made."""
    table: str | None = None
    """Of a database, the table that this is."""
    library: str = "polars"
    """Whose table in memory this was, as narwhals calls it."""

    def with_rows(self, rows: pl.LazyFrame) -> SourceTable:
        """The same table with other rows, which are not as they were written."""
        return replace(self, rows=rows, schema=rows.collect_schema(), exact=None)

    def with_other_columns(self, rows: pl.LazyFrame) -> SourceTable:
        """The same rows in their order, with other columns next to those as they were written."""
        return replace(self, rows=rows, schema=rows.collect_schema())

    def renamed(self, names: Mapping[str, str]) -> SourceTable:
        """The same table, some columns of which are called otherwise: old name → new name."""
        rows, exact = self.rows.rename(names), self.exact
        old = {new: name for name, new in names.items()}

        def as_written(some: tuple[str, ...]) -> pl.DataFrame:
            assert exact is not None
            return exact(tuple(old.get(n, n) for n in some)).rename(names, strict=False)

        return replace(
            self,
            rows=rows,
            schema=rows.collect_schema(),
            commas=frozenset(names.get(name, name) for name in self.commas),
            units={names.get(name, name): unit for name, unit in self.units.items()},
            exact=None if exact is None else as_written,
        )
