"""What an alarm brings about that a model fits no more: a proposal to tune anew, or the tuning."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from citytune._errors import InputError
from citytune._text import counted, listed
from citytune.serving._config import Configuration
from citytune.serving._hours import after_quiet
from citytune.serving.database import (
    CANCELLED,
    DISMISSED,
    FAILED,
    OPEN,
    STARTED,
    Alarm,
    Database,
    Job,
    Proposal,
    Run,
    Source,
    newest_forecast,
    note_action,
)
from citytune.serving.jobs._queue import enqueue
from citytune.watching import FIT, SHARE_THAT_ALARMS

BY = "watch"
"""In the audit log."""


def propose(database: Database, config: Configuration) -> int:
    """Make proposals for runs whose models fit no more; gives how many.

    By the policy `retune` each is begun at once, or after quiet hours.
    """
    settle(database)
    with database.reading() as session:
        asked = select(Alarm.run_id).where(Alarm.ended_at.is_(None), Alarm.kind.in_(FIT))
        runs = [
            one for one in session.scalars(asked.distinct())
            if _why(session, one, config, database.now(session))
        ]  # fmt: skip
    return sum(_propose(database, config, one) for one in runs)


def start_proposal(session: Session, proposal: Proposal, now: dt.datetime, config: Configuration,
                   *, quiet: bool = False) -> Job:  # fmt: skip
    """Begin to tune anew.

    Raises:
        InputError: it is not open any more, or too many jobs wait.
    """
    if proposal.state != OPEN:
        raise InputError(f"proposal {proposal.id} is {proposal.state} already")
    run = session.get_one(Run, proposal.run_id)
    notices = config.notices
    begin = after_quiet(now, notices.quiet or None, notices.timezone) if quiet else now
    job = enqueue(session, "retune", run.source_id, run_id=run.id, now=now, not_before=begin,
                  proposal=proposal.id)  # fmt: skip
    proposal.state, proposal.job_id, proposal.told_at = STARTED, job.id, None
    return job


def dismiss_proposal(session: Session, proposal: Proposal, now: dt.datetime) -> None:
    """Leave the model as it is.

    Raises:
        InputError: it is not open any more.
    """
    if proposal.state != OPEN:
        raise InputError(f"proposal {proposal.id} is {proposal.state} already")
    proposal.state, proposal.ended_at, proposal.told_at = DISMISSED, now, now


def settle(database: Database) -> None:
    """End proposals whose job ended without a result."""
    with database.reading() as session:
        started = select(Proposal.id).where(Proposal.state == STARTED)
        lost = [one for one in session.scalars(started) if _lost(session, one)]
    for number in lost:
        with database.writing() as session:
            proposal = session.get(Proposal, number, with_for_update=True)
            why = _lost(session, number)
            if proposal is not None and why:
                now = database.now(session)
                proposal.state, proposal.ended_at, proposal.told_at = DISMISSED, now, now
                proposal.comparison = {"text": why}
                note_action(session, now, BY, f"proposal {number} ended: {why}", 500)


def _lost(session: Session, number: int) -> str:
    """Why a proposal that was begun comes to nothing; empty if it does not."""
    proposal = session.get(Proposal, number)
    if proposal is None or proposal.state != STARTED:
        return ""
    job = session.get(Job, proposal.job_id) if proposal.job_id else None
    if job is None:
        return "its job is gone"
    return f"job {job.id} {job.state}: {job.error}" if job.state in (FAILED, CANCELLED) else ""


def _propose(database: Database, config: Configuration, run_id: int) -> int:
    with database.writing() as session:
        run = session.get(Run, run_id, with_for_update=True)  # one worker at a time
        now = database.now(session)
        why = _why(session, run_id, config, now) if run is not None else ""
        if run is None or not why:
            return 0
        proposal = Proposal(run_id=run_id, state=OPEN, why=why, created_at=now)
        session.add(proposal)
        session.flush()
        note_action(session, now, BY, f"propose to tune run {run_id} anew: {why}")
        if _policy(session, run, config) == "retune":
            try:
                job = start_proposal(session, proposal, now, config, quiet=True)
                note_action(session, now, BY, f"start job {job.id} for proposal {proposal.id}")
            except InputError as error:  # too many jobs wait; a person may begin it
                note_action(session, now, BY, f"proposal {proposal.id} waits: {error}", 503)
        return 1


def _why(session: Session, run_id: int, config: Configuration, now: dt.datetime) -> str:
    """The alarms for which a run should be tuned anew, in a sentence; empty if it need not."""
    run = session.get(Run, run_id)
    newest = newest_forecast(session, run_id)
    since = now - dt.timedelta(days=config.retune_days)
    recent = select(Proposal.id).where(
        Proposal.run_id == run_id,
        (Proposal.created_at > since) | Proposal.state.in_((OPEN, STARTED)),
    )
    if run is None or run.promoted_id is None or newest is None:
        return ""
    if _policy(session, run, config) == "nothing":
        return ""
    if session.scalars(recent.limit(1)).first() is not None:
        return ""
    asked = select(Alarm).where(
        Alarm.run_id == run_id, Alarm.ended_at.is_(None), Alarm.kind.in_(FIT)
    )
    alarms = session.scalars(asked.order_by(Alarm.id)).all()
    sensors = {one.sensor for one in alarms}
    if not alarms or (
        None not in sensors and len(sensors) < SHARE_THAT_ALARMS * newest.facts["sensors"]
    ):
        return ""
    kinds = listed(sorted({one.kind for one in alarms}))
    names = listed(sorted(one for one in sensors if one is not None), 5)
    which = f" ({names})" if names else ""
    return f"The model fits no more: {counted(len(alarms), 'alarm')} of {kinds}{which}."


def _policy(session: Session, run: Run, config: Configuration) -> str:
    """That of the source of a run, otherwise that of the server."""
    return session.get_one(Source, run.source_id).policy or config.policy
