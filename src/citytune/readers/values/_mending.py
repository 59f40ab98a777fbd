"""Take values as missing that no sensor can have measured: markers, illegal and stuck ones.

What is only odd stays as it is (see `_oddities`): a value is set to missing only if it is outside
the quantity's legal range, a known marker far from everything else, or part of a stuck run.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune.frame import Clock, Quantity, SensorFrame
from citytune.readers.cells._findings import Findings
from citytune.readers.values._quantities import settle_range

_STRONG = np.array([-999, -9999, -99999, 99999, -999.9, -99.99, -99.9, -9999.9, 999999], np.float32)
"""Markers that nobody measures; one of them far from the rest is enough."""
_WEAK = np.array(
    [-1, -9, -99, -200, 999, 9999, 6999, 7999, 32767, 65535, -32768, 999.9, 9999.9], np.float32
)
"""Markers that may also be readings; they must repeat."""
_REPEATS = 3


class Column(NamedTuple):
    """One sensor's readings, contiguous and writable."""

    name: str
    values: NDArray[np.float32]  # (time,)


def refuse_infinite(columns: Sequence[Column], clock: Clock, findings: Findings) -> None:
    """Add an error for every sensor with infinite values."""
    for column in columns:
        if (wrong := np.isinf(column.values)).any():
            findings.error(
                "infinite",
                f"{_count(wrong, 'infinite value')}",
                "perhaps a division by zero in the export; correct them, or leave the cells empty",
                sensor=column.name,
                count=int(wrong.sum()),
                first=clock.text(int(wrong.argmax())),
            )


def mend(
    columns: Sequence[Column],
    clock: Clock,
    quantity: Quantity,
    findings: Findings,
) -> None:
    """Set impossible values of every sensor to NaN, and say which and why."""
    for column in columns:
        _drop_markers(column, quantity, clock, findings)
        _drop_illegal(column, quantity, clock, findings)
        _drop_stuck(column, clock, findings)


def mended(frame: SensorFrame, sensors: Collection[str]) -> SensorFrame:
    """A frame in which what cannot have been measured is missing, as if a file had brought it.

    Args:
        frame: Into which values were put that no reader has seen. It stays as it is.
        sensors: Those whose values they are.

    Returns:
        The same without markers and illegal values, with a fault for each kind and sensor. Values
        that repeat stay, as a watch tells of them.
    """
    findings = Findings(frame.source)
    values = frame.values.copy()
    quantity = settle_range(frame.quantity, values)
    for i, name in enumerate(frame.sensors):
        if name in sensors:
            column = Column(name, np.ascontiguousarray(values[:, i]))
            _drop_markers(column, quantity, frame.clock, findings)
            _drop_illegal(column, quantity, frame.clock, findings)
            values[:, i] = column.values
    faults = (*frame.faults, *findings.faults)
    return replace(frame, values=values, quantity=quantity, faults=faults)


def mend_covariate(
    column: Column, missing: Sequence[float], clock: Clock, findings: Findings
) -> None:
    """Set the markers in what is known ahead to NaN; refuse infinite values."""
    refuse_infinite([column], clock, findings)
    _drop_told(column, missing, clock, findings)
    _drop_markers(column, Quantity(), clock, findings)


def drop_told(
    columns: Sequence[Column], missing: Sequence[float], clock: Clock, findings: Findings
) -> None:
    """Set the values the person calls missing to NaN."""
    for column in columns:
        _drop_told(column, missing, clock, findings)


def runs(values: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First index and length of each run of equal values; every NaN is a run of its own.

    >>> runs(np.float32([1, 1, 2, np.nan, np.nan, 3]))
    (array([0, 2, 3, 4, 5]), array([2, 1, 1, 1, 1]))
    """
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    return starts, np.diff(np.r_[starts, len(values)])


def _drop_told(column: Column, missing: Sequence[float], clock: Clock, findings: Findings) -> None:
    for value in missing:
        if (told := column.values == np.float32(value)).any():
            findings.note(
                "told-missing",
                f"{_count(told, 'value')} of {value:g}",
                "treated as missing, as requested",
                **_where(column, told, clock),  # type: ignore[arg-type]
            )
            column.values[told] = np.nan


def _drop_markers(column: Column, quantity: Quantity, clock: Clock, findings: Findings) -> None:
    values = column.values
    candidates = np.isin(values, np.r_[_STRONG, _WEAK])
    if not candidates.any():
        return
    rest = values[~candidates & ~np.isnan(values)]
    noise = bool(len(rest)) and rest.min() < 0  # then -1 may be noise around zero as well
    for value in np.unique(values[candidates]):
        found = values == value
        weak = not np.isin(value, _STRONG)
        enough = not weak or (found.sum() >= _REPEATS and not (noise and -10 < value < 0))
        if enough and len(rest) and _stands_apart(float(value), rest, quantity):
            findings.warn(
                "sentinel",
                f"{_count(found, 'value')} of {value:g}, which many loggers write for 'no data'",
                f"treated as missing; add missing={value:g} to confirm",
                **_where(column, found, clock),  # type: ignore[arg-type]
            )
            values[found] = np.nan


def _stands_apart(value: float, rest: NDArray[np.float32], quantity: Quantity) -> bool:
    """Illegal for the quantity, or farther from the other readings than they reach themselves."""
    if quantity.low is not None and value < quantity.low:
        return True
    if quantity.high is not None and value > quantity.high:
        return True
    low, high = np.quantile(rest, (0.0005, 0.9995))
    if max(value - high, low - value) > max(high - low, 1e-6):
        return True
    # A negative marker among readings that are never negative, and not tiny fractions.
    return bool(value < 0 <= low and value == round(value) and high > 10)


def _drop_illegal(column: Column, quantity: Quantity, clock: Clock, findings: Findings) -> None:
    with np.errstate(invalid="ignore"):
        below = column.values < (-np.inf if quantity.low is None else quantity.low)
        above = column.values > (np.inf if quantity.high is None else quantity.high)
    if below.any():
        lowest = float(column.values[below].min())
        what = "negative value" if quantity.low == 0 else f"value below {quantity.low:g}"
        findings.warn(
            "negative" if quantity.low == 0 else "below-range",
            f"{_count(below, what)}, down to {lowest:g}, which {quantity.name} cannot have",
            "treated as missing; correct them if they mean something",
            **_where(column, below, clock),  # type: ignore[arg-type]
        )
        column.values[below] = np.nan
    if above.any():
        highest = float(column.values[above].max())
        findings.warn(
            "above-range",
            f"{_count(above, f'value above {quantity.high:g}')}, up to {highest:g}, which "
            f"{quantity.name} cannot have",
            "treated as missing; correct them if they mean something",
            **_where(column, above, clock),  # type: ignore[arg-type]
        )
        column.values[above] = np.nan


def _drop_stuck(column: Column, clock: Clock, findings: Findings) -> None:
    """Over a day of one nonzero value, from a sensor that else changes all the time, is no reading.

    Only sensors whose ordinary runs are short are judged: slow whole-number quantities and nights
    of zeros are left alone.
    """
    starts, lengths = runs(column.values)
    firsts = column.values[starts]
    real = ~np.isnan(firsts) & (firsts != 0)
    if real.sum() < 50 or lengths[real].max() <= clock.steps_per_day:
        return
    habit = float(np.quantile(lengths[real], 0.99))
    least = max(clock.steps_per_day + 1, 12, 6 * habit)
    lively = np.quantile(lengths[real], 0.75) <= 2
    stuck = real & (lengths >= least)
    if not stuck.any() or not lively:
        return
    # A long run at the least the sensor ever shows is its floor (a detection limit), not a jam.
    stuck &= firsts > np.nanquantile(column.values, 0.02)
    for start, length in zip(starts[stuck], lengths[stuck], strict=True):
        value = column.values[start]
        findings.warn(
            "stuck",
            f"it reads {value:g} for {length} steps in a row, although it normally changes "
            + (f"at least every {round(habit)} steps" if habit >= 1.5 else "at every step"),
            "these readings are treated as missing; have the sensor checked",
            sensor=column.name,
            count=int(length),
            first=clock.text(int(start)),
        )
        column.values[start : start + length] = np.nan


def _count(mask: NDArray[np.bool_], what: str) -> str:
    count = int(mask.sum())
    return f"{count} {what}" if count == 1 else f"{count} {what.replace('value', 'values', 1)}"


def _where(column: Column, mask: NDArray[np.bool_], clock: Clock) -> dict[str, object]:
    return {
        "sensor": column.name,
        "count": int(mask.sum()),
        "first": clock.text(int(mask.argmax())),
    }
