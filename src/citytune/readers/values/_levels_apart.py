"""Sensors that go as the others do at a thousandth of their level: kW among W."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.values._mending import Column

FEWEST_SENSORS, FEWEST_STEPS = 3, 48
MOST_SENSORS = 200
"""Sensors beyond which their levels are not compared."""
NEAR_A_THOUSAND = 2.5
"""Factor by which the ratio of levels may differ from a thousand."""
GOES_ALONG = 0.8
"""Correlation from which a sensor goes as the others do."""


def point_out_levels(columns: Sequence[Column], findings: Findings) -> None:
    """Warn of few sensors whose level is about a thousand times that of most, or a thousandth."""
    if not FEWEST_SENSORS <= len(columns) <= MOST_SENSORS:
        return
    values = np.stack([one.values for one in columns]).astype(np.float64)
    if (np.isfinite(values).sum(1) < FEWEST_STEPS).any():
        return
    levels = np.array([_level(row) for row in values])
    if not (levels > 0).all():
        return
    ratio = levels / np.median(levels)
    odd = np.abs(np.abs(np.log10(ratio)) - 3) < np.log10(NEAR_A_THOUSAND)
    if not 0 < odd.sum() <= len(columns) / 3 or (np.abs(np.log10(ratio[~odd])) > 1).any():
        return
    usual = _mean(values[~odd])
    names = [columns[int(i)].name for i in np.flatnonzero(odd) if _goes_along(values[i], usual)]
    if names:
        findings.warn(
            "levels-apart",
            f"{listed(names, 3, quoted=True)} {'go' if len(names) > 1 else 'goes'} up and down as "
            "the other sensors do, at about a thousand times their level or a thousandth of it",
            "kept as written; convert them if they are in another unit",
            count=len(names),
        )


def _goes_along(values: NDArray[np.float64], usual: NDArray[np.float64]) -> bool:
    both = np.isfinite(values) & np.isfinite(usual)
    if both.sum() < FEWEST_STEPS or not np.ptp(values[both]) or not np.ptp(usual[both]):
        return False
    return bool(np.corrcoef(values[both], usual[both])[0, 1] > GOES_ALONG)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each step over the sensors, NaN where all are missing."""
    count = np.isfinite(values).sum(0)
    return np.where(count > 0, np.nansum(values, 0) / np.maximum(count, 1), np.nan)


def _level(values: NDArray[np.float64]) -> float:
    """The median of what is not 0 or missing; 0 if nothing is."""
    some = np.abs(values[np.isfinite(values) & (values != 0)])
    return float(np.median(some)) if len(some) else 0.0
