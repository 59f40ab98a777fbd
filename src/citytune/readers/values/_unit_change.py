"""Find the moment from which readings are written in another unit: all of them × 1,000."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from citytune._text import counted, listed
from citytune.frame import Clock
from citytune.readers.cells._findings import Findings
from citytune.readers.values._mending import Column

BLOCKS_OF_A_SERIES = 64
"""Parts of a series between which a change is looked for."""
FEWEST_BESIDE_CHANGE = 24
"""Readings on either side of a change."""
THOUSANDS = (3.0, 6.0)
"""Powers of ten between W, kW and MW, or µg and mg."""
SHARE_NEXT_TO = 32
"""Share of the readings, one over this, that lie next to a change on either side."""
NEAR_A_POWER = 0.13
"""How near to such a power the change of the level must be, in powers of ten."""


def settle_units(columns: Sequence[Column], clock: Clock, findings: Findings) -> bool:
    """Refuse a table whose unit changes; of single sensors the shorter part becomes missing.

    Returns:
        Whether the table can be used.
    """
    found = {i: change for i, one in enumerate(columns) if (change := change_of_unit(one.values))}
    if not found:
        return True
    if len(found) >= len(columns) / 2:
        at, power = found[min(found)]
        names = [columns[i].name for i in found]
        whose = "all sensors" if len(found) == len(columns) else listed(names, 3, quoted=True)
        findings.error(
            "unit-change",
            f"the readings of {whose} are {_told(at, power, clock)}",
            "convert one part, or read the parts one by one with unit=",
            count=len(found),
        )
        return False
    for i, (at, power) in found.items():
        values = columns[i].values
        part = slice(0, at) if at < len(values) / 2 else slice(at, None)
        count = int((~np.isnan(values[part])).sum())
        values[part] = np.nan
        findings.warn(
            "unit-change",
            f"its readings are {_told(at, power, clock)}",
            f"the shorter part ({counted(count, 'reading')}) is treated as missing; convert it",
            sensor=columns[i].name, count=count, first=clock.text(at),
        )  # fmt: skip
    return True


def _told(at: int, power: int, clock: Clock) -> str:
    more = "larger" if power > 0 else "smaller"
    return (
        f"about {10 ** abs(power):,} times {more} from {clock.text(at)} on, as when another unit "
        "is written"
    )


def change_of_unit(values: NDArray[np.float32]) -> tuple[int, int] | None:
    """The step from which readings are 10^3 or 10^6 times others, and the signed power.

    The level must change once and for good, and the readings vary alike, in proportion, on both
    sides: a building that closes does not.

    >>> load = (100 + 30 * np.sin(np.arange(480) / 4)).astype(np.float32)
    >>> change_of_unit(np.r_[load[:300], 1000 * load[300:]]), change_of_unit(load)
    ((300, 3), None)
    """
    there = np.flatnonzero(np.isfinite(values) & (values != 0))
    if len(there) < 2 * FEWEST_BESIDE_CHANGE:
        return None
    some = np.abs(values[there])
    if some.max() < 10 ** (THOUSANDS[0] - NEAR_A_POWER) * some.min():
        return None
    size = np.log10(np.abs(values[there].astype(np.float64)))
    blocks = min(BLOCKS_OF_A_SERIES, len(size) // 4)
    edges = np.linspace(0, len(size), blocks + 1).astype(int)[:-1]
    levels = np.array([np.median(part) for part in np.split(size, edges[1:])])
    if np.ptp(levels) < THOUSANDS[0] - NEAR_A_POWER:
        return None
    middle = (levels.max() + levels.min()) / 2
    near = int(edges[min(range(1, blocks), key=lambda i: _misplaced(levels > middle, i))])
    low, high = max(near - len(size) // blocks - 1, 0), near + len(size) // blocks + 1
    cut = min(range(low, min(high, len(size))), key=lambda i: _misplaced(size > middle, i))
    return _judged(size, cut, int(there[cut]))


def _misplaced(high: NDArray[np.bool_], cut: int) -> int:
    """Readings on the wrong side if the level changes at a place."""
    wrong = int(high[:cut].sum() + (~high[cut:]).sum())
    return min(wrong, len(high) - wrong)


def _judged(size: NDArray[np.float64], cut: int, at: int) -> tuple[int, int] | None:
    """The change between the readings next to it, as a season changes the level as well."""
    next_to = max(FEWEST_BESIDE_CHANGE, len(size) // SHARE_NEXT_TO)
    before, after = size[:cut], size[cut:]
    if min(len(before), len(after)) < FEWEST_BESIDE_CHANGE:
        return None
    apart = max(before.min(), after.min()) > min(before.max(), after.max())
    for width in (next_to, 7 * next_to):  # where the change is at a weekend, only weeks are alike
        if apart and (power := _power(before[-width:], after[:width])):
            return at, power
    return None


def _power(before: NDArray[np.float64], after: NDArray[np.float64]) -> int | None:
    """The signed power of ten between two stretches that vary alike, in proportion."""
    change = float(np.median(after) - np.median(before))
    power = next((p for p in THOUSANDS if abs(abs(change) - p) <= NEAR_A_POWER), None)
    spreads = [float(np.subtract(*np.quantile(part, (0.9, 0.1)))) for part in (before, after)]
    if power is None or max(spreads) > 2 * min(spreads) + 0.05:
        return None
    return int(np.sign(change) * power)
