"""A job's page: how far it is, and where what came of it is shown."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from sqlalchemy import select

from citytune.reporting import for_page
from citytune.serving.database import Job, JobLine, Run, Source
from citytune.serving.http import _pages as pages
from citytune.serving.http._access import Data, Number
from citytune.serving.http.routes import _jobs as api
from citytune.serving.web._access import VISITOR, PageRoute, Reader, Writer
from citytune.serving.web._page import page

router = APIRouter(route_class=PageRoute, include_in_schema=False)
ENDED = ("done", "failed", "cancelled")
MOST_LINES = 50


@router.get("/jobs/{number}")
def job(number: Number, request: Request, data: Data, _visitor: Reader) -> Response:
    """One job, which tells by itself how far it is."""
    with data.reading() as session:
        found = pages.the(session, Job, number, "job")
        run = session.get(Run, found.run_id) if found.run_id else None
        source = session.get_one(Source, found.source_id)
        asked = select(JobLine).where(JobLine.job_id == number).order_by(JobLine.id.desc())
        lines = session.scalars(asked.limit(MOST_LINES)).all()
    error = for_page(found.error) if found.error else ""
    return page(request, "job.html", job=found, run=run, source=source, lines=lines, error=error,
                ended=found.state in ENDED)  # fmt: skip


@router.get("/jobs/{number}/events")
async def follow(number: Number, request: Request, _visitor: Reader) -> StreamingResponse:
    """The server-sent events of the interface, for who is logged in by cookie."""
    return await api.followed(number, request, VISITOR)


@router.post("/jobs/{number}/cancel")
def cancel(number: Number, data: Data, _visitor: Writer) -> Response:
    """Stop it."""
    api.cancel_job(number, data)
    return RedirectResponse(f"/jobs/{number}", 303)
