"""One set of a corpus as arrays: what is sampled from during pretraining."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Source:
    """The series of one set on one clock, with the calendar of every step."""

    name: str
    """The set's name; the same set on a coarser clock keeps it."""
    domain: str
    """Such as "traffic", "energy" or "air"; domains are sampled with equal shares."""
    values: NDArray[np.float32]
    """(sensor, time), in the unit of the data; NaN is missing."""
    share: NDArray[np.float32]
    """(time,) how much of the local day has passed, 0 … 1."""
    weekday: NDArray[np.uint8]
    """(time,) Monday 0 … Sunday 6."""
    holiday: NDArray[np.bool_]
    """(time,) public holiday."""
    steps_per_day: int
    """Steps of the clock a day; 1 for a daily clock."""

    @property
    def length(self) -> int:
        """Steps."""
        return self.values.shape[1]
