"""The audit log: who changed what, or was refused. It can be filled up by nobody."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from citytune.serving.database import AuditLine, Database

NOBODY = "-"
"""Who has shown no token that counts."""
MOST_OF_NOBODY = 200
"""Lines an hour about those whom nobody knows; they are counted on in the numbers alone."""
HOUR = 3600.0
_log = logging.getLogger("citytune.serving")


class Audit:
    """Writes lines, and deletes those that are too old.

    Args:
        database: Where they are.
        days: How long they are kept.
    """

    def __init__(self, database: Database, days: int) -> None:
        self.database, self.days = database, dt.timedelta(days=days)
        self._lock = threading.Lock()
        self._hour, self._of_nobody = -HOUR, 0

    def write(self, who: str, address: str, action: str, status: int) -> None:
        """Write a line, if it still may be written; a database that is down costs no answer."""
        new_hour = self._is_new_hour()
        if who == NOBODY and not self._may_tell_of_nobody():
            return
        try:
            with self.database.writing() as session:
                at = self.database.now(session)
                if new_hour:
                    session.execute(delete(AuditLine).where(AuditLine.at < at - self.days))
                session.add(
                    AuditLine(at=at, who=who, address=address, action=action, status=status)
                )
        except SQLAlchemyError as error:
            _log.error("the audit log could not be written: %s", error)

    def _is_new_hour(self) -> bool:
        with self._lock:
            if time.monotonic() - self._hour < HOUR:
                return False
            self._hour, self._of_nobody = time.monotonic(), 0
            return True

    def _may_tell_of_nobody(self) -> bool:
        with self._lock:
            self._of_nobody += 1
            if self._of_nobody == MOST_OF_NOBODY + 1:
                _log.warning("more than %d refusals in an hour; the audit log leaves out the rest",
                             MOST_OF_NOBODY)  # fmt: skip
            return self._of_nobody <= MOST_OF_NOBODY
