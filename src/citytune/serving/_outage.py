"""What a server cannot help: a full disk, and a database that is away."""

from __future__ import annotations

import errno

AWAY = "the database does not answer now; try again in a moment"
FULL = (
    "the disk of the server is full, so nothing of this was kept; let its operator make room, and "
    "try again"
)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
OF_POSTGRESQL = "53100"


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or the one of a database in it, says that a disk is full.

    >>> is_full(OSError(errno.ENOSPC, "No space left on device")), is_full(OSError(errno.EPERM, ""))
    (True, False)
    """
    reason = getattr(error, "orig", error)
    said = str(reason)
    return (
        getattr(reason, "errno", None) in NO_ROOM
        or getattr(reason, "sqlstate", None) == OF_POSTGRESQL
        or "database or disk is full" in said  # of SQLite
    )
