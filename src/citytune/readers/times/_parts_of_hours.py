"""Add the part of the hour, such as the third quarter, to times that name hours only."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from citytune._text import listed
from citytune.readers.cells._columns import Column, Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._vocabulary import tokens
from citytune.readers.times._times import Moments

PARTS = (2, 3, 4, 6, 12)
"""Numbers of equal parts that an hour is counted in."""
HOUR, FULL = 3600, 0.9
"""Length in s, and the share of hours that must have all their parts."""
QUARTERS, MOST_APART = 4, 1.25
"""Columns called Q1 and so on, and the ratio of their means, that may be parts of one hour."""
_LETTERED = re.compile(r"q(\d)")
MINUTES = frozenset(["minute", "minutes", "min"])
WORDS = MINUTES | {"interval", "quarter", "qtr", "subinterval", "int5", "int15", "qh"}


def with_parts_of_hours(
    table: SourceTable,
    moments: Moments,
    columns: Columns,
    taken: Collection[str],
    findings: Findings,
) -> tuple[Moments, set[str]]:
    """Moments to which the part of the hour was added, and the column that tells it, if any.

    Args:
        table: Holds the columns.
        moments: Of the rows, so far.
        columns: What they hold.
        taken: Columns with another role.
        findings: Told what was joined.
    """
    for name, column in columns.by_name.items():
        if name in taken or not WORDS & {*tokens(name)}:
            continue
        values = _parts(table, column)
        if not len(values) or not _split_hours(table, moments, name, len(values)):
            continue
        minutes = 60 // len(values)
        findings.note(
            "parts-of-hours",
            f"column {name!r} was taken as parts of {minutes} minutes of each hour",
            "write times such as 14:30 if this is wrong",
        )
        number = pl.col(name).cast(pl.Float64, strict=False)
        part = (number - int(values[0])) // int(values[1] - values[0])
        seconds = moments.seconds + (60 * minutes * part).cast(pl.Int64)
        seconds = seconds - HOUR if moments.ends else seconds
        return replace(moments, seconds=seconds, ends=False), {name}
    return moments, set()


def refuse_parts_across(
    table: SourceTable, moments: Moments, targets: Sequence[str], findings: Findings
) -> None:
    """Raise the error of columns that are the parts of an hour: Q1 to Q4, or 00, 15, 30 and 45."""
    words = [_apart(tokens(name)) for name in targets]
    numbers = [int(word[-1]) if word and word[-1].isdecimal() else -1 for word in words]
    named = all(WORDS & {*word[:-1]} for word in words)
    counted = named and numbers == [*range(1, len(numbers) + 1)]
    told = len(targets) in PARTS and (counted or _minutes(np.array(numbers)))
    lettered = all(_LETTERED.fullmatch(tokens(name)[-1]) for name in targets)
    told = told and (not lettered or (len(targets) == QUARTERS and _are_level(table, targets)))
    if told and _hourly(table.rows.select(moments.seconds.alias("at")).unique().collect()["at"]):
        findings.fail(
            "parts-across",
            f"columns {listed(list(targets), quoted=True)} seem to be the parts of each hour",
            "write a row for each of them, with times such as 14:15, or pass all with "
            f"target={[*targets]!r} if each is a sensor",
        )


def _apart(words: list[str]) -> list[str]:
    """The words of a name, a letter and its number as two: Q1 is quarter 1."""
    found = _LETTERED.fullmatch(words[-1])
    return [*words[:-1], "quarter", found[1]] if found else words


def _are_level(table: SourceTable, names: Sequence[str]) -> bool:
    """Whether columns are about equally high, as the quarters of an hour are."""
    means = table.rows.select(pl.col(n).cast(pl.Float64, strict=False).mean() for n in names)
    found = [mean or 0.0 for mean in means.collect(engine="streaming").row(0)]
    return 0 < max(found) <= MOST_APART * min(found)


def _minutes(numbers: NDArray[np.int64]) -> bool:
    """Whether numbers are 0, 15, 30 and 45, or 0, 5, 10 and so on."""
    return len(numbers) in PARTS[2:] and np.array_equal(
        numbers, np.arange(len(numbers)) * 60 // len(numbers)
    )


def _parts(table: SourceTable, column: Column) -> NDArray[np.float64]:
    """The numbers of the parts, in order; none if they are not evenly spaced ones of an hour."""
    whole = column.kind == "number" and column.whole and len(column.cells) in PARTS
    if not whole:
        return np.zeros(0)
    values = np.sort(np.asarray(column.cells.cast(pl.Float64, strict=False).to_numpy()))
    count = len(values)
    minutes = np.arange(count) * 60 // count
    able = [minutes, minutes + 60 // count]
    if count > 2 and not MINUTES & {*tokens(column.name)}:
        able += [np.arange(count), np.arange(count) + 1]
    return values if any(np.array_equal(values, one) for one in able) else np.zeros(0)


def _split_hours(table: SourceTable, moments: Moments, name: str, count: int) -> bool:
    """Whether all times are whole hours, nearly all of which have every part."""
    rows = table.rows.select(moments.seconds.alias("at"), pl.col(name).alias("part")).drop_nulls()
    hours = rows.group_by("at").agg(pl.col("part").n_unique().alias("n")).collect()
    return _hourly(hours["at"]) and float((hours["n"] == count).mean() or 0) > FULL  # type: ignore[arg-type]


def _hourly(seconds: pl.Series) -> bool:
    """Whether distinct times are whole hours that follow one another."""
    at = seconds.drop_nulls().sort()
    return len(at) >= 24 and not (at % HOUR != 0).any() and at.diff().median() == HOUR
