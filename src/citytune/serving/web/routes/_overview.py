"""The first page: every sensor of every run, and what stands as an alarm."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from citytune.serving._config import Configuration
from citytune.serving.database import OPEN, STARTED, Alarm, Forecast, Proposal, Run
from citytune.serving.http._access import Config, Data
from citytune.serving.http._cache import Cache
from citytune.serving.jobs import day_of, recent_of
from citytune.serving.web._access import PageRoute, Reader
from citytune.serving.web._map import place_map
from citytune.serving.web._outlook import days
from citytune.serving.web._page import page

if TYPE_CHECKING:
    import polars as pl

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MOST_ROWS, MOST_ALARMS = 1000, 200


@router.get("/")
def overview(request: Request, data: Data, config: Config, _visitor: Reader) -> Response:
    """Tomorrow's level, the chance of its alerts and the health of every sensor."""
    with data.reading() as session:
        runs = session.scalars(select(Run).order_by(Run.name)).all()
        standing = select(Alarm).where(Alarm.ended_at.is_(None)).order_by(Alarm.id.desc())
        alarms = session.scalars(standing.limit(10 * MOST_ROWS)).all()
        pending = select(Proposal).where(Proposal.state.in_((OPEN, STARTED)))
        proposals = session.scalars(pending).all()
    parts = [_part(request, config, run, alarms) for run in runs]
    names = {run.id: run.name for run in runs}
    told = alarms[:MOST_ALARMS]
    return page(request, "overview.html", parts=parts, alarms=told, names=names,
                proposals=proposals, more=len(alarms) - len(told))  # fmt: skip


def _part(
    request: Request, config: Configuration, run: Run, alarms: Sequence[Alarm]
) -> dict[str, Any]:
    """A run: its sensors, or why there is nothing to show."""
    cache: Cache = request.app.state.cache
    ready, facts, day = cache.newest(run.id), _facts(request, run.id), day_of(config, run.id)
    if ready is None or facts is None or day is None:
        return {"run": run, "days": [], "facts": None}
    found = days(day, ready.table)
    return {
        "run": run,
        "facts": facts,
        "day": day,
        "days": found[:MOST_ROWS],
        "map": place_map(found, day.get("places", {})),
        "left_out": max(0, len(found) - MOST_ROWS),
        "last": _last_readings(config, run.id, facts.get("timezone")),
        "troubles": _troubles(run.id, alarms),
    }


def _facts(request: Request, run_id: int) -> dict[str, Any] | None:
    with request.app.state.database.reading() as session:
        asked = select(Forecast.facts).where(Forecast.run_id == run_id)
        found: dict[str, Any] | None = session.scalars(
            asked.order_by(Forecast.id.desc()).limit(1)
        ).first()
    return found


def _troubles(run_id: int, alarms: Sequence[Alarm]) -> dict[str | None, list[Alarm]]:
    """Sensor → its alarms; None: those of all of them. A raised alert is no trouble of a sensor."""
    found: dict[str | None, list[Alarm]] = {}
    for one in alarms:
        if one.run_id == run_id and one.kind != "alert":
            found.setdefault(one.sensor, []).append(one)
    return found


def _last_readings(
    config: Configuration, run_id: int, zone: str | None
) -> dict[str, tuple[dt.datetime, float]]:
    """Sensor → time and value of its last reading."""
    import polars as pl

    table = recent_of(config, run_id)
    if table is None:
        return {}
    known = table.filter(pl.col("value").is_finite()).group_by("sensor")
    newest = known.agg(pl.all().sort_by("time").last()).collect()
    return {row[0]: (row[1], row[2]) for row in in_zone(newest, zone).iter_rows()}


def in_zone(table: pl.DataFrame, zone: str | None) -> pl.DataFrame:
    """With times as the clocks of the sensors show them."""
    import polars as pl

    if zone is None:
        return table
    utc = pl.col("time").dt.replace_time_zone("UTC")
    return table.with_columns(utc.dt.convert_time_zone(zone))
