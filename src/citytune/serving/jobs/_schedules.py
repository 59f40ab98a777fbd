"""Schedules: when a run is refreshed or forecast by itself, in the words of cron."""

from __future__ import annotations

import datetime as dt
import logging

from sqlalchemy import select, update

from citytune._errors import InputError, UnknownName
from citytune.serving._hours import after_quiet, quiet_hours, zone_of
from citytune.serving.database import Database, Run, Schedule
from citytune.serving.jobs._queue import enqueue_by_itself, forget_old

KINDS = ("forecast", "refresh")
KEPT = dt.timedelta(days=90)
"""How long ended jobs are kept."""
RETRIED = dt.timedelta(hours=1)
"""When a schedule that cannot be kept here is looked at again."""
_log = logging.getLogger("citytune.serving")


def next_time(cron: str, timezone: str, after: dt.datetime) -> dt.datetime:
    """The next moment that cron words name, in UTC.

    Args:
        cron: Five fields: minute, hour, day of the month, month, day of the week.
        timezone: IANA name of the zone in which they count.
        after: With a zone.

    Raises:
        InputError: the words or the zone are not known, or the moment never comes.

    Example:
        >>> next_time("30 6 * * 1", "Europe/Oslo", dt.datetime(2024, 3, 29, tzinfo=dt.UTC))
        datetime.datetime(2024, 4, 1, 4, 30, tzinfo=datetime.timezone.utc)
    """
    from croniter import CroniterError, croniter

    if len(cron.split()) != 5 or not cron.isascii():
        raise InputError(
            f"a schedule has five fields (minute, hour, day, month, weekday), such as '30 6 * * *' "
            f"for half past six every day; got {cron[:50]!r}"
        )
    local = after.astimezone(zone_of(timezone))
    try:
        found: dt.datetime = croniter(cron, local).get_next(dt.datetime)
    except (CroniterError, ValueError, KeyError, OverflowError) as error:
        raise InputError(f"the schedule {cron[:50]!r} cannot be kept ({error})") from None
    return found.astimezone(dt.UTC)


def check_schedule(kind: str, cron: str, timezone: str, quiet: str | None) -> None:
    """Refuse what cannot be kept."""
    if kind not in KINDS:
        raise UnknownName("kind of scheduled job", kind, KINDS)
    next_time(cron, timezone, dt.datetime.now(dt.UTC))
    if quiet is not None:
        quiet_hours(quiet)


def enqueue_due(database: Database) -> int:
    """Let the jobs of all schedules that are due wait for a worker; gives how many.

    Of several workers one does it: who moves the schedule on. What was missed while no worker ran
    is made up for once.
    """
    with database.reading() as session:
        now = database.now(session)
        due = session.scalars(select(Schedule.id).where(Schedule.next_at <= now)).all()
    return sum(_enqueue(database, number) for number in due)


def mend_schedules(database: Database) -> int:
    """Bring back schedules that a clock that was ahead has moved too far; gives how many."""
    with database.reading() as session:
        now = database.now(session)
        later = session.scalars(select(Schedule).where(Schedule.next_at > now)).all()
    return sum(_mend(database, one) for one in later if _later(one, now) < one.next_at)


def _mend(database: Database, one: Schedule) -> int:
    """Move one back, by the time that it is now: it may have come due since it was read."""
    with database.writing() as session:
        right = _later(one, database.now(session))
        own = (Schedule.id == one.id, Schedule.next_at == one.next_at)
        moved = update(Schedule).where(*own).values(next_at=right)
        if right >= one.next_at or not session.execute(moved).rowcount:
            return 0
    _log.warning("schedule %d was due at %s only, and is at %s", one.id, one.next_at, right)
    return 1


def _enqueue(database: Database, number: int) -> int:
    with database.writing() as session:
        now = database.now(session)
        one = session.get(Schedule, number)
        if one is None or one.next_at > now:
            return 0
        moved = update(Schedule).where(Schedule.id == number, Schedule.next_at == one.next_at)
        later = _later(one, now)
        if not session.execute(moved.values(next_at=later)).rowcount:
            return 0
        run = session.get(Run, one.run_id)
        if run is None or run.promoted_id is None:
            return 0
        begin = after_quiet(now, one.quiet, one.timezone)
        job = enqueue_by_itself(session, one.kind, run, now=now, not_before=begin)
        forget_old(session, now - KEPT)
        return 0 if job is None else 1


def _later(one: Schedule, now: dt.datetime) -> dt.datetime:
    try:
        return next_time(one.cron, one.timezone, now)
    except InputError as error:  # say, its zone is not known on this machine
        _log.warning("schedule %d: %s", one.id, error)
        return now + RETRIED
