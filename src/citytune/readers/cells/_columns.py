"""See what each column of a table holds: moments, times of the day, ranges, numbers or words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from citytune.readers.cells._epochs import counts_days, spells_moments
from citytune.readers.cells._formats import looks_like_dates, looks_like_moments
from citytune.readers.cells._hour_spans import are_spans_of_a_day
from citytune.readers.cells._numbers import missing_words, numbers_of
from citytune.readers.cells._origins import origin_said, seconds_since
from citytune.readers.cells._ranges import are_bare_hours, are_hour_pairs, is_range, range_kind
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._time_words import CLOCK_TIME, TIME
from citytune.readers.cells._vocabulary import plain_name, tokens

Kind = Literal[
    "moment", "clock", "range", "clock-range", "number", "text", "bool", "empty", "other"
]

SAMPLE_ROWS = 20_000
DISTINCT_CELLS = 5_000
_CLOCK = re.compile(
    r"^\s*\d{1,2}[:.h]\d{2}([:.]\d{2}(\.\d+)?)?\s*([AaPp]\.?([Mm]\.?)?|UTC|GMT|Uhr|h)?\s*$|"
    r"^\s*\d{1,2} ?[AaPp]\.?[Mm]\.?\s*$|"
    r"^\s*\d{1,2} ?[时時시点點](\d{1,2} ?[分분]|台|대)?\s*$|"
    r"^\s*\d{4} ?(UTC|GMT|Uhr|h)\s*$|^\s*(?i:noon|midnight)\s*$"
)
SHARE_OF_CLOCK_TIMES, FEWEST_CELLS = 0.9, 12
"""Share of a column's cells that are times of the day from which the others are faults."""
_ROW_NUMBER = re.compile(
    r"^(unnamed(_\d+)?|index|level_\d+|index_level_\d+|row_?(id|num|number|nr)?|no|nr|"
    r"record(_?id)?|rec|n|"
    r"(obj|object|o|f)_?id|column_1|id|)$"
)


class Numbers(NamedTuple):
    """What the cells of a column are as numbers; of the finite ones, None where there are none."""

    share: float
    """Of the cells that are numbers."""
    low: float | None
    high: float | None
    whole: bool


NO_NUMBERS = Numbers(0.0, None, None, False)


@dataclass(frozen=True)
class Column:
    """What one column holds, as far as was looked."""

    name: str
    kind: Kind
    cells: pl.Series
    """Distinct cells that are not missing, in their order."""
    date: bool = False
    """Moments that are always midnight: a time of the day may stand in another column."""
    whole: bool = False
    counter: bool = False
    """Only counts the rows."""
    low: float = 0.0
    high: float = 0.0
    example: str = ""

    @property
    def constant(self) -> bool:
        """One value in every row."""
        return len(self.cells) == 1


@dataclass(frozen=True)
class Columns:
    """What every column of a table holds, by name."""

    by_name: dict[str, Column] = field(default_factory=dict)

    def kind(self, name: str) -> Kind:
        """Of one column."""
        return self.by_name[name].kind

    @property
    def kinds(self) -> dict[str, Kind]:
        """Of every column."""
        return {name: column.kind for name, column in self.by_name.items()}

    @property
    def times(self) -> list[str]:
        """Columns of moments."""
        return [name for name, kind in self.kinds.items() if kind == "moment"]

    def numbers(self, taken: Collection[str] = ()) -> list[str]:
        """Columns of numbers, and empty ones, that have no other role yet."""
        return [
            name
            for name, column in self.by_name.items()
            if column.kind in ("number", "empty") and name not in taken and not column.counter
        ]

    def shown(self, name: str) -> str:
        """A cell of a column, for a message."""
        example = self.by_name[name].example
        return f" (it holds {example!r})" if example else ""


def look(table: SourceTable, names: Collection[str] | None = None) -> Columns:
    """Look at the types of all columns, or of some, and at the first cells of each."""
    rows = table.rows if names is None else table.rows.select(names)
    sample = rows.head(SAMPLE_ROWS).collect()
    said = _said(sample)
    present = {one.name: _present(table, one, said[one.name]) for one in sample}
    numbers = _numbers_of(table, present)
    looked = (
        _look(table, one, present[one.name], numbers.get(one.name, NO_NUMBERS)) for one in sample
    )
    return Columns({column.name: column for column in looked})


def look_at(table: SourceTable, name: str) -> Column:
    """One column."""
    return look(table, [name]).by_name[name]


def _numbers_of(table: SourceTable, present: Mapping[str, pl.Series]) -> dict[str, Numbers]:
    """Of each text column with cells, what they are as numbers."""
    texts = {name: some for name, some in present.items() if some.dtype == pl.String and len(some)}
    found = dict[str, Numbers]()
    for comma in (False, True):
        names = [name for name in texts if (name in table.commas) == comma]
        if names:
            each = pl.DataFrame({"name": names, "cell": [texts[name] for name in names]})
            rows = numbers_of(each.explode("cell"), comma).rows()
            found |= {name: Numbers(*facts) for name, *facts in rows}
    return found


def _look(table: SourceTable, sample: pl.Series, present: pl.Series, numbers: Numbers) -> Column:
    """One column, by its first cells and those of them that say something."""
    name, dtype = sample.name, table.schema[sample.name]
    kind = _kind(present, dtype, numbers.share)
    if kind == "number" and (origin := origin_said(name, table.units.get(name, ""))):
        at = sample.to_frame().select(seconds_since(pl.col(name), origin)).to_series()
        return Column(name, "moment", present, date=bool((at.drop_nulls() % 86_400 == 0).all()))
    example = str(present[0]) if kind in ("text", "other", "empty") and len(present) else ""
    if kind != "number":
        return Column(name, kind, present, date=kind == "moment" and _is_date(present),
                      example=example)  # fmt: skip
    if present.dtype != pl.String:
        numbers = _plain_numbers(present)
    counter = numbers.whole and _counts_rows(sample, name)
    return Column(name, kind, present, whole=numbers.whole, counter=counter,
                  low=numbers.low or 0.0, high=numbers.high or 0.0,
                  example=example)  # fmt: skip


def _plain_numbers(present: pl.Series) -> Numbers:
    found = np.asarray(present.cast(pl.Float64, strict=False).to_numpy(), np.float64)
    found = found[np.isfinite(found)]
    if not len(found):
        return NO_NUMBERS
    whole = bool((found == np.rint(found)).all())
    return Numbers(1.0, float(found.min()), float(found.max()), whole)


def _present(table: SourceTable, sample: pl.Series, found: pl.Series) -> pl.Series:
    """Distinct cells that say something; of the whole column where the first rows say nothing."""
    if not len(found) and len(sample) == SAMPLE_ROWS:
        rows = table.rows.select(pl.col(sample.name).drop_nulls())
        found = _said(rows.collect(engine="streaming"))[sample.name]
    return found


def _said(sample: pl.DataFrame) -> dict[str, pl.Series]:
    """Of each column its first distinct cells, without the words for a missing value."""
    odd = [one.name for one in sample if one.dtype.is_nested() or one.dtype == pl.Object]
    texts = [one.name for one in sample if one.dtype == pl.String]
    known = {*odd, *texts}
    rest = [one.name for one in sample if one.name not in known]
    some = [_distinct(pl.col(rest))] if rest else []
    if texts:
        cells = _distinct(pl.col(texts))
        missing = cells.str.strip_chars().str.to_lowercase().is_in(missing_words())
        some.append(cells.filter(~missing))
    lists = sample.select(one.implode() for one in some) if some else pl.DataFrame()
    return {one.name: one[0].alias(one.name) for one in lists} | {
        name: sample[name].head(1) for name in odd
    }


def _distinct(cells: pl.Expr) -> pl.Expr:
    return cells.drop_nulls().unique(maintain_order=True).head(DISTINCT_CELLS)


def _kind(present: pl.Series, dtype: pl.DataType, share: float) -> Kind:
    if dtype.is_temporal():
        moments, clock = dtype in (pl.Date, pl.Datetime), dtype == pl.Time
        return "moment" if moments else "clock" if clock else "other"
    if dtype == pl.Boolean:
        return "bool"
    if dtype == pl.Null or not len(present):
        return "empty"
    if dtype.is_numeric():
        named = bool(set(tokens(present.name)) & set(TIME)) or plain_name(present.name) in TIME
        told = looks_like_moments(present) if named else spells_moments(present)
        return "moment" if told else "number"
    if dtype in (pl.Categorical, pl.Enum):
        return "text"
    return _kind_of_text(present, share) if dtype == pl.String else "other"


def _kind_of_text(present: pl.Series, share: float) -> Kind:
    """By its cells, and the share of them that are numbers."""
    some = present.head(50)
    if _are_clocks(present):
        dots = {cell.count(".") for cell in some if "." in cell and ":" not in cell}
        if not dots or _named_clock(present.name):
            return "clock"
        return "moment" if dots == {2} and looks_like_moments(present) else "number"
    first = present.head(26).to_list()
    if are_hour_pairs(first[:25]) or are_spans_of_a_day(first):
        return "clock-range"
    if are_bare_hours(first):
        return "clock"
    if _are_ranges(present):
        return range_kind(present.filter(pl.Series([is_range(cell) for cell in present])))
    named = plain_name(present.name) in TIME
    if share == 1 and spells_moments(present.cast(pl.Float64, strict=False)):
        return "moment"
    if (share < 0.5 or named) and looks_like_moments(present):
        return "moment"
    return "number" if share >= 0.5 else "text"


def _are_clocks(present: pl.Series) -> bool:
    """Whether cells are times of the day: all of the first ones, or of many nearly all."""
    if all(_CLOCK.match(cell) for cell in present.head(50)):
        return True
    if len(present) < FEWEST_CELLS or not any(_CLOCK.match(cell) for cell in present.head(5)):
        return False
    times = [cell for cell in present if _CLOCK.match(cell) and ":" in cell]
    return len(times) > SHARE_OF_CLOCK_TIMES * len(present)


def _are_ranges(present: pl.Series) -> bool:
    """Whether cells are ranges, but for a word such as Total below many of them."""
    some = present.head(50)
    most = (1 - SHARE_OF_CLOCK_TIMES) * len(some) if len(some) >= FEWEST_CELLS else 0.5
    missed = 0
    for cell in some:
        missed += not is_range(cell)
        if missed >= most:
            return False
    return True


def _named_clock(name: str) -> bool:
    return plain_name(name) in CLOCK_TIME


def _counts_rows(sample: pl.Series, name: str) -> bool:
    """Whether whole numbers are a row's number or key, by their name and as no two are alike."""
    named = _ROW_NUMBER.match(plain_name(name))
    if not named or len(sample) < 3 or sample.null_count():
        return False
    numbers = sample.cast(pl.Float64, strict=False)
    steps = numbers.diff().drop_nulls()
    counts = float((steps == 1).mean() or 0) > 0.95  # type: ignore[arg-type]
    return counts or numbers.n_unique() == len(numbers)


def _is_date(present: pl.Series) -> bool:
    if present.dtype == pl.Date:
        return True
    if present.dtype == pl.Datetime:
        return bool((present.drop_nulls().dt.epoch("s") % 86_400 == 0).all())
    if present.dtype.is_numeric():
        days = present.cast(pl.Float64)
        return bool(days.is_between(1e5, 1e8).all()) or counts_days(days)
    return looks_like_dates(present)
