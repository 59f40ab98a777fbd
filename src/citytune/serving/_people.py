"""What an operator does with tokens at the server itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from citytune._errors import UnknownName
from citytune.serving.database import Database, Source, Token, note_action
from citytune.serving.http import add_token

OPERATOR = "operator"
"""In the audit log: who sits at the server itself."""


class Known(NamedTuple):
    """A token, without its text."""

    name: str
    role: str
    state: str
    sources: tuple[str, ...] | None
    """Names of the only sources that it sees; None: all."""


def make_token(
    database: Database,
    name: str,
    role: str,
    days: float | None = None,
    sources: Sequence[str] = (),
) -> str:
    """Make a token, limited to some sources or not; gives its text, which is kept nowhere."""
    with database.writing() as session:
        known = {one.name: one.id for one in session.scalars(select(Source))}
        for one in sources:
            if one not in known:
                raise UnknownName("source", one, known)
        only = [known[one] for one in sources] or None
        _, text = add_token(session, name, role, database.now(session), days, only)
        limit = f", sources {', '.join(sources)}" if sources else ""
        _note(database, session, f"token add {name} ({role}{limit})")
    return text


def revoke_token(database: Database, name: str) -> None:
    """Let a token count no longer."""
    with database.writing() as session:
        tokens = {one.name: one for one in session.scalars(select(Token))}
        if name not in tokens:
            raise UnknownName("token", name, tokens)
        tokens[name].revoked_at = tokens[name].revoked_at or database.now(session)
        _note(database, session, f"token revoke {name}")


def list_tokens(database: Database) -> list[Known]:
    """All tokens, and whether they still count."""
    with database.reading() as session:
        now = database.now(session)
        rows = session.scalars(select(Token).order_by(Token.id)).all()
        names = {one.id: one.name for one in session.scalars(select(Source))}
    return [
        Known(one.name, one.role, _state(one, now), None if one.sources is None else tuple(
            names.get(number, f"deleted source {number}") for number in one.sources))
        for one in rows
    ]  # fmt: skip


def _state(token: Token, now: dt.datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at is None:
        return "good until it is revoked"
    return "expired" if token.expires_at <= now else f"good until {token.expires_at:%Y-%m-%d}"


def _note(database: Database, session: Session, action: str) -> None:
    note_action(session, database.now(session), OPERATOR, action)
