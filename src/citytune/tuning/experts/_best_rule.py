"""The seasonal rule that beats another forecast, if that repeats from day to day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from citytune.tuning.stacking._stats import t_inflation
from citytune.windows import SEASONAL

if TYPE_CHECKING:
    from citytune.tuning.task._task import Task


TIE = 0.002
"""Gains that differ by less, as a share of the error, are the same …"""
DIGITS = 3
"""… and digits of one that must not be 0: the last ones differ between processors."""


def rule_beating(task: Task, rival: Tensor) -> str | None:
    """The rule whose gain over `rival` (example, horizon) is largest, less a standard error.

    Of rules that are as good but for `TIE`, the last: those that follow today's level.
    """
    days, block = task.day.unique(return_inverse=True)
    known = task.known * task.pool.weight[:, None]
    count = torch.zeros(len(days)).index_add(0, block, known.sum(1)).clamp_min(1e-9)

    def by_day(forecast: Tensor) -> Tensor:
        error = ((forecast - task.actual).abs() / task.scale).nan_to_num(0.0) * known
        return torch.zeros(len(days)).index_add(0, block, error.sum(1)) / count

    rules = task.forecasts_of(SEASONAL).unbind(-1)
    before = by_day(rival)
    gains = before[:, None] - torch.stack([by_day(rule) for rule in rules], 1)
    freedom = max(len(days) - 1, 1)
    error = t_inflation(freedom) * gains.std(0, correction=0) / freedom**0.5
    sure = ((gains.mean(0) - error) / before.mean().clamp_min(1e-9)).tolist()
    best = max((i for i, gain in enumerate(sure) if gain >= max(sure) - TIE), default=0)
    return SEASONAL[best] if round(sure[best], DIGITS) > 0 else None
