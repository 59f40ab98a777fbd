"""Make a `SensorFrame` of a source: the order in which everything happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from citytune.frame import Origin, Quantity, SensorFrame
from citytune.readers._known_ahead import of_second_sources
from citytune.readers._source import open_table
from citytune.readers.cells._damage import damage_told
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable, bare
from citytune.readers.cells._units import unit_in, unit_of, with_unit
from citytune.readers.cells._vocabulary import GENERIC, is_quantity, tokens
from citytune.readers.columns._measures import particles
from citytune.readers.columns._request import Request
from citytune.readers.columns._roles import Roles, understand
from citytune.readers.columns._said_once import quantity_said, said_by_sensors
from citytune.readers.columns._side_values import is_index
from citytune.readers.columns._units_around import unit_around
from citytune.readers.values import _covariates as beside
from citytune.readers.values._grid import Grid, lay_out, refuse_sparse
from citytune.readers.values._hours import hint_at_summer_time, settle_time
from citytune.readers.values._level_change import point_out_changes
from citytune.readers.values._levels_apart import point_out_levels
from citytune.readers.values._mending import Column, drop_told, mend, refuse_infinite
from citytune.readers.values._oddities import point_out
from citytune.readers.values._quantities import guess_quantity, settle_range
from citytune.readers.values._readings import collect
from citytune.readers.values._sums import without_sums
from citytune.readers.values._totals import without_totals
from citytune.readers.values._two_clocks import refuse_sparse_sensors
from citytune.readers.values._unit_change import settle_units

LARGEST_EXACT = 1 << 24
"""Whole numbers up to here are exact in single precision."""
_FEWEST_READINGS = 12  # readings per sensor below which there is nothing to learn from


def assemble(source: Any, request: Request, findings: Findings) -> SensorFrame:
    """Read `source` as asked for; raises `TableError` with every reason why it cannot be used."""
    table = open_table(source, findings, table=request.table, query=request.query)
    asked = beside.sort_out(request.covariates, table)
    given = {*table.schema}
    with damage_told(findings):
        table, roles = understand(table, request, asked.columns, findings)
        readings = collect(table, roles, findings)
    zone, regular = settle_time(readings, roles.moments, request.timezone, findings)
    grid = lay_out(readings, regular, zone, findings)
    grid = without_sums(grid, readings, findings)
    hint_at_summer_time(readings, grid, findings)
    refuse_sparse(grid.values, grid.clock, findings)
    known = beside.of_same_table(readings, grid)
    called = _names(table, roles, Findings("") if request.unit else findings)
    if roles.sensor and len(called) == 1 and {*tokens(called[0])} & {*GENERIC}:
        called = [f"{called[0]} {said_by_sensors(readings.sensors)}".strip()]
    told = [f"{name} [{request.unit}]" for name in called] if request.unit else called
    grid = without_totals(grid, readings.sensors, told, roles.moments.ends, findings)
    sensors, places = tuple(bare(name) for name in readings.sensors), readings.places
    del readings
    values = _measured_part(grid, bool(known), findings)
    quantity = guess_quantity(called, table.stem, grid, request, findings)
    cleaned, quantity = _clean(values, grid, sensors, quantity, request.marked, findings)
    length = len(cleaned)
    known = beside.settled(known, request.marked, grid.clock, length, findings)
    findings.stop_on_errors()
    second = of_second_sources(asked.sources, grid.clock, sensors, length, request, findings)
    known |= second.tables
    return SensorFrame(
        values=cleaned,
        clock=grid.clock,
        sensors=sensors,
        quantity=quantity,
        country=request.country,
        covariates={bare(name): covariate for name, covariate in known.items()},
        places=places,
        faults=tuple(findings.faults),
        source=findings.source,
        origin=Origin(table.table, _column(given, roles), second.sources, table.library),
    )


def _column(given: set[str], roles: Roles) -> str | None:
    """The column of readings of a long table, if it is one that a person can name."""
    name = roles.targets[0]
    named = roles.sensor and roles.parameter is None and name in given
    return bare(name) if named else None


def _names(table: SourceTable, roles: Roles, findings: Findings) -> list[str]:
    """What the readings are called, with the quantity and the unit that the table says."""
    sizes = particles(roles.columns)
    names = [sizes.get(name, name) for name in roles.targets]
    if is_index(names[0]):
        return names  # of whatever it is an index, it has no unit
    if roles.parameter is not None and not roles.parameter.stage:
        names = [_name_of(roles.parameter.name, names[0])]
    elif len(names) == 1 and (said := quantity_said(roles.columns, names[0])):
        names = [said]
    unit = table.units.get(roles.targets[0], "") or roles.unit
    unit = unit or unit_around(table, names[0], findings)
    if not unit and names[0] != roles.targets[0] and unit_in(names[0]) is None:
        spelt = unit_in(roles.targets[0]) or ""
        last = tokens(roles.targets[0])[-1]
        unit = spelt if len(spelt) > 1 or len(last) > 3 else ""  # wattage, but no letter
    return [with_unit(name, unit) for name in names] if unit else names


def _name_of(parameter: str, target: str) -> str:
    """What is measured: by a parameter that is only a unit, what the column of readings says."""
    unit_only = unit_of(parameter) is not None and is_quantity(target)
    return f"{target} [{parameter}]" if unit_only else parameter


def _measured_part(grid: Grid, has_future: bool, findings: Findings) -> NDArray[np.float64]:
    """The table up to the last row that holds a reading; rows beyond it are the future."""
    filled = np.flatnonzero(~np.isnan(grid.values).all(1))
    if not len(filled):
        findings.fail(
            "all-missing",
            "all values are missing in every sensor",
            "check that target= names the right column and that its cells are numbers",
        )
    counts = (~np.isnan(grid.values)).sum(0)
    if np.median(counts[counts > 0]) < _FEWEST_READINGS:
        findings.error(
            "too-short",
            f"the sensors ({len(counts):,} of them) have only {np.median(counts[counts > 0]):g} "
            "readings each (median)",
            f"at least {_FEWEST_READINGS} steps are needed, and a few weeks for a good forecast: "
            "use a longer period",
            count=len(counts),
        )
        findings.stop_on_errors()
    length = int(filled[-1]) + 1
    if rest := len(grid.values) - length:
        findings.note(
            "rows-without-readings",
            f"the last {rest} rows hold no reading",
            "they were read as the future that the covariates describe"
            if has_future
            else "the table was taken to end with the last reading",
            count=rest,
            first=grid.clock.text(length),
        )
    return grid.values[:length]


def _clean(
    values: NDArray[np.float64],
    grid: Grid,
    sensors: tuple[str, ...],
    quantity: Quantity,
    missing: Sequence[float],
    findings: Findings,
) -> tuple[NDArray[np.float32], Quantity]:
    """Values with the impossible ones missing, and the quantity with its settled range."""
    by_sensor = _single(values, findings)
    columns = [Column(name, row) for name, row in zip(sensors, by_sensor, strict=True)]
    refuse_infinite(columns, grid.clock, findings)
    refuse_sparse_sensors(by_sensor, sensors, grid.clock, findings)
    findings.stop_on_errors()
    drop_told(columns, missing, grid.clock, findings)
    quantity = settle_range(quantity, by_sensor)
    mend(columns, grid.clock, quantity, findings)
    if settle_units(columns, grid.clock, findings):
        point_out_changes(columns, grid.clock, findings)
        point_out_levels(columns, findings)
    point_out(columns, grid.clock, findings)
    return np.ascontiguousarray(by_sensor.T), quantity


def _single(values: NDArray[np.float64], findings: Findings) -> NDArray[np.float32]:
    """(sensor, time) in single precision; what that rounds to a whole unit and more is said."""
    with np.errstate(over="ignore", invalid="ignore"):
        single = np.array(values.T, np.float32, order="C")
        large = np.abs(values) > LARGEST_EXACT
        rounded = large & (values != single.T) if large.any() else large
    if count := int(rounded.sum()):
        findings.warn(
            "rounded",
            f"{count} readings above {LARGEST_EXACT:,} are kept to seven digits",
            "if they are totals of a meter, pass what was added in each step",
            count=count,
        )
    return single
