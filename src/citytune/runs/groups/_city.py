"""What is known ahead for a whole city, put together from what its groups have of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError
from citytune.frame import SensorFrame

ALIKE = 1e-4
"""Relative difference up to which two values are one and the same, as when all is read at once."""


class City:
    """Covariates on the clock of all, where any group has them; those of each sensor are refused.

    Args:
        rows: Of the readings.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.tables: dict[str, NDArray[np.float32]] = {}
        """name → (time or longer, 1)"""

    def add(self, frame: SensorFrame, row: int = 0) -> None:
        """Take in what a frame knows, whose first row is row `row` of all.

        Raises:
            InputError: it is another value than is known already, or one for each sensor.
        """
        refuse_own(frame.covariates)
        for name, table in frame.covariates.items():
            self._put(name, table[max(0, -row) :], max(row, 0), frame)

    def _put(self, name: str, part: NDArray[np.float32], row: int, frame: SensorFrame) -> None:
        before = self.tables.get(name, np.full((self.rows, 1), np.nan, np.float32))
        longer = max(0, row + len(part) - len(before))
        before = np.pad(before, ((0, longer), (0, 0)), constant_values=np.nan)
        there = before[row : row + len(part)]
        with np.errstate(invalid="ignore"):
            other = np.abs(part - there) > ALIKE * (1 + np.abs(there))
        if other.any():
            at = int(other[:, 0].argmax())
            when = frame.clock.text(at + len(frame.covariates[name]) - len(part))
            raise _one_for_each(name, f"is {there[at, 0]:g} and {part[at, 0]:g} at {when}")
        np.copyto(there, part, where=np.isnan(there))
        self.tables[name] = before


def refuse_own(covariates: Mapping[str, NDArray[np.float32]]) -> None:
    """Refuse covariates that are others for each sensor.

    Raises:
        InputError: there is one.
    """
    for name, table in covariates.items():
        if table.shape[1] > 1:
            raise _one_for_each(name, "has values of its own for each sensor")


def _one_for_each(name: str, why: str) -> InputError:
    return InputError(
        f"covariate {name!r} {why}; by groups of sensors, what is known ahead is that of the whole "
        "city: give a second file with one value for each time by covariates=, or take all sensors "
        "at once, without engine="
    )
