"""How usual values are, and weights that let the unusual ones count as much.

Label distribution smoothing (LDS) after Yang et al. (2021, arXiv:2102.09554): a histogram of each
sensor's own values, smoothed by a kernel; a value's weight falls with its density.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

BINS = 100
FEWEST_VALUES = 48
"""Values a history needs before its rare ones can be told."""
LARGEST_WEIGHT = 20.0
"""Most that a value counts before all are brought to a mean of 1."""


def density(known: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How usual values are: edges (bin + 1,) and smoothed counts (bin,).

    The histogram spans all but the outermost 1 %, so that one odd value does not stretch it; what
    lies outside has density 0. It is smoothed by a Gaussian of Silverman's width and mirrored at
    its ends, where there would otherwise seem to be less.
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


def density_at(
    values: NDArray[np.floating], edges: NDArray[np.float64], heights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The density at each value; 0 outside the histogram."""
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(heights) - 1)
    inside = (values >= edges[0]) & (values <= edges[-1])
    return np.where(inside, heights[place], 0.0)


def density_weights(
    values: NDArray[np.floating], history: NDArray[np.floating], *, power: float = 0.5
) -> NDArray[np.float64]:
    """How much each value of a sensor should count: ∝ 1 / density^power.

    Args:
        values: Any shape; NaN is missing.
        history: (time,) of the same sensor, from which the density is taken.
        power: 0 counts all alike, 1 gives every stretch of values the same total.

    Returns:
        Weights in the shape of `values`, at most `LARGEST_WEIGHT` times the usual one, with a mean
        of 1 over `history`; 1 for a missing value, and for all if the history is too short.
    """
    known = history[np.isfinite(history)].astype(np.float64)
    if len(known) < FEWEST_VALUES:
        return np.ones(values.shape)
    edges, heights = density(known)
    usual = density_at(known, edges, heights)

    def weigh(at: NDArray[np.float64]) -> NDArray[np.float64]:
        least = usual.max() * LARGEST_WEIGHT ** (-1 / power) if power > 0 else usual.max()
        found: NDArray[np.float64] = np.maximum(at, least) ** -power
        return found

    found = weigh(density_at(values, edges, heights)) / weigh(usual).mean()
    return np.where(np.isfinite(values), found, 1.0)
