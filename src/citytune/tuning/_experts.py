"""What every expert says: the frozen model through its lenses, and the seasonal rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from citytune.backbones import LEVELS, Backbone, Card, Past, Probabilistic
from citytune.tuning._lenses import FINE, LENSES, LensInput, calendar_of, quantiles
from citytune.windows import SEASONAL, Examples, Scale, Seasonal, cut_measured, cut_past

BATCH = 1024
"""Windows asked at a time."""
CELLS = 4_000_000
"""Most forecast values of one expert in memory at a time."""
DEVIATIONS = "deviations"
"""What is asked beside experts: the quantiles of the model itself, less its forecast."""
MIDDLE = LEVELS.index(0.5)
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
) -> dict[str, Tensor]:
    """Name → forecasts (example, horizon) of the experts named, in the unit of the data.

    `DEVIATIONS` among the names asks for the model's own quantiles less its forecast (example,
    horizon, level), which cost nothing beside "plain".
    """
    found = {name: [torch.empty(0, horizon)] for name in names}
    if DEVIATIONS in names:
        found[DEVIATIONS] = [torch.empty(0, horizon, len(LEVELS))]
    chunks = _chunks(examples, horizon)
    for done, chunk in enumerate(chunks):
        some = examples.pick(chunk)
        says = seasonal.ahead(some, horizon)
        if any(name in LENSES or name == DEVIATIONS for name in names):
            view = LensInput(seasonal, some, context, says["weeks"], says["day-kind"])
            says |= _plainly(backbone, view) if DEVIATIONS in names else {}
            lacking = [name for name in names if name in LENSES and name not in says]
            says |= {name: LENSES[name](backbone, view) for name in lacking}
        for name, parts in found.items():
            parts.append(says[name])
        if progress is not None:
            progress((done + 1) / len(chunks))
    return {name: torch.cat(parts) for name, parts in found.items()}


def _plainly(backbone: Backbone, view: LensInput) -> dict[str, Tensor]:
    """The model's own forecast and its quantiles, in one pass."""
    assert isinstance(backbone, Probabilistic), f"{backbone.card.name} has no quantiles"
    said = quantiles(backbone, view)
    middle = said[..., MIDDLE]
    return {"plain": middle, DEVIATIONS: said - middle[..., None]}


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
