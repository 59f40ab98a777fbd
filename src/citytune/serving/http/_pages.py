"""Lists, page by page, and rows as they are shown."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias

from fastapi import Query
from sqlalchemy.orm import Session

from citytune.readers import masked
from citytune.serving.database import (
    Alarm,
    AuditLine,
    Forecast,
    Job,
    JobLine,
    Notice,
    Proposal,
    Run,
    Schedule,
    Source,
    Token,
    Version,
)
from citytune.serving.http import _shapes as shapes
from citytune.serving.http import _told_shapes as told
from citytune.serving.http._problems import Problem, not_found

Limit: TypeAlias = Annotated[int, Query(ge=1, le=1000, description="Most items of a page.")]
Cursor: TypeAlias = Annotated[str | None, Query(max_length=500, description="`next` of a page.")]


def cursor_of(*place: Any) -> str:
    """Where the next page begins, as text."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place_of(cursor: str, kinds: Sequence[type]) -> list[Any]:
    """What `cursor_of` was given.

    Raises:
        Problem: it is none of ours.
    """
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        right = isinstance(found, list) and [type(one) for one in found] == [*kinds]
    except (binascii.Error, ValueError, RecursionError):
        right = False
    if not right or any(isinstance(one, int) and abs(one) > 2**53 for one in found):
        raise Problem(422, "the cursor is not one that a page gave; leave it out to begin anew")
    return list(found)


def newest_first(
    session: Session,
    asked: Any,
    table: Any,
    show: Callable[[Any], Any],
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    """A page of a table with numbers, the newest first."""  # fmt: skip
    if cursor is not None:
        (before,) = place_of(cursor, [int])
        asked = asked.where(table.id < before)
    rows = session.scalars(asked.order_by(table.id.desc()).limit(limit + 1)).all()
    more = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return {"items": [show(row) for row in rows[:limit]], "next": more}


def the(session: Session, table: Any, number: int, what: str) -> Any:
    """A row by its number.

    Raises:
        Problem: there is none.
    """
    row = session.get(table, number)
    if row is None:
        raise not_found(what, number)
    return row


def source(row: Source, check_job: int | None = None) -> shapes.SourceOut:
    """A source as it is shown."""
    place = masked(row.place) if row.place is not None and row.kind == "url" else row.place
    return shapes.SourceOut(
        id=row.id, name=row.name, kind=row.kind, place=place, query=row.query, reading=row.reading,
        policy=row.policy, created_at=row.created_at, check_job=check_job,
    )  # fmt: skip


def run(row: Run) -> shapes.RunOut:
    """A run as it is shown."""
    return shapes.RunOut(
        id=row.id, source=row.source_id, name=row.name, settings=row.settings, alerts=row.alerts,
        promoted=row.promoted_id, created_at=row.created_at,
    )  # fmt: skip


def version(row: Version, promoted: int | None) -> shapes.VersionOut:
    """A version as it is shown."""
    return shapes.VersionOut(
        id=row.id, run=row.run_id, number=row.number, made_by=row.made_by, kept=row.kept,
        promoted=row.id == promoted, created_at=row.created_at,
    )  # fmt: skip


def job(row: Job) -> shapes.JobOut:
    """A job as it is shown."""
    return shapes.JobOut(
        id=row.id, kind=row.kind, source=row.source_id, run=row.run_id, state=row.state,
        stage=row.stage, share=row.share, attempts=row.attempts, created_at=row.created_at,
        not_before=row.not_before, started_at=row.started_at, ended_at=row.ended_at,
        error=row.error, result=row.result,
    )  # fmt: skip


def line(row: JobLine) -> shapes.LineOut:
    """A line of a log as it is shown."""
    return shapes.LineOut(id=row.id, at=row.at, text=row.text)


def forecast(row: Forecast) -> shapes.ForecastOut:
    """A forecast as it is listed."""
    return shapes.ForecastOut(
        id=row.id, run=row.run_id, version=row.version_id, issued_at=row.issued_at,
        created_at=row.created_at, facts=row.facts,
    )  # fmt: skip


def schedule(row: Schedule) -> shapes.ScheduleOut:
    """A schedule as it is shown."""
    return shapes.ScheduleOut(
        id=row.id, run=row.run_id, kind=row.kind, cron=row.cron, timezone=row.timezone,
        quiet=row.quiet, next_at=row.next_at,
    )  # fmt: skip


def alarm(row: Alarm) -> shapes.AlarmOut:
    """An alarm as it is shown."""
    return shapes.AlarmOut(
        id=row.id, run=row.run_id, kind=row.kind, sensor=row.sensor, text=row.text,
        evidence=row.evidence, raised_at=row.raised_at, ended_at=row.ended_at,
    )  # fmt: skip


def proposal(row: Proposal) -> told.ProposalOut:
    """A proposal as it is shown."""
    return told.ProposalOut(
        id=row.id, run=row.run_id, state=row.state, why=row.why, job=row.job_id,
        version=row.version_id, comparison=row.comparison, created_at=row.created_at,
        ended_at=row.ended_at,
    )  # fmt: skip


def notice(row: Notice) -> told.NoticeOut:
    """A notice as it is shown."""
    return told.NoticeOut(
        id=row.id, event=row.event, channel=row.channel, kind=row.kind, run=row.run_id,
        title=row.title, items=row.items, state=row.state, attempts=row.attempts,
        created_at=row.created_at, sent_at=row.sent_at, error=row.error,
    )  # fmt: skip


def token(row: Token) -> shapes.TokenOut:
    """A token as it is shown."""
    return shapes.TokenOut(**_of_token(row))


def new_token(row: Token, text: str) -> shapes.NewToken:
    """A token with its text."""
    return shapes.NewToken(token=text, **_of_token(row))


def audit(row: AuditLine) -> shapes.AuditOut:
    """A line of the audit log as it is shown."""
    return shapes.AuditOut(
        id=row.id, at=row.at, who=row.who, address=row.address, action=row.action, status=row.status
    )


def _of_token(row: Token) -> dict[str, Any]:
    names = ("id", "name", "role", "sources", "created_at", "expires_at", "revoked_at")
    return {name: getattr(row, name) for name in names}
