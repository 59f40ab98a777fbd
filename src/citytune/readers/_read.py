"""The two ways to take a source in: use it, or list its faults."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from citytune._errors import TableError, UnknownName
from citytune._fork import refuse_after_fork
from citytune.frame import Faults, SensorFrame
from citytune.readers._assemble import assemble
from citytune.readers._source import source_name
from citytune.readers.cells._findings import Findings
from citytune.readers.columns._request import Names, Request
from citytune.readers.times._date_order import Order
from citytune.readers.times._times import Stamp


def read(
    source: Any,
    *,
    time: Names = None,
    sensor: Names = None,
    target: Names = None,
    covariates: Any = (),
    quantity: str | None = None,
    unit: str | None = None,
    timezone: str | None = None,
    missing: float | Sequence[float] | None = None,
    country: str | None = None,
    stamp: Stamp | None = None,
    valid: Mapping[str, Sequence[str]] | None = None,
    table: str | None = None,
    query: str | None = None,
    date_order: Order | None = None,
) -> SensorFrame:
    """Bring a file or table of sensor readings in as a `SensorFrame`.

    Columns are guessed from their names and types; every guess, correction and oddity is listed in
    the frame's `faults`.

    Args:
        source: Path or address of a file (CSV, Parquet, Excel, JSON and more), a folder, a pattern
            or a list of files of one system, a database (`postgresql://…`, `sqlite:///loops.db`,
            `duckdb:///loops.duckdb`, or the path of such a file), or a pandas, polars or pyarrow
            table; long (a row per sensor and time) or wide (a column per sensor).
        time: Column of the times, or several (date, hour).
        sensor: Column that names the sensor of each row; several are joined.
        target: Column of the readings, or the columns of the sensors of a wide table.
        covariates: Known ahead: names of columns, paths or tables of a second source. Rows beyond
            the last reading are the future.
        quantity: What is measured ("traffic_volume"); sets the legal range.
        unit: Its unit ("veh/h").
        timezone: IANA zone of the sensors ("Europe/Oslo"): wall times are converted to UTC.
        missing: Value or values that mean "no data", such as -1.
        country: ISO code of the public holidays ("NO", "US-MN").
        stamp: Whether times name the "begin" or the "end" of the interval that was measured.
        valid: Column → its cells that mean that a reading is valid: `{"Validity": ["1"]}`.
        table: Of a database, the table to read; may be left out if there is only one.
        query: Of a database, the rows to read, in SQL: a SELECT.
        date_order: Whether the "day" or the "month" comes first in dates such as 03/04/2026.

    Raises:
        TableError: The table cannot be used; the message lists every reason.
        InputError: The file is not there, or an argument does not fit it.

    Example:
        >>> import polars as pl, datetime as dt
        >>> hours = pl.datetime_range(
        ...     dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 14, 23), "1h", eager=True
        ... )
        >>> read(pl.DataFrame({"time": hours, "bridge": hours.dt.hour() * 10.0}), quantity="flow")
        SensorFrame(flow (veh/h), 1 sensor, 336 steps of 1h from 2024-01-01 00:00, 0 % missing)
    """
    refuse_after_fork()
    request = Request(
        time, sensor, target, covariates, quantity, unit, timezone, missing, country, stamp, valid,
        table, query, date_order,
    )  # fmt: skip
    return assemble(source, request, Findings(source_name(source)))


def framed(source: Any) -> SensorFrame:
    """A frame as it is; anything else as `read` takes it."""
    return source if isinstance(source, SensorFrame) else read(source)


def check(source: Any, **options: Any) -> Faults:
    """Every fault of a source, errors first; takes what `read` takes.

    A table that cannot be used is no exception here: what speaks against it is in the list.

    Raises:
        InputError: The file is not there, or an argument does not fit it.
    """
    refuse_after_fork()
    known = inspect.signature(read).parameters
    for name in options:
        if name not in known or name == "source":
            raise UnknownName("option of check", name, [one for one in known if one != "source"])
    request, findings = Request(**options), Findings(source_name(source))
    try:
        return Faults(assemble(source, request, findings).faults)
    except TableError as error:
        findings.adopt(error)
        return Faults(findings.faults)
