"""Thresholds of a forecast: one for all sensors, or each sensor's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError, UnknownName


def thresholds_of(
    given: float | Mapping[str, float], sensors: Sequence[str]
) -> NDArray[np.float32]:
    """One number (), or one a sensor (sensor,), in the unit of the forecast."""
    if not isinstance(given, Mapping):
        return _number(given)
    for name in given:
        if name not in sensors:
            raise UnknownName("sensor of this forecast", name, sensors)
    if lacking := [name for name in sensors if name not in given]:
        raise InputError(
            f"no threshold for {len(lacking)} of {len(sensors)} sensors, the first "
            f"{lacking[0]!r}; give one for each, or a single number for all"
        )
    return np.array([_number(given[name]) for name in sensors], np.float32)


def _number(threshold: object) -> NDArray[np.float32]:
    try:
        found = np.float32(threshold)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = np.float32(np.nan)
    if np.ndim(found) or np.isnan(found):
        raise InputError(
            f"a threshold is a number in the unit of the forecast, or a mapping from sensor to "
            f"number; got {threshold!r}"
        )
    return np.asarray(found, np.float32)
