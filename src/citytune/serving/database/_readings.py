"""Readings that were pushed: put in however often and in whatever order, and read again."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.orm import Session

from citytune.serving.database._tables import Reading

if TYPE_CHECKING:
    import polars as pl

_PUT_IN_SQLITE = (
    "INSERT INTO readings (source_id, sensor, time, value) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (source_id, sensor, time) DO UPDATE SET value = excluded.value"
)
_PUT_IN_POSTGRESQL = text(
    "INSERT INTO readings (source_id, sensor, time, value) "
    "SELECT :source, sensor, time, value FROM unnest(CAST(:sensors AS text[]), "
    "CAST(:times AS timestamptz[]), CAST(:values AS float8[])) AS new (sensor, time, value) "
    "ON CONFLICT (source_id, sensor, time) DO UPDATE SET value = excluded.value"
)
_KNOWN_TO_SQLITE = text(
    "SELECT asked.value FROM json_each(:names) AS asked WHERE EXISTS (SELECT 1 FROM readings "
    "WHERE source_id = :source AND sensor = asked.value)"
)
_KNOWN_TO_POSTGRESQL = text(
    "SELECT name FROM unnest(CAST(:names AS text[])) AS asked (name) WHERE EXISTS (SELECT 1 FROM "
    "readings WHERE source_id = :source AND sensor = name)"
)


class Pushed(NamedTuple):
    """One reading."""

    sensor: str
    time: dt.datetime
    value: float | None


def put_readings(session: Session, source_id: int, readings: Iterable[Pushed]) -> int:
    """Put readings in; of several of one sensor and time the last one counts. Gives how many."""
    newest = {(one.sensor, one.time): one.value for one in readings}
    # Always in one order, so that two who push the same ones never wait for each other.
    newest = dict(sorted(newest.items(), key=itemgetter(0)))
    if not newest:
        return 0
    if session.get_bind().dialect.name == "sqlite":
        rows = [
            (source_id, sensor, _as_text(time), value) for (sensor, time), value in newest.items()
        ]
        session.connection().exec_driver_sql(_PUT_IN_SQLITE, rows)
    else:
        sensors, times = zip(*newest, strict=True)
        columns = {"sensors": [*sensors], "times": [*times], "values": [*newest.values()]}
        session.execute(_PUT_IN_POSTGRESQL, {"source": source_id, **columns})
    return len(newest)


def page_of_readings(
    session: Session,
    source_id: int,
    *,
    sensor: str | None = None,
    after: tuple[str, dt.datetime] | None = None,
    most: int,
) -> Sequence[Pushed]:
    """The next readings in the order of sensor and time."""
    asked = select(Reading.sensor, Reading.time, Reading.value).where(
        Reading.source_id == source_id
    )
    if sensor is not None:
        asked = asked.where(Reading.sensor == sensor)
    if after is not None:
        asked = asked.where(tuple_(Reading.sensor, Reading.time) > after)
    rows = session.execute(asked.order_by(Reading.sensor, Reading.time).limit(most))
    return [Pushed(*row) for row in rows]


def table_of_readings(session: Session, source_id: int) -> pl.DataFrame:
    """All readings of a source: sensor, time (UTC, without a zone), value."""
    import polars as pl

    asked = select(Reading.sensor, Reading.time, Reading.value).where(
        Reading.source_id == source_id
    )
    rows = session.execute(asked).all()
    columns = [*zip(*rows, strict=True)] or [(), (), ()]
    table = pl.DataFrame(
        {"sensor": columns[0], "time": columns[1], "value": columns[2]},
        schema={"sensor": pl.String, "time": pl.Datetime("us", "UTC"), "value": pl.Float64},
    )
    return table.with_columns(pl.col("time").dt.replace_time_zone(None)).sort("time", "sensor")


def pushed_sensors(session: Session, source_id: int, names: Sequence[str]) -> set[str]:
    """Those of some names of which something was pushed; a look at the index for each."""
    sqlite = session.get_bind().dialect.name == "sqlite"
    asked = _KNOWN_TO_SQLITE if sqlite else _KNOWN_TO_POSTGRESQL
    given = json.dumps([*names]) if sqlite else [*names]
    return set(session.execute(asked, {"names": given, "source": source_id}).scalars())


def some_sensors(session: Session, source_id: int, most: int) -> Iterator[str]:
    """Names of which something was pushed, one after the other by the index."""
    last = ""
    for _ in range(most):
        asked = select(Reading.sensor).where(Reading.source_id == source_id, Reading.sensor > last)
        name = session.scalars(asked.order_by(Reading.sensor).limit(1)).first()
        if name is None:
            return
        yield name
        last = name


def newest_reading(session: Session, source_id: int) -> dt.datetime | None:
    """The time of the newest reading that was pushed."""
    asked = select(func.max(Reading.time)).where(Reading.source_id == source_id)
    found: dt.datetime | None = session.execute(asked).scalar_one()
    return found


def _as_text(moment: dt.datetime) -> str:
    """As SQLAlchemy writes a moment into SQLite."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
