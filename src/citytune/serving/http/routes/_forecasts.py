"""`/v1/runs/…/forecast`: what is to come, the newest or as it was known at a moment."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from citytune._errors import UnknownName
from citytune.serving.database import Database, Forecast, Run, newest_forecast
from citytune.serving.http import _fields as fields
from citytune.serving.http import _pages as pages
from citytune.serving.http import _shapes as shapes
from citytune.serving.http._access import READS, Data, Number, database_of, may
from citytune.serving.http._cache import Cache, Ready
from citytune.serving.http._formats import MEDIA, Format, format_of, in_format
from citytune.serving.http._problems import Problem

router = APIRouter(prefix="/v1", tags=["forecasts"])
EXAMPLE = {
    "forecast": 7, "run": 1, "version": 2, "issued_at": "2024-05-03T01:00:00+02:00",
    "created_at": "2024-05-02T23:01:10+00:00", "quantity": "traffic_volume", "unit": "veh/h",
    "timezone": "Europe/Oslo", "step": 3600.0, "steps": 2, "model": "citytune-base, blend",
    "sensors": 1, "notes": [],
    "forecasts": [{"sensor": "Ring road", "time": ["2024-05-03T01:00:00+02:00",
                   "2024-05-03T02:00:00+02:00"], "mean": [120.5, 80.1], "q05": [90, 55],
                   "q50": [119, 79], "q95": [160, 110], "quality": ["model", "model"]}],
}  # fmt: skip


@router.get("/runs/{number}/forecasts", dependencies=may(READS))
def list_forecasts(
    number: Number, data: Data, limit: pages.Limit = 100, cursor: pages.Cursor = None
) -> fields.Page[shapes.ForecastOut]:
    """Every forecast that was issued, the newest first."""
    with data.reading() as session:
        pages.the(session, Run, number, "run")
        asked = select(Forecast).where(Forecast.run_id == number)
        found = pages.newest_first(session, asked, Forecast, pages.forecast, limit, cursor)
    return fields.Page[shapes.ForecastOut](**found)


@router.get(
    "/runs/{number}/forecast",
    dependencies=may(READS),
    response_class=Response,
    responses={
        200: {
            "content": {"application/json": {"example": EXAMPLE}, **{m: {} for m in MEDIA.values()}}
        }
    },
)
async def get_forecast(
    number: Number,
    request: Request,
    sensor: Annotated[list[fields.Sensor] | None, Query(max_length=5000)] = None,
    as_of: Annotated[
        fields.Moment | None, Query(description="As it was known then; with an offset.")
    ] = None,
    format: Annotated[Format | None, Query(description="Or by the header Accept.")] = None,  # noqa: A002 - its usual name
) -> Response:
    """Mean, point, quantiles, quality and chances of alerts, for each sensor and time."""
    cache: Cache = request.app.state.cache
    data = database_of(request)
    ready = cache.at_once(number) if as_of is None and data.sources is None else None
    if ready is None:
        ready = await run_in_threadpool(_found, data, cache, number, as_of)
    for one in sensor or ():
        if one not in ready.sensors:
            raise UnknownName("sensor of this forecast", one, ready.sensors)
    form = format_of(format, request.headers.get("accept", ""))
    headers = {
        "ETag": f'"{ready.tag}-{form}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept",
    }
    if form == "json":
        return Response(
            ready.document(sensor or [*ready.sensors]), headers=headers, media_type=MEDIA[form]
        )
    body = await run_in_threadpool(in_format, ready, sensor, form)
    name = f"attachment; filename=forecast-{ready.number}.{form}"
    return Response(body, headers={**headers, "Content-Disposition": name}, media_type=MEDIA[form])


def _found(database: Database, cache: Cache, number: int, as_of: dt.datetime | None) -> Ready:
    if as_of is not None and as_of.tzinfo is None:
        raise Problem(422, "as_of needs an offset, such as 2024-05-03T06:00:00Z")
    with database.reading() as session:
        pages.the(session, Run, number, "run")
        row = newest_forecast(session, number, as_of) if as_of is not None else None
    if as_of is None:
        found = cache.newest(number)
    else:
        found = cache.of(row) if row is not None else None
    if found is None:
        raise Problem(404, "the run has made no forecast by then; see its jobs")
    return found
