"""How much there is to learn from: independent windows, not rows."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from citytune.tuning import Task


class Amount(NamedTuple):
    """Rows count little: windows overlap, days resemble each other, and so do sensors."""

    windows: int
    """Windows that are learnt from."""
    days: float
    """Independent days."""
    sensors: float
    """Independent sensors."""

    @property
    def independent(self) -> float:
        """How many independent windows would tell as much; never more than there are."""
        return min(self.days * self.sensors, float(self.windows))


def amount_of(task: Task) -> Amount:
    """Count by the errors of the usual seasonal rule, day by day and sensor by sensor."""
    if not len(task.examples):
        return Amount(0, 0.0, 0.0)
    errors = daily_errors(task)
    return Amount(len(task.examples), days_in(errors), sensors_in(errors))


def daily_errors(task: Task) -> Tensor:
    """(day, sensor) mean error of the best rule, signed, in usual spreads; NaN without windows."""
    error = ((task.actual - task.forecast_of(task.best_rule)) / task.scale).nanmean(1)
    first = int(task.day.min())
    days, sensors = int(task.day.max()) - first + 1, len(task.history.raw)
    cell = (task.day - first) * sensors + task.examples.sensor
    known = ~error.isnan()
    total = torch.zeros(days * sensors).index_add(0, cell[known], error[known])
    count = torch.bincount(cell[known], minlength=days * sensors)
    return (total / count).view(days, sensors)  # 0 / 0 is NaN


def days_in(errors: Tensor) -> float:
    """How many days of `errors` (day, sensor) are as good as independent.

    A series that remembers a share ρ of the day before counts n (1 − ρ) / (1 + ρ) times.
    """
    count = int((~errors.isnan()).any(1).sum())
    around = errors - errors.nanmean(0)
    both = around[1:] * around[:-1]
    told = both.nansum() / (~both.isnan()).sum().clamp_min(1)
    memory = float(told / around.square().nanmean().clamp_min(1e-12))
    memory = min(max(memory, 0.0), 0.99) if memory == memory else 0.0
    return max(1.0, count * (1 - memory) / (1 + memory))


def sensors_in(errors: Tensor) -> float:
    """How many sensors of `errors` (day, sensor) are as good as independent.

    The participation ratio (Σλ)² / Σλ² of the eigenvalues of their correlations, less what chance
    alone makes of few days.
    """
    errors = errors.double()
    known = (~errors.isnan()).double()
    around = (errors - errors.nanmean(0)).nan_to_num(0.0)
    shared = known.T @ known
    spread = (around.square().T @ known).clamp_min(1e-12)  # of each, where the other is known
    square = (around.T @ around).square() / (spread * spread.T)
    chance = 1 / (shared - 1).clamp_min(1)
    square = (square - chance) / (1 - chance).clamp_min(1e-6)
    square.fill_diagonal_(1.0)
    measured = known.sum(0) > 1
    kept = square[measured][:, measured]
    count = float(measured.sum())
    return count**2 / min(max(float(kept.sum()), count), count**2) if count else 1.0
