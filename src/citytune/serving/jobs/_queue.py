"""The queue: jobs wait in the database, and are leased to one worker at a time."""

from __future__ import annotations

import datetime as dt
import logging
import secrets
from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import and_, delete, func, or_, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from citytune._errors import InputError, UnknownName
from citytune.serving.database import (
    CANCELLED,
    DONE,
    FAILED,
    QUEUED,
    RUNNING,
    Database,
    Job,
    JobLine,
    Run,
)

KINDS = ("check", "tune", "forecast", "refresh", "retune")
LEASE = dt.timedelta(seconds=30)
"""Time without a sign of life after which a worker is taken for dead."""
SET_BACK = dt.timedelta(minutes=1)
"""A job that was made so long after now tells of a clock that was set back."""
MOST_ATTEMPTS = 3
"""How often a job is begun before it is given up."""
MOST_WAITING = 1000
"""Jobs that may wait at the same moment."""
ENDED = (DONE, FAILED, CANCELLED)
_log = logging.getLogger("citytune.serving")


class Leased(NamedTuple):
    """A job that this worker does, and nobody else."""

    job_id: int
    kind: str
    source_id: int
    lease: str


def enqueue(
    session: Session,
    kind: str,
    source_id: int,
    *,
    now: dt.datetime,
    run_id: int | None = None,
    not_before: dt.datetime | None = None,
    once: bool = False,
    **params: Any,
) -> Job:
    """Let a job wait for a worker.

    Args:
        session: Writes.
        kind: One of `KINDS`.
        source_id: At most one job of a source runs at a time.
        now: When.
        run_id: Whose model it is about.
        not_before: Earliest begin.
        once: If a job of this kind and run waits already, that one is given, and begins at the
            earlier of both moments.
        params: What it needs, as JSON.

    Raises:
        InputError: too many jobs wait already.
    """
    if kind not in KINDS:
        raise UnknownName("kind of job", kind, KINDS)
    if once:
        alike = (Job.kind == kind, Job.source_id == source_id, Job.run_id == run_id)
        asked = select(Job).where(Job.state == QUEUED, *alike)
        found: Job | None = session.scalars(asked.limit(1)).first()
        if found is not None:
            found.not_before = min(found.not_before, not_before or now)
            return found
    if _is_full(session):
        raise InputError(f"{MOST_WAITING} jobs are waiting already; wait until some are done")
    job = Job(
        kind=kind, source_id=source_id, run_id=run_id, params=params, state=QUEUED,
        created_at=now, not_before=not_before or now,
    )  # fmt: skip
    session.add(job)
    session.flush()
    return job


def enqueue_by_itself(session: Session, kind: str, run: Run, **when: Any) -> Job | None:
    """A job of a run that nobody asked for, so it waits once; None while too many jobs wait.

    What brought it about, such as a push, counts all the same.
    """
    try:
        return enqueue(session, kind, run.source_id, run_id=run.id, once=True, **when)
    except InputError as error:
        _log.warning("no %s of run %d: %s", kind, run.id, error)
        return None


def claim(database: Database, kinds: Collection[str] | None = None) -> Leased | None:
    """Take the oldest job that may begin, if need be of some kinds; None if there is none.

    A job whose worker gave no sign of life is put back first. On PostgreSQL, workers skip what
    another one is taking; on SQLite they take turns. An index of the database refuses a second
    running job of a source whatever happens.
    """
    with database.reading() as session:
        if session.scalars(_worth_a_look(database.now(session), kinds)).first() is None:
            return None
    try:
        with database.writing() as session:
            now = database.now(session)
            _put_back_lost(session, now)
            job = session.scalars(_next(now, kinds).with_for_update(skip_locked=True)).first()
            if job is None:
                return None
            return _lease(session, job, now)
    except IntegrityError:  # another worker took a job of the same source just now
        return None


def beat(database: Database, leased: Leased) -> bool:
    """Give a sign of life; False if the job was taken away or is to be stopped."""
    with database.writing() as session:
        until = database.now(session) + LEASE
        own = _own(leased).where(Job.cancel.is_(False))
        return bool(session.execute(own.values(lease_until=until)).rowcount)


def tell(database: Database, leased: Leased, stage: str, share: float) -> None:
    """Say how far a job is; a new stage is a line of its log."""
    with database.writing() as session:
        before = session.scalars(select(Job.stage).where(Job.id == leased.job_id)).first()
        session.execute(_own(leased).values(stage=stage[:200], share=share))
        name = stage.partition(": ")[0]
        if before is not None and before.partition(": ")[0] != name:
            log(session, leased.job_id, name, database.now(session))


def finish(session: Session, leased: Leased, now: dt.datetime, result: dict[str, Any]) -> None:
    """A job is done, in the same transaction as what it made.

    Raises:
        LeaseLost: it was given to another worker meanwhile, so nothing of this may count.
    """
    ended = _own(leased).values(
        state=DONE, result=result, ended_at=now, share=1.0, lease=None, lease_until=None
    )
    if not session.execute(ended).rowcount:
        raise LeaseLost
    log(session, leased.job_id, "done", now)


class LeaseLost(Exception):  # noqa: N818 - reads as what it says
    """A job was given to another worker, or stopped."""


def fail(database: Database, leased: Leased, why: str, *, again: bool = False) -> None:
    """A job ended without a result: stopped, for good, or to be tried again."""

    def ended(session: Session) -> None:
        job = session.get(Job, leased.job_id)
        if job is not None and job.lease == leased.lease and job.state == RUNNING:
            _end(session, job, why, again, database.now(session))

    database.write(ended, LEASE.total_seconds())


def wait_for_source(database: Database, leased: Leased) -> None:
    """Put a job back whose source is busy all the same; that was no attempt."""
    with database.writing() as session:
        now = database.now(session)
        put_back = _own(leased).values(
            state=QUEUED, not_before=now + LEASE, attempts=Job.attempts - 1, lease=None,
            lease_until=None,
        )  # fmt: skip
        if session.execute(put_back).rowcount:
            log(session, leased.job_id, "another process is still busy with its source", now)


def cancel(session: Session, job: Job, now: dt.datetime) -> None:
    """Stop a job: at once if it waits, otherwise with the next sign of life of its worker.

    Raises:
        InputError: it has ended.
    """
    if job.state in ENDED:
        raise InputError(f"job {job.id} has ended ({job.state}), so it cannot be stopped")
    if job.state == QUEUED:
        job.state, job.ended_at = CANCELLED, now
        log(session, job.id, "cancelled before it began", now)
    else:
        job.cancel = True
        log(session, job.id, "asked to stop", now)


def log(session: Session, job_id: int, text: str, now: dt.datetime) -> None:
    """Add a line to the log of a job."""
    session.add(JobLine(job_id=job_id, at=now, text=text[:2000]))


def forget_old(session: Session, before: dt.datetime) -> None:
    """Delete jobs that ended long ago, with their logs."""
    session.execute(delete(Job).where(Job.state.in_(ENDED), Job.ended_at < before))


def _is_full(session: Session) -> bool:
    # Of the table itself: those of all sources count, also where a token sees some alone.
    jobs = Job.__table__
    waiting = select(func.count()).select_from(jobs).where(jobs.c.state == QUEUED)
    return bool(session.execute(waiting).scalar_one() >= MOST_WAITING)


def _worth_a_look(now: dt.datetime, kinds: Collection[str] | None) -> Any:
    due = and_(_is_due(now), _is_of(kinds))
    return select(Job.id).where(or_(due, _is_lost(now))).limit(1)


def _is_of(kinds: Collection[str] | None) -> Any:
    return true() if kinds is None else Job.kind.in_(kinds)


def _is_due(now: dt.datetime) -> Any:
    # One made long after now: the clock was set back since, so its begin says nothing. One made a
    # moment after it, while this was being asked, waits for its begin.
    return and_(Job.state == QUEUED, or_(Job.not_before <= now, Job.created_at > now + SET_BACK))


def _is_lost(now: dt.datetime) -> Any:
    return and_(Job.state == RUNNING, or_(Job.lease_until < now, Job.lease_until.is_(None)))


def _next(now: dt.datetime, kinds: Collection[str] | None) -> Any:
    other = aliased(Job)
    busy = select(other.id).where(other.source_id == Job.source_id, other.state == RUNNING)
    due = and_(_is_due(now), _is_of(kinds), ~busy.exists())
    return select(Job).where(due).order_by(Job.not_before, Job.id).limit(1)


def _lease(session: Session, job: Job, now: dt.datetime) -> Leased:
    job.state, job.lease, job.lease_until = RUNNING, secrets.token_hex(16), now + LEASE
    job.attempts += 1
    job.started_at, job.stage, job.share = now, "", 0.0
    log(session, job.id, f"begun, attempt {job.attempts}", now)
    session.flush()
    return Leased(job.id, job.kind, job.source_id, job.lease)


def _own(leased: Leased) -> Any:
    """An update of a job, if it is still this worker's."""
    return update(Job).where(
        Job.id == leased.job_id, Job.lease == leased.lease, Job.state == RUNNING
    )


def _put_back_lost(session: Session, now: dt.datetime) -> None:
    lost = select(Job).where(_is_lost(now))
    for job in session.scalars(lost.with_for_update(skip_locked=True)):
        _end(session, job, "its worker gave no sign of life", True, now)
    session.flush()


def _end(session: Session, job: Job, why: str, again: bool, now: dt.datetime) -> None:
    job.lease = job.lease_until = None
    if job.cancel:
        job.state, job.ended_at, job.error = CANCELLED, now, "stopped by request"
    elif again and job.attempts < MOST_ATTEMPTS:
        job.state, job.not_before = QUEUED, now
    else:
        job.state, job.ended_at, job.error = FAILED, now, why
    log(session, job.id, f"{why}; {job.state}", now)
