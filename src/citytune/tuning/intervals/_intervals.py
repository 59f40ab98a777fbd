"""How far a forecast may miss: as the model's own quantiles tell, or its past errors.

A model that gives quantiles knows at which hours it is sure and at which it is not; past errors
know this city. Its own quantiles, stretched so that they held as often as they should, are left
for conformal ones only as far as the quantile loss on folds left out tells, day after day: what
holds for forecasts holds for their intervals, tuning must not make them worse.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from citytune._graph import anywhere
from citytune.backbones import LEVELS
from citytune.tuning.intervals._conformal import HALF_LIFE, Conformal, independent_days
from citytune.tuning.task._task import Task
from citytune.tuning.trust._gate import gate_share
from citytune.windows import purged_folds

INTERVAL_FOLDS = 3
HELD = LEVELS[-1] - LEVELS[0]
"""Share of what comes that lies between the outermost quantiles."""
STRETCH_DAYS = 7.0
"""Days of evidence with which the stretch goes half of its way from 1."""
MOST_STRETCH = 3.0
"""Most that they are stretched, or shrunk; what asks for more is a level that has changed."""
FLAT = 0.01
"""Share of the usual error under which the widest interval of a window tells nothing: the sensor
stood still in all that the model saw."""


@dataclass(frozen=True, eq=False)
class Intervals:
    """Quantiles around a forecast."""

    conformal: Conformal
    """Of past errors."""
    stretch: float = 1.0
    """What the deviations of the model's own quantiles are multiplied by."""
    trust: float = 1.0
    """Share of the way from those to the conformal ones, 0 … 1; 1 for a model without quantiles."""

    def quantiles(
        self,
        mean: Tensor,
        sensor: Tensor,
        slot: Tensor,
        deviations: Tensor | None = None,
        wider: Tensor | None = None,
    ) -> Tensor:
        """Quantiles (example, horizon, level) around `mean` (example, horizon); never crossing.

        Args:
            mean: (example, horizon), in the unit of the data.
            sensor: (example,) long.
            slot: (example, horizon) long, step of the day of each target.
            deviations: (example, horizon, level) the model's own quantiles, less its forecast;
                None if it has none. Where they are flat, past errors are asked.
            wider: (example, horizon) what the errors to expect are multiplied by; the model itself
                knows the calendar, and is not told.
        """
        if deviations is None or self.trust == 1:
            return self.conformal.quantiles(mean, sensor, slot, wider)
        own = mean[..., None] + self.stretch * deviations
        flat = _is_flat(deviations, self.conformal.scale.mean(1)[sensor])
        if self.trust == 0 and not anywhere(flat):
            return own
        past = self.conformal.quantiles(mean, sensor, slot, wider)
        return torch.where(flat[:, None, None], past, torch.lerp(own, past, self.trust))


def calibrate(task: Task, out_of_fold: Tensor, deviations: Tensor | None = None) -> Intervals:
    """Intervals for forecasts such as `out_of_fold` (example, horizon), made as if unseen.

    The share of the way to the conformal quantiles is that which their gain on folds left out is
    trusted with.

    Args:
        task: What was learnt from.
        out_of_fold: (example, horizon) the forecasts.
        deviations: (example, horizon, level) the quantiles that come with them, less these; by
            default those of the pretrained model.
    """
    every = torch.arange(len(out_of_fold))
    own = task.deviations if deviations is None else deviations
    if own is None:
        return Intervals(_past_errors(task, out_of_fold, every))
    before, after = torch.zeros_like(out_of_fold), torch.zeros_like(out_of_fold)
    unseen = torch.zeros(len(out_of_fold), dtype=torch.bool)
    for fold in purged_folds(task.examples.origin, horizon=task.spec.horizon, folds=INTERVAL_FOLDS):
        test, learnt = fold.test, _past_errors(task, out_of_fold, fold.train)
        stretched = Intervals(learnt, _stretch(task, out_of_fold, own, fold.train), 0.0)
        windows = task.windows.pick(test)
        where = out_of_fold[test], windows.sensor, windows.slot
        wide, past = stretched.quantiles(*where, own[test]), learnt.quantiles(*where)
        before[test], after[test] = (_quantile_loss(task, test, q) for q in (wide, past))
        unseen[test] = True
    trust = gate_share(task, before, after, unseen)
    stretch = _stretch(task, out_of_fold, own, every)
    return Intervals(_past_errors(task, out_of_fold, every), stretch, trust)


def _past_errors(task: Task, out_of_fold: Tensor, which: Tensor) -> Conformal:
    """Conformal quantiles from some of the windows."""
    windows = task.windows.pick(which)
    return Conformal.fit(
        windows.actual,
        out_of_fold[which],
        windows.sensor,
        windows.slot,
        task.age[which],
        task.history.steps_per_day,
        spread=task.spread,
        half_life=_half_life(task),
        counts=task.pool.voice,
    )


def _half_life(task: Task) -> float:
    return min(HALF_LIFE, task.settings.forget or HALF_LIFE)


def _stretch(task: Task, out_of_fold: Tensor, own: Tensor, which: Tensor) -> float:
    """By how much the model's own intervals must be wider to hold as often as they should.

    That is the weighted quantile of errors in units of the distance to the outermost quantile on
    their side (Romano et al. 2019, arXiv:1905.03222, in relative form), drawn to 1 where few days
    have shown it.
    """
    error = task.actual[which] - out_of_fold[which]
    side = torch.where(error > 0, own[which][..., -1], -own[which][..., 0])
    flat = _is_flat(own[which], task.scale[which, 0])
    known = ~error.isnan() & (side > 0) & ~flat[:, None]
    if not known.any():
        return 1.0
    age, half_life = task.age[which], _half_life(task)
    voice = task.pool.voice[task.windows.sensor[which]]
    weight = (voice * 2.0 ** (-age / half_life))[:, None].expand_as(error)[known]
    needed, order = (error.abs()[known] / side[known]).sort()
    cumulated = weight[order].double().cumsum(0)
    at = int(torch.searchsorted(cumulated, HELD * cumulated[-1]))
    found = float(needed[min(at, len(needed) - 1)].clamp(1 / MOST_STRETCH, MOST_STRETCH))
    days = independent_days(age, half_life)
    return float(found ** (days / (days + STRETCH_DAYS)))


def _is_flat(deviations: Tensor, usual: Tensor) -> Tensor:
    """(example,) bool: no step of a window has an interval worth `usual` (example,) errors."""
    return (deviations[..., -1] - deviations[..., 0]).amax(1) <= FLAT * usual


def _quantile_loss(task: Task, which: Tensor, quantiles: Tensor) -> Tensor:
    """(example, horizon) mean loss over levels, in spreads of the sensor; NaN where unknown."""
    error = task.actual[which, :, None] - quantiles
    level = torch.tensor(LEVELS)
    return torch.maximum(level * error, (level - 1) * error).mean(-1) / task.scale[which]
