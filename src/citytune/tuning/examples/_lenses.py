"""Lenses: ways of showing one series to a frozen model, and of reading its forecast back.

Source of the idea and of the numbers: the project's own recipe (docs/how_it_works.md). A lens
transforms the context, lets the model forecast, and transforms the forecast back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from citytune._errors import InputError
from citytune.backbones import CROSS, Backbone, Past, Probabilistic, reads_ahead, reads_together
from citytune.tuning.examples._lens_input import LensInput

Answer: TypeAlias = Callable[[Past, int], Tensor]
"""What a model forecasts of a batch, so many steps ahead: (example, horizon, level)."""
PASSES = 4
"""Most passes of a model over a long horizon before it is asked on a coarser clock."""
MOST_TOGETHER = 100
"""Most sensors that are read together."""
WINDOWS_TOGETHER = 256
"""Most windows at a time of those, where the sensors are fewer."""
FINE = 48
"""From so many steps a day on, a lens also shows hourly means, which reach further back."""


Lens = TypeVar("Lens", bound=Callable[..., Tensor])


def of_a_city(lens: Lens) -> Lens:
    """A lens that asks a backbone which `reads_together` of every sensor at each moment.

    Whichever windows are asked for, the sensors of a group are always all those of the history.
    """

    @functools.wraps(lens)
    def asked(backbone: Backbone, shown: LensInput) -> Tensor:
        if not reads_together(backbone) or not len(shown.examples):
            return lens(backbone, shown)
        sensors = len(shown.seasonal.history.raw)
        if sensors > MOST_TOGETHER:
            raise InputError(
                f"backbone {backbone.card.name!r} reads all sensors together, at most "
                f"{MOST_TOGETHER}, and these are {sensors}: take "
                f"{backbone.card.name.removesuffix(CROSS)!r}, which reads each by itself, or fewer "
                "sensors"
            )
        origins, moment = shown.examples.origin.unique(return_inverse=True)
        parts = origins.split(max(1, WINDOWS_TOGETHER // sensors))
        found = torch.cat([lens(backbone, shown.whole(part)) for part in parts])
        return found[moment * sensors + shown.examples.sensor]

    return asked  # type: ignore[return-value]


@of_a_city
def plain(backbone: Backbone, shown: LensInput) -> Tensor:
    """The model as pretrained: its zero-shot forecast."""
    return _ask(backbone, shown, shown.past)


@of_a_city
def quantiles(backbone: Probabilistic, shown: LensInput) -> Tensor:
    """The same with its quantiles (example, horizon, level), whose median it is."""
    return _answer(backbone, backbone.quantiles, shown, shown.past)


@of_a_city
def squashed(backbone: Backbone, shown: LensInput) -> Tensor:
    """The model sees asinh of the series: bursts are tamed, ratios become differences."""
    return shown.squash.undo(_ask(backbone, shown, shown.squash.do(shown.past)))


@of_a_city
def squashed_minus_week(backbone: Backbone, shown: LensInput) -> Tensor:
    """The model forecasts the deviation from the weekly profile, inside asinh."""
    squash = shown.squash
    deviation = squash.do(shown.past) - squash.do(shown.weeks_past)
    return squash.undo(squash.do(shown.weeks) + _ask(backbone, shown, deviation))


@of_a_city
def squashed_minus_kind(backbone: Backbone, shown: LensInput) -> Tensor:
    """The model forecasts the deviation from the profile of like days, inside asinh."""
    squash = shown.squash
    deviation = squash.do(shown.past) - squash.do(shown.kind_past)
    return squash.undo(squash.do(shown.kind) + _ask(backbone, shown, deviation))


@of_a_city
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
    found = _in_passes(
        _forecast(backbone), reach, deviation, known, calendar, steps, day, None, shown.together
    )
    smooth = _between(deviation[:, -1:], found[..., 0], every, shown.horizon)
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
    return _answer(backbone, _forecast(backbone), shown, values)[..., 0]


def _forecast(backbone: Backbone) -> Answer:
    """A model's forecast as its one level."""

    def answer(past: Past, horizon: int) -> Tensor:
        ahead = backbone.forecast(past, horizon)
        assert ahead is not None, "only models that forecast are asked"
        return ahead[..., None]

    return answer


def _answer(
    backbone: Backbone | Probabilistic, answer: Answer, shown: LensInput, values: Tensor
) -> Tensor:
    """The answers (example, horizon, level) on `values` (example, context), for the whole horizon.

    A horizon longer than the model's own is forecast in passes, each fed with the one before;
    beyond four passes on a coarser clock, with as many steps in every day, whose block means are
    spread over their steps.
    """
    reach = backbone.card.horizon
    assert reach is not None, "only models that forecast are asked"
    told = shown.covariates if reads_ahead(backbone) else None
    if shown.horizon <= PASSES * reach:
        known, calendar = shown.measured, shown.calendar
        return _in_passes(
            answer, reach, values, known, calendar, shown.horizon, shown.day, told, shown.together
        )
    least = -(-shown.horizon // (PASSES * reach))
    every = next((n for n in range(least, shown.day) if shown.day % n == 0), least)
    wide = _means(values, every)
    start = shown.context % every  # blocks are aligned to the origin
    known = shown.measured[:, start:].unflatten(1, (-1, every)).any(-1)
    calendar = shown.calendar[:, start::every]
    steps = calendar.shape[1] - wide.shape[1]
    day = max(1, shown.day // every)
    if told is not None:
        told = pad(told[..., start:], (0, -(told.shape[2] - start) % every), value=torch.nan)
        told = told.unflatten(2, (-1, every)).nanmean(3)
    ahead = _in_passes(answer, reach, wide, known, calendar, steps, day, told, shown.together)
    return ahead[:, [step // every for step in range(shown.horizon)]]


def _in_passes(
    answer: Answer,
    reach: int,
    values: Tensor,
    known: Tensor,
    calendar: Tensor,
    horizon: int,
    day: int,
    told: Tensor | None = None,
    together: int = 1,
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
            None if told is None else told[..., start : start + context + count],
            together,
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
