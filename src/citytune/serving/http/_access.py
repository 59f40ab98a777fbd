"""What every route asks for: the database, the configuration, and a caller who may do this."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends, Path, Query, Request
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from citytune.serving._config import Configuration
from citytune.serving.database import Database
from citytune.serving.http._fields import LARGEST
from citytune.serving.http._problems import Problem, problem_answer
from citytune.serving.http._tokens import Caller, Doorkeeper, Role

LOOKS = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing."""
BEARER = HTTPBearer(auto_error=False, description="A token: `citytune token add NAME`.")


class Allowed:
    """A dependency: the caller, whose role is enough."""

    def __init__(self, role: Role) -> None:
        self.role: Role = role

    async def __call__(self, request: Request) -> Caller:
        """See the class.

        Raises:
            Problem: there is no token that counts, or its role is not enough.
        """
        keeper: Doorkeeper = request.app.state.doorkeeper
        header = self.credential(request)
        caller = keeper.known(header)
        if caller is None:
            address = request.client.host if request.client else ""
            caller = await run_in_threadpool(keeper.ask, header, address)
        request.state.caller, request.state.sources = caller.name, caller.sources
        if not caller.may(self.role):
            raise Problem(
                403,
                f"the token {caller.name!r} may {caller.role}; this needs the role {self.role}",
            )
        return caller

    def credential(self, request: Request) -> str | None:
        """Where the token is: in a header, which no page of another site can send."""
        return request.headers.get("authorization")


class Gate:
    """Asks for the token of a change before its body is read: any of them needs one that writes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and scope["method"] not in LOOKS and _is_ours(scope["path"]):
            try:
                await WRITES(Request(scope))
            except Problem as error:
                await problem_answer(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _is_ours(path: str) -> bool:
    return path.startswith("/v1/")


READS, WRITES, ADMINISTERS = Allowed("read"), Allowed("write"), Allowed("admin")
Writer: TypeAlias = Annotated[Caller, Depends(WRITES)]
Admin: TypeAlias = Annotated[Caller, Depends(ADMINISTERS)]


def may(role: Allowed) -> list[object]:
    """Dependencies of a route that need not know the caller's name."""
    return [Depends(role), Depends(BEARER)]


class Seen(Database):
    """The database as the caller of a request may see it; before that is known, as if empty."""

    def __init__(self, database: Database, request: Request) -> None:
        super().__init__(database.engine)
        self._state = request.state

    @property
    def sources(self) -> frozenset[int] | None:
        """Those that the caller's token is limited to; None: all."""
        found: frozenset[int] | None = getattr(self._state, "sources", frozenset())
        return found


def database_of(request: Request) -> Database:
    """What a request may see."""
    return Seen(request.app.state.database, request)


def _configuration(request: Request) -> Configuration:
    found: Configuration = request.app.state.config
    return found


Data: TypeAlias = Annotated[Database, Depends(database_of)]
Config: TypeAlias = Annotated[Configuration, Depends(_configuration)]
Number: TypeAlias = Annotated[int, Path(ge=1, le=LARGEST)]
Asked: TypeAlias = Annotated[int | None, Query(ge=1, le=LARGEST)]
