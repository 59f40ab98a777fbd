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

from citytune.tuning._conformal import LEVELS, Conformal
from citytune.tuning._task import Task
from citytune.windows import Rarity

POINTS = 40
"""Equally likely values that stand for a predictive distribution."""
POWERS = tuple(i / 20 for i in range(21))
"""Powers tried out of fold."""
CHUNK = 4_000_000
"""Most values laid out at once."""


@dataclass(frozen=True, eq=False)
class Tilt:
    """How a forecast is moved, and what that did out of fold."""

    rarity: Rarity
    power: float
    """0 moves nothing; at 1 the rare values count as much as all the others together."""
    cost: float = math.nan
    """Mean error over all values, over that without a tilt, less 1; out of fold."""
    gain: float = math.nan
    """Share of the mean error of rare values that is saved; out of fold."""

    def move(
        self,
        mean: Tensor,
        quantiles: Tensor,
        sensor: Tensor,
        low: float | None = None,
        high: float | None = None,
    ) -> Tensor:
        """The forecast (example, horizon) moved, in the unit of the data.

        Args:
            mean: (example, horizon), in the unit of the data.
            quantiles: (example, horizon, level) around it.
            sensor: (example,) long.
            low: Smallest legal value.
            high: Largest legal value.
        """
        if not self.power:
            return mean
        size = max(1, CHUNK // (POINTS * mean.shape[1]))
        parts = zip(mean.split(size), quantiles.split(size), sensor.split(size), strict=True)
        return torch.cat([self._move(*part, low, high) for part in parts])

    def _move(
        self, mean: Tensor, quantiles: Tensor, sensor: Tensor, low: float | None, high: float | None
    ) -> Tensor:
        points = quantiles @ _reading().T
        if low is not None or high is not None:
            points = points.clamp(low, high)
        weight = self.rarity.odds_of(points, sensor) ** self.power
        step = _median(points, weight) - _median(points, torch.ones_like(points))
        return mean + step.nan_to_num(0.0)


def choose_tilt(task: Task, says: Tensor, conformal: Conformal) -> Tilt | None:
    """The tilt that saves most error in rare values without costing more than was allowed.

    Args:
        task: With `rare` set.
        says: (example, horizon), forecasts of the task's windows, as if unseen.
        conformal: What calibrates them.

    Returns:
        None if no value is more rare than another.
    """
    if task.rare is None or not task.rare.by_value:
        return None
    tilt = Tilt(Rarity.of(task.rare, task.history), 0.0)
    if not tilt.rarity.found:
        return None
    sensor = task.examples.sensor
    when = task.examples.origin[:, None] + torch.arange(task.spec.horizon)
    quantiles = conformal.quantiles(says, sensor, task.history.slot[when])
    odds = tilt.rarity.odds_of(task.actual, sensor)
    known = task.known
    wanted = POWERS if task.rare.power is None else (task.rare.power,)
    sizes = (torch.ones_like(task.scale), task.scale)  # in the unit of the data, and as shares

    def errors(forecast: Tensor) -> tuple[list[float], float]:
        error = (forecast - task.actual).abs()
        overall = [float((error / size)[known].double().mean()) for size in sizes]
        rare = known & (odds > 1)
        few = (error / task.scale)[rare].double()
        return overall, float(few.mean()) if len(few) else math.nan

    before, few_before = errors(says)
    best = replace(tilt, cost=0.0, gain=0.0)
    for power in wanted:
        trial = replace(tilt, power=power)
        overall, few = errors(trial.move(says, quantiles, sensor))
        cost = max(b / max(a, 1e-12) for a, b in zip(before, overall, strict=True)) - 1
        trial = replace(trial, cost=cost, gain=1 - few / max(few_before, 1e-12))
        if task.rare.power is not None:
            return trial
        if cost <= task.rare.price and trial.gain > best.gain:
            best = trial
    return best


def _reading() -> Tensor:
    """(point, level): each point as a weighing of the quantiles.

    A straight line between neighbouring ones, an exponential tail beyond the outermost, as for
    exceedance probabilities.
    """
    found = torch.zeros(POINTS, len(LEVELS))
    fall = math.log(LEVELS[1] / LEVELS[0])
    for i in range(POINTS):
        level = (i + 0.5) / POINTS
        if not LEVELS[0] <= level <= LEVELS[-1]:
            # The tails mirror each other: from the outermost quantile, away from the next one.
            outer, inner = (0, 1) if level < 0.5 else (-1, -2)
            away = -math.log(min(level, 1 - level) / LEVELS[0]) / fall
            found[i, outer], found[i, inner] = 1 + away, -away
            continue
        right = next(j for j in range(1, len(LEVELS)) if level <= LEVELS[j])
        share = (level - LEVELS[right - 1]) / (LEVELS[right] - LEVELS[right - 1])
        found[i, right - 1], found[i, right] = 1 - share, share
    return found


def _median(points: Tensor, weight: Tensor) -> Tensor:
    """The weighted median (example, horizon) of ascending points (example, horizon, point)."""
    below = weight.cumsum(-1)
    middle = (below - weight / 2) / below[..., -1:]
    place = (middle < 0.5).sum(-1, keepdim=True).clamp(1, points.shape[-1] - 1)
    a, b = middle.gather(-1, place - 1), middle.gather(-1, place)
    share = ((0.5 - a) / (b - a).clamp_min(1e-9)).clamp(0, 1)
    left, right = points.gather(-1, place - 1), points.gather(-1, place)
    return (left + share * (right - left))[..., 0]
