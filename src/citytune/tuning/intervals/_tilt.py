"""Move a forecast toward rare values, as far as that is worth its price in usual ones.

Learning with weights w(y) finds the forecast of a world where values are that much more frequent:
p'(y|x) ∝ p(y|x) · w(y), the identity behind Balanced MSE (Ren et al. 2022, arXiv:2203.16427). The
calibrated quantiles say what p(y|x) is, so the forecast with the least weighted absolute error, the
median of p', is had without learning anew, for any strategy. The quantiles stay as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from citytune._graph import exporting
from citytune.tuning.intervals._intervals import Intervals
from citytune.tuning.intervals._quantiles import POINTS, points_of
from citytune.tuning.task._task import Task
from citytune.windows import Rarity, evenly

POWERS = tuple(i / 20 for i in range(21))
"""Powers tried out of fold."""
TILT_WINDOWS = 600
"""Most windows they are tried on."""
SURE, SURER = 0.5, 1.0
"""Standard errors of the cost that are added to it, if the quantiles are the model's own, and if
they were fitted to the very errors that it is tried on. With none of the first, the price on days
to come passes what was allowed twice as often; with a whole one, a sixth less is gained. With half
of the second, the mean price in energy and air passes 3 %."""
TILT_BLOCKS = 4
"""Stretches of time by which it is judged how sure the cost is."""
CHUNK = 4_000_000
"""Most values laid out at once."""


@dataclass(frozen=True, eq=False)
class Tilt:
    """How a forecast is moved, and what that did out of fold."""

    rarity: Rarity
    power: float
    """0 moves nothing; at 1 the rare values count as much as all the others together."""
    cost: float = math.nan
    """Share by which the mean error over all values rises, out of fold, and a part of a standard
    error of that."""
    gain: float = math.nan
    """Share of the mean error of rare values that is saved; out of fold."""

    def move(
        self,
        mean: Tensor,
        quantiles: Tensor,
        sensor: Tensor,
        low: Tensor | None = None,
        high: float | None = None,
    ) -> Tensor:
        """The forecast (example, horizon) moved, in the unit of the data.

        Args:
            mean: (example, horizon), in the unit of the data.
            quantiles: (example, horizon, level) around it.
            sensor: (example,) long.
            low: (example,) smallest legal value.
            high: Largest legal value.
        """
        if not self.power:
            return mean
        if exporting():
            return self._move(mean, quantiles, sensor, low, high)
        size = max(1, CHUNK // (POINTS * mean.shape[1]))
        lowest = torch.full((len(mean),), -torch.inf) if low is None else low
        return torch.cat(
            [
                self._move(mean[rows], quantiles[rows], sensor[rows], lowest[rows], high)
                for rows in torch.arange(len(mean)).split(size)
            ]
        )

    def _move(
        self,
        mean: Tensor,
        quantiles: Tensor,
        sensor: Tensor,
        low: Tensor | None,
        high: float | None,
    ) -> Tensor:
        points = points_of(quantiles, low, high)
        return _moved(mean, points, self.rarity.odds_of(points, sensor), self.power)


def choose_tilt(
    task: Task, out_of_fold: Tensor, intervals: Intervals, deviations: Tensor | None = None
) -> Tilt | None:
    """The tilt that saves most error in rare values without costing more than was allowed.

    Args:
        task: With `rare` set.
        out_of_fold: (example, horizon), forecasts of the task's windows, as if unseen.
        intervals: What calibrates them.
        deviations: As for `calibrate`.

    Returns:
        None if no value is more rare than another.
    """
    rare = task.settings.rarity
    if rare is None or not rare.by_value:
        return None
    tilt = Tilt(Rarity.of(rare, task.values), 0.0)
    if not tilt.rarity.found:
        return None
    some = evenly(len(out_of_fold), TILT_WINDOWS)
    own = task.deviations if deviations is None else deviations
    trials = _Trials.of(task, (out_of_fold, own), intervals, tilt.rarity, some)
    if rare.power is not None:
        return trials.of_power(tilt, rare.power)
    found = [trials.of_power(tilt, power) for power in POWERS]
    allowed = [one for one in found if one.cost <= rare.price]
    return max(allowed, key=lambda one: one.gain if math.isfinite(one.gain) else 0.0)


@dataclass(frozen=True, eq=False)
class _Trials:
    """Forecasts of windows as if unseen, laid out for one power after the other."""

    mean: Tensor  # (example, horizon)
    actual: Tensor  # (example, horizon)
    points: Tensor  # (example, horizon, point)
    odds: Tensor  # (example, horizon, point)
    rare: Tensor  # (example, horizon) bool
    scale: Tensor  # (example, 1)
    sure: float  # standard errors of the cost that are added to it

    @classmethod
    def of(
        cls,
        task: Task,
        forecasts: tuple[Tensor, Tensor | None],
        intervals: Intervals,
        rarity: Rarity,
        some: Tensor,
    ) -> _Trials:
        """Of forecasts as if unseen, and of the quantiles that come with them, less these."""
        out_of_fold, own = forecasts
        examples, slot = task.examples.pick(some), task.windows.slot[some]
        own = None if own is None else own[some]
        mean = out_of_fold[some]
        points = points_of(intervals.quantiles(mean, examples.sensor, slot, own))
        actual = task.actual[some]
        rare = rarity.odds_of(actual, examples.sensor) > 1
        odds = rarity.odds_of(points, examples.sensor)
        sure = SURE + (SURER - SURE) * intervals.trust
        return cls(mean, actual, points, odds, rare, task.scale[some], sure)

    def of_power(self, tilt: Tilt, power: float) -> Tilt:
        """The tilt with another power, its cost and its gain measured."""
        moved = _moved(self.mean, self.points, self.odds, power)
        before, after = ((one - self.actual).abs() for one in (self.mean, moved))
        few = [(error / self.scale)[self.rare].double().mean() for error in (before, after)]
        # In the unit of the data the large sensors decide, in their own units all alike.
        cost = max(self._cost(before, after, size) for size in (torch.ones(1, 1), self.scale))
        return replace(
            tilt, power=power, cost=cost, gain=1 - float(few[1] / few[0].clamp_min(1e-12))
        )

    def _cost(self, before: Tensor, after: Tensor, size: Tensor) -> float:
        """Rise of the mean error, and a part of its standard error over stretches of time."""
        known = ~self.actual.isnan()
        usual = (before / size)[known].double().mean().clamp_min(1e-12)
        rise = ((after - before) / size).double() / usual
        parts = zip(rise.chunk(TILT_BLOCKS), known.chunk(TILT_BLOCKS), strict=True)
        means = torch.stack([part[there].mean() for part, there in parts if there.any()])
        error = means.std() / len(means) ** 0.5 if len(means) > 1 else torch.zeros(())
        return float(means.mean() + self.sure * error)


def _moved(mean: Tensor, points: Tensor, odds: Tensor, power: float) -> Tensor:
    """`mean` moved by as much as the median of `points` moves when each counts odds^power."""
    step = _median(points, odds**power) - _median(points, torch.ones_like(points))
    return mean + step.nan_to_num(0.0)


def _median(points: Tensor, weight: Tensor) -> Tensor:
    """The weighted median (example, horizon) of ascending points (example, horizon, point)."""
    below = weight.cumsum(-1)
    middle = (below - weight / 2) / below[..., -1:]
    place = (middle < 0.5).sum(-1, keepdim=True).clamp(1, points.shape[-1] - 1)
    a, b = middle.gather(-1, place - 1), middle.gather(-1, place)
    share = ((0.5 - a) / (b - a).clamp_min(1e-9)).clamp(0, 1)
    left, right = points.gather(-1, place - 1), points.gather(-1, place)
    return (left + share * (right - left))[..., 0]
