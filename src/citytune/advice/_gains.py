"""How much less error one model has than another, day by day, and how sure that is."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from citytune.forecasting import TunedModel
from citytune.tuning import Task, t_inflation
from citytune.windows import purged_folds

FEWEST_BLOCKS = 4
"""Blocks of days from which a standard error means anything."""


class DailyErrors(NamedTuple):
    """Cross-validated errors of one model, over those of the best seasonal rule."""

    day: Tensor  # (day,) long, local day of the forecasts' origins
    error: Tensor  # (day,)
    block: int
    """Days that share targets: as many as the horizon reaches."""

    @classmethod
    def of(cls, task: Task, model: TunedModel) -> DailyErrors | None:
        """Of a model tuned on the task; None where nothing could be judged."""
        errors = model.tuned.fold_errors
        if errors is None or not foldable(task):
            return None
        return cls(task.day.unique(), errors, stretch(task))


class Gain(NamedTuple):
    """How much less error, in units of the best seasonal rule's."""

    mean: float
    error: float
    """Its standard error over days; infinite where there are too few."""


def gain_of(usual: DailyErrors, other: DailyErrors) -> Gain:
    """The gain of `other` over `usual` on the days that both were judged on."""
    before = usual.error[torch.isin(usual.day, other.day)]
    after = other.error[torch.isin(other.day, usual.day)]
    return mean_and_error(before - after, usual.block)


def mean_and_error(gains: Tensor, days: int) -> Gain:
    """Mean of `gains` (day,), and its standard error where neighbouring days are one block.

    >>> mean_and_error(torch.tensor([1.0, 1, 3, 3]), 2).mean
    2.0
    """
    blocks = torch.stack([part.nanmean() for part in gains.double().split(days)])
    blocks = blocks[~blocks.isnan()]
    if len(blocks) < FEWEST_BLOCKS:
        return Gain(float(blocks.mean()) if len(blocks) else 0.0, math.inf)
    error = t_inflation(len(blocks) - 1) * float(blocks.std()) / len(blocks) ** 0.5
    return Gain(float(blocks.mean()), error)


def stretch(task: Task) -> int:
    """Days in a block: as many as the horizon reaches, so that blocks share few targets."""
    return max(1, math.ceil(task.spec.horizon / task.history.steps_per_day))


def foldable(task: Task) -> bool:
    """Whether anything can be judged on windows that share no target with those it learnt from."""
    origin = task.examples.origin
    return len(origin) > 0 and len(purged_folds(origin, horizon=task.spec.horizon, folds=3)) > 1
