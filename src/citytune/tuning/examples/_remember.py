"""What is read off a task once: the usual size of its sensors, what the next fit needs of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from citytune.tuning.examples._choice import SENSORS_AT_ONCE
from citytune.tuning.examples._memory import Memory, beginnings
from citytune.windows import History

if TYPE_CHECKING:
    from citytune.tuning.task._task import Task

RECENT_DAYS = 49
"""Days from which a sensor's usual level and spread are taken."""


def level_and_spread(history: History) -> tuple[Tensor, Tensor]:
    """(sensor, 1) and (sensor,), in the unit of the data; no spread is 0."""
    recent = history.raw[:, -RECENT_DAYS * history.steps_per_day :]
    parts = [_mean_and_square(some) for some in recent.split(SENSORS_AT_ONCE)]
    mean, square = (torch.cat(part) for part in zip(*parts, strict=True))
    found = square.sqrt().nan_to_num(0.0).float()
    usual = float(found[found > 0].median()) if (found > 0).any() else 1.0
    return mean.nan_to_num(0.0), found.where(found > 1e-6 * usual, torch.tensor(usual))


def _mean_and_square(recent: Tensor) -> tuple[Tensor, Tensor]:
    """(sensor, 1) mean, and (sensor,) mean squared distance from it, of (sensor, time)."""
    mean = recent.nanmean(1, keepdim=True)
    return mean, (recent - mean).double().square().nanmean(1)  # it may be beyond floats


def remembered(task: Task, known_ahead: Sequence[str]) -> Memory:
    """What the next fit needs of this one; the history's covariates are named."""
    old, history, rare = task.memory, task.history, task.settings.rarity
    ahead = task.timetable.recent(task.spec.horizon) if len(history.covariates) else None
    return Memory(
        since=history.first if old is None else old.since,
        until=history.end,
        first=beginnings(history, old),
        windows=task.windows,
        forecasts=dict(task.answers.forecasts),
        features=task.answers.features,
        window_spread=task.answers.window_spread,
        signals=task.answers.signals,
        timetable=ahead,
        known_ahead=tuple(known_ahead),
        values=task.values if rare is not None and rare.by_value else None,
    )
