"""Tune: windows, strategy, calibration, in that order."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from citytune.tuning._conformal import Conformal
from citytune.tuning._mixture import Mixture
from citytune.tuning._seasonal import SEASONAL
from citytune.tuning._strategy import Strategy
from citytune.tuning._task import Task
from citytune.tuning._tilt import Tilt, choose_tilt


@dataclass(frozen=True, eq=False)
class Tuned:
    """What was learnt from a task."""

    mixture: Mixture
    conformal: Conformal
    fold_error: float
    """Error out of fold over that of the best seasonal rule on the same windows, each sensor
    counting alike; NaN without windows."""
    windows: int
    """How many windows it was learnt from."""
    tilt: Tilt | None = None
    """How the forecast is moved toward rare values; None if nobody asked for that."""


def fit(task: Task, strategy: Strategy) -> Tuned:
    """Tune by a strategy; with no window to learn from, by none."""
    if not len(task.examples):
        mixture = Mixture.of_one(task.prior, task.prior, task.spec.horizon)
        return Tuned(
            mixture,
            Conformal.guess(task.spread, task.spec.horizon, task.history.steps_per_day),
            float("nan"),
            0,
        )
    learned = strategy.fit(task)
    conformal = calibrate(task, learned.out_of_fold)
    return Tuned(
        learned.mixture,
        conformal,
        fold_error(task, learned.out_of_fold),
        len(task.examples),
        choose_tilt(task, learned.out_of_fold, conformal),
    )


def calibrate(task: Task, says: Tensor) -> Conformal:
    """Intervals from the errors of `says` (example, horizon) on the task's windows."""
    history = task.history
    when = task.examples.origin[:, None] + torch.arange(task.spec.horizon)
    return Conformal.fit(
        task.actual,
        says,
        task.examples.sensor,
        history.slot[when],
        (history.length - task.examples.origin) / history.steps_per_day,
        history.steps_per_day,
        spread=task.spread,
    )


def fold_error(task: Task, says: Tensor) -> float:
    """Scaled error of `says` over that of the best seasonal rule."""
    rules = task.says_of(SEASONAL)
    scale, known = task.scale, task.known

    def error(forecast: Tensor) -> float:
        return float(((forecast - task.actual).abs() / scale)[known].mean())

    return error(says) / max(min(map(error, rules.unbind(-1))), 1e-9)
