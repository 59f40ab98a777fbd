"""The tables of what goes out: notices, and proposals to tune anew."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from citytune.serving.database._tables import NEVER_AGAIN, QUEUED, AuditLine, Base, Key, Moment

SENT = "sent"
"""State of a notice, besides queued and failed."""
OPEN, STARTED, PROMOTED, KEPT, DISMISSED = "open", "started", "promoted", "kept", "dismissed"
"""States of a proposal: "kept" is the old version, as the new one was no better."""
_PENDING = text(f"state IN ('{OPEN}', '{STARTED}')")


class Notice(Base):
    """One event, told by one channel."""

    __tablename__ = "notices"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("event", "channel"),  # whoever does it again, it is told once
        Index("notices_waiting", "state", "not_before"),
        NEVER_AGAIN,
    )
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    event: Mapped[str] = mapped_column(String(100))
    channel: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(20))
    run_id: Mapped[int | None] = mapped_column(Key, ForeignKey("runs.id", ondelete="CASCADE"))
    source_id: Mapped[int | None] = mapped_column(Key, ForeignKey("sources.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(Text)
    items: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """What happened, a sentence each."""
    created_at: Mapped[dt.datetime] = mapped_column(Moment)
    not_before: Mapped[dt.datetime] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(String(20), default=QUEUED)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    sent_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    error: Mapped[str | None] = mapped_column(Text)


class Proposal(Base):
    """To tune a run anew, since its model fits no more; one of a run at a time."""

    __tablename__ = "proposals"
    __table_args__: ClassVar[Any] = (
        Index("proposals_one_a_run", "run_id", unique=True, sqlite_where=_PENDING,
              postgresql_where=_PENDING),
        NEVER_AGAIN,
    )  # fmt: skip
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    run_id: Mapped[int] = mapped_column(Key, ForeignKey("runs.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(20), default=OPEN)
    why: Mapped[str] = mapped_column(Text)
    job_id: Mapped[int | None] = mapped_column(Key)
    version_id: Mapped[int | None] = mapped_column(Key)
    comparison: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Old and new on the newest days."""
    created_at: Mapped[dt.datetime] = mapped_column(Moment)
    ended_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    told_at: Mapped[dt.datetime | None] = mapped_column(Moment)
    """When somebody was told of its present state."""


def note_action(
    session: Session, now: dt.datetime, who: str, action: str, status: int = 200
) -> None:
    """Write a line of the audit log about what was done without a request."""
    session.add(AuditLine(at=now, who=who[:100], address="-", action=action[:1000], status=status))
