"""Turn what happened into notices, once: in the transaction in which it is marked as told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from citytune.serving._config import Configuration
from citytune.serving._hours import after_quiet
from citytune.serving._severity import is_worse, worst
from citytune.serving._words import catalogue
from citytune.serving.database import (
    FAILED,
    OPEN,
    STARTED,
    Alarm,
    Database,
    Job,
    Notice,
    Proposal,
    Run,
    Source,
)
from citytune.serving.notices._say import MORE, alarm_words, job_words, title_of

OLDEST = dt.timedelta(days=2)
"""What is older is told to nobody: it was there before somebody was named."""
MOST_ROWS = 5000
"""Alarms, or failed jobs, of one look."""
MOST_ITEMS = 50
"""Sentences of a notice; how many more there are is said."""


class _Event(NamedTuple):
    """Something to tell, with others of its kind and run."""

    kind: str
    number: int
    run: int | None
    source: int | None
    item: dict[str, Any]
    more: str = ""
    """Tells it from another one of the same number."""


def gather(database: Database, config: Configuration) -> int:
    """Make notices of what is new; gives how many. In quiet hours it waits, and is told after."""
    notices = config.notices
    if not notices.channels:
        return 0
    with database.reading() as session:
        now = database.now(session)
        if after_quiet(now, notices.quiet or None, notices.timezone) > now:
            return 0
        if all(session.scalars(one.limit(1)).first() is None for one in _new(now)):
            return 0
    with database.writing() as session:
        now = database.now(session)
        alarms, jobs, proposals = (
            session.scalars(one.limit(MOST_ROWS).with_for_update(skip_locked=True)).all()
            for one in _new(now)
        )
        again = now - dt.timedelta(hours=notices.again_hours)
        events = [
            *_alarms(session, alarms, again, now, notices.language),
            *_jobs(session, jobs, again, now, notices.language),
            *_proposals(proposals, now),
        ]
        events = [one for one in events if one.kind in notices.kinds]
        groups: dict[tuple[str, int | None, int | None], list[_Event]] = {}
        for one in events:
            groups.setdefault((one.kind, one.run, one.source), []).append(one)
        for group in groups.values():
            _add(session, group, config, now)
        return len(groups)


def _new(now: dt.datetime) -> tuple[Any, Any, Any]:
    """What nobody was told of: alarms, also that one is worse; failed jobs; proposals."""
    since = now - OLDEST
    return (
        select(Alarm)
        .where((Alarm.told_at.is_(None) & (Alarm.raised_at > since)) | (Alarm.worse_at > since))
        .order_by(Alarm.id),
        select(Job)
        .where(Job.told_at.is_(None), Job.state == FAILED, Job.ended_at > since)
        .order_by(Job.id),
        select(Proposal)
        .where(
            Proposal.told_at.is_(None), or_(Proposal.created_at > since, Proposal.ended_at > since)
        )
        .order_by(Proposal.id),
    )


def _alarms(
    session: Session, alarms: Iterable[Alarm], again: dt.datetime, now: dt.datetime, language: str
) -> Iterable[_Event]:
    for one in alarms:
        severity = one.severity or {}
        before = one if one.told_at is not None else _told_alike(session, one, again)
        told = severity if before is None or before.told_severity is None else before.told_severity
        worse = before is not None and is_worse(severity, told)
        one.worse_at, one.told_severity = None, worst(severity, told) if worse else told
        if before is not None and not worse:
            one.told_at = before.told_at
            continue
        one.told_at = now
        kind = one.kind if one.kind in ("alert", "stale") else "alarm"
        item = {"kind": one.kind, "sensor": one.sensor, "text": alarm_words(one, language), "at":
                _text(one.raised_at), "over": one.ended_at is not None, "worse": worse}  # fmt: skip
        more = f"worse {now:%Y%m%dT%H%M%S%f}" if worse else ""
        yield _Event(kind, one.id, one.run_id, None, item, more)


def _told_alike(session: Session, alarm: Alarm, again: dt.datetime) -> Alarm | None:
    """The last one of the same kind that people were told of and that is over since."""
    alike = select(Alarm).where(
        Alarm.run_id == alarm.run_id, Alarm.watch == alarm.watch, Alarm.kind == alarm.kind,
        Alarm.sensor.is_(None) if alarm.sensor is None else Alarm.sensor == alarm.sensor,
        Alarm.told_at > again,
    )  # fmt: skip
    newest = alike.order_by(Alarm.told_at.desc(), Alarm.id.desc())
    found: Alarm | None = session.scalars(newest.limit(1)).first()
    return found


def _jobs(
    session: Session, jobs: Iterable[Job], again: dt.datetime, now: dt.datetime, language: str
) -> Iterable[_Event]:
    for one in jobs:
        alike = select(Job.told_at).where(
            Job.source_id == one.source_id, Job.run_id == one.run_id, Job.kind == one.kind,
            Job.told_at > again,
        )  # fmt: skip
        before = session.scalars(alike.order_by(Job.told_at.desc()).limit(1)).first()
        one.told_at = before or now
        if before is None:
            text = job_words(one.kind, one.id, one.error, language)
            item = {"kind": one.kind, "sensor": None, "text": text, "at": _text(one.ended_at),
                    "over": False}  # fmt: skip
            yield _Event("job", one.id, one.run_id, one.source_id, item)


def _proposals(proposals: Iterable[Proposal], now: dt.datetime) -> Iterable[_Event]:
    for one in proposals:
        one.told_at = now
        if one.state in (OPEN, STARTED) or one.comparison is not None:
            said = (one.comparison or {}).get("text")
            item = {"kind": one.state, "sensor": None, "text": said or one.why,
                    "at": _text(one.ended_at or one.created_at), "over": False}  # fmt: skip
            yield _Event("proposal", one.id, one.run_id, None, item, one.state)


def _add(
    session: Session, group: Sequence[_Event], config: Configuration, now: dt.datetime
) -> None:
    """A notice by each channel; its event is the newest thing in it."""
    first, last = group[0], group[-1]
    run = session.get(Run, first.run) if first.run is not None else None
    source = session.get(Source, first.source) if first.source is not None else None
    name = run.name if run is not None else source.name if source is not None else "citytune"
    state, language = str(last.item["kind"]), config.notices.language
    title = title_of(first.kind, name, len(group), state, language)
    items = [one.item for one in group[:MOST_ITEMS]]
    if len(group) > MOST_ITEMS:
        count = f"{len(group) - MOST_ITEMS:,}"
        more = catalogue(language).gettext(MORE).format(count=count)
        items.append({"kind": "more", "sensor": None, "text": more, "at": None, "over": False})
    event = f"{first.kind} {last.number} {last.more}".strip()
    session.add_all(
        Notice(event=event, channel=channel, kind=first.kind, run_id=first.run,
               source_id=first.source, title=title, items=items, created_at=now, not_before=now)
        for channel in config.notices.channels
    )  # fmt: skip


def _text(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
