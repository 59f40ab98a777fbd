"""Tune: windows, strategy, calibration, in that order."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from citytune.tuning._conformal import HALF_LIFE, Conformal
from citytune.tuning._mixture import Mixture
from citytune.tuning._seasonal import SEASONAL
from citytune.tuning._strategy import Strategy
from citytune.tuning._task import Task


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
    return Tuned(
        learned.mixture,
        calibrate(task, learned.out_of_fold),
        fold_error(task, learned.out_of_fold),
        len(task.examples),
    )


def calibrate(task: Task, says: Tensor) -> Conformal:
    """Intervals from the errors of `says` (example, horizon) on the task's windows."""
    return Conformal.fit(
        task.actual,
        says,
        task.windows.sensor,
        task.windows.slot,
        task.age,
        task.history.steps_per_day,
        spread=task.spread,
        half_life=min(HALF_LIFE, task.forget or HALF_LIFE),
    )


def fold_error(task: Task, says: Tensor) -> float:
    """Scaled error of `says` over that of the best seasonal rule."""
    rules = task.says_of(SEASONAL)
    scale, known = task.scale, task.known

    def error(forecast: Tensor) -> float:
        return float(((forecast - task.actual).abs() / scale)[known].mean())

    return error(says) / max(min(map(error, rules.unbind(-1))), 1e-9)
