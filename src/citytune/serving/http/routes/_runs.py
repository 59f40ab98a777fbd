"""`/v1/runs`: tune, renew, compare, promote, roll back."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from citytune._errors import RunError, UnknownName
from citytune.runs import Job as Setup
from citytune.runs import check_alerts, open_run
from citytune.serving._config import RUNS
from citytune.serving.database import RUNNING, Job, Run, Source, Version
from citytune.serving.http import _fields as fields
from citytune.serving.http import _pages as pages
from citytune.serving.http import _shapes as shapes
from citytune.serving.http._access import (
    READS,
    WRITES,
    Asked,
    Config,
    Data,
    Number,
    Writer,
    may,
)
from citytune.serving.http._elsewhere import NAMES, elsewhere
from citytune.serving.http._problems import Problem
from citytune.serving.jobs import (
    delete_folders,
    enqueue,
    enqueue_by_itself,
    path_of,
    promote,
    roll_back,
)
from citytune.settings import Settings

router = APIRouter(prefix="/v1", tags=["runs"])
SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:; font-src data:"
)
"""A report draws its charts, and can reach nothing."""


@router.post("/runs", status_code=202, dependencies=may(WRITES))
def start_run(asked: shapes.RunIn, data: Data, response: Response) -> shapes.Started:
    """Tune a model to a source: a run, whose first version a job makes."""
    _check_setup(asked)
    with data.writing() as session:
        pages.the(session, Source, asked.source, "source")
        alike = select(Run.id).where(Run.source_id == asked.source, Run.name == asked.name)
        if session.scalars(alike).first() is not None:
            raise Problem(
                409, f"the source has a run called {asked.name!r} already; choose another name"
            )
        now = data.now(session)
        run = Run(source_id=asked.source, name=asked.name, settings=asked.settings,
                  alerts=asked.alerts, created_at=now)  # fmt: skip
        session.add(run)
        session.flush()
        job = enqueue(session, "tune", run.source_id, run_id=run.id, now=now)
        response.headers["Location"] = f"/v1/runs/{run.id}"
        return shapes.Started(run=pages.run(run), job=pages.job(job))


@router.get("/runs", dependencies=may(READS))
def list_runs(
    data: Data, source: Asked = None, limit: pages.Limit = 100, cursor: pages.Cursor = None
) -> fields.Page[shapes.RunOut]:
    """All runs, the newest first."""
    asked = select(Run) if source is None else select(Run).where(Run.source_id == source)
    with data.reading() as session:
        found = pages.newest_first(session, asked, Run, pages.run, limit, cursor)
    return fields.Page[shapes.RunOut](**found)


@router.get("/runs/{number}", dependencies=may(READS))
def get_run(number: Number, data: Data) -> shapes.RunOut:
    """One run."""
    with data.reading() as session:
        return pages.run(pages.the(session, Run, number, "run"))


@router.delete("/runs/{number}", status_code=204, dependencies=may(WRITES))
def delete_run(number: Number, data: Data, config: Config) -> None:
    """Delete a run with all its versions and forecasts."""
    with data.writing() as session:
        run = pages.the(session, Run, number, "run")
        busy = select(Job.id).where(Job.run_id == number, Job.state == RUNNING)
        if (job := session.scalars(busy).first()) is not None:
            raise Problem(409, f"job {job} is busy with it; cancel that first")
        session.delete(run)
    delete_folders([config.place(RUNS, str(number))])


@router.post("/runs/{number}/jobs", status_code=202, dependencies=may(WRITES))
def start_job(number: Number, asked: shapes.JobIn, data: Data) -> shapes.JobOut:
    """Forecast, refresh, or tune anew."""
    said = asked.model_dump(exclude_none=True)
    kind = said.pop("kind")
    if "by" in said and kind != "refresh":
        raise Problem(422, "`by` is for a refresh")
    if "promote" in said and kind == "retune":
        raise Problem(422, "a retune promotes what is better; leave `promote` out")
    with data.writing() as session:
        run = pages.the(session, Run, number, "run")
        if kind != "tune" and run.promoted_id is None:
            raise Problem(409, f"run {run.name!r} has no version yet; wait until it is tuned")
        now = data.now(session)
        return pages.job(enqueue(session, kind, run.source_id, run_id=run.id, now=now, **said))


@router.get("/runs/{number}/versions", dependencies=may(READS))
def list_versions(
    number: Number, data: Data, limit: pages.Limit = 100, cursor: pages.Cursor = None
) -> fields.Page[shapes.VersionOut]:
    """The versions of a run, the newest first."""
    with data.reading() as session:
        promoted = pages.the(session, Run, number, "run").promoted_id
        asked = select(Version).where(Version.run_id == number)
        found = pages.newest_first(
            session, asked, Version, lambda one: pages.version(one, promoted), limit, cursor
        )
    return fields.Page[shapes.VersionOut](**found)


@router.post("/runs/{number}/promote")
def promote_version(
    number: Number, asked: shapes.VersionChoice, data: Data, caller: Writer
) -> shapes.RunOut:
    """Let a version forecast from now on; its forecast follows."""
    with data.writing() as session:
        run = pages.the(session, Run, number, "run")
        version = pages.the(session, Version, asked.version, "version")
        promote(session, run, version, data.now(session), caller.name)
        _follow(session, run, data.now(session))
        return pages.run(run)


@router.post("/runs/{number}/roll-back")
def roll_back_run(number: Number, data: Data, caller: Writer) -> shapes.RunOut:
    """Let the version forecast that did before; its forecast follows."""
    with data.writing() as session:
        run = pages.the(session, Run, number, "run")
        roll_back(session, run, data.now(session), caller.name)
        _follow(session, run, data.now(session))
        return pages.run(run)


@router.get("/runs/{number}/scores", dependencies=may(READS))
def get_scores(number: Number, data: Data, version: Asked = None) -> dict[str, Any]:
    """How a version did on the days it has not seen; by default the one that forecasts."""
    with data.reading() as session:
        return _chosen(session, number, version).scores or {}


@router.get("/runs/{number}/verification", dependencies=may(READS))
def get_verification(number: Number, data: Data, version: Asked = None) -> dict[str, Any]:
    """How the forecasts that were made did: in `all`, and in `weeks` by their Mondays."""
    with data.reading() as session:
        return _chosen(session, number, version).verification or {"all": None, "weeks": {}}


@router.get("/compare", dependencies=may(READS))
def compare(
    data: Data, version: Annotated[list[fields.Id], Query(min_length=1, max_length=20)]
) -> list[dict[str, Any]]:
    """The scores of some versions, one after the other."""
    with data.reading() as session:
        rows = [pages.the(session, Version, one, "version") for one in version]
        return [
            {"version": one.id, "run": one.run_id, "number": one.number, "scores": one.scores,
             "verification": one.verification}
            for one in rows
        ]  # fmt: skip


@router.get("/runs/{number}/report", dependencies=may(READS), response_class=FileResponse)
def get_report(number: Number, data: Data, config: Config, version: Asked = None) -> FileResponse:
    """The report of a version, a page for a browser."""
    with data.reading() as session:
        folder = path_of(config, _chosen(session, number, version))
    headers = {"Content-Security-Policy": SANDBOX}
    try:
        return FileResponse(open_run(folder).report, media_type="text/html", headers=headers)
    except RunError:
        raise Problem(404, "its report is not there any more") from None


def _chosen(session: Session, number: int, version: int | None) -> Version:
    run = pages.the(session, Run, number, "run")
    wanted = version or run.promoted_id
    if wanted is None:
        raise Problem(409, f"run {run.name!r} has no version yet; wait until it is tuned")
    found = pages.the(session, Version, wanted, "version")
    if found.run_id != number:
        raise Problem(404, f"version {version} is of another run")
    return found


def _follow(session: Session, run: Run, now: dt.datetime) -> None:
    enqueue_by_itself(session, "forecast", run, now=now)


def _check_setup(asked: shapes.RunIn) -> None:
    """Refuse what no source can make good."""
    known = [one.name for one in dataclasses.fields(Settings)]
    for name in asked.settings:
        if name not in known:
            raise UnknownName("setting", name, known)
    if "horizon" not in asked.settings:
        raise Problem(422, 'settings need a horizon, such as {"horizon": "24h"}')
    settings = Settings(**asked.settings)
    NAMES.check(settings)
    check_alerts(asked.alerts)
    if settings.options:
        elsewhere(Setup(settings=settings).check)
