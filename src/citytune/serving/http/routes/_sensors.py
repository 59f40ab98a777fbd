"""Which sensors a source knows, so that a misspelt one does not become a new one in silence."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from sqlalchemy.orm import Session

from citytune.serving.database import Source, pushed_sensors, some_sensors
from citytune.serving.http._problems import Problem
from citytune.serving.http.routes._sources import result_of_check
from citytune.serving.jobs import MOST_SENSORS

MOST_TOLD = 20
MOST_COMPARED = 2000
"""Known names that unknown ones are compared with."""


def refuse_unknown(session: Session, source: Source, names: set[str]) -> None:
    """Refuse sensors that a source does not know; to one without any, all may be pushed.

    Known are those that were pushed, and those that the last check found.

    Raises:
        Problem: with each of them, and the nearest names.
    """
    lacking = names - pushed_sensors(session, source.id, sorted(names))
    if not lacking:
        return
    checked = (result_of_check(session, source.id) or {}).get("sensors") or []
    lacking -= set(checked)
    if not lacking or len(checked) >= MOST_SENSORS:  # a check names no more than that
        return
    pushed = some_sensors(session, source.id, MOST_COMPARED)
    known = list(dict.fromkeys([*pushed, *checked[:MOST_COMPARED]]))
    if not known:
        return
    told = [_told(one, known) for one in sorted(lacking)[:MOST_TOLD]]
    more = len(lacking) - len(told)
    raise Problem(
        422,
        f"unknown sensors: {'; '.join(told)}{f' and {more:,} more' if more else ''}. Nothing was "
        "taken. Correct them, or send new_sensors: true if they are new",
    )


def _told(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, 3, 0.6)
    return f"{name[:100]!r}" + (f" (near {', '.join(map(repr, near))})" if near else "")
