"""How the statistics of many sensors vary, learnt at once of all series of one length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune.watching._detector import MOST_EVIDENCE
from citytune.watching._statistics import ALL, Statistic
from citytune.watching._tail import (
    FEWEST,
    GRID,
    HEAVIEST,
    HELD,
    LEAST_P,
    LIGHTEST,
    SHAPE,
    STEADIEST,
    TAIL,
    WEIGHT,
    WINDOW,
    Ordinary,
    Tail,
)

Floats = NDArray[np.float64]


class Fit(NamedTuple):
    """What is known of a statistic of a sensor."""

    ordinary: Ordinary
    peak: float
    """The most evidence against its own ordinary days."""


def fits_of(learning: Sequence[Mapping[str, Sequence[float]]]) -> list[dict[str, Fit]]:
    """Of sensors' statistics, of their ordinary days in order: those of which enough is known."""
    alike: dict[tuple[str, int], list[int]] = {}
    for i, one in enumerate(learning):
        for name, values in one.items():
            if len(values) >= FEWEST:
                alike.setdefault((name, len(values)), []).append(i)
    found: dict[tuple[int, str], Fit] = {}
    for (name, _), some in alike.items():
        fits = _fitted(np.array([learning[i][name] for i in some], float), ALL[name])
        found |= zip([(i, name) for i in some], fits, strict=True)
    return [{n: found[i, n] for n in one if (i, n) in found} for i, one in enumerate(learning)]


def _fitted(values: Floats, how: Statistic) -> list[Fit]:
    """Of series (series, day); see `Ordinary.of`."""
    both_sides, resolution = how
    start = np.median(values[:, :WINDOW], axis=1)
    spread = np.median(np.abs(values - np.median(values, axis=1)[:, None]), axis=1)
    spread = np.maximum(spread, resolution / 3)
    centre, off = start, np.empty_like(values)
    for day in range(values.shape[1]):
        off[:, day] = values[:, day] - centre
        centre = centre + _held(off[:, day], spread) / WINDOW
    held = _held(off, spread[:, None])
    power = (held[:, :-1] ** 2).sum(1)
    together = (held[:, 1:] * held[:, :-1]).sum(1)
    memory = np.divide(together, power, out=np.zeros_like(power), where=power > 0)
    memory = np.clip(memory, 0.0, STEADIEST)
    fresh = off[:, 1:] - memory[:, None] * held[:, :-1]
    score = _Score(both_sides, resolution)
    marginal, innovation = (_Tails.of(score(one), resolution) for one in (off, fresh))
    peaks = _peaks(values, start, spread, memory, score, marginal, innovation)
    tails = zip(marginal.each(), innovation.each(), strict=True)
    numbers = zip(centre.tolist(), spread.tolist(), memory.tolist(), strict=True)
    return [
        Fit(Ordinary(*own, both_sides, resolution, *both), peak)
        for own, both, peak in zip(numbers, tails, peaks, strict=True)
    ]


class _Score(NamedTuple):
    """How unusual deviations are: higher is worse."""

    both_sides: bool
    resolution: float

    def __call__(self, off: Floats) -> Floats:
        found: Floats = np.rint((np.abs(off) if self.both_sides else off) / self.resolution)
        return found * self.resolution + 0.0  # of which none is -0


class _Tails(NamedTuple):
    """`Tail`, of many series."""

    days: int
    quantiles: Floats
    """(series, level)."""
    threshold: Floats
    """(series,), as are the others."""
    scale: Floats
    shape: Floats

    @classmethod
    def of(cls, scores: Floats, resolution: float) -> _Tails:
        """Fit to scores (series, day)."""
        found = np.sort(scores, axis=1)
        threshold = np.quantile(found, 1 - TAIL, axis=1)
        scale, shape = np.zeros(len(found)), np.full(len(found), SHAPE)
        beyond = (found > threshold[:, None]).sum(1)
        for many in np.unique(beyond[beyond > 0]).tolist():
            which = np.flatnonzero(beyond == many)
            excess = found[which, -many:] - threshold[which, None]
            shape[which] = _shapes(excess)
            scale[which] = (1 - shape[which]) * excess.mean(1)
        return cls(
            days=found.shape[1],
            quantiles=np.quantile(found, GRID, axis=1).T,
            threshold=threshold,
            scale=np.maximum(scale, resolution),
            shape=shape,
        )

    def each(self) -> Iterator[Tail]:
        """One of each series."""
        rows = (self.quantiles, self.threshold, self.scale, self.shape)
        for quantiles, *own in zip(*(row.tolist() for row in rows), strict=True):
            yield Tail(self.days, tuple(quantiles), *own)

    def p_values(self, score: Floats) -> Floats:
        """Of a score (series,) each."""
        place = (self.quantiles < score[:, None]).sum(1)
        inner = place.clip(1, len(GRID) - 1)
        low, high = (np.take_along_axis(self.quantiles, at[:, None], 1)[:, 0]
                     for at in (inner - 1, inner))  # fmt: skip
        with np.errstate(all="ignore"):
            between = GRID[inner - 1] + (score - low) / (high - low) * (
                GRID[inner] - GRID[inner - 1]
            )
            beyond = 1 + self.shape * (score - self.threshold) / self.scale
            far = (1 + TAIL * self.days) / (1 + self.days) * beyond ** (-1 / self.shape)
        below = np.where(place == 0, 0.0, np.where(place == len(GRID), 1.0, between))
        near = (1 + (1 - below) * self.days) / (1 + self.days)
        return np.where(score <= self.threshold, near, np.maximum(far, LEAST_P))


def _peaks(
    values: Floats,
    centre: Floats,
    spread: Floats,
    memory: Floats,
    score: _Score,
    marginal: _Tails,
    innovation: _Tails,
) -> list[float]:
    """The most evidence against each series, day after day."""
    evidence = most = np.zeros(len(values))
    for day in range(values.shape[1]):
        value = values[:, day]
        if day == 0:
            p = marginal.p_values(score(value - centre))
        else:
            held = _held(values[:, day - 1] - centre, spread)
            p = innovation.p_values(score(value - centre - memory * held))
        evidence = np.minimum((evidence + 1) * _e_values(p), MOST_EVIDENCE)
        centre = centre + _held(value - centre, spread) / WINDOW
        most = np.maximum(most, evidence)
    found: list[float] = most.tolist()
    return found


def _shapes(excess: Floats) -> Floats:
    """Of the tails of series (series, day) with as many days beyond the threshold."""
    many, mean, var = excess.shape[1], excess.mean(1), excess.var(1)
    if many < 3:
        return np.full(len(excess), SHAPE)
    with np.errstate(all="ignore"):
        moment = 0.5 * (1 - mean**2 / var)
    drawn = (many * moment + WEIGHT * SHAPE) / (many + WEIGHT)
    return np.where(var == 0, SHAPE, np.clip(drawn, LIGHTEST, HEAVIEST))


def _e_values(p: Floats) -> Floats:
    with np.errstate(all="ignore"):
        log = np.log(p)
        return np.where(p > 1 - 1e-3, 0.5, (1 - p + p * log) / (p * log * log))


def _held(off: Floats, spread: Floats) -> Floats:
    return np.clip(off, -HELD * spread, HELD * spread)
