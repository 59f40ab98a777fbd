"""Sources that have fallen silent, which no forecast notices, as none is made of them."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from citytune._text import duration
from citytune.serving._config import Configuration
from citytune.serving.database import (
    QUEUED,
    RUNNING,
    Alarm,
    Database,
    Forecast,
    Job,
    Reading,
    Run,
    Source,
    newest_forecast,
)

WATCH, KIND = "source", "stale"
ZONES = dt.timedelta(hours=14)
"""How far wall times of a source without a time zone may be behind UTC."""


def note_stale(database: Database, config: Configuration) -> int:
    """Raise an alarm for each run whose source has no newer readings, and end it when it has.

    The end of the readings is where the newest forecast begins. A file that was uploaded once, and
    to which nothing was pushed, cannot be stale. Gives how many alarms were raised or ended.
    """
    with database.reading() as session:
        runs = select(Run.id).where(Run.promoted_id.is_not(None))
        differ = [
            one for one in session.scalars(runs)
            if _differs(session, one, database.now(session), config) is not None
        ]  # fmt: skip
    return sum(_note(database, config, one) for one in differ)


def _note(database: Database, config: Configuration, run_id: int) -> int:
    with database.writing() as session:
        run = session.get(Run, run_id, with_for_update=True)  # one worker at a time
        now = database.now(session)
        age = _differs(session, run_id, now, config) if run is not None else None
        if age is None:
            return 0
        standing = _standing(session, run_id)
        if standing is not None:
            standing.ended_at = now
            return 1
        whole = dt.timedelta(hours=int(age.total_seconds() // 3600))
        text = (
            f"The newest reading that the run has seen is {duration(whole)} old. See whether the "
            "source is still filled, and a schedule asks it often enough."
        )
        evidence = {"hours": round(age.total_seconds() / 3600, 1)}
        session.add(
            Alarm(run_id=run_id, watch=WATCH, kind=KIND, sensor=None, text=text, evidence=evidence,
                  raised_at=now)
        )  # fmt: skip
        return 1


def _differs(
    session: Session, run_id: int, now: dt.datetime, config: Configuration
) -> dt.timedelta | None:
    """The age of the newest reading, if it is stale and has no alarm, or the other way round."""
    newest = newest_forecast(session, run_id)
    if newest is None:
        return None
    age = _age(newest, now)
    stale = age > dt.timedelta(hours=config.notices.stale_hours) and _grows(session, run_id)
    standing = _standing(session, run_id) is not None
    if stale and (standing or _is_busy(session, run_id)):
        return None
    return age if stale != standing else None


def _age(newest: Forecast, now: dt.datetime) -> dt.timedelta:
    step = dt.timedelta(seconds=float(newest.facts.get("step", 0)))
    leeway = dt.timedelta(0) if newest.facts.get("timezone") else ZONES
    return now - newest.issued_at - step - leeway


def _grows(session: Session, run_id: int) -> bool:
    """Whether readings are to be expected."""
    asked = select(Source).join(Run, Run.source_id == Source.id).where(Run.id == run_id)
    source = session.scalars(asked).one()
    if source.kind != "upload":
        return True
    pushed = select(Reading.source_id).where(Reading.source_id == source.id)
    return session.scalars(pushed.limit(1)).first() is not None


def _is_busy(session: Session, run_id: int) -> bool:
    """Whether a job is about to look at newer readings."""
    waiting = select(func.count()).select_from(Job)
    asked = waiting.where(Job.run_id == run_id, Job.state.in_((QUEUED, RUNNING)))
    return bool(session.execute(asked).scalar_one())


def _standing(session: Session, run_id: int) -> Alarm | None:
    asked = select(Alarm).where(
        Alarm.run_id == run_id, Alarm.watch == WATCH, Alarm.ended_at.is_(None)
    )
    found: Alarm | None = session.scalars(asked).first()
    return found
