"""One day of one sensor: its profile, and what else is needed to tell that something is wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from citytune.frame import SensorFrame

Floats = NDArray[np.float64]
SLOTS = 24
"""Parts of a day at most: finer clocks are averaged to hours."""
SUNDAY = 6


@dataclass(frozen=True, eq=False)
class Day:
    """What was measured on one local day."""

    date: int
    """Days since 1970-01-01."""
    kind: int
    """Weekday, Monday 0; a public holiday is a Sunday."""
    special: bool
    """A holiday, or in a season of them: unlike other days, so that it is no evidence."""
    profile: Floats
    """(slot,) means; NaN is missing."""
    missing: float
    """Share of the steps."""
    run: float
    """Most steps in a row with one and the same value other than zero; they may begin before it."""
    still: float = 0.0
    """Days for which its last value, other than zero, has repeated; 0 where that was not kept."""

    @cached_property
    def whole(self) -> bool:
        """Whether no part of the day is missing."""
        return bool(np.isfinite(self.profile).all())

    @cached_property
    def level(self) -> float:
        """The mean of what was measured, whatever its sign; NaN where nothing was."""
        return _mean(np.abs(self.profile), whole=self.whole)

    @cached_property
    def top(self) -> float:
        """The highest value, of whatever sign; NaN where nothing was measured."""
        known = self.profile if self.whole else self.profile[np.isfinite(self.profile)]
        return float(np.abs(known).max()) if len(known) else float("nan")

    @cached_property
    def rough(self) -> float:
        """Log of how far values lie from the middle of their neighbours, relative to the level."""
        bend = np.abs(self.profile[1:-1] - (self.profile[:-2] + self.profile[2:]) / 2)
        off = _mean(bend, whole=self.whole)
        return math.log((off + 1e-4 * self.level + 1e-12) / (self.level + 1e-12))


def days_of(frame: SensorFrame, after: int | None = None) -> dict[str, list[Day]]:
    """Sensor → its whole local days, the oldest first.

    Args:
        frame: What was measured.
        after: Only days after this one, counted from 1970.
    """
    calendar = frame.calendar()
    first, last = int(calendar.day[0]), int(calendar.day[-1])
    whole = _whole(frame, calendar.day)
    slots = min(SLOTS, frame.clock.steps_per_day)
    slot = calendar.slot.astype(np.int64) * slots // frame.clock.steps_per_day
    profiles, known = _profiles(frame.values, calendar.day - first, slot, slots)
    starts = np.searchsorted(calendar.day, np.arange(first, last + 1))
    steps = np.diff(starts, append=len(frame))
    streaks = _runs(frame.values)
    runs = np.maximum.reduceat(streaks, np.minimum(starts, len(frame) - 1), axis=0)
    found: dict[str, list[Day]] = {name: [] for name in frame.sensors}
    for i in np.flatnonzero(whole & (steps > 0)):
        if after is not None and first + i <= after:
            continue
        row = starts[i]
        kind = SUNDAY if calendar.holiday[row] else int(calendar.weekday[row])
        special = bool(calendar.season[row] or calendar.holiday[row])
        for s, name in enumerate(frame.sensors):
            found[name].append(
                Day(
                    date=first + int(i),
                    kind=kind,
                    special=special,
                    profile=profiles[i, :, s],
                    missing=float(1 - known[i, s] / steps[i]),
                    run=float(runs[i, s]),
                    still=float(max(0, streaks[row + steps[i] - 1, s] - 1) / steps[i]),
                )
            )
    return found


def unmeasured(day: Day) -> Day:
    """The same day of a sensor that the table lacks."""
    return replace(day, profile=np.full_like(day.profile, np.nan), missing=1.0, run=0.0, still=0.0)


def _mean(values: Floats, *, whole: bool) -> float:
    """Of what is known; NaN if nothing is."""
    known = values if whole else values[np.isfinite(values)]
    return float(known.sum()) / len(known) if len(known) else float("nan")


def _whole(frame: SensorFrame, day: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(day,) whether the frame reaches from its first step to its last."""
    found = np.ones(int(day[-1] - day[0]) + 1, bool)
    around = frame.calendar(-1, len(frame) + 2).day
    found[0] &= around[0] != day[0]
    found[-1] &= around[-1] != day[-1]
    return found


def _profiles(
    values: NDArray[np.float32], day: NDArray[np.int64], slot: NDArray[np.int64], slots: int
) -> tuple[Floats, Floats]:
    """Means (day, slot, sensor), and how many values were known (day, sensor)."""
    shape = (int(day[-1]) + 1, slots, values.shape[1])
    total, count = np.zeros(shape), np.zeros(shape)
    known = np.isfinite(values)
    np.add.at(total, (day, slot), np.where(known, values, 0))
    np.add.at(count, (day, slot), known)
    mean = np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)
    return mean, count.sum(1)


def _runs(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """(time, sensor) how many steps the value has stayed the same; 0 for zero and missing ones."""
    rows = np.arange(len(values))[:, None]
    same = np.zeros(values.shape, bool)
    same[1:] = (values[1:] == values[:-1]) & (values[1:] != 0)
    changed = np.maximum.accumulate(np.where(same, 0, rows), axis=0)
    return np.where(np.isfinite(values) & (values != 0), rows - changed + 1, 0)
