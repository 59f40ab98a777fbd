"""Find the day from which a sensor reads a multiple of what it read before, for good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune._text import counted
from citytune.frame import Clock
from citytune.readers.cells._findings import Findings
from citytune.readers.values._mending import Column

Floats = NDArray[np.float64]
WEEK, WEEKS = 7, 4
"""Days of a week, and weeks on either side of a change that must all lie apart."""
FACTOR = 1.5
"""Least ratio between the nearest weeks of both sides; holidays and seasons stay below."""
FOR_GOOD = 0.5
"""Share of the change that must still hold between all days before and all after."""
KNOWN_OF_A_DAY, KNOWN_OF_A_WEEK = 0.5, 0.7
"""Share of steps, and of days, without which a mean says little."""
SENSORS_AT_ONCE = 64


class LevelChange(NamedTuple):
    """Where the level of a sensor changed."""

    day: int
    """The first day at the new level, counted from the first row."""
    ratio: float
    """Mean of the four weeks after, over that of the four before."""


def point_out_changes(columns: Sequence[Column], clock: Clock, findings: Findings) -> None:
    """Say from when on a sensor reads a multiple of what it did; nothing is changed."""
    for first in range(0, len(columns), SENSORS_AT_ONCE):
        some = columns[first : first + SENSORS_AT_ONCE]
        values = np.stack([one.values for one in some])
        for column, change in zip(some, changes_of_level(values, clock), strict=True):
            if change is not None:
                _say(column, change, clock, findings)


def _say(column: Column, change: LevelChange, clock: Clock, findings: Findings) -> None:
    at = change.day * clock.steps_per_day
    before = int(np.isfinite(column.values[:at]).sum())
    findings.warn(
        "level-change",
        f"its level changed for good around {clock.text(at)[:10]}: from then on it reads about "
        f"{change.ratio:.2g} times what it read before",
        "what came before is kept, and learnt from in its own level; if it was another unit or "
        f"another place, leave those {counted(before, 'reading')} out of the file. Shares such as "
        "'top 5%' are of all readings",
        sensor=column.name,
        count=before,
        first=clock.text(at),
    )


def changes_of_level(values: NDArray[np.float32], clock: Clock) -> list[LevelChange | None]:
    """The greatest lasting change of each sensor, if it has one.

    Four weeks on each side lie apart by more than what they differ by among themselves, so that
    neither a season nor a holiday is taken for one.

    Args:
        values: (sensor, time); NaN is missing.
        clock: Of the rows.
    """
    day = clock.steps_per_day
    days = values.shape[1] // day
    if days < 2 * WEEK * WEEKS:
        return [None] * len(values)
    daily = _daily(values[:, : days * day].reshape(len(values), days, day))
    with np.errstate(invalid="ignore", divide="ignore"):
        weekly = np.log(_rolling(daily, WEEK))
    cuts = np.arange(WEEK * WEEKS, days - WEEK * WEEKS + 1)
    before = np.stack([weekly[:, cuts - WEEK * (i + 1)] for i in range(WEEKS)])
    after = np.stack([weekly[:, cuts + WEEK * i] for i in range(WEEKS)])
    apart = np.maximum(after.min(0) - before.max(0), before.min(0) - after.max(0))
    wobble = np.maximum(np.ptp(after, axis=0), np.ptp(before, axis=0))
    found = (apart >= np.log(FACTOR)) & (apart > wobble)
    change = after.mean(0) - before.mean(0)
    best = np.where(found, np.abs(change), 0.0).argmax(1)
    return [
        _lasting(daily[i], int(cuts[at]), float(change[i, at])) if found[i, at] else None
        for i, at in enumerate(best)
    ]


def _daily(values: NDArray[np.float32]) -> Floats:
    """(sensor, day) means of (sensor, day, step); NaN where little is known or values are negative.

    A ratio says nothing of values around zero.
    """
    known = np.isfinite(values)
    filled = np.where(known, values, np.float32(0))
    count = known.sum(2)
    means = filled.sum(2, dtype=np.float64) / np.maximum(count, 1)
    told = (count >= KNOWN_OF_A_DAY * values.shape[2]) & (filled.min((1, 2)) >= 0)[:, None]
    return np.where(told, means, np.nan)


def _rolling(daily: Floats, width: int) -> Floats:
    """(sensor, first day) mean of days in a row; NaN where few are known or all are 0."""
    known = np.isfinite(daily)
    sums, counts = _sums(np.where(known, daily, 0.0), width), _sums(known.astype(float), width)
    told = (counts >= KNOWN_OF_A_WEEK * width) & (sums > 0)
    return np.where(told, sums / np.maximum(counts, 1.0), np.nan)


def _sums(daily: Floats, width: int) -> Floats:
    total = np.pad(daily.cumsum(1), ((0, 0), (1, 0)))
    return total[:, width:] - total[:, :-width]


def _lasting(daily: Floats, cut: int, change: float) -> LevelChange | None:
    """The change, if all days after it still differ from all days before it."""
    sides = [part[np.isfinite(part) & (part > 0)] for part in (daily[:cut], daily[cut:])]
    whole = float(np.log(np.median(sides[1])) - np.log(np.median(sides[0])))
    if np.sign(change) * whole < FOR_GOOD * abs(change):
        return None
    return LevelChange(cut, float(np.exp(change)))
