"""Split the errors by how rare the measured value was: what a gain on peaks costs in other hours.

Regions by label density after Yang et al. (2021, arXiv:2102.09554): a histogram of each sensor's
own history, smoothed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from citytune.evaluation._detail import Detail
from citytune.evaluation._metrics import mae

Floats = NDArray[np.float32]
REGIONS = {"few": 0.1, "medium": 0.4, "many": 1.0}
"""Region → share of a sensor's history that lies in it or in rarer ones, the rarest first."""
WORDS = {
    "few": "few: the rarest 10 %",
    "medium": "medium: the next 30 %",
    "many": "many: the most typical 60 %",
}


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
    """The errors of every model on rare, less rare and typical values, in this order."""
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
    from citytune.windows import FEWEST_VALUES, density, density_at

    known = history[np.isfinite(history)].astype(np.float64)
    if len(known) < FEWEST_VALUES:
        return np.full(values.shape, -1)
    at, heights = density(known)
    cuts = np.quantile(density_at(known, at, heights), [*REGIONS.values()][:-1])
    found = np.searchsorted(cuts, density_at(values, at, heights), side="right")
    return np.where(np.isfinite(values), found, -1)


def _region(name: str, actual: Floats, detail: Detail) -> Region:
    errors = {model: mae(actual, mean) for model, mean in detail.points.items()}
    return Region(name, int(np.isfinite(actual).sum()), errors)
