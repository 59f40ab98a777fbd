"""Seasonal rules: forecasts read off the same time of day on earlier days and weeks.

The stack, the baselines and the features of learned baselines all ask the same rules, so that "the
mean of the last four weeks" is one thing. Each rule uses only rows before the origin. A public
holiday takes its weekly profile from the Sundays before it, and no ordinary day takes anything
from a holiday. Earlier days are found by wall time, right across daylight saving: see
`History.days_before`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import pad

from citytune.windows._examples import Examples, cut_past, first_known
from citytune.windows._history import History
from citytune.windows._lookback import Lookback, filled_by

FADING_DAYS = 14
"""Days from which it is told how fast a deviation from a rule fades."""
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
    since: int = 0
    """The first row of which `days`, `kind` and `profile` are asked; before it they are NaN."""

    @cached_property
    def known(self) -> Tensor:
        """(sensor, time) bool: what was measured."""
        return ~self.history.raw.isnan()

    @cached_property
    def counted(self) -> Tensor:
        """(sensor, time + 1) long: how much was measured before each row."""
        return torch.nn.functional.pad(self.known.cumsum(1), (1, 0))

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
        return self._from_since(self._each_step.mean_of_days)

    @cached_property
    def kind(self) -> Tensor:
        """(sensor, time): mean of the last days of the same kind before each step, else `days`."""
        return self._or_days(self._each_step.mean_of_kind)

    @cached_property
    def profile(self) -> Tensor:
        """(sensor, time): the weekly profile before each step, else `days`."""
        return self._or_days(self._each_step.mean_of_weeks)

    @cached_property
    def _each_step(self) -> Lookback:
        """The rules at every measured step from `since` on, of which each is its own origin."""
        steps = torch.arange(self.since, self.history.length)[None]
        return Lookback(self, torch.arange(len(self.history.raw))[:, None], steps, steps)

    def _or_days(self, rule: Tensor) -> Tensor:
        return self._from_since(filled_by(rule, lambda: self.days[:, self.since :]))

    def _from_since(self, rule: Tensor) -> Tensor:
        return pad(rule, (self.since, 0), value=torch.nan)

    def shift(self, rule: Tensor, examples: Examples) -> Tensor:
        """(example, 1) mean over the last day of what was measured minus the rule's forecast."""
        day = max(self.history.steps_per_day, 3)
        error = cut_past(self.history.raw - rule, examples, day)
        return error.nanmean(1, keepdim=True).nan_to_num(nan=0.0)

    def fading(self, rule: Tensor, examples: Examples, horizon: int) -> Tensor:
        """The last deviation from a rule, fading as it did in the last two weeks."""
        steps = FADING_DAYS * self.history.steps_per_day
        recent = cut_past(self.history.raw - rule, examples, steps)
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
