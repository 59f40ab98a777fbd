"""`/v1/proposals` and `/v1/notices`: what alarms bring about, and who is told."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from sqlalchemy import select

from citytune.serving.database import Notice, Proposal
from citytune.serving.http import _fields as fields
from citytune.serving.http import _pages as pages
from citytune.serving.http import _shapes as shapes
from citytune.serving.http import _told_shapes as told
from citytune.serving.http._access import (
    ADMINISTERS,
    READS,
    WRITES,
    Asked,
    Config,
    Data,
    Number,
    may,
)
from citytune.serving.jobs import dismiss_proposal, start_proposal
from citytune.serving.notices import names_of, try_channels

router = APIRouter(prefix="/v1", tags=["operations"])
ProposalState = Literal["open", "started", "promoted", "kept", "dismissed"]
NoticeState = Literal["queued", "sent", "failed"]


@router.get("/proposals", dependencies=may(READS))
def list_proposals(
    data: Data,
    run: Asked = None,
    state: Annotated[ProposalState | None, Query()] = None,
    limit: pages.Limit = 100,
    cursor: pages.Cursor = None,
) -> fields.Page[told.ProposalOut]:
    """Proposals to tune anew, and what came of them, the newest first."""
    asked = select(Proposal)
    for column, wanted in ((Proposal.run_id, run), (Proposal.state, state)):
        asked = asked if wanted is None else asked.where(column == wanted)
    with data.reading() as session:
        found = pages.newest_first(session, asked, Proposal, pages.proposal, limit, cursor)
    return fields.Page[told.ProposalOut](**found)


@router.post("/proposals/{number}/start", status_code=202, dependencies=may(WRITES))
def start(number: Number, data: Data, config: Config) -> shapes.JobOut:
    """Tune anew; what is better on the newest days is promoted."""
    with data.writing() as session:
        proposal = pages.the(session, Proposal, number, "proposal")
        return pages.job(start_proposal(session, proposal, data.now(session), config))


@router.post("/proposals/{number}/dismiss", dependencies=may(WRITES))
def dismiss(number: Number, data: Data) -> told.ProposalOut:
    """Leave the model as it is."""
    with data.writing() as session:
        proposal = pages.the(session, Proposal, number, "proposal")
        dismiss_proposal(session, proposal, data.now(session))
        return pages.proposal(proposal)


@router.get("/notices", dependencies=may(READS))
def list_notices(
    data: Data,
    run: Asked = None,
    state: Annotated[NoticeState | None, Query()] = None,
    limit: pages.Limit = 100,
    cursor: pages.Cursor = None,
) -> fields.Page[told.NoticeOut]:
    """What people were told, the newest first."""
    asked = select(Notice)
    for column, wanted in ((Notice.run_id, run), (Notice.state, state)):
        asked = asked if wanted is None else asked.where(column == wanted)
    with data.reading() as session:
        found = pages.newest_first(session, asked, Notice, pages.notice, limit, cursor)
    return fields.Page[told.NoticeOut](**found)


@router.post("/notices/test", dependencies=may(ADMINISTERS))
def send_test(config: Config) -> list[told.Tried]:
    """Send a test by every channel, and say what arrived."""
    where = names_of(config.notices)
    return [
        told.Tried(channel=name, to=where[name], arrived=not why, error=why or None)
        for name, why in try_channels(config).items()
    ]
