"""The regular clock of a table: where it starts, its step, and its time zone."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

DAY = dt.timedelta(days=1)
_UNITS = (
    ("D", DAY),
    ("h", dt.timedelta(hours=1)),
    ("min", dt.timedelta(minutes=1)),
    ("s", dt.timedelta(seconds=1)),
)


def spell(step: dt.timedelta) -> str:
    """A step in the field's shorthand.

    >>> spell(dt.timedelta(minutes=5)), spell(dt.timedelta(hours=1)), spell(DAY)
    ('5min', '1h', '1D')
    """
    for unit, size in _UNITS:
        if step % size == dt.timedelta(0):
            return f"{step // size}{unit}"
    return f"{step.total_seconds():g}s"


@dataclass(frozen=True)
class Clock:
    """Step `i` of a table is the moment `start + i · step`.

    With a `timezone` the clock runs in absolute time, `start` is UTC (naive), and local wall
    time is derived; without one, `start` is the wall time written in the file.
    """

    start: dt.datetime
    """First step; naive. UTC if `timezone` is set, wall time as written otherwise."""
    step: dt.timedelta
    """Time between two steps."""
    timezone: str | None = None
    """IANA name of the local time zone ("Europe/Oslo"), if known."""

    def __post_init__(self) -> None:
        if self.step <= dt.timedelta(0):
            raise ValueError(f"the step of a clock must be positive, got {self.step}")
        if self.start.tzinfo is not None:
            raise ValueError("the start of a clock is naive: UTC, or wall time without a zone")

    @property
    def freq(self) -> str:
        """The step as text, such as "5min" or "1h"."""
        return spell(self.step)

    @property
    def steps_per_day(self) -> int:
        """Steps a day; 1 for a daily or slower clock."""
        return max(1, round(DAY / self.step))

    @property
    def steps_per_week(self) -> int:
        """Steps a week; 7 for a daily clock."""
        return 7 * self.steps_per_day

    def moments(self, first: int, count: int) -> NDArray[np.datetime64]:
        """Absolute times (UTC, or wall time without a zone) of `count` steps from `first` on."""
        start = np.datetime64(self.start, "us")
        return start + (first + np.arange(count)) * np.timedelta64(self.step, "us")

    def local(self, first: int, count: int) -> NDArray[np.datetime64]:
        """Wall-clock times of `count` steps from `first` on."""
        moments = self.moments(first, count)
        return moments if self.timezone is None else moments + self._offsets(moments)

    def index(self, moment: dt.datetime | np.datetime64) -> int:
        """The step at or just before a naive `moment` on this clock's own time line."""
        at = np.asarray(moment, "datetime64[us]")
        delta = at - np.datetime64(self.start, "us")
        return int(delta // np.timedelta64(self.step, "us"))

    def number(self, index: int) -> int:
        """Step `index` counted from 1970 on: the same moment has the same number in every table."""
        start = np.datetime64(self.start, "us").astype(np.int64)
        return int(start // np.timedelta64(self.step, "us").astype(np.int64)) + index

    def text(self, index: int) -> str:
        """Wall time of step `index`, for messages: "2024-03-31 14:00"."""
        return str(self.local(index, 1)[0].astype("datetime64[m]")).replace("T", " ")

    def shifted(self, steps: int) -> Clock:
        """The same clock, starting `steps` later."""
        return Clock(self.start + steps * self.step, self.step, self.timezone)

    @cached_property
    def _zone(self) -> ZoneInfo | None:
        return None if self.timezone is None else ZoneInfo(self.timezone)

    def _offsets(self, moments: NDArray[np.datetime64]) -> NDArray[np.timedelta64]:
        """UTC offset of each moment; days on which it changes are looked up by quarter hours."""
        days, where = np.unique(moments.astype("datetime64[D]"), return_inverse=True)
        edges = np.union1d(days, days + 1)
        looked_up = self._look_up(edges)
        at_start, at_end = (looked_up[np.searchsorted(edges, day)] for day in (days, days + 1))
        found = at_start[where]
        changing = (at_start != at_end)[where]
        if changing.any():
            # Adelaide changes at half past an hour of UTC, so the hour would not do.
            quarters = moments[changing].astype("datetime64[15m]")
            distinct, which = np.unique(quarters, return_inverse=True)
            found[changing] = self._look_up(distinct)[which]
        return found

    def _look_up(self, moments: NDArray[np.datetime64]) -> NDArray[np.timedelta64]:
        """UTC offset of each of a few moments."""
        exact = moments.astype("datetime64[us]").tolist()
        aware = (moment.replace(tzinfo=dt.UTC).astimezone(self._zone) for moment in exact)
        return np.array([moment.utcoffset() for moment in aware], "timedelta64[us]")
