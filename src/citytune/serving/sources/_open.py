"""Read a source: its file, address or database, with what was pushed since."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from citytune._errors import InputError
from citytune.runs import Reading
from citytune.serving._config import DOWNLOADS, Configuration
from citytune.serving.sources._check import (
    connection_of,
    file_of,
    reading_of,
    refuse_foreign_database,
)
from citytune.serving.sources._public import fetch

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from citytune.frame import SensorFrame
    from citytune.serving.database import Source


@contextmanager
def opened(
    source: Source, pushed: pl.DataFrame, config: Configuration
) -> Iterator[tuple[Any, Reading]]:
    """What `read` takes of a source, and how it is read; what was pushed is not in it.

    Of a source of kind readings it is what was pushed.
    """
    reading = reading_of(source.reading)
    if source.kind == "readings":
        yield _as_table(pushed, reading), _of_readings(reading)
    elif source.kind == "database":
        yield connection_of(str(source.place), config), replace(reading, query=source.query)
    elif source.kind == "url":
        path = config.place(DOWNLOADS, secrets.token_hex(8))
        try:
            most = config.upload_mb * 1_000_000
            fetch(str(source.place), path, hosts=config.hosts, most_bytes=most)
            refuse_foreign_database(path)
            yield path, reading
        finally:
            path.unlink(missing_ok=True)
    else:
        yield file_of(source.kind, str(source.place), config), reading


def frame_of(source: Source, pushed: pl.DataFrame, config: Configuration) -> SensorFrame:
    """All that is known of a source by now, as a frame.

    Args:
        source: As the database has it.
        pushed: Its readings, as `table_of_readings` gives them.
        config: Says what may be read.

    Raises:
        InputError: it cannot be read, or not any more.
    """
    with opened(source, pushed, config) as (given, reading):
        frame = replace(reading.read(given), source=source.name)
    return with_all_pushed(source, frame, pushed)


def with_all_pushed(source: Source, frame: SensorFrame, pushed: pl.DataFrame) -> SensorFrame:
    """What was read of a source, with what was pushed to it, unless that is what was read."""
    return frame if source.kind == "readings" else with_pushed(frame, pushed)


def with_pushed(frame: SensorFrame, pushed: pl.DataFrame) -> SensorFrame:
    """A frame in which the readings that were pushed stand, whatever was there before.

    A reading counts for the step it falls into; of several in a step their mean does. New sensors
    become columns; what lies before the frame is left out. One that was taken back makes the frame
    neither longer nor wider. What cannot have been measured is missing, as in a file.
    """
    import numpy as np
    import polars as pl

    from citytune.readers import mended

    start, step = np.datetime64(frame.clock.start, "us"), np.timedelta64(frame.clock.step, "us")
    row = (pushed["time"].to_numpy().astype("datetime64[us]") - start) // step
    table = pushed.with_columns(row=pl.Series(row, dtype=pl.Int64)).filter(pl.col("row") >= 0)
    known = table.drop_nulls("value").sort("row")
    sensors = (*frame.sensors, *sorted(set(known["sensor"]) - set(frame.sensors)))
    length = max([len(frame), *(known["row"].tail(1) + 1)])
    table = table.filter(pl.col("row") < length, pl.col("sensor").is_in(sensors))
    if table.is_empty():
        return frame
    cells = table.group_by("row", "sensor").agg(pl.col("value").mean()).sort("row", "sensor")
    values = _grown(frame.values, length, len(sensors))
    where = {name: i for i, name in enumerate(sensors)}
    columns = [where[name] for name in cells["sensor"]]
    values[cells["row"].to_numpy(), columns] = cells["value"].fill_null(np.nan).to_numpy()
    grown = replace(
        frame,
        values=values,
        sensors=sensors,
        covariates={
            n: _covariate(one, length, len(sensors)) for n, one in frame.covariates.items()
        },
        places=None if frame.places is None else _grown(frame.places, len(sensors), 2),
    )
    return mended(grown, set(cells["sensor"]))


def _grown(values: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """The same with more rows and columns, which are empty."""
    import numpy as np

    found = np.full((max(rows, len(values)), max(columns, values.shape[1])), np.nan, values.dtype)
    found[: len(values), : values.shape[1]] = values
    return found


def _covariate(table: NDArray[np.float32], rows: int, sensors: int) -> NDArray[np.float32]:
    return _grown(table, rows, 1 if table.shape[1] == 1 else sensors)


def _as_table(pushed: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    import polars as pl

    table = pushed.drop_nulls("value")
    if table.is_empty():
        raise InputError("nothing has been pushed to this source yet; POST readings to it")
    if reading.timezone is None:
        return table
    zone = pl.col("time").dt.replace_time_zone("UTC").dt.convert_time_zone(reading.timezone)
    return table.with_columns(zone)


def _of_readings(reading: Reading) -> Reading:
    return replace(reading, time="time", sensor="sensor", target="value")
