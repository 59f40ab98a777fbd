"""Steps looked back from: what was measured at the same time of day on earlier days and weeks."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from citytune._graph import anywhere, exporting
from citytune.windows._history import pick

if TYPE_CHECKING:
    from citytune.windows._seasonal import Seasonal

WEEKS = 4
"""Ordinary weeks averaged in the weekly profile …"""
WEEKS_BACK = 6
"""… of so many weeks back."""
LIKE_DAYS = 5
"""Days of the same kind (workday, Saturday, Sunday or holiday) averaged …"""
DAYS_BACK = 28
"""… of so many days back; also how far a missing value of the last day is looked for."""
VALUES_AT_ONCE = 200_000
"""Most values of earlier days looked at together, but for those of one day."""


@dataclass(frozen=True, eq=False)
class Lookback:
    """The rules' forecasts of some steps, each made when first asked for.

    The three tensors broadcast against each other to the shape of every rule, mostly (example,
    step).
    """

    seasonal: Seasonal
    sensor: Tensor
    """Long: whose forecast."""
    when: Tensor
    """Long: of which step."""
    origin: Tensor
    """Long: the first step that is not known."""

    @cached_property
    def last_day(self) -> Tensor:
        """The latest known value at the same time of day, otherwise the sensor's last value.

        NaN for a sensor without a value before the origin.
        """
        found = self._latest(self._days_back, range(DAYS_BACK))
        return filled_by(found, self._last_value)

    @cached_property
    def last_week(self) -> Tensor:
        """The latest known value at the same time of the week, of four weeks; else `kind`."""
        found = self._latest(self._weeks_back, range(0, 7 * WEEKS, 7))
        return filled_by(found, lambda: self.kind)

    @cached_property
    def days(self) -> Tensor:
        """Mean of the same time on the last seven days; else `last_day`."""
        return filled_by(self.mean_of_days, lambda: self.last_day)

    @cached_property
    def kind(self) -> Tensor:
        """Mean of the same time on the last five days of the same kind; else `days`."""
        return filled_by(self.mean_of_kind, lambda: self.days)

    @cached_property
    def weeks(self) -> Tensor:
        """Mean of the last four weeks at the same time of the week; else `kind`."""
        return filled_by(self.mean_of_weeks, lambda: self.kind)

    @cached_property
    def mean_of_days(self) -> Tensor:
        """`days`, NaN where nothing was measured."""
        return self._mean(self._days_back, range(7))

    @cached_property
    def mean_of_kind(self) -> Tensor:
        """`kind`, NaN where nothing was measured on such a day."""
        kind = self.seasonal.history.kind_of_day
        own, days = pick(kind, self.when), range(DAYS_BACK)
        return self._mean(
            self._days_back, days, LIKE_DAYS, lambda source: pick(kind, source) == own
        )

    @cached_property
    def mean_of_weeks(self) -> Tensor:
        """`weeks`, NaN where nothing was measured. A holiday takes the Sundays before it."""
        history = self.seasonal.history
        to_sunday = pick(torch.where(history.holiday, (history.weekday + 1) % 7, 0), self.when)
        first, weeks = self._weeks_back + to_sunday, range(0, 7 * WEEKS_BACK, 7)
        return self._mean(first, weeks, WEEKS, lambda source: ~pick(history.holiday, source))

    @cached_property
    def _days_back(self) -> Tensor:
        return self._back(1)

    @cached_property
    def _weeks_back(self) -> Tensor:
        return self._back(7)

    def _back(self, days: int) -> Tensor:
        """The fewest days, in multiples of `days`, that lead from each step to a known one."""
        history = self.seasonal.history
        period = days * history.steps_per_day
        ahead = pick(history.wall, self.when) - history.wall[(self.origin - 1).clamp_min(0)]
        back = days * (-((-ahead).div(period, rounding_mode="floor"))).clamp_min(1)
        # Of an hour that daylight saving doubles, the second may not be known yet.
        return back + days * (history.days_before(self.when, back) >= self.origin)

    def _values(self, first: Tensor, further: range) -> Iterator[tuple[Tensor, Tensor]]:
        """What was measured `first` days back and `further`: some days at a time.

        Each (day, …) is NaN if not before the origin, and comes with the row that it is of.
        """
        history, measured = self.seasonal.history, self.seasonal.measured
        start = self.sensor * history.length
        for days in self._some_at_a_time(further):
            source = history.days_before(self.when, first + days)
            inside = (source >= 0) & (source < self.origin)
            source = source.clamp(0, history.length - 1)
            yield torch.where(inside, pick(measured, start + source), torch.nan), source

    def _some_at_a_time(self, days: range) -> Iterator[Tensor]:
        """(day, 1, …) as many of these days as memory allows; a graph has them all at once."""
        parts = self.sensor, self.when, self.origin
        every = torch.tensor(days).view(-1, *[1] * max(part.ndim for part in parts))
        if exporting():
            yield every
        else:
            # torch's own function imports sympy for it
            each = math.prod(np.broadcast_shapes(*(part.shape for part in parts)))
            yield from every.split(max(1, VALUES_AT_ONCE // max(1, each)))

    def _latest(self, first: Tensor, further: range) -> Tensor:
        """The value at the first of several days back at which something was measured."""
        found = torch.full((1, 1), torch.nan)
        for values, _ in self._values(first, further):
            latest = (~values.isnan()).to(torch.uint8).argmax(0, keepdim=True)
            found = torch.where(found.isnan(), values.gather(0, latest)[0], found)
            if not anywhere(found.isnan()):
                break
        return found

    def _mean(
        self,
        first: Tensor,
        further: range,
        most: int | None = None,
        usable: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Mean of what was measured at the first `most` usable of several days back."""
        total, count = torch.zeros(1, 1), torch.zeros(1, 1, dtype=torch.int32)
        for values, source in self._values(first, further):
            good = ~values.isnan()
            if usable is not None:
                good &= usable(source)
            if most is not None:
                good &= count + good.cumsum(0, dtype=torch.int32) <= most
            total = _added(total, torch.where(good, values, 0.0))
            count = count + good.sum(0, dtype=torch.int32)
        return torch.where(count > 0, total / count.clamp_min(1), torch.nan)

    def _last_value(self) -> Tensor:
        filled = self.seasonal.history.filled[self.sensor, (self.origin - 1).clamp_min(0)]
        begun = self.seasonal.first_known[self.sensor] < self.origin
        return torch.where(begun, filled, torch.nan)


def filled_by(found: Tensor, other: Callable[[], Tensor]) -> Tensor:
    """`found`, and where it is NaN the other, which is made only if it is needed."""
    missing = found.isnan()
    return torch.where(missing, other(), found) if anywhere(missing) else found


def _added(total: Tensor, values: Tensor) -> Tensor:
    """With values (day, …), one after the other: it does not matter how many come together."""
    return total + values.sum(0) if exporting() else functools.reduce(operator.add, values, total)
