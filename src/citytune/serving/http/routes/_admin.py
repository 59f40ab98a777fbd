"""`/v1/tokens` and `/v1/audit`: who may what, and who did what."""

from __future__ import annotations

from fastapi import APIRouter, Request
from sqlalchemy import select

from citytune.serving.database import AuditLine, Token
from citytune.serving.http import _fields as fields
from citytune.serving.http import _pages as pages
from citytune.serving.http import _shapes as shapes
from citytune.serving.http._access import ADMINISTERS, Data, Number, may
from citytune.serving.http._tokens import Doorkeeper, add_token

router = APIRouter(prefix="/v1", tags=["administration"])


@router.get("/tokens", dependencies=may(ADMINISTERS))
def list_tokens(
    data: Data, limit: pages.Limit = 100, cursor: pages.Cursor = None
) -> fields.Page[shapes.TokenOut]:
    """All tokens, without their texts."""
    with data.reading() as session:
        found = pages.newest_first(session, select(Token), Token, pages.token, limit, cursor)
    return fields.Page[shapes.TokenOut](**found)


@router.post("/tokens", status_code=201, dependencies=may(ADMINISTERS))
def make_token(asked: shapes.TokenIn, data: Data) -> shapes.NewToken:
    """Make a token; its text is answered this once."""
    with data.writing() as session:
        now = data.now(session)
        row, text = add_token(session, asked.name, asked.role, now, asked.days, asked.sources)
        return pages.new_token(row, text)


@router.delete("/tokens/{number}", dependencies=may(ADMINISTERS))
def revoke_token(number: Number, data: Data, request: Request) -> shapes.TokenOut:
    """Let a token count no longer; its name stays, for the audit log."""
    keeper: Doorkeeper = request.app.state.doorkeeper
    with data.writing() as session:
        row = pages.the(session, Token, number, "token")
        row.revoked_at = row.revoked_at or data.now(session)
        found = pages.token(row)
    keeper.forget()
    return found


@router.get("/audit", dependencies=may(ADMINISTERS))
def list_audit(
    data: Data, limit: pages.Limit = 100, cursor: pages.Cursor = None
) -> fields.Page[shapes.AuditOut]:
    """Who changed what, and who was refused, the newest first."""
    with data.reading() as session:
        found = pages.newest_first(
            session, select(AuditLine), AuditLine, pages.audit, limit, cursor
        )
    return fields.Page[shapes.AuditOut](**found)
