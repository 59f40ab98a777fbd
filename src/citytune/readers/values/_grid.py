"""Lay readings out on a regular grid (time, sensor); what falls into one cell twice is told."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from citytune.frame import Clock
from citytune.readers.cells._findings import Findings
from citytune.readers.values._clock import RegularStep
from citytune.readers.values._readings import Readings

_MOST_CELLS = 1_500_000_000  # 12 GB


MOST_CONTRADICTING = 0.01
"""Share of readings that may contradict another one; in every table that was read wrongly it was
over one half, in every harmless one at most a thousandth."""
MOST_BETWEEN_FILES = 0.0005
"""The same for files that are read together: two versions of a day are not mixed."""
FEWEST_FILLED = 0.03
"""Share of steps that must hold a reading of any sensor."""
LARGEST_GAP = 0.5
"""Share of the whole span that a gap may take before the few rows beyond it are called mistyped."""


class Grid(NamedTuple):
    """A table on its clock."""

    values: NDArray[np.float64]  # (time, sensor), NaN is missing
    clock: Clock
    rows: NDArray[np.int64]  # (row,) the step of each row of the source  # fmt: skip
    written: NDArray[np.bool_]  # (time,) whether the source has this moment at all  # fmt: skip


class _Cells(NamedTuple):
    """Readings by the cell of the flattened grid they belong to; none is missing."""

    cell: NDArray[np.int64]
    value: NDArray[np.float64]
    time: NDArray[np.int64]


def lay_out(readings: Readings, regular: RegularStep, zone: str | None, findings: Findings) -> Grid:
    """Place every reading on the clock; twice-filled cells get the mean and a finding."""
    steps = regular.steps(readings.time)
    first, last = int(steps.min()), int(steps.max())
    rows = steps - first
    length, width = last - first + 1, len(readings.sensors)
    start = dt.datetime.fromtimestamp(first * regular.step + regular.phase, dt.UTC)
    clock = Clock(start.replace(tzinfo=None), dt.timedelta(seconds=regular.step), zone)
    written = np.zeros(length, bool) if length <= _MOST_CELLS else np.zeros(0, bool)
    if length <= _MOST_CELLS:
        written[rows] = True
    _refuse_far_apart(length, width, written, clock, findings)
    _refuse_lonely(written, rows, clock, findings)
    values = np.full((length, width), np.nan)
    twice = (
        _fill_long(values, rows, readings)
        if readings.sensor is not None
        else _fill_wide(values, rows, readings)
    )
    if twice is not None:
        _merge(values, twice, clock, readings, findings)
    return Grid(values, clock, rows, written)


def spread(
    column: NDArray[np.floating], rows: NDArray[np.int64], length: int
) -> NDArray[np.float32]:
    """One column of a source on the grid's time axis, (time,): the mean of a step's rows."""
    present = ~np.isnan(column)
    total = np.bincount(rows[present], column[present], length)
    count = np.bincount(rows[present], minlength=length)
    with np.errstate(invalid="ignore"):
        return (total / np.where(count, count, np.nan)).astype(np.float32)


def _refuse_far_apart(
    length: int, width: int, written: NDArray[np.bool_], clock: Clock, findings: Findings
) -> None:
    sparse = length > 200_000 and (not len(written) or written.mean() < 0.02)
    if length * width > _MOST_CELLS or sparse:
        findings.fail(
            "times-far-apart",
            f"the times reach from {clock.text(0)} to {clock.text(length - 1)}: {length:,} steps "
            f"of {clock.freq} for {width:,} sensors, hardly any of them filled",
            "check the first and last time for a typing error; otherwise use a shorter period",
        )


def refuse_sparse(values: NDArray[np.float64], clock: Clock, findings: Findings) -> None:
    """A few readings here and there are no series: a day a year, a survey, events."""
    share = float((~np.isnan(values)).any(1).mean()) if len(values) else 0.0
    if share < FEWEST_FILLED and len(values) > 1000:
        findings.fail(
            "hardly-any-readings",
            f"only {100 * share:.2g} % of the {len(values):,} steps of {clock.freq} from "
            f"{clock.text(0)} to {clock.text(len(values) - 1)} hold a reading",
            "single days or events are no series to forecast: pass a span that was measured "
            "throughout, or count events per hour first",
        )


def _refuse_lonely(
    written: NDArray[np.bool_], rows: NDArray[np.int64], clock: Clock, findings: Findings
) -> None:
    """A few rows far away from all others: one mistyped year stretches the table over years."""
    there = np.flatnonzero(written)
    gaps = np.diff(there)
    if not len(gaps) or gaps.max() < max(LARGEST_GAP * len(written), 30 * clock.steps_per_day):
        return
    place = int(gaps.argmax())
    before, after = there[: place + 1], there[place + 1 :]
    early = int((rows <= before[-1]).sum())
    few = min(early, len(rows) - early)
    if few > 0.05 * len(rows):
        return
    lonely = before if early == few else after
    findings.fail(
        "lonely-times",
        f"{few:,} of {len(rows):,} rows lie far from all others, {clock.text(int(lonely[0]))} to "
        f"{clock.text(int(lonely[-1]))}, with {int(gaps.max()):,} steps of {clock.freq} between",
        "is a year mistyped? Correct or delete these rows",
    )


def _fill_long(
    values: NDArray[np.float64], rows: NDArray[np.int64], readings: Readings
) -> _Cells | None:
    """Scatter rows into the grid; return the readings of cells that were filled twice."""
    assert readings.sensor is not None
    cell = rows * values.shape[1] + readings.sensor
    value, time = readings.values, readings.time
    if (missing := np.isnan(value)).any():
        cell, value, time = cell[~missing], value[~missing], time[~missing]
    values.reshape(-1)[cell] = value
    if np.count_nonzero(~np.isnan(values)) == len(cell):
        return None
    again = (np.bincount(cell, minlength=values.size) > 1)[cell]
    return _Cells(cell[again], value[again], time[again])


def _fill_wide(
    values: NDArray[np.float64], rows: NDArray[np.int64], readings: Readings
) -> _Cells | None:
    values[rows] = readings.values
    again = (np.bincount(rows, minlength=len(values)) > 1)[rows]
    if not again.any():
        return None
    # Empty cells of the last of several rows must not hide what the others hold.
    values[np.unique(rows[again])] = np.nan
    width = values.shape[1]
    cell = (rows[again, None] * width + np.arange(width)).ravel()
    value = readings.values[again].ravel()
    present = ~np.isnan(value)
    time = np.repeat(readings.time[again], width)
    return _Cells(cell[present], value[present], time[present])


def _merge(
    values: NDArray[np.float64], twice: _Cells, clock: Clock, readings: Readings, findings: Findings
) -> None:
    """Give each twice-filled cell its mean, and say of which kind the doubling is."""
    cells = (
        pl.DataFrame({"cell": twice.cell, "value": twice.value, "time": twice.time})
        .group_by("cell")
        .agg(
            mean=pl.when(pl.col("time").n_unique() > 1)
            .then(pl.col("value").cast(pl.Float64).mean())
            .otherwise(pl.col("value").first()),
            n=pl.len(),
            alike=pl.col("value").max() == pl.col("value").min(),
            moments=pl.col("time").n_unique(),
        )
        .sort("cell")
    )
    contradicting = cells.filter((pl.col("n") > 1) & (pl.col("moments") == 1) & ~pl.col("alike"))
    _refuse_contradictions(len(contradicting), values, readings.files, findings)
    values.reshape(-1)[cells["cell"].to_numpy()] = cells["mean"].to_numpy()
    doubled = cells.filter(pl.col("n") > 1)
    width = values.shape[1]
    for kind, part in (
        ("several-in-step", doubled.filter(pl.col("moments") > 1)),
        ("duplicate-rows", doubled.filter((pl.col("moments") == 1) & pl.col("alike"))),
        ("conflicting-rows", doubled.filter((pl.col("moments") == 1) & ~pl.col("alike"))),
    ):
        if len(part):
            where = part["cell"].to_numpy()
            extra = int(part["n"].sum()) - len(part)
            who = len(np.unique(where % width))
            sensor = readings.sensors[int(where[0]) % width] if who == 1 else None
            _say_doubled(kind, extra, who, sensor, clock.text(int(where[0]) // width), findings)


def _refuse_contradictions(
    count: int, values: NDArray[np.float64], files: int, findings: Findings
) -> None:
    """A clock that was set back doubles an hour; more contradictions are a table misread."""
    filled = int(np.count_nonzero(~np.isnan(values)))
    share = MOST_CONTRADICTING if files == 1 else MOST_BETWEEN_FILES
    if count > share * filled + 8:
        findings.fail(
            "contradicting-rows",
            f"{count:,} of {filled:,} readings contradict another one of the same time and sensor",
            "name the columns that tell them apart (station, parameter, direction, lane) with "
            "sensor=, or the right time= and target=",
        )


def _say_doubled(
    kind: str, count: int, who: int, sensor: str | None, first: str, findings: Findings
) -> None:
    among = "" if sensor is not None else f" in {who} sensors"
    say, what, remedy = {
        "several-in-step": (
            findings.note,
            "fall in the same step as another one",
            "the mean of each step was used",
        ),
        "duplicate-rows": (
            findings.note,
            "appear again with the same time and value",
            "they count once",
        ),
        "conflicting-rows": (
            findings.warn,
            "differ from another one at the same time",
            (
                "the first of them was used; if another column (direction, lane) tells them "
                "apart, name both with sensor="
            ),
        ),
    }[kind]
    say(kind, f"{count} readings {what}{among}", remedy, sensor=sensor, count=count, first=first)
