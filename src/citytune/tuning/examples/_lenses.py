"""Lenses: ways of showing one series to a frozen model, and of reading its forecast back.

Source of the idea and of the numbers: the project's own recipe (docs/how_it_works.md). A lens
transforms the context, lets the model forecast, and transforms the forecast back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import pad

from citytune._graph import exporting
from citytune.backbones import Backbone, Past, Probabilistic
from citytune.windows import Examples, History, Seasonal, cut_measured, cut_past

Answer: TypeAlias = Callable[[Past, int], Tensor]
"""What a model forecasts of a batch, so many steps ahead: (example, horizon, level)."""
HEADROOM = 0.7
"""How far, in asinh units, a forecast may rise above the context's maximum."""
PASSES = 4
"""Most passes of a model over a long horizon before it is asked on a coarser clock."""
FINE = 48
"""From so many steps a day on, a lens also shows hourly means, which reach further back."""


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


def plain(backbone: Backbone, shown: LensInput) -> Tensor:
    """The model as pretrained: its zero-shot forecast."""
    return _ask(backbone, shown, shown.past)


def quantiles(backbone: Probabilistic, shown: LensInput) -> Tensor:
    """The same with its quantiles (example, horizon, level), whose median it is."""
    return _answer(backbone.quantiles, backbone.card.horizon, shown, shown.past)


def squashed(backbone: Backbone, shown: LensInput) -> Tensor:
    """The model sees asinh of the series: bursts are tamed, ratios become differences."""
    return shown.squash.undo(_ask(backbone, shown, shown.squash.do(shown.past)))


def squashed_minus_week(backbone: Backbone, shown: LensInput) -> Tensor:
    """The model forecasts the deviation from the weekly profile, inside asinh."""
    squash = shown.squash
    deviation = squash.do(shown.past) - squash.do(shown.weeks_past)
    return squash.undo(squash.do(shown.weeks) + _ask(backbone, shown, deviation))


def squashed_minus_kind(backbone: Backbone, shown: LensInput) -> Tensor:
    """The model forecasts the deviation from the profile of like days, inside asinh."""
    squash = shown.squash
    deviation = squash.do(shown.past) - squash.do(shown.kind_past)
    return squash.undo(squash.do(shown.kind) + _ask(backbone, shown, deviation))


def coarse(backbone: Backbone, shown: LensInput) -> Tensor:
    """The same at hourly means: a fine clock's context is short, a coarse one's sees weeks."""
    every = max(1, shown.day // 24)
    long = shown.further(shown.context * every)
    squash = long.squash
    deviation = _means(squash.do(long.past) - squash.do(long.kind_past), every)
    steps = -(-shown.horizon // every)
    calendar = shown.calendar.new_zeros(deviation.shape[0], deviation.shape[1] + steps, 3)
    known = torch.ones_like(deviation, dtype=torch.bool)
    day = max(1, shown.day // every)
    reach = backbone.card.horizon or steps
    ahead = _in_passes(_forecast(backbone), reach, deviation, known, calendar, steps, day)[..., 0]
    smooth = _between(deviation[:, -1:], ahead, every, shown.horizon)
    return squash.undo(squash.do(shown.kind) + smooth)


LENSES: dict[str, Callable[[Backbone, LensInput], Tensor]] = {
    "plain": plain,
    "squashed": squashed,
    "squashed-minus-week": squashed_minus_week,
    "squashed-minus-kind": squashed_minus_kind,
    "coarse": coarse,
}
"""Name → lens, each a function of (backbone, what it is shown) → (example, horizon)."""


def _ask(backbone: Backbone, shown: LensInput, values: Tensor) -> Tensor:
    """The frozen model's forecast of `values` (example, context), for the whole horizon."""
    return _answer(_forecast(backbone), backbone.card.horizon, shown, values)[..., 0]


def _forecast(backbone: Backbone) -> Answer:
    """A model's forecast as its one level."""

    def answer(past: Past, horizon: int) -> Tensor:
        ahead = backbone.forecast(past, horizon)
        assert ahead is not None, "only models that forecast are asked"
        return ahead[..., None]

    return answer


def _answer(answer: Answer, reach: int | None, shown: LensInput, values: Tensor) -> Tensor:
    """The answers (example, horizon, level) on `values` (example, context), for the whole horizon.

    A horizon longer than the model's own is forecast in passes, each fed with the one before;
    beyond four passes on a coarser clock, with as many steps in every day, whose block means are
    spread over their steps.
    """
    assert reach is not None, "only models that forecast are asked"
    if shown.horizon <= PASSES * reach:
        known, calendar = shown.measured, shown.calendar
        return _in_passes(answer, reach, values, known, calendar, shown.horizon, shown.day)
    least = -(-shown.horizon // (PASSES * reach))
    every = next((n for n in range(least, shown.day) if shown.day % n == 0), least)
    wide = _means(values, every)
    start = shown.context % every  # blocks are aligned to the origin
    known = shown.measured[:, start:].unflatten(1, (-1, every)).any(-1)
    calendar = shown.calendar[:, start::every]
    steps = calendar.shape[1] - wide.shape[1]
    day = max(1, shown.day // every)
    ahead = _in_passes(answer, reach, wide, known, calendar, steps, day)
    return ahead[:, [step // every for step in range(shown.horizon)]]


def _in_passes(
    answer: Answer,
    reach: int,
    values: Tensor,
    known: Tensor,
    calendar: Tensor,
    horizon: int,
    day: int,
) -> Tensor:
    """Answers (example, horizon, level) on `values` (example, context), in passes as needed.

    Each is fed with the middle of the one before.
    """
    context, series, found = values.shape[1], values, []
    for start in range(0, horizon, reach):
        count = min(reach, horizon - start)
        past = Past(
            series[:, -context:],
            pad(known, (0, start), value=True)[:, -context:],
            calendar[:, start : start + context + count],
            day,
        )
        ahead = answer(past, count)
        found.append(ahead)
        series = torch.cat([series, ahead[..., ahead.shape[-1] // 2]], 1)
    return torch.cat(found, 1)


def _means(values: Tensor, every: int) -> Tensor:
    """Means of blocks of `every` steps, aligned to the end."""
    whole = values.shape[1] // every * every
    return values[:, -whole:].unflatten(1, (-1, every)).mean(-1)


def _between(last: Tensor, ahead: Tensor, every: int, horizon: int) -> Tensor:
    """Steps (example, horizon) on straight lines through the middles of blocks of `every` steps.

    Args:
        last: (example, 1) mean of the last block before.
        ahead: (example, block) means of the blocks ahead.
    """
    points = torch.cat([last, ahead], 1)
    at = (torch.arange(horizon) + 0.5) / every + 0.5  # in blocks from the middle of `last`
    left = at.long().clamp_max(points.shape[1] - 2)
    share = (at - left).clamp_max(1.0)
    return points[:, left] * (1 - share) + points[:, left + 1] * share
