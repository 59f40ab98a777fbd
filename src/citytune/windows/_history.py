"""A frame as tensors: what was measured, what a network may be shown, and where in the week."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from citytune._fork import refuse_after_fork
from citytune._graph import anywhere
from citytune.frame import SensorFrame

DAY = dt.timedelta(days=1)


@dataclass(frozen=True, eq=False)
class History:
    """A frame laid out for cutting windows; reaches `ahead` steps beyond the last row."""

    raw: Tensor
    """(sensor, time), in the unit of the data; NaN is missing."""
    steps_per_day: int
    wall: Tensor
    """(time + ahead,) long: local steps since an arbitrary midnight; jumps where daylight
    saving changes the clock."""
    weekday: Tensor
    """(time + ahead,) long: Monday 0 … Sunday 6."""
    holiday: Tensor
    """(time + ahead,) bool."""
    season: Tensor
    """(time + ahead,) bool: between public holidays close together."""
    covariates: Tensor
    """(covariate, sensor, time + ahead), known ahead; NaN where unknown; no rows without any."""
    first: int = 0
    """Absolute step of the first row: how many steps of its length after 1970 began."""

    @classmethod
    def of(cls, frame: SensorFrame, *, ahead: int) -> History:
        """Lay out `frame`, with a calendar reaching `ahead` steps beyond its last row."""
        refuse_after_fork()
        steps = frame.clock.steps_per_day
        cal = frame.calendar(0, len(frame) + ahead)
        # Without slots that come back every day (a daily, weekly or 7-hour clock), count steps.
        comes_back = steps > 1 and frame.clock.step * steps == DAY
        first = frame.clock.number(0)
        wall = cal.day * steps + cal.slot if comes_back else first + np.arange(len(cal.day))
        return cls(
            raw=torch.from_numpy(np.array(frame.values.T, np.float32, order="C")),
            steps_per_day=steps,
            wall=torch.from_numpy(wall.astype(np.int64)),
            weekday=torch.from_numpy(cal.weekday.astype(np.int64)),
            holiday=torch.from_numpy(cal.holiday.copy()),
            season=torch.from_numpy(cal.season.copy()),
            covariates=_covariates(frame, len(frame) + ahead),
            first=first,
        )

    def part(self, sensors: Tensor) -> History:
        """Of some sensors (sensor,), by their numbers."""
        return replace(
            self,
            raw=self.raw[sensors],
            covariates=self.covariates[:, sensors],
        )

    def since(self, row: int) -> History:
        """The rows from `row` on; all of them for 0 or less."""
        if row <= 0:
            return self
        return replace(
            self,
            raw=self.raw[:, row:],
            wall=self.wall[row:],
            weekday=self.weekday[row:],
            holiday=self.holiday[row:],
            season=self.season[row:],
            covariates=self.covariates[..., row:],
            first=self.first + row,
        )

    @cached_property
    def filled(self) -> Tensor:
        """(sensor, time), gaps filled from the past alone; never a target."""
        return torch.from_numpy(fill_causally(self.raw.numpy(), self.steps_per_day))

    @cached_property
    def kind_of_day(self) -> Tensor:
        """(time + ahead,) long: 0 workday, 1 Saturday, 2 Sunday or public holiday."""
        return torch.where(self.holiday, 2, (self.weekday - 4).clamp_min(0))

    @property
    def length(self) -> int:
        """Measured steps."""
        return self.raw.shape[1]

    @property
    def end(self) -> int:
        """Absolute step after the last row."""
        return self.first + self.length

    @property
    def slot(self) -> Tensor:
        """(time + ahead,) step of the local day."""
        return self.wall % self.steps_per_day

    def days_before(self, when: Tensor, days: Tensor | int) -> Tensor:
        """The step with the same wall time `days` earlier: the one rule for daylight saving.

        Where a clock change skips that wall time, as 02:00 in spring, the time as late after the
        change is taken, 03:00, as calendars do; where a clock change gives it twice, in autumn,
        the second. Before the first row it is negative.
        """
        before = when - days * self.steps_per_day
        if not self._clock_changes:
            return before
        return before + pick(self._shift, when) - pick(self._shift, before.clamp_min(0))

    @cached_property
    def _shift(self) -> Tensor:
        """(time + ahead,) long: wall time less steps; it moves where the clock changes."""
        return self.wall - torch.arange(len(self.wall))

    @cached_property
    def _clock_changes(self) -> bool:
        return anywhere(self._shift != self._shift[:1])


def pick(series: Tensor, where: Tensor) -> Tensor:
    """`series[where]` of a series (place,) at places of any shape, in a third of the time."""
    return series.index_select(0, where.reshape(-1)).view(where.shape)


def fill_causally(values: NDArray[np.float32], steps_per_day: int) -> NDArray[np.float32]:
    """Fill gaps of (sensor, time) from the past alone.

    A missing value becomes the value one day earlier (itself filled), else the last value. What
    lies before a sensor's first value repeats its first day: a window that ends within that day
    is never used.
    """
    filled = values.copy()
    if not filled.size:
        return filled
    known = ~np.isnan(values)
    steps = np.arange(values.shape[1])
    first = np.where(known.any(1), known.argmax(1), 0)
    last = np.maximum.accumulate(np.where(known, steps, first[:, None]), axis=1)
    carried = np.take_along_axis(values, last, axis=1)
    early = ~known & (steps < (first + steps_per_day)[:, None])
    filled[early] = carried[early]
    for start in range(steps_per_day, values.shape[1], steps_per_day):
        today = filled[:, start : start + steps_per_day]
        before = filled[:, start - steps_per_day : start][:, : today.shape[1]]
        np.copyto(today, before, where=np.isnan(today))
    for sensor in np.flatnonzero(first):
        start = first[sensor]
        day = filled[sensor, start : start + steps_per_day]
        filled[sensor, :start] = day[(steps[:start] - start) % len(day)]
    return np.nan_to_num(filled, copy=False, nan=0.0)  # a sensor without a single value


def _covariates(frame: SensorFrame, count: int) -> Tensor:
    sensors = len(frame.sensors)
    stacked = torch.full((len(frame.covariates), sensors, count), torch.nan)
    for i, table in enumerate(frame.covariates.values()):
        known = torch.from_numpy(np.ascontiguousarray(table[:count].T, dtype=np.float32))
        stacked[i, :, : known.shape[1]] = known
    return stacked
