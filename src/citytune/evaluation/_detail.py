"""Every forecast of a backtest with what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from citytune.frame import SensorFrame


@dataclass(frozen=True, eq=False)
class Detail:
    """Every forecast of a backtest with what happened, in the unit of the data."""

    actual: NDArray[np.float32]
    """(origin, horizon, sensor); NaN where nothing was measured."""
    points: Mapping[str, NDArray[np.float32]]
    """Model name → (origin, horizon, sensor): forecasts that absolute errors are measured on."""
    quantiles: NDArray[np.float32]
    """(origin, horizon, sensor, level) of the tuned model; levels are those of a forecast."""
    origin_index: NDArray[np.int64]
    """(origin,): the row of `frame` that is the first step forecast, ascending."""
    frame: SensorFrame
    """What was scored."""
    means: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Model name → (origin, horizon, sensor): for squared errors, where not points."""

    def mean_of(self, name: str) -> NDArray[np.float32]:
        """(origin, horizon, sensor): a model's forecasts that squared errors are measured on."""
        return self.means.get(name, self.points[name])

    @property
    def fair(self) -> NDArray[np.float32]:
        """`actual` where every model has a forecast, NaN elsewhere: what all are measured at."""
        common = np.all([np.isfinite(point) for point in self.points.values()], axis=0)
        return np.where(common, self.actual, np.float32(np.nan))

    @property
    def history(self) -> NDArray[np.float32]:
        """(time, sensor): what was measured before the first forecast."""
        return self.frame.values[: int(self.origin_index[0])]
