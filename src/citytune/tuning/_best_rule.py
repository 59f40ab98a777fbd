"""The seasonal rule that beats another forecast, if that repeats from day to day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from citytune.tuning._stats import t_inflation
from citytune.windows import SEASONAL

if TYPE_CHECKING:
    from citytune.tuning._task import Task


def rule_beating(task: Task, rival: Tensor) -> str | None:
    """The rule whose gain over `rival` (example, horizon) is largest, less a standard error."""
    days, block = task.day.unique(return_inverse=True)
    known = task.known.float()
    count = torch.zeros(len(days)).index_add(0, block, known.sum(1)).clamp_min(1)

    def by_day(forecast: Tensor) -> Tensor:
        error = ((forecast - task.actual).abs() / task.scale).nan_to_num(0.0) * known
        return torch.zeros(len(days)).index_add(0, block, error.sum(1)) / count

    rules = task.forecasts_of(SEASONAL).unbind(-1)
    gains = by_day(rival)[:, None] - torch.stack([by_day(rule) for rule in rules], 1)
    freedom = max(len(days) - 1, 1)
    error = t_inflation(freedom) * gains.std(0, correction=0) / freedom**0.5
    sure = gains.mean(0) - error
    best = int(sure.argmax())
    return SEASONAL[best] if float(sure[best]) > 0 else None
