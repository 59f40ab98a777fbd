"""Log in and out, and what every page is dressed in."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from citytune.reporting import style_sheet
from citytune.serving.http._problems import Problem
from citytune.serving.http._tokens import Doorkeeper
from citytune.serving.web._access import COOKIE, LOGIN, PageRoute, check_own_form
from citytune.serving.web._page import page

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MONTH = 30 * 86_400
KINDS = {"page.css": "text/css", "page.js": "text/javascript"}


@router.get(LOGIN)
def show_login(request: Request) -> Response:
    """Ask for a token."""
    return page(request, "login.html", why="")


@router.post(LOGIN)
async def log_in(request: Request, token: Annotated[str, Form(max_length=200)] = "") -> Response:
    """Keep a token that counts in a cookie that no script can read."""
    check_own_form(request)
    keeper: Doorkeeper = request.app.state.doorkeeper
    address = request.client.host if request.client else ""
    try:
        caller = await run_in_threadpool(keeper.ask, f"Bearer {token.strip()}", address)
    except Problem as error:
        return page(request, "login.html", error.status, why=error.detail)
    request.state.caller = caller.name
    answer = RedirectResponse("/", 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token.strip(), MONTH, secure=secure, httponly=True, samesite="strict")
    return answer


@router.post("/logout")
def log_out(request: Request) -> Response:
    """Forget the token in this browser."""
    check_own_form(request)
    answer = RedirectResponse(LOGIN, 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


@router.get("/web/{name}")
def get_file(name: str) -> Response:
    """The style sheet or the script."""
    if name not in KINDS:
        raise Problem(404, "there is no such file")
    headers = {"Cache-Control": "public, max-age=300"}
    return Response(_text(name), media_type=KINDS[name], headers=headers)


@lru_cache(maxsize=len(KINDS))
def _text(name: str) -> str:
    own = (files("citytune.serving.web") / "templates" / name).read_text(encoding="utf-8")
    return f"{style_sheet()}\n{own}" if name == "page.css" else own
