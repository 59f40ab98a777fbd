"""What the quantiles of a forecast say of the values between and beyond them.

The distribution is a straight line between neighbouring quantiles, as when they are linearly
interpolated (Gneiting 2011, doi:10.1016/j.ijforecast.2009.12.015), with an exponential tail beyond
the outermost ones, whose rate is that between the outermost two. What the tail holds beyond the
legal range lies on its edge, as the quantiles themselves do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from citytune.backbones import LEVELS

MEDIAN = LEVELS.index(0.5)
POINTS = 40
"""Equally likely values that stand for a predictive distribution."""
Floats = NDArray[np.float32]
_Step = NDArray[np.float64]


def points_of(quantiles: Tensor, low: Tensor | None = None, high: float | None = None) -> Tensor:
    """Equally likely values (example, horizon, point) of distributions, within legal limits.

    `low` (example,) is the smallest legal value of each.
    """
    found = quantiles @ _reading([(i + 0.5) / POINTS for i in range(POINTS)]).T
    found = found if low is None else found.maximum(low[:, None, None])
    return found if high is None else found.clamp_max(high)


def values_at(
    at: NDArray[np.float64],
    quantiles: Floats,
    *,
    low: float | None = None,
    high: float | None = None,
) -> Floats:
    """Values (place, …) of distributions at any levels `at` (place,), within legal limits.

    Args:
        at: Between 0 and 1, both excluded.
        quantiles: (…, level) at `LEVELS`, never crossing.
        low: Smallest legal value.
        high: Largest legal value.

    >>> values_at(np.array([0.5, 0.55]), np.arange(11, dtype=np.float32)).tolist()
    [5.0, 5.5]
    """
    found = np.tensordot(_reading(at.tolist()).numpy(), quantiles, axes=(1, quantiles.ndim - 1))
    return found if low is None and high is None else np.clip(found, low, high)


def mean_of(
    quantiles: Floats, *, low: ArrayLike | None = None, high: float | None = None
) -> Floats:
    """The mean of distributions: sums over hours and sensors of it add up, those of medians do not.

    Args:
        quantiles: (…, level) at `LEVELS`, never crossing and within the legal limits.
        low: Smallest legal value, of all or what broadcasts with (…); what a tail holds below it
            lies on it.
        high: Largest legal value.

    Returns:
        (…) in the unit of the data.

    >>> mean_of(np.array([-10 * np.log(1 - level) for level in LEVELS], np.float32), low=0).round()
    np.float32(10.0)
    """
    steps = [step.astype(np.float64) for step in np.moveaxis(quantiles, -1, 0)]
    found = np.zeros(quantiles.shape[:-1])
    for (a, b), (left, right) in zip(pairwise(LEVELS), pairwise(steps), strict=True):
        found += (b - a) * (left + right) / 2
    found += LEVELS[0] * (steps[0] - _beyond(steps, np.asarray(-math.inf if low is None else low)))
    above = _beyond(_mirrored(steps), np.array(-math.inf if high is None else -high))
    found += (1 - LEVELS[-1]) * (steps[-1] + above)
    return found.astype(np.float32)


def chance_above(
    quantiles: Floats,
    threshold: Floats,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
) -> Floats:
    """Probability that a value is above `threshold`, in the unit of the data.

    Args:
        quantiles: (…, level) at `LEVELS`, never crossing; NaN where there is no forecast.
        threshold: What broadcasts with (…), such as one number or (sensor,).
        low: Smallest legal value, of all or what broadcasts with (…); nothing lies below it.
        high: Largest legal value.

    Returns:
        (…) in 0 … 1, never rising with the threshold; NaN where there is no forecast.

    >>> spread = np.arange(11, dtype=np.float32)     # the 0.05 quantile is 0, the median is 5
    >>> at = np.array([-1, 0, 5, 5.5, 10, 11], np.float32)
    >>> [f"{chance:g}" for chance in chance_above(spread, at, low=0)]
    ['1', '0.95', '0.5', '0.45', '0.05', '0.025']
    """
    shape = np.broadcast_shapes(np.shape(threshold), quantiles.shape[:-1])
    at = np.broadcast_to(np.asarray(threshold, np.float32), shape).astype(np.float64)
    one_a_level = np.moveaxis(quantiles, -1, 0)
    steps = [np.broadcast_to(one, shape).astype(np.float64) for one in one_a_level]
    above = np.where(at < steps[0], 1 - _tail(steps, at), _tail(_mirrored(steps), -at))
    # One stretch between neighbouring quantiles at a time: with thousands of sensors all of them
    # together are a gigabyte.
    for (a, b), (left, right) in zip(pairwise(LEVELS), pairwise(steps), strict=True):
        inside = (at >= left) & (at < right)
        share = (at[inside] - left[inside]) / (right[inside] - left[inside])
        above[inside] = 1 - a - (b - a) * share
    if low is not None:
        above[at < np.asarray(low, np.float32)] = 1
    if high is not None:
        above[at >= np.asarray(high, np.float32)] = 0
    above[~np.isfinite(steps[0] + steps[-1]) | np.isnan(at)] = np.nan
    return above.astype(np.float32)


def chance_below(
    quantiles: Floats,
    threshold: Floats,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
) -> Floats:
    """Probability that a value is below `threshold`; see `chance_above`.

    With `chance_above` it sums to one, save where quantiles are equal: the rest is then the
    probability of just that value, such as an empty road.
    """
    # Read in the mirror: the levels are as far from 1 as their counterparts are from 0.
    return chance_above(
        -quantiles[..., ::-1],
        -np.asarray(threshold, np.float32),
        low=None if high is None else -np.asarray(high),
        high=None if low is None else -np.asarray(low),
    )


def _tail(steps: list[_Step], at: _Step) -> _Step:
    """Probability below `at`, where `at` is at or under the lowest quantile."""
    width = _width(steps)
    away = np.maximum(steps[0] - at, 0.0)
    some = width > 0
    found = np.zeros_like(at)
    found[some] = LEVELS[0] * np.exp(-away[some] / width[some])
    return found


def _beyond(steps: list[_Step], low: _Step) -> _Step:
    """How far below the lowest quantile the tail's mean lies, with nothing below `low`."""
    width = _width(steps)
    room = np.maximum(steps[0] - low, 0.0)
    return width * -np.expm1(-room / np.where(width > 0, width, 1.0))


def _width(steps: list[_Step]) -> _Step:
    """Mean distance of the tail below the lowest quantile from it.

    If the lowest quantiles are equal, the rate is that up to the first larger one; if all are, the
    whole distribution is that one value.
    """
    width = np.zeros_like(steps[0])
    for level, quantile in zip(reversed(LEVELS[1:]), reversed(steps[1:]), strict=True):
        wider = quantile > steps[0]
        width = np.where(wider, (quantile - steps[0]) / math.log(level / LEVELS[0]), width)
    return width


def _mirrored(steps: list[_Step]) -> list[_Step]:
    return [-quantile for quantile in reversed(steps)]


def _reading(at: Sequence[float]) -> Tensor:
    """(place, level): the value at each level of `at` as a weighing of the quantiles."""
    found = torch.zeros(len(at), len(LEVELS))
    fall = math.log(LEVELS[1] / LEVELS[0])
    for i, level in enumerate(at):
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
