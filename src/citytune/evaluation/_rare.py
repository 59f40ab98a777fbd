"""Cut the errors by how rare the value was that came: what a gain in peaks costs in ordinary hours.

Regions by label density after Yang et al. (2021, arXiv:2102.09554): a histogram of each sensor's
own history, smoothed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from citytune.evaluation._detail import Detail
from citytune.evaluation._metrics import mae

Floats = NDArray[np.float32]
REGIONS = {"few": 0.1, "medium": 0.4, "many": 1.0}
"""Region → share of a sensor's history that lies in it or in rarer ones, the rarest first."""
WORDS = {
    "few": "few: the rarest 10 % of values",
    "medium": "medium: the next 30 %",
    "many": "many: the usual 60 %",
}
BINS = 100
LEAST = 48
"""Values a history needs before its rare ones can be told; other sensors are left out."""


@dataclass(frozen=True)
class Region:
    """How well the values of one region were forecast."""

    name: str
    """"few", "medium" or "many"."""
    values: int
    """Values scored."""
    errors: dict[str, float]
    """Model → mean absolute error, in the unit of the data; NaN where there is none."""


def regions(detail: Detail) -> tuple[Region, ...]:
    """The errors of every model where values were rare, less rare and usual, in this order."""
    actual, history = detail.fair, detail.history
    which = np.full(actual.shape, -1)
    for sensor in range(actual.shape[2]):
        which[..., sensor] = region_of(actual[..., sensor], history[:, sensor])
    return tuple(
        _region(name, np.where(which == i, actual, np.float32(np.nan)), detail)
        for i, name in enumerate(REGIONS)
    )


def region_of(values: Floats, history: Floats) -> NDArray[np.int64]:
    """Which region each value of a sensor lies in.

    Args:
        values: Any shape; NaN is missing.
        history: (time,) of the same sensor.

    Returns:
        The place in `REGIONS`, in the shape of `values`; −1 for a missing value, and for all if
        the history is too short.
    """
    known = history[np.isfinite(history)].astype(np.float64)
    if len(known) < LEAST:
        return np.full(values.shape, -1)
    at, heights = density(known)
    cuts = np.quantile(_read(known, at, heights), [*REGIONS.values()][:-1])
    found = np.searchsorted(cuts, _read(values, at, heights), side="right")
    return np.where(np.isfinite(values), found, -1)


def density(known: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How usual values are: edges (bin + 1,) and smoothed counts (bin,).

    The histogram spans all but the outermost 1 %, so that one odd value does not stretch it; what
    lies outside has density 0. It is smoothed by a Gaussian of Silverman's width and mirrored at
    its ends, where there would else seem to be less.
    """
    low, high = np.quantile(known, [0.005, 0.995])
    if high <= low:
        return np.array([low, np.nextafter(low, np.inf)]), np.ones(1)
    counts, edges = np.histogram(known, BINS, (low, high))
    quarter, most = np.quantile(known, [0.25, 0.75])
    spread = min(known.std(), (most - quarter) / 1.34) or known.std()
    width = max(1.0, 0.9 * spread * len(known) ** -0.2 / (edges[1] - edges[0]))
    reach = min(BINS, math.ceil(3 * width))
    bell = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / width))
    mirrored = np.pad(counts.astype(np.float64), reach, mode="symmetric")
    return edges, np.convolve(mirrored, bell / bell.sum(), mode="valid")


def _read(
    values: NDArray[np.floating], edges: NDArray[np.float64], heights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The density at each value; 0 outside the histogram."""
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(heights) - 1)
    inside = (values >= edges[0]) & (values <= edges[-1])
    return np.where(inside, heights[place], 0.0)


def _region(name: str, actual: Floats, detail: Detail) -> Region:
    errors = {model: mae(actual, mean) for model, mean in detail.means.items()}
    return Region(name, int(np.isfinite(actual).sum()), errors)
