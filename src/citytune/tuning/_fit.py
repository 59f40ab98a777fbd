"""Tune: windows, strategy, calibration, in that order."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from citytune._errors import InputError
from citytune.backbones import Backbone, reads_ahead
from citytune.tuning.examples._batch import COVARIATES
from citytune.tuning.experts._mixture import Mixture
from citytune.tuning.intervals._conformal import Conformal
from citytune.tuning.intervals._intervals import Intervals, calibrate
from citytune.tuning.intervals._tilt import Tilt, choose_tilt
from citytune.tuning.strategies._strategies import reason_against
from citytune.tuning.strategies._strategy import Strategy, alone
from citytune.tuning.task._task import Task
from citytune.windows import SEASONAL, never_passed


@dataclass(frozen=True, eq=False)
class Tuned:
    """What was learnt from a task."""

    mixture: Mixture
    intervals: Intervals
    fold_error: float
    """Error out of fold over that of the best seasonal rule on the same windows, each sensor
    counting alike; NaN without windows."""
    windows: int
    """How many windows it was learnt from."""
    notes: tuple[str, ...] = ()
    """What a person should know of the fit."""
    fold_errors: Tensor | None = field(default=None, metadata={"saved": False})
    """(day,) the same error by local day of origin; None without windows, and not kept on disk."""
    tilt: Tilt | None = None
    """How the forecast is moved toward rare values; None if nobody asked for that."""

    def looks_ahead(self, backbone: Backbone) -> bool:
        """Whether a forecast follows from what is known ahead: by an expert, or by the backbone."""
        return self.mixture.uses(COVARIATES) or reads_ahead(backbone)


def fit(task: Task, strategy: Strategy) -> Tuned:
    """Tune by a strategy; with no window to learn from, by none."""
    if why := reason_against(strategy, task.backbone):
        raise InputError(why)
    if not len(task.examples):
        mixture = alone(task)
        guess = Conformal.guess(task.spread, task.spec.horizon, task.history.steps_per_day)
        return Tuned(
            mixture,
            Intervals(guess, trust=0.0 if task.knows_spread else 1.0),
            float("nan"),
            0,
            ("too little history for a single window, so nothing was learnt from it",),
        )
    learned = strategy.fit(task)
    intervals = calibrate(task, learned.out_of_fold, learned.deviations)
    return Tuned(
        learned.mixture,
        intervals,
        fold_error(task, learned.out_of_fold),
        len(task.examples),
        notes=(*learned.notes, *_never(task)),
        fold_errors=errors_by_day(task, learned.out_of_fold),
        tilt=choose_tilt(task, learned.out_of_fold, intervals, learned.deviations),
    )


def _never(task: Task) -> list[str]:
    """Thresholds asked for that no value ever passed."""
    rare = task.settings.rarity
    return [] if rare is None else never_passed(rare, task.values)


def fold_error(task: Task, forecast: Tensor) -> float:
    """Scaled error of a forecast (example, horizon) over that of the best seasonal rule."""
    return _error(task, forecast) / _rule_error(task)


def errors_by_day(task: Task, forecast: Tensor) -> Tensor:
    """(day,) the same for the windows of each local day of origin; NaN if nothing was measured."""
    days, block = task.day.unique(return_inverse=True)
    error = ((forecast - task.actual).abs() / task.scale).nan_to_num(0.0) * task.known
    total, count = (
        torch.zeros(len(days)).index_add(0, block, part.sum(1))
        for part in (error, task.known.float())
    )
    return total / count / _rule_error(task)


def _rule_error(task: Task) -> float:
    """Scaled error of the best seasonal rule."""
    return max(min(_error(task, rule) for rule in task.forecasts_of(SEASONAL).unbind(-1)), 1e-9)


def _error(task: Task, forecast: Tensor) -> float:
    return float(((forecast - task.actual).abs() / task.scale)[task.known].mean())
