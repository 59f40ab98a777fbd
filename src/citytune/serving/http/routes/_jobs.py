"""`/v1/jobs`: what is being done, how far it is, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from citytune.serving.database import CANCELLED, DONE, FAILED, Database, Job, JobLine
from citytune.serving.http import _fields as fields
from citytune.serving.http import _pages as pages
from citytune.serving.http import _shapes as shapes
from citytune.serving.http._access import (
    READS,
    WRITES,
    Allowed,
    Asked,
    Data,
    Number,
    database_of,
    may,
)
from citytune.serving.http._problems import Problem
from citytune.serving.jobs import cancel

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
State = Literal["queued", "running", "done", "failed", "cancelled"]
LOOK = 0.5
"""Seconds between two looks at a job that is followed."""
QUIET = 15.0
"""Seconds after which a stream says that it is still there …"""
LONGEST = 3600.0
"""… and after which it ends, and the client asks again."""


@router.get("", dependencies=may(READS))
def list_jobs(
    data: Data,
    state: Annotated[State | None, Query()] = None,
    run: Asked = None,
    source: Asked = None,
    limit: pages.Limit = 100,
    cursor: pages.Cursor = None,
) -> fields.Page[shapes.JobOut]:
    """Jobs, the newest first."""
    asked = select(Job)
    for column, wanted in ((Job.state, state), (Job.run_id, run), (Job.source_id, source)):
        asked = asked if wanted is None else asked.where(column == wanted)
    with data.reading() as session:
        found = pages.newest_first(session, asked, Job, pages.job, limit, cursor)
    return fields.Page[shapes.JobOut](**found)


@router.get("/{number}", dependencies=may(READS))
def get_job(number: Number, data: Data) -> shapes.JobOut:
    """One job, with its result."""
    with data.reading() as session:
        return pages.job(pages.the(session, Job, number, "job"))


@router.get("/{number}/log", dependencies=may(READS))
def get_log(
    number: Number, data: Data, limit: pages.Limit = 100, cursor: pages.Cursor = None
) -> fields.Page[shapes.LineOut]:
    """What was noted of a job, the newest first."""
    with data.reading() as session:
        pages.the(session, Job, number, "job")
        asked = select(JobLine).where(JobLine.job_id == number)
        found = pages.newest_first(session, asked, JobLine, pages.line, limit, cursor)
    return fields.Page[shapes.LineOut](**found)


@router.post("/{number}/cancel", status_code=202, dependencies=may(WRITES))
def cancel_job(number: Number, data: Data) -> shapes.JobOut:
    """Stop a job: at once if it waits, within a second or so if it runs."""
    with data.writing() as session:
        job = pages.the(session, Job, number, "job")
        cancel(session, job, data.now(session))
        return pages.job(job)


@router.get(
    "/{number}/events",
    dependencies=may(READS),
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def follow_job(number: Number, request: Request) -> StreamingResponse:
    """Follow a job by server-sent events: `progress` whenever it moves on, `end` at its end."""
    return await followed(number, request, READS)


async def followed(number: int, request: Request, allowed: Allowed) -> StreamingResponse:
    """The stream, for as long as its reader may read."""
    database = database_of(request)
    first = await run_in_threadpool(_state, database, number)
    return StreamingResponse(
        _events(database, number, first, request, allowed),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    database: Database, number: int, job: shapes.JobOut, request: Request, allowed: Allowed
) -> AsyncIterator[str]:
    until, said_at, before = time.monotonic() + LONGEST, time.monotonic(), None
    while time.monotonic() < until and not await request.is_disconnected():
        ended = job.state in (DONE, FAILED, CANCELLED)
        present = (job.state, job.stage, job.share)
        if ended or present != before:
            yield _event("end" if ended else "progress", job)
            said_at, before = time.monotonic(), present
        elif time.monotonic() - said_at > QUIET:
            yield ": still there\n\n"
            said_at = time.monotonic()
        if ended:
            return
        await asyncio.sleep(LOOK)
        try:
            await allowed(request)
        except Problem:  # the token was revoked, or has expired
            return
        job = await run_in_threadpool(_state, database, number)


def _event(name: str, job: Any) -> str:
    return f"event: {name}\ndata: {job.model_dump_json()}\n\n"


def _state(database: Database, number: int) -> shapes.JobOut:
    with database.reading() as session:
        return pages.job(pages.the(session, Job, number, "job"))
