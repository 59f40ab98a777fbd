"""What a worker does apart from its jobs: stale sources, proposals, and telling people."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from citytune._errors import CitytuneError
from citytune.serving._config import Configuration
from citytune.serving.database import NO_ANSWER, Database
from citytune.serving.jobs._proposals import propose
from citytune.serving.jobs._schedules import mend_schedules
from citytune.serving.jobs._stale import note_stale
from citytune.serving.notices import deliver_due, gather

EVERY = 5.0
"""Seconds between two looks at what is to be told …"""
SELDOM = 60.0
"""… and at what changes slowly."""
END = 2.0
"""Seconds that a look may go on after a worker was stopped."""
_log = logging.getLogger("citytune.serving")


@contextmanager
def taking_care(database: Database, config: Configuration) -> Iterator[None]:
    """Look after it all in a thread, also while a job goes on; of several workers each may."""
    done = threading.Event()
    thread = threading.Thread(target=_look_again, args=(database, config, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(END)


def look_after(database: Database, config: Configuration, *, slowly: bool = True) -> None:
    """One look: everything here is done once, however many workers look."""
    if slowly:
        mend_schedules(database)
        note_stale(database, config)
        propose(database, config)
    gather(database, config)
    deliver_due(database, config)


def _look_again(database: Database, config: Configuration, done: threading.Event) -> None:
    last = -SELDOM
    while not done.wait(EVERY):
        slowly = time.monotonic() > last + SELDOM
        last = time.monotonic() if slowly else last
        try:
            look_after(database, config, slowly=slowly)
        except NO_ANSWER as error:
            _log.warning("the database does not answer: %s", error)
        except CitytuneError as error:
            _log.warning("not told: %s", error)
        except Exception:  # noqa: BLE001 - a fault of one look must not end all that follow
            _log.exception("a look after alarms and notices failed")
