"""Seasonal rules: forecasts read off the same time of day on earlier days and weeks.

The stack, the baselines and the features of learned baselines all ask the same rules, so that "the
mean of the last four weeks" is one thing. Each rule uses only rows before the origin. A public
holiday takes its weekly profile from the Sundays before it, and no ordinary day takes anything
from a holiday. Earlier days are found by wall time, right across daylight saving: see
`History.days_before`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from citytune._graph import anywhere
from citytune.windows._examples import Examples, cut_past, first_known
from citytune.windows._history import History, pick

WEEKS = 4
"""Ordinary weeks averaged in the weekly profile …"""
WEEKS_BACK = 6
"""… of so many weeks back."""
LIKE_DAYS = 5
"""Days of the same kind (workday, Saturday, Sunday or holiday) averaged …"""
DAYS_BACK = 28
"""… of so many days back; also how far a missing value of the last day is looked for."""
SEASONAL = (
    "yesterday",
    "last-week",
    "days",
    "day-kind",
    "weeks",
    "days+level",
    "day-kind+level",
    "weeks+level",
    "weeks+fading",
    "day-kind+fading",
)
"""Names of the experts that `Seasonal.ahead` asks."""


@dataclass(frozen=True, eq=False)
class Seasonal:
    """The seasonal rules over one history."""

    history: History

    @cached_property
    def known(self) -> Tensor:
        """(sensor, time) bool: what was measured."""
        return ~self.history.raw.isnan()

    @cached_property
    def measured(self) -> Tensor:
        """(sensor · time,): all rows after each other."""
        return self.history.raw.reshape(-1)

    @cached_property
    def first_known(self) -> Tensor:
        """(sensor,) long: the row of each one's first value; beyond the last row without any."""
        return first_known(self.history) - self.history.first

    def at(self, examples: Examples, when: Tensor) -> Lookback:
        """The rules at steps `when` (example, step), asked at the origin of each example.

        Parts with one row serve all: `when` (1, step) and one origin for every sensor.
        """
        return Lookback(self, examples.sensor[:, None], when, examples.origin[:, None])

    def every_sensor(self, origins: Tensor, horizon: int) -> Lookback:
        """The rules over the horizon from origins (origin,): each (origin, sensor, horizon)."""
        start, sensors = origins[:, None, None], torch.arange(len(self.history.raw))
        return Lookback(self, sensors[:, None], start + torch.arange(horizon), start)

    def ahead(self, examples: Examples, horizon: int) -> Mapping[str, Tensor]:
        """Every seasonal expert's forecast, name → (example, horizon), never NaN.

        Each is made when it is first asked for.
        """
        return _Ahead(self, examples, horizon)

    @cached_property
    def days(self) -> Tensor:
        """(sensor, time): mean of the same time on the seven days before; NaN without any."""
        return self._each_step.mean_of_days

    @cached_property
    def kind(self) -> Tensor:
        """(sensor, time): mean of the last days of the same kind before each step, else `days`."""
        return _fill(self._each_step.mean_of_kind, lambda: self.days)

    @cached_property
    def profile(self) -> Tensor:
        """(sensor, time): the weekly profile before each step, else `days`."""
        return _fill(self._each_step.mean_of_weeks, lambda: self.days)

    @property
    def _each_step(self) -> Lookback:
        """The rules at every measured step, of which each is its own origin."""
        steps = torch.arange(self.history.length)
        return Lookback(self, torch.arange(len(self.history.raw))[:, None], steps, steps)

    def shift(self, rule: Tensor, examples: Examples) -> Tensor:
        """(example, 1) mean over the last day of what was measured minus the rule's forecast."""
        day = max(self.history.steps_per_day, 3)
        error = cut_past(self.history.raw - rule, examples, day)
        return error.nanmean(1, keepdim=True).nan_to_num(nan=0.0)

    def fading(self, rule: Tensor, examples: Examples, horizon: int) -> Tensor:
        """The last deviation from a rule, fading as it did in the last two weeks."""
        recent = cut_past(
            self.history.raw - rule, examples, max(14 * self.history.steps_per_day, 14)
        )
        now, before = recent[:, 1:], recent[:, :-1]
        both = ~(now.isnan() | before.isnan())
        cross = torch.where(both, now * before, 0.0).sum(1)
        power = torch.where(both, before.square(), 0.0).sum(1)
        rho = (cross / power.clamp_min(1e-30)).clamp(0.0, 0.995)
        last = recent[:, -3:].nanmean(1).nan_to_num(nan=0.0)
        return last[:, None] * rho[:, None] ** torch.arange(1, horizon + 1)


class _Ahead(Mapping[str, Tensor]):
    """The forecasts of the rules for some windows."""

    def __init__(self, seasonal: Seasonal, examples: Examples, horizon: int) -> None:
        self.seasonal, self.examples, self.horizon = seasonal, examples, horizon
        self.at = seasonal.at(examples, examples.origin[:, None] + torch.arange(horizon))
        self.found: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.found:
            rule, _, how = name.partition("+")
            self.found[name] = (
                self[rule] + self._correction(rule, how) if how else self._plain(name)
            )
        return self.found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(SEASONAL)

    def __len__(self) -> int:
        return len(SEASONAL)

    def _plain(self, name: str) -> Tensor:
        found: Tensor = getattr(self.at, _PLAIN[name])
        return found.nan_to_num(nan=0.0)

    def _correction(self, name: str, how: str) -> Tensor:
        """By how much the rule was off lately."""
        rule: Tensor = getattr(self.seasonal, _EACH_STEP[name])
        if how == "fading":
            return self.seasonal.fading(rule, self.examples, self.horizon)
        return self.seasonal.shift(rule, self.examples)


_PLAIN = {
    "yesterday": "last_day", "last-week": "last_week", "days": "days", "day-kind": "kind",
    "weeks": "weeks",
}  # fmt: skip
"""Rule → what `Lookback` calls it."""
_EACH_STEP = {"days": "days", "day-kind": "kind", "weeks": "profile"}
"""Rule → what `Seasonal` calls it at every step."""


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
        found = self._latest(self._days_back + day for day in range(DAYS_BACK))
        return _fill(found, self._last_value)

    @cached_property
    def last_week(self) -> Tensor:
        """The latest known value at the same time of the week, of four weeks; else `kind`."""
        found = self._latest(self._weeks_back + 7 * week for week in range(WEEKS))
        return _fill(found, lambda: self.kind)

    @cached_property
    def days(self) -> Tensor:
        """Mean of the same time on the last seven days; else `last_day`."""
        return _fill(self.mean_of_days, lambda: self.last_day)

    @cached_property
    def kind(self) -> Tensor:
        """Mean of the same time on the last five days of the same kind; else `days`."""
        return _fill(self.mean_of_kind, lambda: self.days)

    @cached_property
    def weeks(self) -> Tensor:
        """Mean of the last four weeks at the same time of the week; else `kind`."""
        return _fill(self.mean_of_weeks, lambda: self.kind)

    @cached_property
    def mean_of_days(self) -> Tensor:
        """`days`, NaN where nothing was measured."""
        return self._mean(self._days_back + day for day in range(7))

    @cached_property
    def mean_of_kind(self) -> Tensor:
        """`kind`, NaN where nothing was measured on such a day."""
        kind = self.seasonal.history.kind_of_day
        days, own = (self._days_back + day for day in range(DAYS_BACK)), pick(kind, self.when)
        return self._mean(days, LIKE_DAYS, lambda source: pick(kind, source) == own)

    @cached_property
    def mean_of_weeks(self) -> Tensor:
        """`weeks`, NaN where nothing was measured. A holiday takes the Sundays before it."""
        history = self.seasonal.history
        to_sunday = pick(torch.where(history.holiday, (history.weekday + 1) % 7, 0), self.when)
        days = (self._weeks_back + to_sunday + 7 * week for week in range(WEEKS_BACK))
        return self._mean(days, WEEKS, lambda source: ~pick(history.holiday, source))

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

    def _values(self, days: Iterator[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """So many days back: what was measured, NaN if not before the origin, and at which row."""
        history, measured = self.seasonal.history, self.seasonal.measured
        start = self.sensor * history.length
        for back in days:
            source = history.days_before(self.when, back)
            inside = (source >= 0) & (source < self.origin)
            source = source.clamp(0, history.length - 1)
            yield torch.where(inside, pick(measured, start + source), torch.nan), source

    def _latest(self, days: Iterator[Tensor]) -> Tensor:
        """The value at the first of several days back at which something was measured."""
        found = torch.full((1, 1), torch.nan)
        for value, _ in self._values(days):
            found = torch.where(found.isnan(), value, found)
            if not anywhere(found.isnan()):
                break
        return found

    def _mean(
        self,
        days: Iterator[Tensor],
        most: int | None = None,
        usable: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Mean of what was measured at the first `most` usable of several days back."""
        total, count = torch.zeros(1, 1), torch.zeros(1, 1)
        for value, source in self._values(days):
            good = ~value.isnan()
            if usable is not None:
                good &= usable(source)
            if most is not None:
                good &= count < most
            total = total + torch.where(good, value, 0.0)
            count = count + good
        return torch.where(count > 0, total / count, torch.nan)

    def _last_value(self) -> Tensor:
        filled = self.seasonal.history.filled[self.sensor, (self.origin - 1).clamp_min(0)]
        begun = self.seasonal.first_known[self.sensor] < self.origin
        return torch.where(begun, filled, torch.nan)


def _fill(found: Tensor, other: Callable[[], Tensor]) -> Tensor:
    """`found`, and where it is NaN the other, which is made only if it is needed."""
    missing = found.isnan()
    return torch.where(missing, other(), found) if anywhere(missing) else found
