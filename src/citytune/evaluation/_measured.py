"""The errors of one model of a backtest, metric by metric."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from citytune._text import percent
from citytune.evaluation._arrays import Floats
from citytune.evaluation._detail import Detail
from citytune.evaluation._metrics import coverage, mae, mase, rmse, width, wql


def measured_of(
    actual: Floats,
    point: Floats,
    quantiles: Floats | None,
    scale: NDArray[np.float64],
    mean: Floats | None = None,
) -> dict[str, float]:
    """Absolute errors of the point forecast, squared ones of the mean if there is one."""
    from citytune.forecasting import LEVELS

    found = {
        "mae": mae(actual, point),
        "rmse": rmse(actual, point if mean is None else mean),
        "mase": mase(actual, point, scale),
    }
    if quantiles is None:
        return found | dict.fromkeys(("wql", "coverage_90", "width_90"), float("nan"))
    low, high = quantiles[..., LEVELS.index(0.05)], quantiles[..., LEVELS.index(0.95)]
    inner = slice(LEVELS.index(0.1), LEVELS.index(0.9) + 1)
    return found | {
        "wql": wql(actual, quantiles[..., inner], list(LEVELS)[inner]),
        "coverage_90": coverage(actual, low, high),
        "width_90": width(actual, low, high),
    }


def shrunk(detail: Detail) -> list[str]:
    """What to say of models without a forecast where others have one: all lose those moments."""
    known = np.isfinite(detail.actual)
    said = []
    for name, point in detail.points.items():
        lacking = int((known & ~np.isfinite(point)).sum())
        # A sensor with next to no history has no forecast by some rules; that is no news.
        if lacking > 0.01 * known.sum():
            share = percent(lacking / known.sum())
            said.append(
                f"{name} has no forecast for {share} of the values; all are measured without them"
            )
    return said
