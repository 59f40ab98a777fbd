"""Sensors that go as the others do at a thousandth of their level: kW among W."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.values._mending import Column

FEWEST_SENSORS, FEWEST_STEPS = 3, 48
MOST_SENSORS = 200
"""Sensors beyond which their levels are not compared."""
NEAR = 2.5
"""Factor by which the ratio of levels may differ from a thousand."""
ALIKE = 0.8
"""Correlation from which a sensor goes as the others do."""


def point_out_levels(columns: Sequence[Column], findings: Findings) -> None:
    """Warn of few sensors whose level is about a thousand times that of most, or a thousandth."""
    if not FEWEST_SENSORS <= len(columns) <= MOST_SENSORS:
        return
    values = np.stack([one.values for one in columns]).astype(np.float64)
    there = np.isfinite(values)
    if (there.sum(1) < FEWEST_STEPS).any():
        return
    levels = np.array([np.median(np.abs(row[row != 0])) if (row != 0).any() else 0.0
                       for row in (one[mask] for one, mask in zip(values, there, strict=True))])  # fmt: skip
    if not (levels > 0).all():
        return
    ratio = levels / np.median(levels)
    odd = np.abs(np.abs(np.log10(ratio)) - 3) < np.log10(NEAR)
    if not 0 < odd.sum() <= len(columns) / 3 or (np.abs(np.log10(ratio[~odd])) > 1).any():
        return
    usual = np.nanmean(values[~odd], 0)
    names = [columns[i].name for i in np.flatnonzero(odd) if _goes_along(values[i], usual)]
    if names:
        findings.warn(
            "levels-apart",
            f"{listed(names, 3, quoted=True)} {'go' if len(names) > 1 else 'goes'} up and down as "
            "the other sensors do, at about a thousand times their level or a thousandth of it",
            "kept as written; convert them if they are in another unit",
            count=len(names),
        )


def _goes_along(values: np.ndarray, usual: np.ndarray) -> bool:
    both = np.isfinite(values) & np.isfinite(usual)
    if both.sum() < FEWEST_STEPS or not np.ptp(values[both]) or not np.ptp(usual[both]):
        return False
    return bool(np.corrcoef(values[both], usual[both])[0, 1] > ALIKE)
