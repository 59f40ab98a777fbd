"""How unusual a day's statistic is: p-values from ordinary days, with a Pareto tail beyond them."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TAIL = 0.1
"""Share of the ordinary days that the tail is fitted to."""
SHAPE, WEIGHT = 0.1, 20
"""Shape of the tail before anything is seen, and the excesses it counts as."""
LIGHTEST, HEAVIEST = 0.02, 0.4
GRID = np.linspace(0, 1, 41)
WINDOW = 28
"""Days over which the centre follows."""
FEWEST = 21
"""Ordinary days without which nothing can be said."""
HELD = 3
"""Spreads beyond which a deviation counts no more."""
STEADIEST = 0.95
"""Most of a deviation that is expected again."""
LEAST_P = 1e-12


@dataclass(frozen=True)
class Tail:
    """Scores of ordinary days: quantiles of them, and a generalized Pareto tail.

    Peaks over a threshold, as in Siffer et al. (2017), "Anomaly detection in streams with extreme
    value theory": within the data the p-value is conformal, (1 + scores as large) / (1 + scores).
    """

    count: int
    quantiles: tuple[float, ...]
    """At `GRID`."""
    threshold: float
    scale: float
    shape: float

    @classmethod
    def of(cls, scores: Sequence[float], resolution: float) -> Tail:
        """Fit to scores (day,); `resolution` is the least scale of the tail."""
        found = np.sort(np.asarray(scores, float))
        threshold = float(np.quantile(found, 1 - TAIL))
        excess = found[found > threshold] - threshold
        shape = _shape(excess)
        scale = (1 - shape) * float(excess.mean()) if len(excess) else 0.0
        return cls(
            count=len(found),
            quantiles=tuple(np.quantile(found, GRID).tolist()),
            threshold=threshold,
            scale=max(scale, resolution),
            shape=shape,
        )

    def p_value(self, score: float) -> float:
        """The chance that an ordinary day has such a score or a higher one."""
        if score <= self.threshold:
            below = self._below(score)
            return (1 + (1 - below) * self.count) / (1 + self.count)
        beyond = 1 + self.shape * (score - self.threshold) / self.scale
        share = (1 + TAIL * self.count) / (1 + self.count)
        return max(share * beyond ** (-1 / self.shape), LEAST_P)

    def _below(self, score: float) -> float:
        """Share of lower scores, none of equal ones."""
        i = bisect.bisect_left(self.quantiles, score)
        if i in (0, len(GRID)):
            return float(GRID[i - 1]) if i else 0.0
        low, high = self.quantiles[i - 1], self.quantiles[i]
        return float(GRID[i - 1] + (score - low) / (high - low) * (GRID[i] - GRID[i - 1]))


@dataclass
class Ordinary:
    """How a statistic varies from day to day where nothing is wrong.

    Its centre follows the season slowly, as in DSPOT, the variant of peaks over a threshold for
    streams with drift; what is left is whitened by an autoregression of one day, since neighbouring
    days are alike and p-values of consecutive days must not be.
    """

    centre: float
    """Of late."""
    spread: float
    """Median absolute deviation from the centre."""
    memory: float
    """Share of a day's deviation that is expected again on the next one."""
    both_sides: bool
    resolution: float
    """Scores are rounded to it: lower differences mean nothing."""
    marginal: Tail
    """Of the deviations themselves."""
    innovation: Tail
    """Of what yesterday's deviation does not explain."""

    @classmethod
    def of(cls, values: Sequence[float], *, both_sides: bool, resolution: float) -> Ordinary:
        """Learn from the statistics (day,) of ordinary days in their order."""
        found = np.asarray(values, float)
        centre = float(np.median(found[:WINDOW]))
        spread = max(float(np.median(np.abs(found - np.median(found)))), resolution / 3)
        off = []
        for value in found.tolist():
            off.append(value - centre)
            centre += _pull(off[-1], spread)
        held = np.clip(off, -HELD * spread, HELD * spread)
        power = float((held[:-1] ** 2).sum())
        memory = float((held[1:] * held[:-1]).sum()) / power if power > 0 else 0.0
        memory = min(max(memory, 0.0), STEADIEST)
        fresh = (np.array(off[1:]) - memory * held[:-1]).tolist()
        return cls(
            centre=centre,
            spread=spread,
            memory=memory,
            both_sides=both_sides,
            resolution=resolution,
            marginal=Tail.of([_score(one, both_sides, resolution) for one in off], resolution),
            innovation=Tail.of([_score(one, both_sides, resolution) for one in fresh], resolution),
        )

    def track(self, value: float) -> None:
        """Let the centre follow an ordinary day with this value."""
        self.centre += _pull(value - self.centre, self.spread)

    def p_value(self, value: float) -> float:
        """Of a day by itself."""
        off = value - self.centre
        return self.marginal.p_value(_score(off, self.both_sides, self.resolution))

    def p_fresh(self, value: float, before: float | None) -> float:
        """Given the day before, if it is known."""
        if before is None:
            return self.p_value(value)
        held = min(max(before - self.centre, -HELD * self.spread), HELD * self.spread)
        off = value - self.centre - self.memory * held
        return self.innovation.p_value(_score(off, self.both_sides, self.resolution))


def e_value(p: float) -> float:
    """What a bet against ordinary days wins on a p-value; at most 1 on average if they are.

    The mixture of all power calibrators κ·p^(κ−1), 0 < κ < 1: Vovk and Wang (2021), "E-values:
    calibration, combination and applications"; the bets of conformal test martingales (Vovk et al.
    2021, "Retrain or not retrain").

    >>> round(e_value(1.0), 2), round(e_value(0.05), 2), round(e_value(1e-6))
    (0.5, 1.78, 5239)
    """
    if p > 1 - 1e-3:
        return 0.5
    log = math.log(p)
    return (1 - p + p * log) / (p * log * log)


def _score(off: float, both_sides: bool, resolution: float) -> float:
    """How unusual a deviation is: higher is worse."""
    return round((abs(off) if both_sides else off) / resolution) * resolution


def _pull(off: float, spread: float) -> float:
    """How far a day moves the centre."""
    return min(max(off, -HELD * spread), HELD * spread) / WINDOW


def _shape(excess: np.ndarray) -> float:
    """By moments, drawn toward `SHAPE`."""
    if len(excess) < 3 or excess.var() == 0:
        return SHAPE
    moment = 0.5 * (1 - float(excess.mean() ** 2 / excess.var()))
    drawn = (len(excess) * moment + WEIGHT * SHAPE) / (len(excess) + WEIGHT)
    return min(max(drawn, LIGHTEST), HEAVIEST)
