"""Columns that say the same in two units: power and energy of an interval, km/h and mph."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from citytune._text import listed
from citytune.readers.cells._columns import Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._units import unit_in
from citytune.readers.cells._vocabulary import family
from citytune.readers.columns._folded import number_of

MOST_MULTIPLES, ROWS_FOR_MULTIPLES = 8, 2_000
"""Columns up to which they are compared, and rows by which they are."""
RATIO_TOLERANCE = 3e-3
"""Part by which a ratio may be off, and part of the spread that rounding may leave."""
_RATIOS = np.array([1.609344, 1.94384, 2.23694, 3.28084, 3.6, 3.412, 4, 6, 12, 24, 60, 1000,
                    3600])  # fmt: skip
"""Between units of one quantity, and of a power and the energy of 5, 10 or 15 minutes."""
FAHRENHEIT = (1.8, 32.0)
"""Ratio to °C, and what is added."""


def refuse_multiples(
    table: SourceTable, chosen: Sequence[str], columns: Columns, findings: Findings
) -> bool:
    """Whether two of few columns of names of their own are one in two units; that is refused."""
    live = [n for n in chosen
            if columns.kind(n) == "number" and not columns.by_name[n].constant]  # fmt: skip
    if not 2 <= len(live) <= MOST_MULTIPLES or len({family(n) or n for n in live}) < len(live):
        return False
    rows = table.rows.head(ROWS_FOR_MULTIPLES).select(number_of(table, n) for n in live).collect()
    for one, other in combinations(live, 2):
        if (unit := unit_in(one)) is not None and unit == unit_in(other):
            continue
        pair = rows.select(one, other).drop_nulls().to_numpy()
        pair = pair[np.isfinite(pair).all(1)]
        if len(pair) > 48 and _is_multiple(pair):
            findings.error(
                "which-target",
                f"{listed([one, other], quoted=True)} seem to be the same in two units",
                "name one with " + " or ".join(f"target={name!r}" for name in live),
                count=2,
            )
            return True
    return False


def _is_multiple(pair: NDArray[np.float64]) -> bool:
    low, high = sorted((pair[:, 0], pair[:, 1]), key=lambda cells: float(cells.std()))
    if not low.std() or len(np.unique(low)) < 12:
        return False
    slope, start = np.polyfit(low, high, 1)
    if (high - slope * low - start).std() >= RATIO_TOLERANCE * high.std():
        return False
    if abs(slope / FAHRENHEIT[0] - 1) <= RATIO_TOLERANCE:
        return bool(abs(start - FAHRENHEIT[1]) < 1)
    near = np.abs(slope / _RATIOS - 1).min() <= RATIO_TOLERANCE
    return bool(near and abs(start) <= 10 * RATIO_TOLERANCE * high.std())
