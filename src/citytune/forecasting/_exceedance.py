"""How likely a value passes a threshold, read off the quantiles of a forecast.

The distribution is a straight line between neighbouring quantiles, as when they are linearly
interpolated (Gneiting 2011, doi:10.1016/j.ijforecast.2009.12.015), with an exponential tail beyond
the outermost ones, whose rate is that between the outermost two. What the tail holds beyond the
legal range lies on its edge, as the quantiles themselves do.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from citytune.tuning import LEVELS

Floats = NDArray[np.float32]


def chance_above(
    quantiles: Floats, threshold: Floats, *, low: float | None = None, high: float | None = None
) -> Floats:
    """Probability that a value is above `threshold`, in the unit of the data.

    Args:
        quantiles: (…, level) at `LEVELS`, never crossing; NaN where there is no forecast.
        threshold: What broadcasts with (…), such as one number or (sensor,).
        low: Smallest legal value; anything below it is impossible.
        high: Largest legal value.

    Returns:
        (…) in 0 … 1, never rising with the threshold; NaN where there is no forecast.

    >>> import numpy as np
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
        above[at < np.float32(low)] = 1
    if high is not None:
        above[at >= np.float32(high)] = 0
    above[~np.isfinite(steps[0] + steps[-1]) | np.isnan(at)] = np.nan
    return above.astype(np.float32)


def chance_below(
    quantiles: Floats, threshold: Floats, *, low: float | None = None, high: float | None = None
) -> Floats:
    """Probability that a value is below `threshold`; see `chance_above`.

    With `chance_above` it sums to one, save where quantiles are equal: the rest is then the
    probability of just that value, such as an empty road.
    """
    # Read in the mirror: the levels are as far from 1 as their counterparts are from 0.
    return chance_above(
        -quantiles[..., ::-1],
        -np.asarray(threshold, np.float32),
        low=None if high is None else -high,
        high=None if low is None else -low,
    )


def _tail(steps: list[NDArray[np.float64]], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability below `at`, where `at` is at or under the lowest quantile.

    If the lowest quantiles are equal, the rate is that up to the first larger one; if all are, the
    whole distribution is that one value.
    """
    width = np.zeros_like(at)
    for level, quantile in zip(reversed(LEVELS[1:]), reversed(steps[1:]), strict=True):
        wider = quantile > steps[0]
        width[wider] = (quantile - steps[0])[wider] / np.log(level / LEVELS[0])
    away = np.maximum(steps[0] - at, 0.0)
    some = width > 0
    found = np.zeros_like(at)
    found[some] = LEVELS[0] * np.exp(-away[some] / width[some])
    return found


def _mirrored(steps: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    return [-quantile for quantile in reversed(steps)]
