"""What tells the rows of one moment apart: the columns that name the sensor.

Names are only a hint. The rows of a few dozen moments are looked at as a whole: a column that names
something has the same cells at every moment, a reading has others each time; and the fewest columns
that, with the time, leave no two rows alike are what names the sensors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from citytune.readers.cells._columns import Column, Columns
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._vocabulary import (
    LATITUDE,
    LONGITUDE,
    SENSOR,
    SENSOR_PARTS,
    family,
    plain_name,
    tokens,
)

MOMENTS_LOOKED_AT = 48
"""Moments whose rows are looked at."""
MOST_ROWS = 300_000
"""Rows of them."""
MOST_CONTRADICTING = 0.05
"""Share of rows that may contradict others: a doubled hour, a row sent twice."""
RECURS_TEXT, RECURS_NUMBER = 3.0, 1.5
"""How many times more names there may be in all than at one moment."""
TIME = "_moment"


@dataclass(frozen=True)
class Moment:
    """The rows of some moments."""

    rows: pl.DataFrame
    """With the column `TIME`, each row once."""
    numbers: tuple[str, ...]
    """Columns of numbers, but for row numbers."""

    def contradicting(self, names: Sequence[str]) -> float:
        """Share of rows that have the time and the names of another row and other numbers."""
        rest = [name for name in self.numbers if name not in names]
        if not len(self.rows) or not rest:
            return 0.0
        groups = self.rows.group_by(TIME, *names).agg(
            (pl.col(name).drop_nulls().n_unique() > 1 for name in rest), _n=pl.len()
        )
        differ = groups.select(pl.any_horizontal(rest) * (pl.col("_n") - 1)).to_series()
        return float(differ.sum() or 0) / len(self.rows)

    def recurrence(self, name: str) -> float:
        """How many times more cells of a column there are in all than at one moment."""
        each = self.rows.group_by(TIME).agg(pl.col(name).n_unique())[name].mean()
        return self.rows[name].n_unique() / max(float(each or 1), 1.0)  # type: ignore[arg-type]


def some_moments(table: SourceTable, seconds: pl.Expr, numbers: Sequence[str]) -> Moment:
    """The rows of some moments, from the whole length of the table."""
    times = table.rows.select(seconds.alias(TIME)).collect(engine="streaming")[TIME]
    head = times.head(4000).drop_nulls().unique(maintain_order=True)
    spread = times.gather_every(max(1, len(times) // 997)).drop_nulls().unique().sort()
    some = spread.gather_every(_prime(len(spread) // (MOMENTS_LOOKED_AT // 2)))
    chosen = pl.concat([head.head(MOMENTS_LOOKED_AT // 3), some]).unique()
    places = times.is_in(chosen.implode()).arg_true().head(MOST_ROWS)
    row = pl.col("_row").cast(pl.UInt32)
    rows = table.rows.with_row_index("_row").filter(row.is_in(places.implode()))
    found = rows.collect(engine="streaming").sort("_row").drop("_row")
    found = found.with_columns(times.gather(places))
    return Moment(found.unique(maintain_order=True), tuple(numbers))


def _prime(step: int) -> int:
    """A prime number of moments about as large, so that sensors read in turn are all met.

    >>> _prime(1), _prime(2), _prime(14)
    (1, 5, 17)
    """
    step = max(step, 5) if step > 1 else 1
    while any(step % part == 0 for part in range(2, int(step**0.5) + 1)):
        step += 1
    return step


def find_keys(
    moment: Moment, columns: Columns, taken: set[str], exclude: Callable[[str], bool]
) -> tuple[str, ...] | None:
    """The fewest columns that tell the rows of each moment apart.

    Args:
        moment: Rows of some moments.
        columns: What they hold.
        taken: Columns with another role.
        exclude: Whether a column cannot name a sensor.

    Returns:
        No columns if the time alone does; None if nothing does.
    """
    if moment.contradicting(()) <= MOST_CONTRADICTING:
        return ()
    able = [
        name
        for name in columns.by_name
        if name not in taken and not exclude(name) and _names_something(moment, columns, name)
    ]
    able.sort(key=lambda name: name_rank(name, columns))
    for size in (1, 2, 3):
        some = able if size == 1 else _most_telling(moment, able, 8)
        for names in combinations(some, size):
            if moment.contradicting(names) <= MOST_CONTRADICTING:
                return names
    return None


def nearly(
    moment: Moment, columns: Columns, taken: set[str], exclude: Callable[[str], bool]
) -> list[tuple[tuple[str, ...], float]]:
    """The three likeliest names of sensors, each with the share of rows that still contradict."""
    able = [
        name
        for name, column in columns.by_name.items()
        if name not in taken and column.kind in ("text", "bool", "number") and not exclude(name)
        and not column.counter and moment.rows[name].n_unique() > 1
        and (column.kind != "number" or column.whole)
    ]  # fmt: skip
    able = _most_telling(moment, able, 4)
    pairs = [names for size in (1, 2) for names in combinations(able, size)]
    found = [(names, moment.contradicting(names)) for names in pairs]
    return sorted(found, key=lambda one: (one[1], len(one[0])))[:3]


def name_rank(name: str, columns: Columns) -> tuple[int, int]:
    """Names that say sensor come first, then text, then numbers, then coordinates."""
    plain, words = plain_name(name), tokens(name)
    if {*words} & {*LATITUDE, *LONGITUDE} and columns.kind(name) == "number":
        return 6, 0
    if columns.kind(name) == "text" and _is_address(columns.by_name[name]):
        return 5, 1
    if plain in SENSOR:
        return 0, SENSOR.index(plain)
    if set(words) & SENSOR_PARTS:
        return 1, 0
    if words[-1] in ("id", "code", "name"):
        return 2, 0
    if columns.kind(name) in ("text", "bool"):
        return 3, 0
    return (4, 0) if columns.by_name[name].whole else (5, 0)


def _is_address(column: Column) -> bool:
    """Whether cells are addresses of pages, which stand next to what is meant."""
    return all(re.match(r"https?://", str(cell)) for cell in column.cells)


def numbers_one_station(column: Column) -> bool:
    """Whether a column repeats the id of the one station that a table is of."""
    words = tokens(column.name)
    named = words[-1] in ("id", "code") or len(words) == 1
    return column.constant and named and bool({*words} & {*SENSOR_PARTS, "stations", "stn", "wmo"})


def called_a_sensor(column: Column) -> bool:
    """Whether a column is called like a sensor, of texts also but for a number: detid_15."""
    names = {plain_name(column.name), family(column.name) if column.kind == "text" else ""}
    return bool(names & {*SENSOR})


def _names_something(moment: Moment, columns: Columns, name: str) -> bool:
    column = columns.by_name[name]
    if column.kind not in ("text", "bool", "number") or column.counter:
        return False
    distinct = moment.rows[name].n_unique()
    if distinct < 2:
        return False
    if column.kind == "number" and not column.whole and distinct > len(moment.rows) / 10:
        return False
    most = RECURS_TEXT if column.kind == "text" else RECURS_NUMBER
    return moment.recurrence(name) <= most


def _most_telling(moment: Moment, names: Sequence[str], most: int) -> list[str]:
    """Those after which the fewest rows contradict each other, in their order."""
    if len(names) <= most:
        return list(names)
    best = sorted(names, key=lambda name: moment.contradicting((name,)))[:most]
    return [name for name in names if name in best]
