"""The seasonal rules as a graph has them: all earlier days at once, of the steps that are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import pad

from citytune.windows import Examples, History, Lookback, Seasonal


@dataclass(frozen=True, eq=False)
class GivenHistory(History):
    """A history whose gaps were filled by whoever gives it."""

    given: Tensor | None = None

    @cached_property
    def filled(self) -> Tensor:
        """(sensor, time) as given."""
        assert self.given is not None, "it is made with them"
        return self.given


@dataclass(frozen=True, eq=False)
class GraphRules(Seasonal):
    """`Seasonal`, whose rules are asked only of the last `steps` of the past: nobody looks further.

    The answers are those of `Seasonal`.
    """

    steps: int = 0
    asked: dict[tuple[int, int], tuple[Examples, Mapping[str, Tensor]]] = field(
        default_factory=dict
    )
    """What `ahead` gave before, by the windows and the horizon: a graph has it once."""

    def ahead(self, examples: Examples, horizon: int) -> Mapping[str, Tensor]:
        """As `Seasonal.ahead`."""
        key = id(examples), horizon
        if key not in self.asked:
            self.asked[key] = examples, super().ahead(examples, horizon)
        return self.asked[key][1]

    def at(self, examples: Examples, when: Tensor) -> Lookback:
        """As `Seasonal.at`."""
        return _AllDays(self, examples.sensor[:, None], when, examples.origin[:, None])

    @cached_property
    def days(self) -> Tensor:
        """As `Seasonal.days`."""
        return self._widened(self._each_step.mean_of_days)

    @cached_property
    def kind(self) -> Tensor:
        """As `Seasonal.kind`."""
        found = self._widened(self._each_step.mean_of_kind)
        return torch.where(found.isnan(), self.days, found)

    @cached_property
    def profile(self) -> Tensor:
        """As `Seasonal.profile`."""
        found = self._widened(self._each_step.mean_of_weeks)
        return torch.where(found.isnan(), self.days, found)

    @property
    def _each_step(self) -> Lookback:
        when = torch.arange(self.history.length - self.steps, self.history.length)[None]
        return _AllDays(self, torch.arange(self.history.raw.shape[0])[:, None], when, when)

    def _widened(self, rule: Tensor) -> Tensor:
        return pad(rule, (self.history.length - self.steps, 0), value=torch.nan)


@dataclass(frozen=True, eq=False)
class _AllDays(Lookback):
    """`Lookback` without a loop over days, which would make a graph of thousands of steps."""

    def _all_values(self, days: Iterator[Tensor]) -> tuple[Tensor, Tensor]:
        """(day, …) what was measured on each, NaN if not before the origin, and at which row."""
        return next(self._values(iter([torch.stack(list(days))])))

    def _latest(self, days: Iterator[Tensor]) -> Tensor:
        values, _ = self._all_values(days)
        first = (~values.isnan()).to(torch.int64).argmax(0, keepdim=True)
        return values.gather(0, first)[0]

    def _mean(
        self,
        days: Iterator[Tensor],
        most: int | None = None,
        usable: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        values, source = self._all_values(days)
        good = ~values.isnan()
        if usable is not None:
            good = good & usable(source)
        if most is not None:
            good = good & (good.to(torch.int64).cumsum(0) <= most)
        count = good.sum(0)
        total = torch.where(good, values, 0.0).sum(0)
        return torch.where(count > 0, total / count.clamp_min(1), torch.nan)
