"""The cells of all text columns of a table in one column, so that a rule is one pass over them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import polars as pl

from citytune.readers.cells._numbers import missing_words

CELL = pl.col("cell")


class Texts:
    """A table, and the distinct cells of its text columns, which are found once."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self.rows = rows

    @cached_property
    def once(self) -> pl.DataFrame:
        """The distinct cells of each text column, in their order: name, cell."""
        names = [name for name, kind in self.rows.schema.items() if kind == pl.String]
        if not names:
            return pl.DataFrame(schema={"name": pl.String, "cell": pl.String})
        cells = pl.col(names).unique(maintain_order=True).drop_nulls().implode()
        lists = self.rows.select(cells)
        column = pl.concat([one.alias("cell") for one in lists])
        return pl.DataFrame({"name": names, "cell": column}).explode("cell").drop_nulls()

    @cached_property
    def said(self) -> pl.DataFrame:
        """As `once`, without the words for a missing value."""
        missing = CELL.str.strip_chars().str.to_lowercase().is_in(missing_words())
        return self.once.filter(~missing)

    def first(self, count: int) -> pl.DataFrame:
        """The first cells of each column, as in `said`."""
        return self.said.group_by("name", maintain_order=True).head(count)

    def of(self, names: Iterable[str]) -> pl.DataFrame:
        """The cells of some columns, as in `said`."""
        return of(self.said, names)

    def changed(self, columns: Sequence[pl.Expr]) -> Texts:
        """The table with some columns changed."""
        return Texts(self.rows.with_columns(columns)) if columns else self


def of(cells: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """The cells of some columns."""
    return cells.filter(pl.col("name").is_in(list(names)))


def names_where(cells: pl.DataFrame, rule: pl.Expr) -> list[str]:
    """The columns that have a cell of which a rule holds."""
    return cells.filter(rule)["name"].unique(maintain_order=True).to_list()


def by_name(cells: pl.DataFrame, *what: pl.Expr, **named: pl.Expr) -> pl.DataFrame:
    """What is found of the cells of each column: a row a column."""
    return cells.group_by("name", maintain_order=True).agg(*what, **named)
