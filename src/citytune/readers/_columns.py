"""See what each column of a table holds: moments, times of the day, numbers or words."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from citytune.readers._formats import looks_like_dates, looks_like_moments
from citytune.readers._numbers import is_missing, numeric_share
from citytune.readers._source import SourceTable
from citytune.readers._vocabulary import TIME, plain_name

Kind = Literal["moment", "clock", "number", "text", "bool", "empty", "other"]

_SAMPLE = 20_000
_CLOCK = re.compile(r"^\s*\d{1,2}[:.]\d{2}([:.]\d{2})?\s*([AaPp][Mm])?\s*$")
_ROW_NUMBER = re.compile(r"^(unnamed(_\d+)?|index|level_0|row|row_?id|no|nr|record|rec|id|)$")


@dataclass(frozen=True)
class Columns:
    """What every column of a table holds, by name."""

    kinds: dict[str, Kind] = field(default_factory=dict)
    dates: frozenset[str] = frozenset()
    """Moments that are always midnight: a time of the day may stand next to them."""
    whole: frozenset[str] = frozenset()
    """Numbers that are whole: they may name a sensor."""
    row_numbers: frozenset[str] = frozenset()
    """Numbers that only count the rows."""
    flags: frozenset[str] = frozenset()
    """Numbers that are only ever 0 or 1, as far as was looked."""
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def times(self) -> list[str]:
        """Columns of moments."""
        return [name for name, kind in self.kinds.items() if kind == "moment"]

    @property
    def texts(self) -> list[str]:
        """Columns of words."""
        return [name for name, kind in self.kinds.items() if kind == "text"]

    @property
    def names_of_things(self) -> list[str]:
        """Columns that could name a sensor: words, or whole numbers."""
        return [n for n, kind in self.kinds.items() if kind == "text" or n in self.whole]

    def numbers(self, besides: Collection[str] = ()) -> list[str]:
        """Columns of numbers, and empty ones, that have no other role yet."""
        return [
            name
            for name, kind in self.kinds.items()
            if kind in ("number", "empty") and name not in besides and name not in self.row_numbers
        ]

    def example(self, name: str) -> str:
        """A cell of a column, for a message."""
        return f" (it holds {self.examples[name]!r})" if name in self.examples else ""


def look(table: SourceTable) -> Columns:
    """Look at the types of all columns, and at the first cells of those that are text."""
    sample = table.rows.head(_SAMPLE).collect()
    kinds: dict[str, Kind] = {}
    examples = {}
    for name, dtype in table.schema.items():
        kinds[name] = _kind(table, sample[name], dtype)
        if kinds[name] in ("text", "other") and len(found := sample[name].drop_nulls()):
            examples[name] = str(found[0])
    whole = frozenset(n for n, kind in kinds.items() if kind == "number" and _is_whole(sample[n]))
    counting = frozenset(n for n in whole if _counts_rows(sample[n]))
    dates = frozenset(n for n, kind in kinds.items() if kind == "moment" and _is_date(sample[n]))
    flags = frozenset(n for n in whole if _is_flag(sample[n]))
    return Columns(kinds, dates, whole - counting, counting, flags, examples)


def _kind(table: SourceTable, sample: pl.Series, dtype: pl.DataType) -> Kind:
    if dtype.is_temporal():
        return (
            "moment"
            if dtype in (pl.Date, pl.Datetime)
            else "clock"
            if dtype == pl.Time
            else "other"
        )
    if dtype == pl.Boolean:
        return "bool"
    if dtype == pl.Null:
        return "empty"
    if dtype.is_numeric():
        named = plain_name(sample.name) in TIME
        return "moment" if named and looks_like_moments(sample) else "number"
    if dtype in (pl.Categorical, pl.Enum):
        return "text"
    return _kind_of_text(table, sample) if dtype == pl.String else "other"


def _kind_of_text(table: SourceTable, sample: pl.Series) -> Kind:
    cells = _present(sample)
    if not len(cells):
        rows = table.rows.select(pl.col(sample.name).drop_nulls())
        cells = _present(rows.collect(engine="streaming").to_series())
    if not len(cells):
        return "empty"
    if all(_CLOCK.match(cell) for cell in cells.head(50)):
        return "clock" if ":" in cells[0] else "number"
    named = plain_name(sample.name) in TIME
    share = numeric_share(cells, table.decimal_comma)
    if (share < 0.5 or named) and looks_like_moments(cells):
        return "moment"
    return "number" if share >= 0.5 else "text"


def _present(series: pl.Series) -> pl.Series:
    distinct = series.drop_nulls().unique(maintain_order=True).head(5000)
    return distinct.filter(pl.Series([not is_missing(cell) for cell in distinct], dtype=pl.Boolean))


def _is_whole(sample: pl.Series) -> bool:
    if sample.dtype == pl.String:
        return bool(sample.drop_nulls().str.contains(r"^\s*\d+\s*$").all())
    if sample.dtype.is_integer():
        return True
    present = sample.drop_nulls().drop_nans()
    return bool(len(present)) and bool((present == present.round()).all())


def _counts_rows(sample: pl.Series) -> bool:
    if not _ROW_NUMBER.match(plain_name(sample.name)) or len(sample) < 3:
        return False
    return bool((sample.diff().drop_nulls() == 1).all())


def _is_flag(sample: pl.Series) -> bool:
    if not sample.dtype.is_numeric():
        return False
    present = sample.drop_nulls()
    return bool(len(present)) and bool(present.cast(pl.Float64).is_in([0.0, 1.0]).all())


def _is_date(sample: pl.Series) -> bool:
    if sample.dtype == pl.Date:
        return True
    if sample.dtype == pl.Datetime:
        return bool((sample.drop_nulls().dt.epoch("s") % 86_400 == 0).all())
    return looks_like_dates(sample)
