"""Bring what is known ahead, from the same table or a second one, onto the frame's clock."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError, TableError, UnknownName
from citytune._text import listed, percent
from citytune.frame import Clock, spell
from citytune.readers._source import open_table, source_name
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable, guarded
from citytune.readers.columns._request import ColumnName, Request
from citytune.readers.columns._roles import Roles, understand
from citytune.readers.times._date_order import Order
from citytune.readers.times._zones import to_utc
from citytune.readers.values._clock import infer_step
from citytune.readers.values._grid import Grid, spread
from citytune.readers.values._mending import Column, mend_covariate
from citytune.readers.values._readings import Readings, collect

Covariates = dict[str, NDArray[np.float32]]  # name → (time or longer, sensor or 1)


class Asked(NamedTuple):
    """What the person passed as covariates, sorted out."""

    columns: tuple[str, ...]
    sources: tuple[Any, ...]


def sort_out(covariates: Any, table: SourceTable) -> Asked:
    """Tell columns of the same table from second files and tables."""
    if isinstance(covariates, str | os.PathLike) or not isinstance(covariates, list | tuple | set):
        covariates = (covariates,)
    columns: list[str] = []
    sources: list[Any] = []
    for item in covariates:
        if isinstance(item, str) and guarded(item) in table.schema:
            columns.append(guarded(item))
        elif isinstance(item, ColumnName) or (isinstance(item, str) and not _is_path(item)):
            raise UnknownName(f"column of {table.name}", item, table.schema.names())
        else:
            sources.append(item)
    return Asked(tuple(dict.fromkeys(columns)), tuple(sources))


def _is_path(text: str) -> bool:
    return Path(text).exists() or "/" in text or "\\" in text or Path(text).suffix in _ENDINGS


_ROLES = re.compile(r"\b(time|sensor|target|stamp|valid)=")
_ENDINGS = (".csv", ".txt", ".tsv", ".gz", ".parquet", ".pq", ".arrow", ".feather")


def of_same_table(readings: Readings, grid: Grid) -> Covariates:
    """Covariate columns on the grid: one series for all sensors where they agree, else one each."""
    return {name: _lay_out(column, readings, grid) for name, column in readings.covariates.items()}


def _lay_out(column: NDArray[np.floating], readings: Readings, grid: Grid) -> NDArray[np.float32]:
    length, width = grid.values.shape
    if readings.sensor is None or width == 1:
        return spread(column, grid.rows, length)[:, None]
    cell = grid.rows * width + readings.sensor
    each = spread(column, cell, length * width).reshape(length, width)
    shared = spread(column, grid.rows, length)[:, None]
    with np.errstate(invalid="ignore"):
        alike = bool(
            (np.isnan(each) | (np.abs(each - shared) <= 1e-4 * (1 + np.abs(shared)))).all()
        )
    return shared if alike else each


def of_second_source(
    source: Any,
    clock: Clock,
    sensors: tuple[str, ...],
    length: int,
    missing: Sequence[float],
    date_order: Order | None,
    findings: Findings,
) -> Covariates:
    """Every numeric column of a second table, as a covariate on the frame's clock.

    What is wrong with it is said of that table, and not of the readings.
    """
    inner = Findings(source_name(source), moot=("which-target",))  # each is known ahead
    try:
        known = _second(source, clock, sensors, length, missing, date_order, inner)
        inner.stop_on_errors()
    except TableError as error:
        raise TableError(error.source, [_without_options(one) for one in error.problems]) from None
    findings.keep(
        replace(fault, message=f"{inner.source}: {fault.message}")
        for fault in inner.faults
        if not fault.kind.startswith("guessed-")  # its roles need no saying
    )
    return known


def _without_options(problem: str) -> str:
    """Say that a second source has none of the options which a problem may ask for."""
    if not _ROLES.search(problem):
        return problem
    return f"{problem}; such options are for the readings, so change this file itself"


def _second(
    source: Any,
    clock: Clock,
    sensors: tuple[str, ...],
    length: int,
    missing: Sequence[float],
    date_order: Order | None,
    inner: Findings,
) -> Covariates:
    table = open_table(source, inner)
    wanted = Request(timezone=clock.timezone, date_order=date_order)
    table, roles = _second_roles(table, wanted, inner)
    moments = roles.moments
    if moments.aware != (clock.timezone is not None) and moments.aware:
        inner.fail(
            "covariate-clock",
            "its times carry a time zone, those of the readings do not",
            "add timezone= to say where the readings were taken",
        )
    readings = collect(table, roles, inner)
    if clock.timezone is not None and not moments.aware:
        filled = np.ones(len(readings.time), bool)
        readings.time, kept = to_utc(readings.time, readings.sensor, filled, clock.timezone, inner)
        readings.keep(kept)
    step = infer_step(readings, inner).step
    found = {
        column: _resampled(values, readings, step, clock, sensors, length, column, inner)
        for column, values in readings.covariates.items()
    }
    return settled(found, missing, clock, length, inner)


def _second_roles(
    table: SourceTable, wanted: Request, findings: Findings
) -> tuple[SourceTable, Roles]:
    """Roles in which every column of numbers is known ahead.

    The order of dates is that of the readings, unless the table's own dates tell another.
    """
    try:
        table, roles = understand(table, wanted, (), findings)
    except TableError:
        raise
    except InputError:
        if wanted.date_order is None:
            raise
        table, roles = understand(table, replace(wanted, date_order=None), (), findings)
    used = {*roles.time, *roles.sensor, *roles.places}
    columns = roles.columns
    numbers = tuple(name for name in columns.numbers(used) if columns.kind(name) == "number")
    return table, replace(roles, targets=roles.targets[:1], covariates=numbers)


def _resampled(
    values: NDArray[np.floating],
    readings: Readings,
    step: int,
    clock: Clock,
    sensors: tuple[str, ...],
    length: int,
    column: str,
    findings: Findings,
) -> NDArray[np.float32]:
    """(time or longer, sensor or 1): finer values averaged, coarser ones held for their step."""
    source, own = findings.source, round(clock.step.total_seconds())
    start = int(np.datetime64(clock.start, "s").astype(np.int64))
    where = np.floor_divide(readings.time - start, own)
    hold = max(1, step // own)
    total = max(length, int(where.max()) + hold)
    inside = (where >= -hold) & (where < total)
    if not (where[inside] >= 0).any():
        raise InputError(
            f"covariate {column!r} of {source} has no values in the period of the readings "
            f"({clock.text(0)} to {clock.text(length - 1)}); is it the right file?"
        )
    _say_resampled(column, step, own, findings)
    at, numbers = where[inside] + hold, values[inside]  # `hold` steps of room before the start
    if readings.sensor is None or len(readings.sensors) == 1:
        return _held(spread(numbers, at, total + hold), hold)[hold:, None]
    named = {name: i for i, name in enumerate(readings.sensors)}
    if not set(named) & set(sensors):
        raise InputError(
            f"no sensor of {source} ({listed(readings.sensors, 3, quoted=True)}) is a sensor of "
            "the "
            f"readings ({listed(list(sensors), 3, quoted=True)}); give them the same names"
        )
    whose = readings.sensor[inside]
    parts = []
    for name in sensors:
        mine = whose == named.get(name, -1)
        parts.append(_held(spread(numbers[mine], at[mine], total + hold), hold)[hold:])
    return np.stack(parts, 1)


def _held(series: NDArray[np.float32], hold: int) -> NDArray[np.float32]:
    """Each value stays until the next, but for at most its own step."""
    index = np.arange(len(series))
    last = np.maximum.accumulate(np.where(np.isnan(series), -1, index))
    fresh = (last >= 0) & (index - last < hold)
    return np.where(fresh, series[np.maximum(last, 0)], np.nan).astype(np.float32)


def _say_resampled(column: str, step: int, own: int, findings: Findings) -> None:
    if step == own:
        return
    theirs, ours = (spell(dt.timedelta(seconds=s)) for s in (step, own))
    how = (
        f"each value was repeated for {theirs}"
        if step > own
        else f"the mean of each {ours} was taken"
    )
    findings.note(
        "covariate-resampled",
        f"covariate {column!r} comes every {theirs}, the readings every {ours}",
        how,
    )


def settled(
    covariates: Covariates,
    missing: Sequence[float],
    clock: Clock,
    length: int,
    findings: Findings,
) -> Covariates:
    """The covariates of one source without the values that mean "no data", and without the rest.

    Where they are missing in the period of the readings is noted.
    """
    found = {}
    for name, table in covariates.items():
        columns, mended = [np.array(values, np.float32) for values in table.T], Findings("")
        for values in columns:
            mend_covariate(Column(name, values), missing, clock, mended)
        findings.keep(
            replace(fault, message=f"covariate {name!r}: {fault.message}", sensor=None)
            for fault in mended.faults
        )
        found[name] = _fitted(np.stack(columns, 1), length)
        _say_gaps(name, found[name][:length], clock, findings)
    return found


def _fitted(covariate: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """At least as long as the readings, and no longer than it is known."""
    known = np.flatnonzero(~np.isnan(covariate).all(1))
    end = max(length, int(known[-1]) + 1 if len(known) else 0)
    lacking = np.full((max(0, end - len(covariate)), covariate.shape[1]), np.nan, np.float32)
    return np.concatenate([covariate[:end], lacking])


def _say_gaps(name: str, table: NDArray[np.float32], clock: Clock, findings: Findings) -> None:
    """Note where a covariate is missing; it stays so."""
    gone = np.isnan(table)
    if gone.all():
        findings.error(
            "covariate-empty",
            f"covariate {name!r} has no value in the period of the readings",
            "leave it out, or use a file that covers that period",
        )
    elif gone.any():
        findings.note(
            "covariate-gaps",
            f"covariate {name!r} is missing for {percent(float(gone.mean()))} of the time",
            "it stays missing there",
            count=int(gone.sum()),
            first=clock.text(int(gone.any(1).argmax())),
        )
