"""Leave out sensors of a long table that add up others: lane 1, lane 2, total."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._month_names import without_accents
from citytune.readers.columns._measures import ALL
from citytune.readers.values._grid import Grid
from citytune.readers.values._readings import Readings

TOTAL = re.compile(rf"(?<![^\W_])({'|'.join(sorted(ALL))})(?![^\W_])")
"""What the name of a total says."""
MOST_PARTS = 8
"""Sensors next to a total, of which some may be its parts."""
FEWEST_STEPS, STEPS = 24, 500
"""Steps at which all were measured, from which and up to which sums are compared."""

ROUNDED, SHARE = 0.5, 0.02
"""How far a sum of rounded parts may be from the total; at most this share of its range."""


def without_sums(grid: Grid, readings: Readings, findings: Findings) -> Grid:
    """The grid without sensors that are called a total and add up others of the same place."""
    names = readings.sensors
    totals = [j for j, name in enumerate(names) if _is_called_total(name, names)]
    if readings.sensor is None or not totals or len(totals) == len(names):
        return grid
    found = [j for j in totals if _is_sum(grid.values, j, _beside(j, names, totals))]
    if not found:
        return grid
    findings.warn(
        "totals",
        f"{listed([names[j] for j in found], quoted=True)} add up other sensors",
        "they were left out, since their parts are read",
        count=len(found),
    )
    kept = [j for j in range(len(names)) if j not in found]
    readings.sensors = [names[j] for j in kept]
    if readings.places is not None:
        readings.places = readings.places[kept]
    return grid._replace(values=grid.values[:, kept])


def _is_called_total(name: str, names: Sequence[str]) -> bool:
    """Whether a sensor is called a total, or after others that it adds up: N+S next to N and S.

    >>> _is_called_total("a / N+S", ["a / N", "a / S", "a / N+S"]), _is_called_total("Yhteensä", [])
    (True, True)
    """
    place, _, last = name.rpartition(" / ")
    parts = [f"{place} / {part.strip()}".removeprefix(" / ") for part in re.split(r"[+&]", last)]
    return bool(TOTAL.search(without_accents(name))) or (len(parts) > 1 and {*parts} <= {*names})


def _beside(total: int, names: list[str], totals: list[int]) -> list[int]:
    """The sensors that may be parts of a total: those whose other words it shares."""
    parts = names[total].split(" / ")
    place = [part for part in parts if not TOTAL.search(without_accents(part))]
    if len(place) == len(parts):
        place = place[:-1]  # called after its parts
    return [
        j for j, name in enumerate(names)
        if j not in totals and set(place) <= set(name.split(" / "))
    ]  # fmt: skip


def _is_sum(values: NDArray[np.float64], total: int, others: list[int]) -> bool:
    """Whether a sensor is the sum of some others at nearly all steps."""
    if not 1 <= len(others) <= MOST_PARTS:
        return False
    table = values[:, [total, *others]]
    table = table[~np.isnan(table).any(1)][:STEPS]
    if len(table) < FEWEST_STEPS or np.ptp(table[:, 0]) == 0:
        return False
    places = range(1, table.shape[1])
    some = (list(part) for size in places for part in combinations(places, size))
    gaps = (np.abs(table[:, 0] - table[:, part].sum(1)) for part in some)
    near = 1e-3 * np.abs(table[:, 0]) + min(ROUNDED, SHARE * float(np.ptp(table[:, 0])))
    return any(bool((gap <= near).mean() > 0.98) for gap in gaps)
