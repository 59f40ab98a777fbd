"""What a lens sees: windows, their calendar and what is known ahead, in the unit of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from citytune._graph import exporting
from citytune.windows import Examples, History, Seasonal, all_sensors, cut_measured, cut_past

HEADROOM = 0.7
"""How far, in asinh units, a forecast may rise above the context's maximum."""


@dataclass(frozen=True, eq=False)
class LensInput:
    """A batch of windows as the lenses see it, in the unit of the data."""

    seasonal: Seasonal
    examples: Examples
    context: int
    horizon: int
    """Steps ahead."""
    rules: Mapping[str, Tensor] = field(default_factory=dict)
    """The profiles ahead, for lenses that look at them."""
    together: int = 1
    """How many windows in a row are of one moment, and are read together."""

    @property
    def day(self) -> int:
        """Steps a day."""
        return self.seasonal.history.steps_per_day

    @property
    def weeks(self) -> Tensor:
        """(example, horizon) the weekly profile ahead."""
        return self.rules["weeks"]

    @property
    def kind(self) -> Tensor:
        """(example, horizon) the profile of like days ahead."""
        return self.rules["day-kind"]

    @cached_property
    def past(self) -> Tensor:
        """(example, context), gaps filled."""
        filled = self.seasonal.history.filled
        return cut_past(filled, self.examples, self.context, period=self.day)

    @cached_property
    def measured(self) -> Tensor:
        """(example, context) bool: False where `past` was filled."""
        return cut_measured(self.seasonal.known, self.examples, self.context)

    @cached_property
    def calendar(self) -> Tensor:
        """(example, context + horizon, 3) of every step."""
        return calendar_of(self.seasonal.history, self.examples, self.context, self.horizon)

    @cached_property
    def covariates(self) -> Tensor | None:
        """(example, covariate, context + horizon) of every step; None without any."""
        return covariates_of(self.seasonal.history, self.examples, self.context, self.horizon)

    @cached_property
    def weeks_past(self) -> Tensor:
        """(example, context) the weekly profile; the series itself where there is none yet."""
        return self._profile(self.seasonal.profile, self.past)

    @cached_property
    def kind_past(self) -> Tensor:
        """(example, context) the profile of like days; the series itself where there is none."""
        return self._profile(self.seasonal.kind, self.past)

    @cached_property
    def squash(self) -> Squash:
        """The asinh fitted to each window."""
        return Squash.of(self.past)

    def further(self, context: int) -> LensInput:
        """The same windows with a longer past."""
        return replace(self, context=context)

    def whole(self, origins: Tensor) -> LensInput:
        """Every sensor at some origins, to be read together; see `all_sensors`."""
        history = self.seasonal.history
        examples = all_sensors(history, origins)
        rules = self.seasonal.ahead(examples, self.horizon)
        return replace(self, examples=examples, rules=rules, together=len(history.raw))

    def _profile(self, rule: Tensor, past: Tensor) -> Tensor:
        found = cut_past(rule[:, : self.seasonal.history.length], self.examples, self.context)
        return torch.where(found.isnan(), past, found)


def calendar_of(history: History, examples: Examples, context: int, horizon: int) -> Tensor:
    """(example, context + horizon, 3): day fraction, weekday, holiday of every step.

    Before the history's first step the clock runs on backwards, and nothing is known of holidays.
    """
    steps = history.steps_per_day
    when = torch.arange(-context, len(history.wall))
    known = when.clamp_min(0)
    slot, early = history.slot[known], when - known
    if steps > 1:
        slot = slot + early
        days = torch.div(slot, steps, rounding_mode="floor")
    else:  # a step is a day, a week or a month
        days = early * (history.weekday[1] - history.weekday[0])
    weekday = (history.weekday[known] + days) % 7
    holiday = history.holiday[known] & (when >= 0)
    each = torch.stack([(slot % steps) / steps, weekday.float(), holiday.float()], dim=-1)
    at = examples.origin[:, None] + torch.arange(context + horizon)
    return each.index_select(0, at.reshape(-1)).unflatten(0, at.shape)


def covariates_of(
    history: History, examples: Examples, context: int, horizon: int
) -> Tensor | None:
    """(example, covariate, context + horizon) what is known ahead, NaN where it is not."""
    if not len(history.covariates):
        return None
    when = examples.origin[:, None] + torch.arange(-context, horizon)
    table = history.covariates[:, examples.sensor[:, None], when.clamp_min(0)]
    return table.masked_fill(when < 0, torch.nan).transpose(0, 1)


class Squash(NamedTuple):
    """asinh(x / scale) per window, and back with a ceiling."""

    scale: Tensor  # (example, 1)
    top: Tensor  # (example, 1)

    @classmethod
    def of(cls, past: Tensor) -> Squash:
        """Scale by the median size of each window of `past` (example, context)."""
        size = past.abs()
        scale = _median(size)
        most = size.amax(1, keepdim=True)
        scale = torch.where(scale > 1e-6 * most, scale, size.mean(1, keepdim=True)).clamp_min(1e-30)
        return cls(scale, torch.asinh(most / scale) + HEADROOM)

    def do(self, values: Tensor) -> Tensor:
        """The unit of the data → squashed."""
        return torch.asinh(values / self.scale)

    def undo(self, values: Tensor) -> Tensor:
        """Squashed → the unit of the data."""
        return torch.sinh(values.minimum(self.top).maximum(-self.top)) * self.scale


def _median(size: Tensor) -> Tensor:
    """(example, 1) the lower median of each row; a graph finds it by sorting."""
    if exporting():
        return size.sort(1).values[:, [(size.shape[1] - 1) // 2]]
    return size.median(1, keepdim=True).values
