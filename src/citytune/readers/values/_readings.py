"""Collect the columns that matter from a table, as arrays, with as little memory as will do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from citytune._text import counted
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._names import name_in
from citytune.readers.cells._numbers import cells
from citytune.readers.cells._table import SourceTable
from citytune.readers.columns._roles import Roles
from citytune.readers.times._times import Moments, wall_text
from citytune.readers.times._wrong_times import refuse_wrong_times
from citytune.readers.values._strays import without_strangers, without_strays

MOST_WORDS = 0.1
"""Share of a column's cells that may hold digits and be no numbers."""


@dataclass
class Readings:
    """The rows of a source, not yet on a regular clock."""

    time: NDArray[np.int64]
    """(row,) seconds since 1970: UTC, or wall time without a zone."""
    sensor: NDArray[np.integer] | None
    """(row,) which of `sensors`; None in a wide table, where every row has them all."""
    values: NDArray[np.float64]
    """(row,), or (row, sensor) in a wide table."""
    sensors: list[str]
    covariates: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """name → (row,)"""
    places: NDArray[np.float64] | None = None
    """(sensor, 2)"""
    day: NDArray[np.int64] | None = None
    """(row,) midnight of the date of each row, where periods are counted from it."""
    files: int = 1
    """Of how many files they come."""

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Leave out the other rows."""
        if not rows.all():
            self.time, self.values = self.time[rows], self.values[rows]
            self.sensor = None if self.sensor is None else self.sensor[rows]
            self.covariates = {name: table[rows] for name, table in self.covariates.items()}
            self.day = None if self.day is None else self.day[rows]


def collect(table: SourceTable, roles: Roles, findings: Findings) -> Readings:
    """Read the columns that have a role; cells that should be numbers and are not are reported."""
    moments = roles.moments
    table = _as_written(table, roles.sensor)
    if roles.parameter is not None:
        table = table.with_rows(roles.parameter.rows_of(table.rows))
    rows, names = _with_sensor(table, roles, findings)
    time = moments.seconds.alias("_time")
    columns = [
        _scaled(_valid(_number(table, name, i), roles), roles, name)
        for i, name in enumerate(roles.targets)
    ]
    beside = [_number(table, name, f"c{i}") for i, name in enumerate(roles.covariates)]
    sensor = [pl.col("_sensor")] if roles.sensor else []
    day = [] if moments.day is None else [moments.day.alias("_day")]
    frame = rows.select(time, *sensor, *columns, *beside, *day).collect(engine="streaming")
    rows_read = len(frame)
    frame = without_strays(frame, table.with_rows(rows), roles, findings)
    if roles.sensor and len(frame) < rows_read:
        rows, frame, names = without_strangers(rows, frame, names)
    if frame["_time"].null_count():
        refuse_wrong_times(table, roles.time, moments, findings)
        findings.stop_on_errors()
    _report_text(table, roles, moments, names, findings)
    findings.stop_on_errors()
    values = _array(frame, [f"_v{i}" for i in range(len(roles.targets))])
    readings = Readings(
        time=frame["_time"].to_numpy(),
        sensor=_narrow(frame["_sensor"].to_numpy(), len(names)) if roles.sensor else None,
        values=values[:, 0] if roles.sensor else values,
        sensors=names or list(roles.targets),
        files=table.files,
        covariates={n: frame[f"_vc{i}"].to_numpy() for i, n in enumerate(roles.covariates)},
    )
    readings.day = None if moments.day is None else frame["_day"].to_numpy()
    readings.places = _places(rows, roles, len(names))
    return readings


def _narrow(sensor: NDArray[np.integer], count: int) -> NDArray[np.integer]:
    """Two bytes a row where they will do; sorting by them is several times faster."""
    return sensor.astype(np.uint16 if count < 1 << 16 else np.uint32)


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key by which "zone 9" comes before "zone 10"."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(p), "") if p.isdigit() and p.isascii() else (1, 0, p) for p in parts if p]


def _with_sensor(
    table: SourceTable, roles: Roles, findings: Findings
) -> tuple[pl.LazyFrame, list[str]]:
    """The rows with each sensor as a small whole number, and the sensors' names."""
    if not roles.sensor:
        return table.rows, []
    label = _label(table, roles.sensor)
    # What stands below a table in the place of a name, with no time, is none.
    timed = pl.lit(value=True) if table.exact is None else _holds_anything(table, roles)
    found = (
        table.rows.filter(timed)
        .select(label.alias("name"))
        .unique()
        .collect(engine="streaming")["name"]
    )
    names = sorted((str(name) for name in found.drop_nulls()), key=natural)
    rows = table.rows
    if found.null_count():
        count = rows.select(label.is_null().sum()).collect(engine="streaming").item()
        if not names:
            findings.fail(
                "no-sensor", f"column {roles.sensor[0]!r} is empty", "name another with sensor="
            )
        findings.warn(
            "no-sensor",
            f"{counted(count, 'row')} with no sensor name in column {roles.sensor[0]!r}",
            "these rows were left out; fill in the sensor name",
            count=count,
        )
        rows = rows.filter(label.is_not_null())
    return rows.with_columns(_sensor=label.cast(pl.Enum(names), strict=False).to_physical()), names


def _holds_anything(table: SourceTable, roles: Roles) -> pl.Expr:
    """Which rows hold a time or a reading."""
    some = [_number(table, name, i).is_not_null() for i, name in enumerate(roles.targets)]
    return pl.any_horizontal(roles.moments.seconds.is_not_null(), *some)


def _as_written(table: SourceTable, sensor: tuple[str, ...]) -> SourceTable:
    """Ids are names: where they were read as numbers, their text is taken from the file again."""
    kinds = (pl.String, pl.Float64, pl.Int64)
    written = tuple(name for name in sensor if table.schema[name] in kinds)
    if not written or table.exact is None:
        return table
    if all(table.schema[name] == pl.String for name in written):
        gaps = table.rows.select(pl.any_horizontal(pl.col(written).is_null().any()))
        if not gaps.collect(engine="streaming").item():
            return table  # nothing was taken for a missing value
    texts = table.exact(written)
    return table.with_rows(table.rows.with_columns(texts))


def _label(table: SourceTable, sensor: tuple[str, ...]) -> pl.Expr:
    """The name of each row's sensor; whole numbers are written without a point."""
    parts = [name_in(pl.col(name), table.schema[name]) for name in sensor]
    return parts[0] if len(parts) == 1 else pl.concat_str(parts, separator=" / ")


def _number(table: SourceTable, name: str, place: int | str) -> pl.Expr:
    dtype = table.schema[name]
    number = cells(name, name in table.commas).number if dtype == pl.String else pl.col(name)
    return number.cast(pl.Float64, strict=False).alias(f"_v{place}")


def _filled(table: SourceTable, name: str) -> int:
    return int(table.rows.select(pl.col(name).count()).collect(engine="streaming").item())


def _valid(number: pl.Expr, roles: Roles) -> pl.Expr:
    """Missing where the reading is called invalid."""
    if roles.valid is None:
        return number
    return pl.when(roles.valid).then(number).alias(number.meta.output_name())


def _scaled(number: pl.Expr, roles: Roles, name: str) -> pl.Expr:
    """In one unit, where a column says the unit of each row, or names say those of columns."""
    factor = roles.factors.get(name, 1.0)
    number = number if factor == 1.0 else number * factor
    return number if roles.scale is None else number * roles.scale


def _array(frame: pl.DataFrame, names: list[str]) -> NDArray[np.float64]:
    """(row, column), missing as NaN, writable."""
    columns = frame.select(names)
    if len(names) == 1:
        return np.array(columns.to_series().to_numpy(), np.float64)[:, None]
    return np.asarray(columns.to_numpy(), np.float64)


def _places(rows: pl.LazyFrame, roles: Roles, count: int) -> NDArray[np.float64] | None:
    if not roles.places:
        return None
    latitude, longitude = (pl.col(n).cast(pl.Float64, strict=False) for n in roles.places)
    first = (
        rows.group_by("_sensor")
        .agg(lat=latitude.drop_nulls().first(), lon=longitude.drop_nulls().first())
        .collect(engine="streaming")
    )
    places = np.full((count, 2), np.nan)
    places[first["_sensor"].to_numpy()] = first.select("lat", "lon").to_numpy()
    return None if np.isnan(places).all() else places


def _report_text(
    table: SourceTable, roles: Roles, moments: Moments, names: list[str], findings: Findings
) -> None:
    """Say which cells of number columns hold words: per sensor, with the first."""
    for name in (*roles.targets, *roles.covariates):
        if table.schema[name] != pl.String:
            continue
        sensor = _label(table, roles.sensor) if roles.sensor else pl.lit(name)
        wrong = (
            table.rows.filter(cells(name, name in table.commas).wrong)
            .select(sensor.alias("sensor"), pl.col(name).alias("cell"), moments.seconds.alias("at"))
            .drop_nulls("at")
            .group_by("sensor", maintain_order=True)
            .agg(pl.len(), pl.col("cell").first(), pl.col("at").first())
            .collect()
        )
        digits = [(count, cell) for _, count, cell, _ in wrong.rows() if re.search(r"\d", cell)]
        if digits and sum(count for count, _ in digits) > MOST_WORDS * _filled(table, name):
            findings.error(
                "unreadable-numbers",
                f"{counted(sum(count for count, _ in digits), 'cell')} of column {name!r} hold "
                f"numbers in a notation that is not known, such as {digits[0][1]!r}",
                "write plain numbers, or leave cells empty that are none",
                count=sum(count for count, _ in digits),
            )
            continue
        for found, count, cell, at in wrong.rows():
            findings.warn(
                "text-in-numbers",
                f"{counted(count, 'cell')} of column {name!r} that hold text, such as {cell!r}",
                "treated as missing; write numbers, or leave the cells empty",
                sensor=found,
                count=count,
                first=wall_text(at),
            )
