"""Point out what is odd but kept: outliers, zeros, twins, silent and gappy sensors, the future."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from citytune._text import counted, duration, listed, percent
from citytune.frame import Clock
from citytune.readers.cells._findings import Findings
from citytune.readers.values._mending import Column, runs

_SPREADS_TO_OUTLIER = (
    25.0  # an outlier is this many times the spread (5 % to 95 %) away from the median,
)
_BEYOND = 10.0  # and this many times farther than the highest half percent begins

NEXT_TO = 0.005
"""Share of a sensor's high readings up to which another one is next to nothing."""


def point_out(columns: Sequence[Column], clock: Clock, findings: Findings) -> None:
    """Say what a person should look at in each sensor; nothing is changed."""
    silent = [column for column in columns if np.isnan(column.values).all()]
    if len(silent) == len(columns):
        findings.error(
            "all-missing",
            "all values are missing in every sensor",
            "check that target= names the right column and that its cells are numbers",
        )
        return
    for column in columns:
        present = np.flatnonzero(~np.isnan(column.values))
        if not len(present):
            _say_silent(column, findings)
            continue
        _look_at_life(column, present, clock, findings)
        if not _is_constant(column, column.values[present], clock, findings):
            _look_at_outliers(column, column.values[present], clock, findings)
            _look_at_zeros(column, clock, findings)
    _look_for_twins(columns, findings)
    _look_for_sums(columns, findings)
    _look_at_gaps(columns, clock, findings)
    _look_ahead(len(columns[0].values), clock, findings)


def _now() -> dt.datetime:
    """UTC, naive."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


def _say_silent(column: Column, findings: Findings) -> None:
    findings.warn(
        "silent-sensor",
        "no values at all",
        "it is kept, but without readings it cannot be forecast",
        sensor=column.name,
        count=len(column.values),
    )


def _look_at_life(
    column: Column, present: NDArray[np.int64], clock: Clock, findings: Findings
) -> None:
    """A sensor that starts late, or has died before the end."""
    length = len(column.values)
    margin = max(2, clock.steps_per_day, length // 50)
    if present[0] > margin:
        findings.warn(
            "starts-late",
            f"it starts {present[0]} steps after the table does",
            "the earlier steps are missing, so there is less to learn from",
            sensor=column.name,
            count=int(present[0]),
            first=clock.text(int(present[0])),
        )
    if (rest := length - 1 - int(present[-1])) > margin:
        findings.warn(
            "ends-early",
            f"it falls silent {rest} steps before the table ends",
            "the later steps are missing; check that the sensor still works",
            sensor=column.name,
            count=rest,
            first=clock.text(int(present[-1]) + 1),
        )


def _is_constant(
    column: Column, values: NDArray[np.float32], clock: Clock, findings: Findings
) -> bool:
    if len(values) < 2 or values.min() < values.max():
        return False
    findings.warn(
        "constant",
        f"every reading is {values[0]:g}",
        "it is kept, and its forecast will be that value; check that the sensor works",
        sensor=column.name,
        count=len(values),
        first=clock.text(int((~np.isnan(column.values)).argmax())),
    )
    return True


def _look_at_outliers(
    column: Column, values: NDArray[np.float32], clock: Clock, findings: Findings
) -> None:
    if len(values) < 50:
        return
    low, middle, high, top = np.quantile(values, (0.05, 0.5, 0.95, 0.995))
    spread = float(high - low) or float(values.std())
    reach = max(_SPREADS_TO_OUTLIER * spread, _BEYOND * float(top - middle))
    with np.errstate(invalid="ignore"):
        far = np.abs(column.values - middle) > reach
    # What is far but common is a way of life (rain, rare events), not an outlier.
    if not far.any() or not high > low or far.sum() > 0.005 * len(values):
        return
    worst = column.values[far][np.abs(column.values[far] - middle).argmax()]
    findings.warn(
        "outlier",
        f"{counted(int(far.sum()), 'implausible value')}, up to {worst:g}; readings are usually "
        "around "
        f"{middle:g} ({low:g} to {high:g})",
        "they are kept; if they are errors, name them with missing= or empty the cells",
        sensor=column.name,
        count=int(far.sum()),
        first=clock.text(int(far.argmax())),
    )


def _look_at_zeros(column: Column, clock: Clock, findings: Findings) -> None:
    """Days next to 0 from a sensor that is there for hours only: a closed road or a dead sensor."""
    if clock.steps_per_day < 2:
        return
    size = np.abs(column.values)
    if (size <= NEXT_TO * np.nanmax(size)).sum() <= clock.steps_per_day:
        return  # too few, whatever a high reading is
    near = np.where(np.isnan(size), np.nan, size <= NEXT_TO * float(np.nanquantile(size, 0.95)))
    starts, lengths = runs(near.astype(np.float32))
    zero = near[starts] == 1
    if not zero.any() or lengths[zero].max() <= clock.steps_per_day:
        return
    longest = int(lengths[zero].max())
    habit = float(np.quantile(lengths[zero], 0.9)) if zero.sum() > 3 else 1.0
    days = 1.25 if 4 * habit <= clock.steps_per_day else 3.0
    least = max(days * clock.steps_per_day, 4 * habit)
    long = zero & (lengths >= least)
    if not long.any() or (near == 0).sum() < lengths[long].sum():
        return
    exact = bool((column.values[near == 1] == 0).all())
    findings.warn(
        "long-zeros",
        f"it reads {'' if exact else 'next to '}0 for up to {longest} steps in a row",
        "they are kept; if the sensor was off, empty these cells",
        sensor=column.name,
        count=int(lengths[long].sum()),
        first=clock.text(int(starts[long][0])),
    )


def _look_for_twins(columns: Sequence[Column], findings: Findings) -> None:
    twins: dict[bytes, list[str]] = {}
    for column in columns:
        present = column.values[~np.isnan(column.values)]
        if len(present) > 1 and present.min() < present.max():
            digest = hashlib.sha256(np.nan_to_num(column.values, nan=-3.4e38).tobytes()).digest()
            twins.setdefault(digest, []).append(column.name)
    for first, *others in (names for names in twins.values() if len(names) > 1):
        findings.warn(
            "duplicate-sensors",
            f"its readings are identical to those of {listed(others, quoted=True)}",
            "all are kept; check whether one is a copy",
            sensor=first,
            count=len(others) + 1,
        )


def _look_for_sums(columns: Sequence[Column], findings: Findings) -> None:
    """A sensor that adds up all others counts everything twice."""
    if not 3 <= len(columns) <= 500:
        return
    table = np.stack([column.values for column in columns], 1).astype(np.float64)
    table = table[~np.isnan(table).any(1)]
    if len(table) < 50:
        return
    total = table.sum(1)
    for column, values in zip(columns, table.T, strict=True):
        gap = np.abs(2 * values - total)
        if values.max() > 0 and (gap <= 1e-3 * np.abs(total) + 1e-6).mean() > 0.98:
            findings.warn(
                "sum-of-others",
                f"its readings are the sum of the other {len(columns) - 1} sensors",
                "it is kept; pass target= without it if it is not to count twice",
                sensor=column.name,
            )


def _look_at_gaps(columns: Sequence[Column], clock: Clock, findings: Findings) -> None:
    missing = np.array([np.isnan(column.values).sum() for column in columns])
    if not missing.any():
        return
    length = len(columns[0].values)
    worst = int(missing.argmax())
    first = min(int(np.isnan(c.values).argmax()) for c in columns if np.isnan(c.values).any())
    findings.note(
        "gaps",
        f"{percent(missing.sum() / (length * len(columns)))} of all values are missing, most of "
        "them in "
        f"{columns[worst].name!r} ({percent(missing[worst] / length)})"
        f"{_longest_gap(columns, clock)}",
        "they stay missing and are never counted as measurements",
        count=int(missing.sum()),
        first=clock.text(first),
    )


def _longest_gap(columns: Sequence[Column], clock: Clock) -> str:
    """The longest gap between readings, if it is long; empty otherwise."""
    longest, since, name = 0, 0, ""
    for column in columns:
        present = np.flatnonzero(~np.isnan(column.values))
        gaps = np.diff(present) - 1
        if len(gaps) and gaps.max() > longest:
            at = int(gaps.argmax())
            longest, since, name = int(gaps[at]), int(present[at]) + 1, column.name
    least = min(max(2 * clock.steps_per_day, 3), max(len(columns[0].values) // 10, 1))
    if longest < least:
        return ""
    span = duration(longest * clock.step)
    return f"; the longest gap is in {name!r}, {span} from {clock.text(since)}"


def _look_ahead(length: int, clock: Clock, findings: Findings) -> None:
    """Readings that cannot have been made yet, in any time zone."""
    now = _now()
    first = max(0, clock.index(now + dt.timedelta(days=1)) + 1)
    if first >= length:
        return
    findings.warn(
        "future-readings",
        f"there are readings until {clock.text(length - 1)}, and it is {now:%Y-%m-%d %H:%M} (UTC)",
        "they are kept; check the year, the order of day and month, and the time zone; what is "
        "known ahead is no reading: name it with covariates=",
        count=length - first,
        first=clock.text(first),
    )
