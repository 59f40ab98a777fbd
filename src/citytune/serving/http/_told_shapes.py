"""What is answered about proposals and notices, field by field."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, Field


class ProposalOut(BaseModel):
    """A proposal to tune a run anew, since its model fits no more."""

    id: int
    run: int
    state: Literal["open", "started", "promoted", "kept", "dismissed"] = Field(
        description="`kept`: the new model is no better, so the old one stays."
    )
    why: str
    job: int | None
    version: int | None = Field(description="What came of it.")
    comparison: dict[str, Any] | None = Field(description="Old and new on the newest days.")
    created_at: dt.datetime
    ended_at: dt.datetime | None


class NoticeOut(BaseModel):
    """Something that people were told, or are to be told, by one channel."""

    id: int
    event: str = Field(description="The same for all channels, and however often it is sent.")
    channel: str
    kind: Literal["alarm", "alert", "job", "proposal", "stale"]
    run: int | None
    title: str
    items: list[dict[str, Any]]
    state: Literal["queued", "sent", "failed"]
    attempts: int
    created_at: dt.datetime
    sent_at: dt.datetime | None
    error: str | None = Field(description="Of the last attempt.")


class Tried(BaseModel):
    """A channel, and whether a test arrived."""

    channel: str
    to: str
    arrived: bool
    error: str | None
