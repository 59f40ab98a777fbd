"""Names for the arrays that forecasts and their truth are laid out in."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
"""Values, in the unit of the data unless it is said otherwise; NaN is missing."""
Steps: TypeAlias = NDArray[np.int64]
"""Rows of a frame, counted on beyond its last one."""
