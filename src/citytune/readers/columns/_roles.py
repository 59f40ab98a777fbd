"""Decide which column is the time, which names the sensor, and which holds the readings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from citytune._errors import UnknownName
from citytune.readers.cells._columns import Columns, look
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._structure import some_moments
from citytune.readers.cells._table import MOMENT, SourceTable
from citytune.readers.cells._unit_parts import with_whole_units
from citytune.readers.cells._vocabulary import LATITUDE, LONGITUDE, plain_name
from citytune.readers.columns._anonymous import with_names_above
from citytune.readers.columns._blocks import of_named_time
from citytune.readers.columns._classes import with_parts_added
from citytune.readers.columns._editions import refuse_editions
from citytune.readers.columns._folded import SECONDS, VALUE, counted_through
from citytune.readers.columns._hours_as_names import refuse_hours_as_names
from citytune.readers.columns._marks_asked import with_marks
from citytune.readers.columns._moving import refuse_moving
from citytune.readers.columns._namesakes import namesakes
from citytune.readers.columns._of_parameters import of_parameters
from citytune.readers.columns._of_quantity import with_columns_of
from citytune.readers.columns._one_unit import to_one_unit
from citytune.readers.columns._parameters import (
    Parameter,
    choose_parameter,
    parameter_columns,
    refuse_mixture,
)
from citytune.readers.columns._pivots import without_totals_of_pivots
from citytune.readers.columns._request import Names, Request
from citytune.readers.columns._sensor_columns import guess_sensor, refuse_contradictions
from citytune.readers.columns._stray_rows import with_dates, with_names_below, without_summaries
from citytune.readers.columns._targets import guess_targets
from citytune.readers.columns._told import refuse_words, told_targets
from citytune.readers.columns._unfold import unfold
from citytune.readers.columns._unit_columns import unit_column, unit_columns
from citytune.readers.columns._validity import valid_rows
from citytune.readers.containers._headless import with_names
from citytune.readers.times._months import refuse_months
from citytune.readers.times._named_zones import of_column
from citytune.readers.times._parts_of_hours import refuse_parts_across, with_parts_of_hours
from citytune.readers.times._summer_flags import in_order_of_flags
from citytune.readers.times._time_columns import guess_time
from citytune.readers.times._times import Moments, plan_moments
from citytune.readers.times._weeks import with_dates_of_weeks
from citytune.readers.times._zone_columns import zone_columns


@dataclass(frozen=True)
class Roles:
    """Which columns of a table mean what."""

    time: tuple[str, ...]
    """One column of moments, or the parts of a moment (date, time of the day, …)."""
    moments: Moments
    """How the time is computed."""
    targets: tuple[str, ...]
    """One column of readings, or one column for each sensor of a wide table."""
    sensor: tuple[str, ...] = ()
    """Columns that together name the sensor of a row; none in a wide table."""
    covariates: tuple[str, ...] = ()
    """Columns known ahead."""
    places: tuple[str, ...] = ()
    """Latitude and longitude, or nothing."""
    parameter: Parameter | None = None
    """The one quantity that is read, of a column that names several."""
    valid: pl.Expr | None = None
    """Which rows hold valid readings."""
    unit: str = ""
    """Of the readings, from a column of units."""
    scale: pl.Expr | None = None
    """What the readings are multiplied by to be in it."""
    factors: Mapping[str, float] = field(default_factory=dict)
    """What the columns that were asked for are multiplied by, to be in one unit."""
    columns: Columns = field(default_factory=Columns)
    """What is known of every column."""


def understand(
    table: SourceTable, wanted: Request, covariates: tuple[str, ...], findings: Findings
) -> tuple[SourceTable, Roles]:
    """The table with a row for each moment, and the roles of its columns, told or guessed."""
    told = (*as_names(wanted.time), *as_names(wanted.sensor), *covariates)
    named = {*told, *as_names(wanted.target), *(wanted.valid or ())}
    table = with_names_above(with_names(table, named, findings), named, findings)
    table = unfold(with_marks(table, wanted.valid or ()), as_names(wanted.target), findings)
    table = without_totals_of_pivots(table, findings)
    wanted = with_columns_of(table, wanted, findings)
    table = table if wanted.target else with_parts_added(table, named, findings)
    _check_names(table, told)
    columns = look(table)
    if not wanted.time:
        table, columns = with_dates_of_weeks(table, columns, findings)
    time = as_names(wanted.time) or guess_time(table, columns, findings)
    if wanted.time:
        table, columns = of_named_time(table, time, columns, named, findings)
    if not time and not columns.numbers():
        findings.error(
            "no-numeric-target",
            "no column holds numbers that could be readings",
            "name the column of readings with target=, and see that its cells are numbers",
        )
    findings.stop_on_errors()
    if time[-1] != SECONDS and SECONDS in table.schema:
        time = (*time[:1], SECONDS) if len(time) < 3 else time
    table = with_dates(without_summaries(table, time, findings), time, findings)
    moments = _moments_of(table, time, wanted, findings)
    if not moments.aware and (zones := of_column(table, columns, wanted.timezone, findings)):
        moments = moments.in_zones(*zones)
    moments, part = with_parts_of_hours(table, moments, columns, {*time, *named}, findings)
    table, moments = _at_hand(table, moments)
    table = in_order_of_flags(table, moments, columns, findings)
    table = with_names_below(table, moments.seconds, columns, findings)
    targets = as_names(wanted.target)
    taken = {*time, *part, *covariates, *as_names(wanted.sensor)}
    refuse_mixture(table, as_names(wanted.sensor), columns)
    several = parameter_columns(columns, taken | set(targets))
    parameter, targets = choose_parameter(table, several, targets, time, findings)
    view = table
    if parameter is not None:
        taken |= set() if parameter.sensors else {parameter.column}
        taken |= of_parameters(table, columns, parameter) - {*targets}
        view = table.with_rows(parameter.rows_of(table.rows))
    _check_names(table, targets)
    taken |= {*targets, *zone_columns(columns), *unit_columns(columns)}
    places = _guess_places(columns, taken)
    valid = valid_rows(view, columns, wanted.valid or {}, taken, findings)
    if wanted.valid and valid is not None:  # of an estimate and its reading, one is left
        view, taken = view.with_rows(view.rows.filter(valid)), taken | {*wanted.valid}
    some = some_moments(view, moments.seconds, columns.numbers(set(time)))
    refuse_contradictions(table, as_names(wanted.sensor), some, columns, taken)
    same = namesakes(view, moments.seconds, columns, {*time, *covariates, *as_names(wanted.sensor)})
    sensor = as_names(wanted.sensor) or guess_sensor(
        view, moments.seconds, columns, some, taken | set(places) | same, targets, parameter,
        places, findings,
    )  # fmt: skip
    if not wanted.sensor and SECONDS not in table.schema:
        refuse_hours_as_names(time, sensor, columns, findings)
    refuse_moving(view, places, sensor, findings)
    taken |= {*sensor, *places}
    asked = told_targets(targets, columns, sensor, findings)
    targets = asked or guess_targets(
        view, columns, taken, some, sensor,
        bool(sensor) or VALUE in table.schema, same, wanted.quantity, findings
    )  # fmt: skip
    if not wanted.sensor:
        refuse_editions(some, sensor, targets, columns, findings)
    refuse_words(covariates, columns, findings)
    factors = to_one_unit(asked, table.units, findings)
    table, parts = with_whole_units(table, targets, findings)
    if len(asked) < 2 or not named.issuperset(asked):  # who names several says that all are sensors
        refuse_parts_across(table, moments, targets, findings)
    findings.stop_on_errors()
    roles = Roles(time, moments, targets, sensor, covariates, places if sensor else (),
                  parameter, valid, *unit_column(view, columns, findings), {**parts, **factors},
                  columns)  # fmt: skip
    return table, roles


def as_names(names: Names) -> tuple[str, ...]:
    """One name, several or none, as a tuple."""
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)


def _check_names(table: SourceTable, names: tuple[str, ...]) -> None:
    for name in names:
        if name not in table.schema:
            raise UnknownName(f"column of {table.name}", name, table.schema.names())


def _moments_of(
    table: SourceTable, time: tuple[str, ...], wanted: Request, findings: Findings
) -> Moments:
    if SECONDS not in table.schema:
        if len(time) == 1:
            refuse_months(table, time[0], wanted.date_order, findings)
        return plan_moments(table, time, wanted.timezone, findings, wanted.stamp, wanted.date_order)
    date = time[:-1] if time[-1] == SECONDS and len(time) != 3 else time
    found = plan_moments(table, date, wanted.timezone, findings, "begin", wanted.date_order)
    if size := counted_through(table):
        found = replace(found, counted=size, day=found.seconds)
    return replace(found, seconds=found.seconds + pl.col(SECONDS))


def _at_hand(table: SourceTable, moments: Moments) -> tuple[SourceTable, Moments]:
    """Of a text, whose rows are in memory, the moments computed once and for all."""
    if table.exact is None:
        return table, moments
    rows = table.rows.with_columns(moments.seconds.alias(MOMENT)).collect().lazy()
    return replace(table, rows=rows), replace(moments, seconds=pl.col(MOMENT))


def _guess_places(columns: Columns, taken: set[str]) -> tuple[str, ...]:
    plain = {plain_name(name): name for name in columns.numbers(taken)}
    lat = next((plain[word] for word in LATITUDE if word in plain), None)
    lon = next((plain[word] for word in LONGITUDE if word in plain), None)
    return (lat, lon) if lat and lon else ()
