"""Seasonal experts: forecasts read off the same slot of earlier days and weeks.

Each one uses only rows before the origin. A public holiday takes its weekly profile from the
Sundays before it, and no ordinary day takes anything from a holiday.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from citytune.windows import Examples, History, cut_past

WEEKS = 4
"""Weeks averaged in the weekly profile."""
ALIKE = 5
"""Days of the same kind (workday, Saturday, Sunday or holiday) averaged …"""
KIND_DAYS = 28
"""… of so many days back."""
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
    """The seasonal rules over one history; grids are made once, windows read them."""

    history: History

    @cached_property
    def known(self) -> Tensor:
        """(sensor, time) bool: what was measured."""
        return ~self.history.raw.isnan()

    @cached_property
    def kind_of_day(self) -> Tensor:
        """(time + ahead,) long: 0 workday, 1 Saturday, 2 Sunday or public holiday."""
        kind = (self.history.weekday - 4).clamp_min(0)
        return torch.where(self.history.holiday, 2, kind)

    @cached_property
    def profile(self) -> Tensor:
        """(sensor, time + ahead): the weekly profile; with no week yet, the days before.

        For looking back: within the horizon, the days before are not all known.
        """
        weekly = self._weeks(1)
        return torch.where(weekly.isnan(), self.days, weekly)

    def _weeks(self, first_week: int) -> Tensor:
        """Mean of the same weekday and slot over `WEEKS` weeks, from `first_week` weeks back on."""
        if first_week not in self._profiles:
            self._profiles[first_week] = self._make_profile(first_week)
        return self._profiles[first_week]

    @cached_property
    def _profiles(self) -> dict[int, Tensor]:
        return {}

    def _make_profile(self, first_week: int) -> Tensor:
        history = self.history
        when = torch.arange(len(history.wall))
        to_sunday = torch.where(history.holiday, (history.weekday + 1) % 7, 0)
        days = 7 * first_week + to_sunday
        sources = [history.days_before(when, days + 7 * k) for k in range(WEEKS + 2)]
        return self._mean_of(sources, at_most=WEEKS, forbid=history.holiday)

    @cached_property
    def days(self) -> Tensor:
        """(sensor, time + ahead): mean of the same slot on the seven days before."""
        when = torch.arange(len(self.history.wall))
        return self._mean_of([self.history.days_before(when, k) for k in range(1, 8)])

    @cached_property
    def kind(self) -> Tensor:
        """(sensor, time + ahead): mean of the same slot on the last five days of the same kind.

        Found within four weeks; where there is no such day, the mean of the last seven days.
        """
        when = torch.arange(len(self.history.wall))
        sources = [self.history.days_before(when, k) for k in range(1, KIND_DAYS + 1)]
        alike = self._mean_of(sources, at_most=ALIKE, alike=self.kind_of_day)
        return torch.where(alike.isnan(), self.days, alike)

    def _mean_of(
        self,
        sources: list[Tensor],
        at_most: int | None = None,
        forbid: Tensor | None = None,
        alike: Tensor | None = None,
    ) -> Tensor:
        """Mean of what was measured at the first `at_most` usable sources of every step."""
        raw = self.history.raw
        total = torch.zeros(raw.shape[0], len(self.history.wall))
        count = torch.zeros_like(total)
        steps = torch.arange(len(self.history.wall))
        for source in sources:
            inside = (source >= 0) & (source < self.history.length)
            at = source.clamp(0, self.history.length - 1)
            if forbid is not None:
                inside = inside & ~forbid[at]
            if alike is not None:
                inside = inside & (alike[at] == alike[steps])
            usable = self.known[:, at] & inside
            if at_most is not None:
                usable &= count < at_most
            total += torch.where(usable, raw[:, at], 0.0)
            count += usable
        return torch.where(count > 0, total / count, torch.nan)

    def ahead(self, examples: Examples, horizon: int) -> dict[str, Tensor]:
        """Every seasonal expert's forecast, name → (example, horizon), never NaN."""
        history, day = self.history, self.history.steps_per_day
        when = examples.origin[:, None] + torch.arange(horizon)  # (example, horizon)
        back = self._back(examples, when, day)  # days until known
        weeks_back = self._back(examples, when, 7 * day)
        last = self._first_known(examples, when, [back + k for k in range(7)])
        week = self._first_known(examples, when, [7 * (weeks_back + k) for k in range(4)])
        sensor = examples.sensor[:, None]
        yesterday = history.days_before(when, back - 1)  # the same slot, tomorrow
        days = self.days[sensor, yesterday]
        kind = self._kind_ahead(examples, when, back)
        weeks = self.weekly(examples, horizon)
        anyhow = last.nan_to_num(nan=0.0) + torch.where(
            last.isnan(), self._level(examples)[:, None], 0.0
        )
        days = torch.where(days.isnan(), anyhow, days)
        kind = torch.where(kind.isnan(), days, kind)
        weeks = torch.where(weeks.isnan(), kind, weeks)
        return {
            "yesterday": anyhow,
            "last-week": torch.where(week.isnan(), kind, week),
            "days": days,
            "day-kind": kind,
            "weeks": weeks,
            "days+level": days + self._shift(self.days, examples),
            "day-kind+level": kind + self._shift(self.kind, examples),
            "weeks+level": weeks + self._shift(self.profile, examples),
            "weeks+fading": weeks + self._fading(self.profile, examples, horizon),
            "day-kind+fading": kind + self._fading(self.kind, examples, horizon),
        }

    def weekly(self, examples: Examples, horizon: int) -> Tensor:
        """The weekly profile over the horizon (example, horizon); NaN without any history."""
        when = examples.origin[:, None] + torch.arange(horizon)
        weeks = self._back(examples, when, 7 * self.history.steps_per_day)
        sensor = examples.sensor[:, None]
        found = self._weeks(1)[sensor, when]
        for week in range(2, int(weeks.max()) + 1):
            found = torch.where(weeks == week, self._weeks(week)[sensor, when], found)
        return found

    def _back(self, examples: Examples, when: Tensor, period: int) -> Tensor:
        """(example, horizon) fewest whole periods, in wall time, that lead before the origin."""
        wall, days = self.history.wall, period // self.history.steps_per_day
        now = wall[(examples.origin - 1).clamp_min(0)][:, None]
        back = (-((now - wall[when]).div(period, rounding_mode="floor"))).clamp_min(1)
        # An hour that comes twice may be known the first time only.
        return back + (self.history.days_before(when, back * days) >= examples.origin[:, None])

    def _kind_ahead(self, examples: Examples, when: Tensor, back: Tensor) -> Tensor:
        """Mean over the last five days before the origin of the target's own kind of day."""
        history, sensor = self.history, examples.sensor[:, None]
        total, count = torch.zeros(when.shape), torch.zeros(when.shape)
        for k in range(KIND_DAYS):
            source = history.days_before(when, back + k)
            at = source.clamp(0, history.length - 1)
            alike = self.kind_of_day[at] == self.kind_of_day[when]
            usable = (source >= 0) & self.known[sensor, at] & alike
            usable &= (count < ALIKE) & (source < examples.origin[:, None])
            total += torch.where(usable, history.raw[sensor, at], 0.0)
            count += usable
        return torch.where(count > 0, total / count, torch.nan)

    def _first_known(self, examples: Examples, when: Tensor, days: list[Tensor]) -> Tensor:
        """The value at the first of several days back at which something was measured."""
        found = torch.full(when.shape, torch.nan)
        for back in days:
            source = self.history.days_before(when, back)
            inside = (source >= 0) & (source < examples.origin[:, None])
            value = self.history.raw[
                examples.sensor[:, None], source.clamp(0, self.history.length - 1)
            ]
            found = torch.where(found.isnan() & inside, value, found)
        return found

    def _level(self, examples: Examples) -> Tensor:
        """(example,) the last value as shown to a network: for sensors with next to no past."""
        return self.history.filled[examples.sensor, (examples.origin - 1).clamp_min(0)]

    def _shift(self, rule: Tensor, examples: Examples) -> Tensor:
        """(example, 1) mean over the last day of what was measured minus what the rule said."""
        day = max(self.history.steps_per_day, 3)
        error = cut_past(self.history.raw - rule[:, : self.history.length], examples, day)
        return error.nanmean(1, keepdim=True).nan_to_num(nan=0.0)

    def _fading(self, rule: Tensor, examples: Examples, horizon: int) -> Tensor:
        """The last deviation from a rule, fading as it did in the last two weeks."""
        history = self.history
        error = history.raw - rule[:, : history.length]
        recent = cut_past(error, examples, max(14 * history.steps_per_day, 14))
        now, before = recent[:, 1:], recent[:, :-1]
        both = ~(now.isnan() | before.isnan())
        cross = torch.where(both, now * before, 0.0).sum(1)
        power = torch.where(both, before.square(), 0.0).sum(1)
        rho = (cross / power.clamp_min(1e-30)).clamp(0.0, 0.995)
        last = recent[:, -3:].nanmean(1).nan_to_num(nan=0.0)
        return last[:, None] * rho[:, None] ** torch.arange(1, horizon + 1)
