"""A sensor's page: what was measured, what is forecast, and what came true of last week's."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from citytune.serving._config import Configuration
from citytune.serving.database import Alarm, Forecast, ForecastValue, Run
from citytune.serving.http import _fields as fields
from citytune.serving.http import _pages as pages
from citytune.serving.http._access import Config, Data, Number
from citytune.serving.http._cache import Cache
from citytune.serving.http._problems import Problem, not_found
from citytune.serving.jobs import day_of, recent_of
from citytune.serving.web._access import PageRoute, Reader
from citytune.serving.web._charts import Band, Line, chart
from citytune.serving.web._outlook import days, thresholds
from citytune.serving.web._page import page
from citytune.serving.web.routes._overview import in_zone

if TYPE_CHECKING:
    import polars as pl

router = APIRouter(route_class=PageRoute, include_in_schema=False)
PAST, WEEK = dt.timedelta(days=14), dt.timedelta(days=7)
MOST_ROWS = 48


@router.get("/runs/{number}/sensor")
def sensor(
    number: Number,
    request: Request,
    data: Data,
    config: Config,
    _visitor: Reader,
    name: Annotated[fields.Sensor, Query()],
) -> Response:
    """One sensor of a run."""
    cache: Cache = request.app.state.cache
    ready = cache.newest(number)
    with data.reading() as session:
        run = pages.the(session, Run, number, "run")
        if ready is None:
            raise Problem(404, f"run {run.name!r} has made no forecast yet; see its jobs")
        if name not in ready.sensors:
            raise not_found("sensor", name)
        facts = session.get_one(Forecast, ready.number).facts
        measured = _measured(config, number, name)
        came = _came_true(session, number, name, measured)
        asked = select(Alarm).where(Alarm.run_id == number, Alarm.ended_at.is_(None))
        alarms = [one for one in session.scalars(asked) if one.sensor in (name, None)]
    table = ready.table.filter(sensor=name)
    zone = facts.get("timezone")
    next_day = day_of(config, number) or {"rows": []}
    limits = thresholds(next_day, name)
    shown = {"ahead": _ahead(name, table, in_zone(measured, zone), limits),
             "past": _past(name, in_zone(came, zone), limits),
             "verified": _verified(came, measured, float(facts["step"]))}  # fmt: skip
    day = next(iter(days(next_day, table)), None)
    rows = table.head(MOST_ROWS).to_dicts()
    return page(request, "sensor.html", run=run, name=name, facts=facts, day=day, alarms=alarms,
                next_day=next_day, rows=rows, missing=_missing(measured), **shown)  # fmt: skip


def _measured(config: Configuration, run_id: int, name: str) -> pl.DataFrame:
    """The newest readings of a sensor: time (UTC), value; NaN where nothing was measured."""
    import polars as pl

    table = recent_of(config, run_id)
    if table is None:
        return pl.DataFrame(schema={"time": pl.Datetime("us"), "value": pl.Float64})
    own = table.filter(pl.col("sensor") == name).select("time", pl.col("value").cast(pl.Float64))
    return own.sort("time").collect()


def _came_true(session: Session, run_id: int, name: str, measured: pl.DataFrame) -> pl.DataFrame:
    """Last week's forecasts, each the last one before its time, and what was measured then."""
    import polars as pl

    schema: dict[str, Any] = {"time": pl.Datetime("us", "UTC"), "issued": pl.Datetime("us", "UTC"),
              "point": pl.Float64, "q05": pl.Float64, "q95": pl.Float64}  # fmt: skip
    last = measured.filter(pl.col("value").is_finite())["time"].max()
    rows: Sequence[Any] = []
    if isinstance(last, dt.datetime):
        until = last.replace(tzinfo=dt.UTC)
        value = ForecastValue
        asked = (
            select(value.time, Forecast.issued_at, value.point, value.q05, value.q95)
            .join(Forecast, Forecast.id == value.forecast_id)
            .where(Forecast.run_id == run_id, Forecast.issued_at > until - 2 * WEEK)
            .where(value.sensor == name, value.time > until - WEEK, value.time <= until)
        )
        rows = session.execute(asked).all()
    table = pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")
    newest = table.sort("issued").unique("time", keep="last")
    plain = newest.with_columns(pl.col("time").dt.replace_time_zone(None))
    return plain.join(measured, on="time", how="inner").sort("time")


def _ahead(name: str, table: pl.DataFrame, measured: pl.DataFrame, limits: Sequence[float]) -> Any:
    times = table["time"].to_list()
    past = measured.filter(measured["time"] >= times[0] - PAST)
    lines = [
        Line("measured", past["time"].to_list(), _floats(past["value"])),
        Line("forecast", times, _floats(table["point"])),
    ]
    band = Band(times, _floats(table["q05"]), _floats(table["q95"]))
    return chart(name, lines, band, limits)


def _past(name: str, came: pl.DataFrame, limits: Sequence[float]) -> Any:
    times = came["time"].to_list()
    lines = [
        Line("forecast", times, _floats(came["point"])),
        Line("measured", times, _floats(came["value"])),
    ]
    band = Band(times, _floats(came["q05"]), _floats(came["q95"]))
    return chart(name, lines, band, limits)


def _verified(came: pl.DataFrame, measured: pl.DataFrame, step: float) -> dict[str, Any] | None:
    """How last week's forecasts did, and the value of the day before."""
    import polars as pl

    span = dt.timedelta(days=1) if step <= 86_400 else WEEK
    before = measured.select(pl.col("time") + span, naive="value")
    known = came.join(before, on="time", how="left").filter(
        pl.col("value").is_finite() & pl.col("point").is_finite()
    )
    if known.is_empty():
        return None
    off, inside = (
        known["value"] - known["point"],
        known["value"].is_between(known["q05"], known["q95"]),
    )
    return {
        "values": len(known),
        "mae": off.abs().mean(),
        "naive": (known["value"] - known["naive"]).fill_nan(None).abs().mean(),
        "coverage": inside.cast(pl.Float64).mean(),
    }


def _missing(measured: pl.DataFrame) -> float | None:
    """Share of the newest readings that is missing."""
    values = measured["value"]
    return float((~values.is_finite()).mean()) if len(values) else None  # type: ignore[arg-type]


def _floats(values: pl.Series) -> list[float]:
    return [math.nan if one is None else float(one) for one in values.to_list()]
