"""Whether one forecast's errors differ from another's by more than chance would have it.

Errors of neighbouring forecasts are alike, so neither test takes them for independent: the
bootstrap draws blocks of them, and the Diebold-Mariano test counts how they go together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
DRAWS = 2000
"""Of the bootstrap."""
FEWEST_FORECASTS = 5
"""Fewer forecasts than this tell nothing about chance."""


def block_length(count: int, overlap: int, a_day: int = 1) -> int:
    """How many forecasts in a row a block holds: those that overlap, of a day, and count^(1/3).

    >>> block_length(14, 1), block_length(14, 7), block_length(56, 1, 4)
    (3, 7, 4)
    """
    return min(count, max(overlap, a_day, math.ceil(count ** (1 / 3) - 1e-9)))


def ratio_interval(sums: Series, others: Series, block: int) -> tuple[float, float]:
    """95 % confidence interval of Σ sums / Σ others, by a circular block bootstrap.

    After Politis and Romano (1992): blocks of neighbours are drawn with replacement, the same of
    both, so that what makes a day hard for both cancels.

    Args:
        sums: (origin,) sum of a model's absolute errors.
        others: (origin,) that of the reference, at the same moments.
        block: Origins in a row that are drawn together.

    Returns:
        NaN, NaN with too few origins, or if the reference has no error.
    """
    count = len(sums)
    if count < FEWEST_FORECASTS:
        return math.nan, math.nan
    draw = np.random.default_rng(0)
    starts = draw.integers(count, size=(DRAWS, -(-count // block)))
    picked = ((starts[..., None] + np.arange(block)) % count).reshape(DRAWS, -1)[:, :count]
    below = others[picked].sum(1)
    if not (below > 0).all():
        return math.nan, math.nan
    low, high = np.quantile(sums[picked].sum(1) / below, [0.025, 0.975])
    return float(low), float(high)


def diebold_mariano(difference: Series, overlap: int) -> tuple[float, float]:
    """Statistic and two-sided p-value of no difference in expected loss.

    Diebold and Mariano (1995, doi:10.1080/07350015.1995.10524599), with the correction for few
    forecasts of Harvey, Leybourne and Newbold (1997, doi:10.1016/S0169-2070(96)00719-4) and
    Student's t with n − 1 degrees of freedom.

    Args:
        difference: (origin,) loss of one forecast less that of the other.
        overlap: Steps h of the test, in origins: forecasts fewer than h apart overlap.

    Returns:
        Below 0 if the first is better. NaN, NaN with too few origins; 0 and 1 if both are equal.
    """
    count, steps = len(difference), min(overlap, len(difference) // 2)
    if count < FEWEST_FORECASTS:
        return math.nan, math.nan
    mean = float(difference.mean())
    if np.allclose(difference, mean, rtol=1e-9, atol=0):
        return (0.0, 1.0) if mean == 0 else (math.copysign(math.inf, mean), 0.0)
    variance = _long_run(difference - mean, steps) / count
    shrink = (count + 1 - 2 * steps + steps * (steps - 1) / count) / count
    found = math.sqrt(shrink) * mean / math.sqrt(variance)
    return found, student(found, count - 1)


def _long_run(centred: Series, steps: int) -> float:
    """Variance of the sum of neighbours over their number: autocovariances up to h − 1.

    Where those of equal weight leave nothing, or less, they are weighted by Bartlett's triangle
    (Newey and West 1987), which always leaves something.
    """
    count = len(centred)
    lagged = [float(centred[lag:] @ centred[: count - lag]) / count for lag in range(steps)]
    plain = lagged[0] + 2 * sum(lagged[1:])
    if plain > 1e-9 * lagged[0]:
        return plain
    return lagged[0] + 2 * sum((1 - i / steps) * one for i, one in enumerate(lagged) if i)


def student(statistic: float, freedom: int) -> float:
    """Chance of a value further from 0 under Student's t.

    With t = √f tan θ its density is cosᶠ⁻¹ θ, which is integrated by Gauss and Legendre's rule.

    >>> round(student(2.160369, 13), 4), student(0.0, 13)
    (0.05, 1.0)
    """
    nodes, weights = np.polynomial.legendre.leggauss(200)
    # Beyond ten standard deviations nothing is left to integrate.
    end = math.atan(max(abs(statistic), 60.0) / math.sqrt(freedom)) if freedom > 30 else math.pi / 2

    def area(first: float, last: float) -> float:
        angle = (first + last) / 2 + (last - first) / 2 * nodes
        return float((weights * np.cos(angle) ** (freedom - 1)).sum() * (last - first) / 2)

    edge = math.atan(abs(statistic) / math.sqrt(freedom))
    return min(1.0, area(edge, end) / area(0.0, end)) if edge < end else 0.0


def holm(chances: Sequence[float]) -> list[float]:
    """p-values of several tests at once, after Holm (1979); NaN stays and does not count.

    >>> [round(one, 3) for one in holm([0.01, 0.04, 0.03, float("nan")])]
    [0.03, 0.06, 0.06, nan]
    """
    order = sorted(
        (i for i, one in enumerate(chances) if math.isfinite(one)), key=chances.__getitem__
    )
    found, least = [math.nan] * len(chances), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * chances[i]))
        found[i] = least
    return found
