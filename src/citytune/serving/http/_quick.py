"""The shortest way to what is asked for most: newest forecasts that are ready in memory.

Whatever it does not answer at once goes the usual way, and is answered the same there.
"""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from citytune.serving.database import NO_ANSWER
from citytune.serving.http._cache import Cache, Ready
from citytune.serving.http._formats import MEDIA, format_of
from citytune.serving.http._problems import Problem
from citytune.serving.http._tokens import Doorkeeper

_PATH = re.compile(r"/v1/runs/([1-9]\d{0,14})/forecast")
ROUTE = SimpleNamespace(path="/v1/runs/{number}/forecast")
"""What the numbers of requests call it."""
MOST_SENSORS = 100
"""Sensors of a request that is answered so."""


class Quick:
    """Answers who may see all, in JSON; and sees in time whether what it knows still holds."""

    def __init__(self, app: ASGIApp, cache: Cache, doorkeeper: Doorkeeper) -> None:
        self.app, self.cache, self.doorkeeper = app, cache, doorkeeper
        self._looks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        found = self._found(scope)
        if found is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = ROUTE
        status, headers, body = found
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _found(self, scope: Scope) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
        """Status, headers and body; None: it goes the usual way."""
        match = _PATH.fullmatch(scope["path"])
        if match is None:
            return None
        said = dict(scope["headers"])
        run, token = int(match[1]), said.get(b"authorization")
        header = None if token is None else token.decode("latin-1")
        caller = self.doorkeeper.known(header)
        if caller is None or caller.sources is not None:
            return None
        ready = self.cache.at_once(run)
        sensors = None if ready is None else _sensors(scope["query_string"], ready)
        if ready is None or sensors is None:
            return None
        if format_of(None, said.get(b"accept", b"").decode("latin-1")) != "json":
            return None
        self._look_ahead(run, header, scope)
        return _answer(ready, sensors, said.get(b"if-none-match", b""))

    def _look_ahead(self, run: int, header: str | None, scope: Scope) -> None:
        """Ask anew before what is known is too old, once, while others are still answered by it."""
        client = (scope.get("client") or ("",))[0]
        if self.cache.is_due(run):
            self._later(self.cache.look, run)
        if header is not None and self.doorkeeper.is_due(header):
            self._later(self.doorkeeper.look, header, client)

    def _later(self, look: Any, *about: Any) -> None:
        async def looked() -> None:
            try:
                await run_in_threadpool(look, *about)
            except (Problem, *NO_ANSWER):
                pass  # the next request goes the usual way, and is told

        task = asyncio.create_task(looked())
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)


def _sensors(query: bytes, ready: Ready) -> list[str] | None:
    """Those that are asked for; None if more is asked, or one is not known."""
    if not query:
        return [*ready.sensors]
    asked = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    if len(asked) > MOST_SENSORS or any(
        key != "sensor" or one not in ready.sensors for key, one in asked
    ):
        return None
    return [one for _, one in asked]


def _answer(
    ready: Ready, sensors: list[str], wanted: bytes
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    tag = f'"{ready.tag}-json"'.encode()
    headers = [(b"etag", tag), (b"cache-control", b"private, no-cache"), (b"vary", b"Accept"),
               (b"content-type", MEDIA["json"].encode())]  # fmt: skip
    if tag in [one.strip() for one in wanted.replace(b"W/", b"").split(b",")]:
        return 304, headers, b""
    body = ready.document(sensors)
    return 200, [*headers, (b"content-length", str(len(body)).encode())], body
