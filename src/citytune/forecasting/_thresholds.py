"""Thresholds of a forecast: one for all sensors, or each sensor's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError, UnknownName
from citytune.forecasting._alert import as_threshold


def thresholds_of(
    given: float | Mapping[str, float], sensors: Sequence[str]
) -> NDArray[np.float32]:
    """One number (), or one a sensor (sensor,), in the unit of the forecast."""
    if not isinstance(given, Mapping):
        return as_threshold(given)
    for name in given:
        if name not in sensors:
            raise UnknownName("sensor of this forecast", name, sensors)
    if lacking := [name for name in sensors if name not in given]:
        raise InputError(
            f"no threshold for {len(lacking)} of {len(sensors)} sensors, the first "
            f"{lacking[0]!r}; give one for each, or a single number for all"
        )
    return np.array([as_threshold(given[name]) for name in sensors], np.float32)
