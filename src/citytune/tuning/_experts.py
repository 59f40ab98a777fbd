"""What every expert says: the frozen model through its lenses, and the seasonal rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from citytune.backbones import Backbone, Card, Past
from citytune.tuning._lenses import FINE, LENSES, Shown, calendar_of
from citytune.tuning._seasonal import SEASONAL, Seasonal
from citytune.windows import Examples, Scale, cut_measured, cut_past

BATCH = 1024
"""Windows asked at a time."""
CELLS = 4_000_000
"""Most forecast values of one expert in memory at a time."""
OWN = ("plain", "squashed")
"""Lenses of a model that adapts to the clock: it finds like days, and looks far back, by itself.

The others take a profile off first; shown its deviation from like days, its errors were 4 to 27 %
larger on 14 of 15 sets.
"""
WORDS = {
    "plain": "the pretrained model's own forecast",
    "moved": "the model fine-tuned here",
    "squashed": "the pretrained model with bursts tamed",
    "squashed-minus-week": "last weeks' profile, corrected by the model",
    "squashed-minus-kind": "the profile of like days, corrected by the model",
    "coarse": "the profile of like days, corrected by the model at hourly means",
    "yesterday": "yesterday's values",
    "last-week": "last week's values",
    "days": "the mean of the last seven days",
    "day-kind": "the mean of the last like days",
    "weeks": "the mean of the last four weeks",
    "days+level": "the last seven days, moved to today's level",
    "day-kind+level": "the last like days, moved to today's level",
    "weeks+level": "the last four weeks, moved to today's level",
    "weeks+fading": "the last four weeks, with today's deviation fading out",
    "day-kind+fading": "the last like days, with today's deviation fading out",
    "head": "the new last layer on the model's features",
    "known-ahead": "the forecast corrected by what is known ahead",
}
"""Expert → what it is, for people."""


def experts_of(card: Card, steps_per_day: int) -> tuple[str, ...]:
    """Names of the experts that need no fitting: lenses of a model that forecasts, and rules."""
    if card.horizon is None:
        return SEASONAL
    if card.context_days is not None:
        return (*OWN, *SEASONAL)
    lenses = [name for name in LENSES if name != "coarse" or steps_per_day >= FINE]
    return (*lenses, *SEASONAL)


def ask(
    backbone: Backbone,
    seasonal: Seasonal,
    examples: Examples,
    horizon: int,
    context: int,
    names: Sequence[str],
    progress: Callable[[float], None] | None = None,
) -> Tensor:
    """Forecasts (example, horizon, expert) of the experts named, in the unit of the data."""
    found = [torch.empty(0, horizon, len(names))]
    chunks = _chunks(examples, horizon)
    for done, chunk in enumerate(chunks):
        some = examples.pick(chunk)
        says = seasonal.ahead(some, horizon)
        if any(name in LENSES for name in names):
            view = Shown(seasonal, some, context, says["weeks"], says["day-kind"])
            says |= {name: LENSES[name](backbone, view) for name in names if name in LENSES}
        found.append(torch.stack([says[name] for name in names], -1))
        if progress is not None:
            progress((done + 1) / len(chunks))
    return torch.cat(found)


def features(
    backbone: Backbone, seasonal: Seasonal, examples: Examples, horizon: int, context: int
) -> Tensor:
    """Features (example, feature) of the frozen backbone, each window passed through it once."""
    history = seasonal.history
    found = []
    for chunk in _chunks(examples, context):
        some = examples.pick(chunk)
        past = Past(
            cut_past(history.filled, some, context, period=history.steps_per_day),
            cut_measured(seasonal.known, some, context),
            calendar_of(history, some, context, horizon),
            history.steps_per_day,
        )
        found.append(backbone.features(past))
    return torch.cat([torch.empty(0, backbone.card.features), *found])


def window_unit(seasonal: Seasonal, examples: Examples, context: int) -> Tensor:
    """(example, 1) the spread of each window's past, the unit of a head's residual."""
    history = seasonal.history
    past = cut_past(history.filled, examples, context, period=history.steps_per_day)
    return Scale.of(past).spread


def _chunks(examples: Examples, length: int) -> Sequence[Tensor]:
    """Which windows to ask at a time, each of so many steps; none if there are none."""
    size = max(1, min(BATCH, CELLS // length))
    return torch.arange(len(examples)).split(size) if len(examples) else ()
