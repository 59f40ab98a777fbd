"""Runs: versions next to each other, what is done by itself, and the way back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import FileResponse, RedirectResponse
from sqlalchemy import func, select

from citytune.serving.database import Alarm, Job, Proposal, Run, Schedule, Source, Version
from citytune.serving.http import _pages as pages
from citytune.serving.http import _shapes as shapes
from citytune.serving.http._access import Asked, Config, Data, Number
from citytune.serving.http.routes import _operations as operations
from citytune.serving.http.routes import _runs as api
from citytune.serving.web._access import PageRoute, Reader, Writer
from citytune.serving.web._page import page
from citytune.serving.web._stored import SIMPLE

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MOST_VERSIONS, MOST_JOBS, MOST_PROPOSALS, MOST_ALARMS = 50, 20, 5, 20
METRICS = ("mae", "rmse", "mase", "wql", "coverage_90")


@router.get("/runs")
def list_runs(request: Request, data: Data, _visitor: Reader) -> Response:
    """All runs, and which version of each forecasts."""
    with data.reading() as session:
        runs = session.scalars(select(Run).order_by(Run.name)).all()
        promoted = [one.promoted_id for one in runs if one.promoted_id]
        asked = select(Version).where(Version.id.in_(promoted))
        versions = {one.id: one for one in session.scalars(asked)}
    return page(request, "runs.html", runs=runs, versions=versions)


@router.get("/runs/{number}")
def run(number: Number, request: Request, data: Data, _visitor: Reader) -> Response:
    """One run: its versions with their scores, its schedules and its jobs."""
    with data.reading() as session:
        found = pages.the(session, Run, number, "run")
        source = session.get_one(Source, found.source_id)
        asked = select(Version).where(Version.run_id == number).order_by(Version.id.desc())
        versions = session.scalars(asked.limit(MOST_VERSIONS)).all()
        timed = select(Schedule).where(Schedule.run_id == number).order_by(Schedule.id)
        schedules = session.scalars(timed).all()
        done = select(Job).where(Job.run_id == number).order_by(Job.id.desc()).limit(MOST_JOBS)
        jobs = session.scalars(done).all()
        told = select(Proposal).where(Proposal.run_id == number).order_by(Proposal.id.desc())
        proposals = session.scalars(told.limit(MOST_PROPOSALS)).all()
        stands = (Alarm.run_id == number, Alarm.ended_at.is_(None))
        count = session.scalar(select(func.count()).select_from(Alarm).where(*stands)) or 0
        newest = select(Alarm).where(*stands).order_by(Alarm.id.desc()).limit(MOST_ALARMS)
        alarms = session.scalars(newest).all()
    present = next((one.number for one in versions if one.id == found.promoted_id), 0)
    return page(
        request, "run.html", run=found, source=source, versions=[_scored(one) for one in versions],
        schedules=schedules, jobs=jobs, proposals=proposals, metrics=METRICS,
        alarms=alarms, more=count - len(alarms),
        can_go_back=any(one.kept and one.number < present for one in versions),
    )  # fmt: skip


@router.get("/runs/{number}/report")
def report(
    number: Number, data: Data, config: Config, _visitor: Reader, version: Asked = None
) -> FileResponse:
    """The report of a version, for who is logged in by cookie."""
    return api.get_report(number, data, config, version)


@router.post("/runs/{number}/promote")
def promote(
    number: Number, data: Data, visitor: Writer, version: Annotated[int, Form(ge=1, le=2**53)]
) -> Response:
    """Let a version forecast from now on."""
    api.promote_version(number, shapes.VersionChoice(version=version), data, visitor)
    return RedirectResponse(f"/runs/{number}", 303)


@router.post("/runs/{number}/roll-back")
def roll_back(number: Number, data: Data, visitor: Writer) -> Response:
    """Let the version forecast that did before."""
    api.roll_back_run(number, data, visitor)
    return RedirectResponse(f"/runs/{number}", 303)


@router.post("/runs/{number}/jobs")
def start(
    number: Number,
    data: Data,
    _visitor: Writer,
    kind: Annotated[Literal["tune", "refresh", "forecast", "retune"], Form()],
) -> Response:
    """Forecast, refresh or tune anew, and show how far that is."""
    made = api.start_job(number, shapes.JobIn.model_validate({"kind": kind}), data)
    return RedirectResponse(f"/jobs/{made.id}", 303)


@router.post("/runs/{number}/delete")
def delete(
    number: Number,
    request: Request,
    data: Data,
    config: Config,
    _visitor: Writer,
    sure: Annotated[bool, Form()] = False,
) -> Response:
    """Delete it with all its versions and forecasts, once a person is sure."""
    if not sure:
        with data.reading() as session:
            return page(request, "delete.html", run=pages.the(session, Run, number, "run"))
    api.delete_run(number, data, config)
    return RedirectResponse("/runs", 303)


@router.post("/runs/{number}/schedules")
def add_schedule(
    number: Number,
    data: Data,
    _visitor: Writer,
    kind: Annotated[Literal["forecast", "refresh"], Form()],
    cron: Annotated[str, Form(max_length=100)] = "",
    timezone: Annotated[str, Form(max_length=60)] = "",
    quiet: Annotated[str, Form(max_length=11)] = "",
) -> Response:
    """Do it by itself from now on."""
    asked = shapes.ScheduleIn(
        run=number, kind=kind, cron=cron, timezone=timezone or "UTC", quiet=quiet or None
    )
    operations.add_schedule(asked, data)
    return RedirectResponse(f"/runs/{number}#schedules", 303)


@router.post("/schedules/{number}/delete")
def delete_schedule(
    number: Number, data: Data, _visitor: Writer, run: Annotated[int, Form(ge=1, le=2**53)]
) -> Response:
    """Do it no longer."""
    operations.delete_schedule(number, data)
    return RedirectResponse(f"/runs/{run}#schedules", 303)


def _scored(version: Version) -> dict[str, Any]:
    """A version with the scores of its model and of the best simple rule."""
    models: dict[str, Any] = (version.scores or {}).get("models", {})
    rules = [name for name in models if name.startswith("naive")]
    best = min(rules, key=lambda name: models[name].get("mae") or float("inf"), default="")
    since = (version.verification or {}).get("all")
    return {"version": version, "scores": models.get("tuned", {}), "rule": SIMPLE.get(best, best),
            "rival": models[best].get("mae") if best else None, "since": since}  # fmt: skip
