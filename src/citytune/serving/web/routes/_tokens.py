"""Tokens: who may do what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from citytune.serving.database import Source, Token
from citytune.serving.http import _shapes as shapes
from citytune.serving.http._access import Data, Number
from citytune.serving.http._tokens import ROLES, Role
from citytune.serving.http.routes import _admin as api
from citytune.serving.web._access import Admin, PageRoute
from citytune.serving.web._page import page

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/tokens")
def list_tokens(request: Request, data: Data, _visitor: Admin) -> Response:
    """All tokens, without their texts."""
    return _listed(request, data)


@router.post("/tokens")
def make_token(
    request: Request,
    data: Data,
    _visitor: Admin,
    role: Annotated[Role, Form()],
    name: Annotated[str, Form(max_length=100)] = "",
    days: Annotated[str, Form(max_length=10)] = "",
    sources: Annotated[list[int] | None, Form(max_length=1000)] = None,
) -> Response:
    """Make a token; the page shows its text this once."""
    asked = shapes.TokenIn.model_validate(
        {"name": name, "role": role, "days": days or None, "sources": sources or None}
    )
    return _listed(request, data, api.make_token(asked, data).token)


@router.post("/tokens/{number}/revoke")
def revoke_token(number: Number, request: Request, data: Data, _visitor: Admin) -> Response:
    """Let it count no longer."""
    api.revoke_token(number, data, request)
    return RedirectResponse("/tokens", 303)


def _listed(request: Request, data: Data, made: str = "") -> Response:
    with data.reading() as session:
        tokens = session.scalars(select(Token).order_by(Token.id.desc())).all()
        now = data.now(session)
        known = session.scalars(select(Source).order_by(Source.name))
        names = {one.id: one.name for one in known}
    return page(request, "tokens.html", tokens=tokens, now=now, roles=ROLES, made=made, names=names)
