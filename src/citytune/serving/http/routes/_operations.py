"""Schedules, alarms, models, health and numbers."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import func, select

from citytune.serving.database import QUEUED, RUNNING, Alarm, Database, Job, Run, Schedule
from citytune.serving.http import _fields as fields
from citytune.serving.http import _pages as pages
from citytune.serving.http import _shapes as shapes
from citytune.serving.http._access import READS, WRITES, Asked, Data, Number, may
from citytune.serving.http._elsewhere import NAMES
from citytune.serving.http._tokens import Doorkeeper
from citytune.serving.jobs import check_schedule, next_time

router = APIRouter(prefix="/v1", tags=["operations"])
metrics = APIRouter(tags=["operations"])


@router.get("/schedules", dependencies=may(READS))
def list_schedules(
    data: Data, run: Asked = None, limit: pages.Limit = 100, cursor: pages.Cursor = None
) -> fields.Page[shapes.ScheduleOut]:
    """What is done by itself."""
    asked = select(Schedule) if run is None else select(Schedule).where(Schedule.run_id == run)
    with data.reading() as session:
        found = pages.newest_first(session, asked, Schedule, pages.schedule, limit, cursor)
    return fields.Page[shapes.ScheduleOut](**found)


@router.post("/schedules", status_code=201, dependencies=may(WRITES))
def add_schedule(asked: shapes.ScheduleIn, data: Data) -> shapes.ScheduleOut:
    """Forecast or refresh a run by itself, in the words of cron."""
    check_schedule(asked.kind, asked.cron, asked.timezone, asked.quiet)
    with data.writing() as session:
        pages.the(session, Run, asked.run, "run")
        said = asked.model_dump(exclude={"run"})
        begin = next_time(asked.cron, asked.timezone, data.now(session))
        row = Schedule(run_id=asked.run, next_at=begin, **said)
        session.add(row)
        session.flush()
        return pages.schedule(row)


@router.delete("/schedules/{number}", status_code=204, dependencies=may(WRITES))
def delete_schedule(number: Number, data: Data) -> None:
    """Do it no longer."""
    with data.writing() as session:
        session.delete(pages.the(session, Schedule, number, "schedule"))


@router.get("/alarms", dependencies=may(READS))
def list_alarms(
    data: Data,
    run: Asked = None,
    standing: Annotated[bool, Query(description="Only those that have not ended.")] = False,
    limit: pages.Limit = 100,
    cursor: pages.Cursor = None,
) -> fields.Page[shapes.AlarmOut]:
    """What a person should look at, the newest first."""
    asked = select(Alarm) if run is None else select(Alarm).where(Alarm.run_id == run)
    if standing:
        asked = asked.where(Alarm.ended_at.is_(None))
    with data.reading() as session:
        found = pages.newest_first(session, asked, Alarm, pages.alarm, limit, cursor)
    return fields.Page[shapes.AlarmOut](**found)


@router.get("/models", dependencies=may(READS))
def list_models() -> list[dict[str, Any]]:
    """The pretrained models, and which have their weights here."""
    return [*NAMES.get().models]


@router.get("/health")
def health(request: Request) -> shapes.Health:
    """Whether the server and its database answer; where tokens are needed, without counts.

    Those who have a token find them at `/metrics`.
    """
    keeper: Doorkeeper = request.app.state.doorkeeper
    waiting, running = _counts(request.app.state.database)
    said = {} if keeper.needs_token else {"waiting": waiting, "running": running}
    return shapes.Health(status="ok", version=version("citytune"), **said)


@metrics.get("/metrics", dependencies=may(READS), response_class=Response)
def get_metrics(data: Data, request: Request) -> Response:
    """Numbers for Prometheus; a token that is limited to sources sees those of their jobs alone."""
    waiting, running = _counts(data)
    own = data.sources is not None
    text = "" if own else generate_latest(request.app.state.numbers.registry).decode()
    for name, count in (("waiting", waiting), ("running", running)):
        text += f"# TYPE citytune_jobs_{name} gauge\ncitytune_jobs_{name} {count}\n"
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _counts(data: Database) -> tuple[int, int]:
    """Jobs that could begin now, and jobs that run."""
    with data.reading() as session:
        due = (Job.state == QUEUED) & (Job.not_before <= data.now(session))
        asked = [
            select(func.count()).select_from(Job).where(one) for one in (due, Job.state == RUNNING)
        ]
        waiting, running = (int(session.scalar(one)) for one in asked)
    return waiting, running
