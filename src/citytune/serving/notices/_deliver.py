"""Send what waits, by one worker at a time, again and again until it has arrived."""

from __future__ import annotations

import datetime as dt
import logging
import secrets

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from citytune._errors import InputError
from citytune.serving._config import Configuration
from citytune.serving._hours import after_quiet
from citytune.serving._words import catalogue
from citytune.serving.database import (
    FAILED,
    QUEUED,
    SENT,
    Database,
    Notice,
    note_action,
)
from citytune.serving.notices._say import NOTHING, TEST
from citytune.serving.notices._send import Message, names_of, send

MOST_ATTEMPTS = 9
"""After which a notice is given up: with these pauses, some four hours."""
PAUSE, LONGEST_PAUSE = dt.timedelta(minutes=1), dt.timedelta(hours=2)
"""After the first attempt, doubled after each; longer than an attempt can take."""
AT_ONCE = 20
"""Notices of one look."""
KEPT = dt.timedelta(days=90)
"""How long notices are kept."""
_log = logging.getLogger("citytune.serving")
SENDER = "notices"
"""In the audit log."""


def deliver_due(database: Database, config: Configuration) -> int:
    """Send what is due; gives how many arrived. In quiet hours it waits, and is sent after.

    An attempt puts off the next one before it begins, so of several workers one sends, and if that
    one dies another does later: as it cannot tell whether the dead one got through, the notice may
    come twice then, with the same id.
    """
    with database.reading() as session:
        now, notices = database.now(session), config.notices
        if after_quiet(now, notices.quiet or None, notices.timezone) > now:
            return 0
        due = select(Notice.id).where(Notice.state == QUEUED, Notice.not_before <= now)
        numbers = session.scalars(due.order_by(Notice.id).limit(AT_ONCE)).all()
    return sum(_deliver(database, config, number) for number in numbers)


def try_channels(config: Configuration) -> dict[str, str]:
    """Send a test by every channel; gives what went wrong, empty where it arrived.

    Raises:
        InputError: there is none.
    """
    if not config.notices.channels:
        raise InputError(
            "nobody is named to tell; write [[notices.webhooks]] or [notices.email] in serve.toml"
        )
    found = {}
    language = config.notices.language
    say = catalogue(language).gettext
    items = [{"kind": "test", "sensor": None, "text": say(NOTHING), "at": None, "over": False}]
    event, page = f"test {secrets.token_hex(8)}", config.notices.page
    message = Message(event, "test", say(TEST), items, page, language)
    for name, channel in config.notices.channels.items():
        try:
            send(message, channel, name, config.hosts)
            found[name] = ""
        except InputError as error:
            found[name] = str(error)
    return found


def _deliver(database: Database, config: Configuration, number: int) -> int:
    with database.writing() as session:
        notice = _begun(session, number, database.now(session))
    if notice is None:
        return 0
    why = _sent(notice, config)
    database.write(lambda session: _note(session, database, config, number, why), 30.0)
    return int(not why)


def _sent(notice: Notice, config: Configuration) -> str:
    """Send a notice; gives why it did not arrive, empty if it did."""
    channel = config.notices.channels.get(notice.channel)
    if channel is None:
        return (
            f"{notice.channel} is in serve.toml no longer, so nobody is told by it; if it was "
            "given another name, that one is told of what comes from now on"
        )
    page = config.notices.page.rstrip("/")
    link = f"{page}/runs/{notice.run_id}" if page and notice.run_id else page
    language = config.notices.language
    message = Message(notice.event, notice.kind, notice.title, notice.items, link, language)
    try:
        send(message, channel, notice.channel, config.hosts)
    except InputError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a bug here holds up nothing that waits behind
        return f"{type(error).__name__}: {error}"
    return ""


def _begun(session: Session, number: int, now: dt.datetime) -> Notice | None:
    """A notice that this worker sends now, and nobody else before the pause is over."""
    notice = session.get(Notice, number)
    if notice is None or notice.state != QUEUED or notice.not_before > now:
        return None
    later = now + min(PAUSE * 2 ** min(notice.attempts, MOST_ATTEMPTS), LONGEST_PAUSE)
    own = (Notice.id == number, Notice.state == QUEUED, Notice.attempts == notice.attempts)
    taken = update(Notice).where(*own).values(attempts=notice.attempts + 1, not_before=later)
    taken = taken.execution_options(synchronize_session=False)
    return notice if session.execute(taken).rowcount else None


def _note(
    session: Session, database: Database, config: Configuration, number: int, why: str
) -> None:
    notice, now = session.get(Notice, number), database.now(session)
    if notice is None or notice.state != QUEUED:
        return
    notice.error = why or None
    to = names_of(config.notices).get(notice.channel)
    what = f"notice {number} ({notice.event}) by {notice.channel}" + (f" to {to}" if to else "")
    if not why:
        notice.state, notice.sent_at = SENT, now
        note_action(session, now, SENDER, f"sent {what}")
    elif notice.attempts >= MOST_ATTEMPTS:
        notice.state = FAILED
        note_action(session, now, SENDER, f"gave up {what}: {why}", 502)
        _log.warning("gave up %s: %s", what, why)
    session.execute(delete(Notice).where(Notice.created_at < now - KEPT, Notice.state != QUEUED))
