"""Find the same time of day, whole days or weeks earlier and before an origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from citytune.frame import Calendar, SensorFrame

Floats: TypeAlias = NDArray[np.float32]
Steps: TypeAlias = NDArray[np.int64]
GAP_DAYS = 28
"""How many days back a gap is filled from before the sensor's mean is taken."""
WEEKS = 4


@dataclass(frozen=True, eq=False)
class Seasons:
    """Rows of a frame by wall time; what is asked for at an origin comes from rows before it.

    Questions are asked for whole origins, `when` (origin, horizon) → (origin, horizon, sensor), or
    for chosen examples of one sensor each, `when` (example, step) and `sensor` (example,) →
    (example, step).
    """

    values: Floats
    """(time, sensor); NaN is missing."""
    wall: Steps
    """(time + ahead,): local steps since an arbitrary midnight; jumps at clock changes."""
    calendar: Calendar
    """Of the same steps."""
    steps_per_day: int
    step_at: Steps
    """The step at a wall time less the first one, or the one before where clocks leap; the last
    of two where they fall back."""

    @classmethod
    def of(cls, frame: SensorFrame, *, until: int) -> Seasons:
        """Lay out `frame`, with a calendar that reaches step `until`."""
        calendar = frame.calendar(0, max(until, len(frame)))
        day = frame.clock.steps_per_day
        steps = np.arange(len(calendar.day))
        # A daily or odd clock (7 hours) has no slots that come back every day: count steps.
        regular = day > 1 and (frame.clock.step * day).total_seconds() == 86400
        wall = calendar.day * day + calendar.slot if regular else steps
        table = np.zeros(int(wall.max() - wall[0]) + 1, np.int64)
        table[np.maximum(wall - wall[0], 0)] = steps
        return cls(frame.values, wall, calendar, day, np.maximum.accumulate(table))

    @property
    def off(self) -> NDArray[np.bool_]:
        """(time + ahead,): weekend or public holiday."""
        return (self.calendar.weekday >= 5) | self.calendar.holiday

    def back(self, origin: Steps, when: Steps, days: int) -> Steps:
        """Fewest periods of `days` (origin, horizon) that lead from `when` to before the origin."""
        ahead = self.wall[when] - self.wall[np.maximum(origin - 1, 0)][:, None]
        return np.maximum(1, -(-ahead // (days * self.steps_per_day)))

    def earlier(self, when: Steps, days: Steps | int) -> Steps:
        """The step at the same wall time `days` earlier; -1 before the first row."""
        at = self.wall[when] - self.wall[0] - days * self.steps_per_day
        return np.where(at >= 0, self.step_at[np.maximum(at, 0)], -1)

    def take(self, origin: Steps, source: Steps, sensor: Steps | None) -> Floats:
        """Values at steps `source`; NaN where a step is not before its origin, or not measured."""
        usable = (source >= 0) & (source < origin[:, None]) & (source < len(self.values))
        at = np.where(usable, source, 0)
        if sensor is not None:
            return np.where(usable, self.values[at, sensor[:, None]], np.float32(np.nan))
        found = self.values[at]
        found[~usable] = np.nan
        return found

    def last_day(self, origin: Steps, when: Steps, sensor: Steps | None = None) -> Floats:
        """The latest known value at the same time of day, otherwise the sensor's mean so far."""
        back = self.back(origin, when, 1)
        found = self._first_known(origin, when, [back + k for k in range(GAP_DAYS)], sensor)
        if not np.isnan(found).any():
            return found
        return np.where(np.isnan(found), self._mean_so_far(origin, when.shape, sensor), found)

    def last_week(self, origin: Steps, when: Steps, sensor: Steps | None = None) -> Floats:
        """The latest known value at the same time of the week, of four; else `last_day`."""
        back = self.back(origin, when, 7)
        found = self._first_known(origin, when, [7 * (back + k) for k in range(WEEKS)], sensor)
        return self._else_day(found, origin, when, sensor)

    def weeks(self, origin: Steps, when: Steps, sensor: Steps | None = None) -> Floats:
        """Mean of the last four weeks at the same time of the week; else `last_day`."""
        back = self.back(origin, when, 7)
        mean = self._mean(
            origin, [self.earlier(when, 7 * (back + k)) for k in range(WEEKS)], sensor
        )
        return self._else_day(mean, origin, when, sensor)

    def days(self, origin: Steps, when: Steps, sensor: Steps | None = None) -> Floats:
        """Mean of the last seven days at the same time of day; else `last_day`."""
        back = self.back(origin, when, 1)
        mean = self._mean(origin, [self.earlier(when, back + k) for k in range(7)], sensor)
        return self._else_day(mean, origin, when, sensor)

    def kind(self, origin: Steps, when: Steps, sensor: Steps | None = None) -> Floats:
        """Mean of the last five of fourteen days of the same kind (workday or not); else `days`."""
        back, off = self.back(origin, when, 1), self.off
        sources = [self.earlier(when, back + k) for k in range(14)]
        alike = [np.where(off[np.maximum(s, 0)] == off[when], s, -1) for s in sources]
        mean = self._mean(origin, alike, sensor, most=5)
        missing = np.isnan(mean)
        return np.where(missing, self.days(origin, when, sensor), mean) if missing.any() else mean

    def mean_so_far(self, origin: Steps) -> Floats:
        """Mean of everything before each origin: (origin, sensor); NaN where nothing is known."""
        # Before the first row nothing is known; a negative end would count from the last one.
        cuts, place = np.unique(np.maximum(origin, 0), return_inverse=True)
        starts = np.concatenate([[0], cuts[:-1]])
        total, count = np.zeros((2, len(cuts), self.values.shape[1]))
        for i, (start, end) in enumerate(zip(starts, cuts, strict=True)):
            part = self.values[start:end]
            known = ~np.isnan(part)
            total[i] = np.where(known, part, 0).sum(0, dtype=np.float64)
            count[i] = known.sum(0)
        total, count = total.cumsum(0), count.cumsum(0)
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return mean.astype(np.float32)[place]

    def _mean_so_far(self, origin: Steps, shape: tuple[int, ...], sensor: Steps | None) -> Floats:
        mean = self.mean_so_far(origin)
        return mean[:, None] if sensor is None else mean[np.arange(shape[0]), sensor][:, None]

    def _first_known(
        self, origin: Steps, when: Steps, days: list[Steps], sensor: Steps | None
    ) -> Floats:
        """The value at the first of several days back at which something was measured."""
        found = self.take(origin, self.earlier(when, days[0]), sensor)
        for back in days[1:]:
            rows = _gaps(found)
            if not len(rows):
                break
            one = None if sensor is None else sensor[rows]
            other = self.take(origin[rows], self.earlier(when[rows], back[rows]), one)
            found[rows] = np.where(np.isnan(found[rows]), other, found[rows])
        return found

    def _mean(
        self, origin: Steps, sources: list[Steps], sensor: Steps | None, most: int | None = None
    ) -> Floats:
        """Mean of what is known at the first `most` usable of several sources."""
        total: Floats = np.zeros(self._shape(sources[0], sensor), np.float32)
        count = np.zeros_like(total)
        for source in sources:
            value = self.take(origin, source, sensor)
            usable = ~np.isnan(value)
            if most is not None:
                usable &= count < most
            total += np.where(usable, value, np.float32(0))
            count += usable
        mean = np.full_like(total, np.nan)
        np.divide(total, count, out=mean, where=count > 0)
        return mean

    def _shape(self, source: Steps, sensor: Steps | None) -> tuple[int, ...]:
        return source.shape if sensor is not None else (*source.shape, self.values.shape[1])

    def _else_day(self, found: Floats, origin: Steps, when: Steps, sensor: Steps | None) -> Floats:
        rows = _gaps(found)
        if len(rows):
            one = None if sensor is None else sensor[rows]
            other = self.last_day(origin[rows], when[rows], one)
            found[rows] = np.where(np.isnan(found[rows]), other, found[rows])
        return found


def _gaps(found: Floats) -> Steps:
    """Places on the first axis at which something is missing."""
    return np.flatnonzero(np.isnan(found).any(axis=tuple(range(1, found.ndim))))
