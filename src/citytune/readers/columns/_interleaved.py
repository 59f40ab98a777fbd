"""Tell sensors apart that never report at one moment: turnstiles that are read in turn.

No two of their rows share a moment, so the columns that tell a moment's rows apart do not tell
these sensors apart. They are known by a further column: under each of its cells the rows keep a
longer step of their own, and there the totals of meters only rise, or, if the column is called like
a sensor's name, they come at fixed minutes of that step, or the numbers move little, while from row
to row they leap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import polars as pl

from citytune.readers.cells._columns import Column, Columns
from citytune.readers.cells._structure import TIME, Moment, name_rank
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._vocabulary import SENSOR, SENSOR_PARTS, family, plain_name, tokens

SENSORS_LOOKED_AT = 8
"""Sensors that are looked at."""
SHARE_AT_OWN_STEP, TIMES_FARTHER_LEAPS = 0.8, 10.0
"""Share of rows that keep the step of their own, and how much farther the numbers leap."""
RISES, FALLS = 0.98, 0.2
"""Share of rows at which the total of a meter rises, and at which those of several fall."""
SHARE_AT_ONE_TIME = 0.95
"""Share of a sensor's rows that come at one time of its step."""
FEWEST_ROWS_INTERLEAVED, MOST_ROWS = 48, 200_000
MOST_KEYS, MOST_ABLE = 3, 6
"""Columns that name the sensors together, and columns among which several are looked for."""


def with_further(
    table: SourceTable,
    seconds: pl.Expr,
    some: Moment,
    columns: Columns,
    taken: set[str],
    keys: tuple[str, ...],
) -> tuple[str, ...]:
    """The columns that name the sensors, and those that tell apart what they mix up.

    Args:
        table: Holds the columns.
        seconds: Of each row's moment.
        some: Rows of some moments.
        columns: What they hold.
        taken: Columns with another role.
        keys: Columns that tell the rows of a moment apart.
    """
    families = Counter(map(family, columns.by_name))
    able = [
        name
        for name, column in columns.by_name.items()
        if name not in taken and name not in keys
        and _may_name(column, alone=families[family(name)] == 1)
        and _varies(some.rows, keys, name)
    ]  # fmt: skip
    if not able or len(keys) > 2:
        return keys
    numbers = [
        n for n in some.numbers
        if n not in keys and n not in able and columns.kind(n) == "number"
    ]  # fmt: skip
    rows = table.rows.select(
        seconds.alias(TIME),
        *keys,
        *able,
        *(pl.col(n).cast(pl.Float64, strict=False) for n in numbers),
    )
    if keys:
        chosen = some.rows.select(keys).unique(maintain_order=True).head(SENSORS_LOOKED_AT)
        rows = rows.join(chosen.lazy(), on=keys, how="semi")
    found = rows.drop_nulls(TIME).head(MOST_ROWS).collect(engine="streaming").sort(TIME)
    able.sort(key=lambda one: name_rank(one, columns))
    for size in range(1, MOST_KEYS + 1 - len(keys)):
        for names in combinations(able[: None if size == 1 else MOST_ABLE], size):
            if _interleaves(found, keys, names, numbers):
                return with_further(table, seconds, some, columns, taken, (*keys, *names))
    return keys


def _may_name(column: Column, *, alone: bool) -> bool:
    """Whether a column may name sensors; of Lane 1 Spd and Lane 2 Spd neither does."""
    whole = column.kind == "number" and column.whole and not column.counter
    return column.kind == "text" or (whole and alone and _is_named(column.name))


def _is_named(name: str) -> bool:
    """Whether a column is called like a sensor's name."""
    return plain_name(name) in SENSOR or bool({*tokens(name)} & SENSOR_PARTS)


def _varies(rows: pl.DataFrame, keys: Sequence[str], name: str) -> bool:
    """Whether a sensor has several cells of a column."""
    if not keys:
        return rows[name].n_unique() > 1
    each = rows.group_by(*keys).agg(pl.col(name).drop_nulls().n_unique())
    return bool((each[name] > 1).any())


def _interleaves(
    rows: pl.DataFrame, keys: Sequence[str], names: Sequence[str], numbers: Sequence[str]
) -> bool:
    finer = [*keys, *names]
    often = rows.select(pl.len().over(finer) >= FEWEST_ROWS_INTERLEAVED).to_series()
    if often.sum() < 2 * FEWEST_ROWS_INTERLEAVED or not numbers:
        return False
    rows = rows.select(TIME, *finer, *numbers).filter(often)
    steps = rows.select(own=_change(TIME, finer), mixed=_change(TIME, keys))
    own, mixed = (_commonest(steps[side]) for side in ("own", "mixed"))
    if own is None or mixed is None or mixed >= own:
        return False
    if float((steps["own"].drop_nulls() == own).mean() or 0) < SHARE_AT_OWN_STEP:  # type: ignore[arg-type]
        return False
    named = all(map(_is_named, names))
    if named and _at_fixed_times(rows, finer, own):
        return True
    for column in numbers:
        apart = rows.select(own=_change(column, finer), mixed=_change(column, keys)).drop_nulls()
        if _are_totals(apart) or (named and _leap(apart)):
            return True
    return False


def _commonest(steps: pl.Series) -> int | None:
    found = steps.drop_nulls().mode().min()
    return None if found is None else int(found)  # type: ignore[arg-type]


def _at_fixed_times(rows: pl.DataFrame, finer: Sequence[str], step: int) -> bool:
    """Whether each of several sensors has minutes of the step at which it nearly always reports."""
    offset = (pl.col(TIME) % step).alias("offset")
    each = rows.group_by(finer).agg(
        offset.mode().min(), share=(offset == offset.mode().min()).mean()
    )
    return bool((each["share"] > SHARE_AT_ONE_TIME).all()) and each["offset"].n_unique() > 1


def _change(column: str, over: Sequence[str]) -> pl.Expr:
    """What is added from one row to the next, of the same sensor if `over` says which it is."""
    change = pl.col(column).diff()
    return change.over(over) if over else change


def _are_totals(changes: pl.DataFrame) -> bool:
    """Whether numbers only rise from row to row of their own, as those of meters, and fall else."""
    rises, falls = (changes["own"] >= 0).mean(), (changes["mixed"] < 0).mean()
    there = (changes["own"] > 0).mean()
    return float(rises or 0) > RISES and float(there or 0) > FALLS and float(falls or 0) > FALLS  # type: ignore[arg-type]


def _leap(changes: pl.DataFrame) -> bool:
    near, far = (changes[side].abs().quantile(0.75) for side in ("own", "mixed"))
    return bool(near and far and far > TIMES_FARTHER_LEAPS * near)
