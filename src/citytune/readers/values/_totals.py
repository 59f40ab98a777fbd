"""Recognise meter totals, which only rise, and take what was added from one step to the next."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._units import ENERGY, VOLUME, unit_in
from citytune.readers.cells._vocabulary import tokens
from citytune.readers.values._grid import Grid

FEWEST_READINGS, FEWEST_HOURLY_READINGS = 100, 48
"""Readings from which a rise throughout is no chance, and those at steps of an hour or more."""
FEWEST_RISES = 20
COUNTED = ENERGY | VOLUME
"""Units of what meters count."""
FEWEST_TOLD = 24
"""Readings of what is called a total."""
_METER = re.compile(
    r"(^|_)(cumulative|kumul\w*|cumul\w*|accumulated|zahlerst\w*|zaehlerst\w*|meterst\w*|"
    r"meter_readings?|odometer|lifetime|stan_licznika|mittarilukema)(_|$)"
)
"""Names of what a meter counts since it was installed."""
_TOTAL = frozenset(["total", "totals", "totale", "gesamt", "counter", "index"])
_ENERGIES = frozenset(["energy", "energie", "energia", "import", "export", "meter"])
MOST_RESETS = 0.005
"""Share of steps at which a total may fall: it was set back, rolled over or replaced."""
MOST_ROUNDS = 0.05
"""Share of steps at which a counter of 16 bits may roll over."""
RISE_OF_ANOTHER_METER = 50.0
"""A rise of so many times the usual large one comes from another meter."""
ROLLS_OVER_AT = (1 << 16, 1 << 24, 1 << 32, *(10**k for k in range(3, 13)))
"""Where meters roll over to 0."""


def without_totals(
    grid: Grid, sensors: Sequence[str], called: Sequence[str], ends: bool, findings: Findings
) -> Grid:
    """The grid with each meter total as what was added within each step.

    Args:
        grid: Values, (time, sensor), as exact as they were written.
        sensors: Their names.
        called: What the columns of the readings are called, with their units.
        ends: Whether a time is the end of an interval: then a step's total was read at its end.
        findings: Told which sensors were totals.
    """
    days = grid.clock.local(0, len(grid.values)).astype("datetime64[D]").astype(np.int64)
    if grid.clock.steps_per_day > 1:
        grid = _without_daily(grid, days, sensors, findings)
    fewest = FEWEST_READINGS if grid.clock.steps_per_day > 24 else FEWEST_HOURLY_READINGS
    columns = list(grid.values.T)
    day = max(FEWEST_TOLD, min(grid.clock.steps_per_day, fewest))
    totals = [
        j
        for j, names in enumerate(_names_of(sensors, called))
        if is_total(columns[j], fewest, told=any(unit_in(name) in COUNTED for name in names))
        or (any(map(_says_total, names)) and is_total(columns[j], day, told=True))
    ]
    even = [j for j, one in enumerate(columns) if j not in totals and _rises_evenly(one, fewest)]
    _doubt_even([sensors[j] for j in even], findings)
    if not totals:
        return grid
    values = grid.values.copy()
    broken = 0
    for j in totals:
        values[:, j], unknown = _added(grid.values[:, j], ends)
        broken += unknown
    names = [sensors[j] for j in totals]
    beside = f"; {broken} resets or changes of a meter are missing" if broken else ""
    findings.warn(
        "meter-totals",
        f"{listed(names, quoted=True)} only rise, as the total of a meter does",
        f"what was added in each step was taken{beside}; pass the differences if this is wrong",
        count=len(totals),
    )
    if len(totals) < len(sensors):
        rest = [name for j, name in enumerate(sensors) if j not in totals]
        findings.warn(
            "mixed-totals",
            f"{listed(rest, 3, quoted=True)} are no totals of a meter, unlike "
            f"{listed(names, 3, quoted=True)}",
            "are they of one kind? If not, pass target= with one kind",
            count=len(totals),
        )
    return grid._replace(values=values)


def _without_daily(
    grid: Grid, days: NDArray[np.int64], sensors: Sequence[str], findings: Findings
) -> Grid:
    """Each total since midnight, such as "energy today", as what was added within each step."""
    daily = [j for j in range(grid.values.shape[1]) if is_daily(grid.values[:, j], days)]
    if not daily:
        return grid
    values = grid.values.copy()
    for j in daily:
        values[:, j] = _since_midnight(grid.values[:, j], days)
    findings.warn(
        "daily-totals",
        f"{listed([sensors[j] for j in daily], quoted=True)} only rise from midnight to midnight, "
        "as a total of the day does",
        "what was added in each step was taken; pass the differences if this is wrong",
        count=len(daily),
    )
    return grid._replace(values=values)


def is_daily(column: NDArray[np.floating], days: NDArray[np.int64]) -> bool:
    """Whether readings rise within each day by different amounts, and begin anew on nearly all.

    >>> hours = np.arange(24 * 10)
    >>> is_daily(np.sqrt(hours % 24), hours // 24), is_daily(np.sqrt(hours), hours // 24)
    (True, False)
    """
    there = np.flatnonzero(np.isfinite(column))
    present, day = column[there], days[there]
    if len(present) < FEWEST_READINGS // 2 or present.min() < 0:
        return False
    added, new = np.diff(present), np.diff(day) > 0
    back = np.flatnonzero(added < 0)
    near = new.copy()  # a clock that is a step off resets just before or after midnight
    near[1:] |= new[:-1]
    near[:-1] |= new[1:]
    if new.sum() < 3 or len(back) < 0.8 * new.sum() or not near[back].all():
        return False
    within = added[~near]
    if (
        not len(within)
        or not (within > 0).mean() > 0.2
        or np.ptp(within) <= 1e-6 * np.abs(within).max()
    ):
        return False
    # After midnight a total holds no more than what one step adds; a mere daily rhythm does.
    usual = float(np.quantile(within, 0.99))
    fresh = (present[back + 1] < 0.5 * present[back]) & (present[back + 1] <= 3 * usual)
    return bool(fresh.mean() > 0.9)


def _since_midnight(total: NDArray[np.floating], days: NDArray[np.int64]) -> NDArray[np.floating]:
    """What was added up to each reading since the one before, or since the day began."""
    before = np.r_[np.nan, total[:-1]]
    fresh = np.r_[True, np.diff(days) > 0]
    with np.errstate(invalid="ignore"):
        added = total - before
        reset = added < 0
        usual = float(np.nanquantile(added[~reset & ~fresh], 0.99))
        small = total <= 3 * usual
    # On a new day a total that did not fall may have begun anew all the same.
    doubtful = fresh & ~reset & small & (before > 0)
    return np.where(reset, np.where(small, total, np.nan), np.where(doubtful, np.nan, added))


def _names_of(sensors: Sequence[str], called: Sequence[str]) -> list[list[str]]:
    """The name of each sensor, and that of its column."""
    shared = [*called] * (len(called) == 1)
    return [
        [sensor, *shared, *(name for name in called if name.startswith(f"{sensor} ["))]
        for sensor in sensors
    ]


def _says_total(name: str) -> bool:
    """Whether a name says that it is what a meter counts.

    >>> _says_total("sensor.energy_total"), _says_total("Zählerstand"), _says_total("Total load")
    (True, True, False)
    """
    words = {*tokens(name)}
    energy = bool(words & _ENERGIES) or unit_in(name) in COUNTED
    return bool(_METER.search("_".join(tokens(name)))) or (energy and bool(words & _TOTAL))


def _doubt_even(names: Sequence[str], findings: Findings) -> None:
    """Warn of what only rises and is not called a total: a straight line may be anything."""
    if names:
        findings.warn(
            "rises-evenly",
            f"{listed(names, 3, quoted=True)} only rise{'s' if len(names) == 1 else ''}, by the "
            "same amount each time, as the total of a meter or the number of a row does",
            "read as written; pass unit='kWh' or unit='m³' if it is the total of a meter in that "
            "unit, the differences if it counts something else, or another column with target=",
            count=len(names),
        )


def _rises_evenly(column: NDArray[np.floating], fewest: int) -> bool:
    """Whether readings never fall, and rise by one amount over and over.

    >>> _rises_evenly(np.arange(500.0), 48), _rises_evenly(np.arange(500.0) ** 2, 48)
    (True, False)
    """
    present = column[np.isfinite(column)]
    if bool((np.diff(present[:200]) < 0).any()):
        return False
    added = np.diff(present)
    rises = added[added > 0]
    if len(added) < fewest or len(rises) < FEWEST_RISES:
        return False
    return bool((added >= 0).all() and np.ptp(rises) <= 1e-3 * np.median(rises))


def is_total(
    column: NDArray[np.floating], fewest: int = FEWEST_READINGS, *, told: bool = False
) -> bool:
    """Whether readings only rise, but for a few resets, and by different amounts.

    What is `told` to be a total may rise evenly.

    >>> rises = np.random.default_rng(0).gamma(2.0, size=500)
    >>> is_total(rises.cumsum()), is_total(rises), is_total(np.arange(500.0))
    (True, False, False)
    >>> is_total(np.arange(30.0), 24, told=True)
    True
    """
    present = column[np.isfinite(column)]
    if len(present) < fewest or (np.diff(present[:200]) < 0).sum() > 4:
        return False
    added = np.diff(present)
    falls = np.flatnonzero(added < 0)
    if len(falls) > max(1.0, MOST_RESETS * len(added)):
        falls = _not_around(present, added, falls)
    if len(falls) > max(1.0, MOST_RESETS * len(added)):
        return False
    if len(falls) and not (present[falls + 1] < 0.5 * present[falls]).all():
        return False
    rises = added[added > 0]
    if len(rises) < min(FEWEST_RISES, fewest // 2) or present.min() < 0:
        return False
    return told or (
        bool(rises.max() > 1.0001 * np.median(rises)) and len(np.unique(present)) > len(rises) / 2
    )


def _not_around(
    present: NDArray[np.floating], added: NDArray[np.floating], falls: NDArray[np.intp]
) -> NDArray[np.intp]:
    """The falls that are no roll-over of a counter of few digits; all where there are too many."""
    if len(falls) > MOST_ROUNDS * len(added):
        return falls
    usual = float(np.quantile(added[added >= 0], 0.99))
    ends = ((float(present[i]), float(present[i + 1])) for i in falls)
    return falls[[bool(np.isnan(_around(*one, usual))) for one in ends]]


def _added(total: NDArray[np.floating], ends: bool) -> tuple[NDArray[np.floating], int]:
    """What was added in each step, NaN where nobody knows; and how many resets there were."""
    added = np.diff(total)
    with np.errstate(invalid="ignore"):
        usual = float(np.nanquantile(added[added >= 0], 0.99))
        falls = np.flatnonzero(added < 0)
        jumps = (
            np.flatnonzero(added > max(RISE_OF_ANOTHER_METER * usual, 0.0))
            if usual > 0
            else falls[:0]
        )
    unknown = 0
    for i in falls:
        around = _around(float(total[i]), float(total[i + 1]), usual)
        added[i] = around
        unknown += bool(np.isnan(around))
    if len(jumps) <= max(3, 0.002 * len(added)):
        added[jumps] = np.nan
        unknown += len(jumps)
    return (np.r_[np.nan, added] if ends else np.r_[added, np.nan]), unknown


def _around(before: float, after: float, usual: float) -> float:
    """What was added while a meter rolled over to 0; NaN if it was reset or replaced."""
    for span in ROLLS_OVER_AT:
        added = after + span - before
        if before <= span and 0 <= added <= max(3 * usual, 1.0):
            return added
    return float("nan")
