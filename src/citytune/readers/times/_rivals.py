"""Choose between columns that could all be the time of a row, or refuse and list them.

Begin and end of an interval, local time and UTC, the time of measuring and of sending: what they
are to one another follows from their differences, row by row. Where two keep to clocks of their own
and nothing tells which one was measured at, no choice is made.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from citytune._errors import TableError
from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._time_words import BEGIN_WORDS, END_WORDS, LATER_WORDS, TIME
from citytune.readers.cells._vocabulary import tokens
from citytune.readers.times._times import plan_moments

Time: TypeAlias = tuple[str, ...]
Relation: TypeAlias = Literal["the same", "the end", "the begin", "another zone", "its own clock"]
ROWS_COMPARED = 5_000
"""Rows whose times are compared."""
MOST_RIVALS = 6
"""Readings of the time that are compared."""
_DAY, _QUARTER = 86_400, 900
MOST_EMPTY = 0.5
"""Share of rows without a time up to which a column may hold that of every row."""
FEWEST_OF_A_BLOCK = 24
"""Times from which a shorter column is that of a block."""
SHARE_ON_CLOCK = 0.95
"""Share of moments on one regular clock from which a column keeps it."""


class _Rival(NamedTuple):
    time: Time
    names: list[str]
    """Of all columns, in their order."""
    seconds: NDArray[np.float64]  # (row,), NaN where unreadable
    aware: bool
    later: bool
    """Whether its name says that it was written after measuring."""
    counted: int
    """Length in s of the periods of the day it counts; 0 if it does not."""
    block: bool
    """Whether it fills only the first rows, as a shorter block next to another does."""


def choose(
    table: SourceTable, found: Sequence[Time], numbers: Sequence[str], findings: Findings
) -> tuple[Time, str]:
    """The time of a row, and what the other columns are to it, in words.

    Args:
        table: Holds the columns.
        found: Readings of the time, the likeliest by its names first.
        numbers: Columns of numbers that change.
        findings: Told if nothing tells which is right.
    """
    everyone = _rivals(table, found[:MOST_RIVALS]) if len(found) > 1 else []
    rivals = [one for one in everyone if not one.block]
    _refuse_blocks(rivals, [one for one in everyone if one.block], findings)
    if len(rivals) < 2:
        return found[0], ""
    chosen = next((one for one in rivals if _regular(one.seconds) and not one.later), rivals[0])
    chosen = next((one for one in rivals if _begins_later(chosen, one)), chosen)
    said, own = [], []
    for other in rivals:
        if _begins_later(other, chosen):
            said.append(f"{listed(list(other.time), quoted=True)} (a day that begins later)")
            continue
        relation = _relation(chosen, other)
        if (relation == "another zone" and other.aware and not chosen.aware) or (
            relation == "the begin" and other.aware >= chosen.aware and not other.later
        ):
            chosen, other = other, chosen
        if other is chosen or set(other.time) & set(chosen.time):
            continue
        relation = _relation(chosen, other)
        if relation == "its own clock" and not other.later and _regular(other.seconds):
            own.append(other.time)
        said.append(f"{listed(list(other.time), quoted=True)} ({relation})")
    if own and _regular(chosen.seconds):
        _refuse([chosen.time, *own], findings)
    _refuse_side_by_side(rivals, {*numbers}, findings)
    return chosen.time, ", ".join(said)


def clocks_of_their_own(table: SourceTable, time: str, others: Sequence[str]) -> list[str]:
    """Those of other columns of times that keep to regular clocks of their own."""
    rivals = _rivals(table, [(time,), *((other,) for other in others[: MOST_RIVALS - 1])])
    first = next((one for one in rivals if one.time == (time,)), None)
    return [] if first is None else [
        one.time[0] for one in rivals
        if one is not first and not one.later and _regular(one.seconds)
        and _relation(first, one) == "its own clock"
    ]  # fmt: skip


def _refuse(times: Sequence[Time], findings: Findings) -> None:
    names = [listed(list(time), quoted=True) for time in times]
    options = " or ".join(f"time={time[0] if len(time) == 1 else list(time)!r}" for time in times)
    findings.error(
        "which-time",
        f"{listed(names)} are times on clocks of their own, and nothing tells at which one the "
        "readings were measured",
        f"name it with {options}; readings to the right of the others, which may be theirs, are "
        "not read then: to read all, put every such block into a file of its own",
        count=len(times),
    )


def _rivals(table: SourceTable, found: Sequence[Time]) -> list[_Rival]:
    rows = table.rows.head(ROWS_COMPARED)
    rivals = []
    for time in found:
        try:
            plan = plan_moments(table.with_rows(rows), time, None, Findings(""))
        except TableError:
            continue
        seconds = rows.select(plan.seconds.cast(pl.Float64).alias("s")).collect()["s"].to_numpy()
        empty = np.isnan(seconds)
        block = bool(empty.any() and (~empty).any() and empty[np.argmax(empty) :].all())
        if empty.mean() <= MOST_EMPTY or block:
            later = any(set(tokens(name)) & LATER_WORDS for name in time)
            block = block and empty.mean() > MOST_EMPTY
            rivals.append(
                _Rival(time, [*table.schema], seconds, plan.aware, later, plan.counted, block)
            )
    return rivals


def _refuse_blocks(full: Sequence[_Rival], blocks: Sequence[_Rival], findings: Findings) -> None:
    """Refuse a shorter block whose times keep a clock of their own next to those of a longer."""
    own = [
        block for block in blocks
        if not block.later and len(block.time) == 1 and _regular(block.seconds)
        and len(np.unique(block.seconds[~np.isnan(block.seconds)])) >= FEWEST_OF_A_BLOCK
    ]  # fmt: skip
    if own and full and all(_relation(full[0], block) == "its own clock" for block in own):
        _refuse([full[0].time, *(block.time for block in own)], findings)


def _refuse_side_by_side(rivals: Sequence[_Rival], numbers: set[str], findings: Findings) -> None:
    """Refuse tables side by side, in each of which the first column is called a time."""
    first, *others = rivals
    apart = [
        other for other in others
        if _relation(first, other) != "the same" and _regular(other.seconds)
        and _called_alike(first.time, other.time)
    ]  # fmt: skip
    if not apart:
        return
    order = sorted((first, *apart), key=lambda one: one.names.index(one.time[0]))
    places = [one.names.index(one.time[0]) for one in order] + [len(first.names)]
    readings = [len(numbers & {*first.names[a:b]}) for a, b in pairwise(places)]
    if all(readings):
        names = listed([one.time[0] for one in order], quoted=True)
        findings.error(
            "which-time",
            f"{names} hold other times, and readings stand to the right of each: these seem to be "
            "tables side by side",
            "put every such table into a file of its own",
            count=len(order),
        )


def _called_alike(one: Time, other: Time) -> bool:
    """Whether names of times differ in no word of time: Date_A and Date_B, not From and To.

    >>> _called_alike(("Time",), ("Time (2)",)), _called_alike(("Start time",), ("End time",))
    (True, False)
    >>> _called_alike(("Time1",), ("Time2",))
    True
    """
    words = [{*tokens(re.sub(r"\d+$", "", time[0]))} for time in (one, other)]
    apart = words[0] ^ words[1]
    said = {*TIME} | END_WORDS | LATER_WORDS | BEGIN_WORDS
    return bool(words[0] & words[1]) and len(apart) <= 2 and not apart & said


def _relation(one: _Rival, other: _Rival) -> Relation:
    """What another column is to one."""
    gap = other.seconds - one.seconds
    gaps = np.unique(gap[~np.isnan(gap)])
    if not len(gaps) or (len(gaps) == 1 and gaps[0] == 0):
        return "the same"
    if (gaps % _QUARTER == 0).all() and len(gaps) <= 3 and np.abs(gaps).max() <= 14 * 3600 \
            and (one.aware != other.aware):  # fmt: skip
        return "another zone"
    usual = float(np.nanmedian(gap))
    if 0 < abs(usual) <= _DAY and np.mean(gap[~np.isnan(gap)] == usual) > 0.97:
        return "the end" if usual > 0 else "the begin"
    return "its own clock"


def _begins_later(counted: _Rival, full: _Rival) -> bool:
    """Whether periods are counted from a later hour than midnight, as full times show."""
    if not counted.counted or full.counted or full.later or _relation(counted, full) != "the end":
        return False
    return float(np.nanmedian(full.seconds - counted.seconds)) > counted.counted


def _regular(seconds: NDArray[np.float64]) -> bool:
    """Whether the moments of a column are those of one regular clock."""
    there = np.unique(seconds[~np.isnan(seconds)])
    if len(there) < 3:
        return False
    steps = np.diff(there)
    values, counts = np.unique(steps, return_counts=True)
    step = values[counts.argmax()]
    return bool(step >= 30 and (np.mod(there - there[0], step) == 0).mean() >= SHARE_ON_CLOCK)
