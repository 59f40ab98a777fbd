"""`/v1/readings`: push what was measured; the next forecast follows."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from citytune.serving.database import (
    Database,
    Pushed,
    Run,
    Source,
    page_of_readings,
    put_readings,
)
from citytune.serving.http import _fields as fields
from citytune.serving.http import _pages as pages
from citytune.serving.http import _shapes as shapes
from citytune.serving.http._access import READS, WRITES, Data, Number, may
from citytune.serving.http._problems import Problem
from citytune.serving.http.routes._sensors import refuse_unknown
from citytune.serving.http.routes._sources import result_of_check
from citytune.serving.jobs import enqueue_by_itself

router = APIRouter(prefix="/v1", tags=["readings"])
GATHERED = dt.timedelta(seconds=2)
"""Time that a forecast waits for further readings."""
AHEAD = dt.timedelta(hours=48)
"""How far ahead of the server's clock a reading may be: zones, and clocks that are wrong."""


@router.post("/readings", dependencies=may(WRITES))
def push(asked: shapes.ReadingsIn, data: Data, request: Request) -> shapes.Accepted:
    """Push readings, in any order, again and again; forecasts of their source follow."""
    with data.reading() as session:
        source = pages.the(session, Source, asked.source, "source")
        aware = _has_zone(session, source)
        latest = data.now(session) + AHEAD
        if not asked.new_sensors:
            refuse_unknown(session, source, {one.sensor for one in asked.readings})
    readings = [Pushed(one.sensor, one.time, one.value) for one in asked.readings]
    _refuse_times(readings, aware, latest)
    if not aware:
        readings = [one._replace(time=one.time.replace(tzinfo=dt.UTC)) for one in readings]
    with data.writing() as session:
        pages.the(session, Source, asked.source, "source")
        count = put_readings(session, asked.source, readings)
        jobs = _forecasts(session, asked.source, data) if count else []
    request.app.state.numbers.readings.inc(count)
    return shapes.Accepted(accepted=count, jobs=jobs)


@router.get("/sources/{number}/readings", dependencies=may(READS))
def list_readings(
    number: Number,
    data: Data,
    sensor: Annotated[fields.Sensor | None, Query()] = None,
    limit: pages.Limit = 1000,
    cursor: pages.Cursor = None,
) -> fields.Page[shapes.ReadingOut]:
    """What was pushed to a source, by sensor and time; of one without a zone, wall times as UTC."""
    with data.reading() as session:
        pages.the(session, Source, number, "source")
        rows = page_of_readings(
            session, number, sensor=sensor, after=_after(cursor), most=limit + 1
        )
    last = rows[limit - 1] if len(rows) > limit else None
    return fields.Page[shapes.ReadingOut](
        items=[shapes.ReadingOut(**one._asdict()) for one in rows[:limit]],
        next=pages.cursor_of(last.sensor, last.time.isoformat()) if last is not None else None,
    )


def _after(cursor: str | None) -> tuple[str, dt.datetime] | None:
    if cursor is None:
        return None
    sensor, text = pages.place_of(cursor, [str, str])
    try:
        time = dt.datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None or not 1900 <= time.year <= 2200 or "\0" in sensor:
        raise Problem(422, "the cursor is not one that a page gave; leave it out to begin anew")
    return sensor, time


def _has_zone(session: Session, source: Source) -> bool:
    """Whether its times are moments; if nobody said so, the last check knows."""
    if source.reading.get("timezone") is not None:
        return True
    if source.kind == "readings":
        return False
    found: dict[str, Any] | None = result_of_check(session, source.id)
    if found is None or not found["usable"]:
        raise Problem(409, "the source has not been checked, or cannot be used; see its check")
    return found["timezone"] is not None


def _refuse_times(readings: list[Pushed], aware: bool, latest: dt.datetime) -> None:
    for one in readings:
        if (one.time.tzinfo is not None) != aware:
            raise Problem(
                422,
                f"reading of {one.sensor!r} at {one.time}: the source has "
                + ("a time zone, so times need an offset, such as +02:00" if aware
                   else "no time zone, so times are wall times without an offset"),
            )  # fmt: skip
        if (one.time if aware else one.time.replace(tzinfo=dt.UTC)) > latest:
            raise Problem(422, f"reading of {one.sensor!r} at {one.time}: that is in the future")


def _forecasts(session: Session, source_id: int, data: Database) -> list[int]:
    """A forecast of every run of a source that has a version, soon."""
    runs = select(Run).where(Run.source_id == source_id, Run.promoted_id.is_not(None))
    now = data.now(session)
    jobs = [
        enqueue_by_itself(session, "forecast", run, now=now, not_before=now + GATHERED)
        for run in session.scalars(runs).all()
    ]
    return [job.id for job in jobs if job is not None]
