"""What a request leaves behind: headers for browsers, a tag, numbers, and a line of the audit."""

from __future__ import annotations

import hashlib
import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from citytune.serving._config import Configuration
from citytune.serving.database import Database
from citytune.serving.http._access import LOOKS
from citytune.serving.http._audit import NOBODY, Audit

SAFE = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]
"""Headers of every answer that does not say otherwise itself."""
UNAUDITED = ("/v1/readings",)
"""Changes that are too many to write down one by one."""


class Numbers:
    """What Prometheus is told of requests."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "citytune_requests", "Requests.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "citytune_request_seconds", "Time until answered.", ["route"], registry=self.registry
        )
        self.readings = Counter("citytune_readings", "Readings taken.", registry=self.registry)


class Traces:
    """Adds headers, and notes what was asked and how it ended."""

    def __init__(
        self, app: ASGIApp, database: Database, config: Configuration, numbers: Numbers
    ) -> None:
        self.app, self.numbers = app, numbers
        self.audit = Audit(database, config.audit_days)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500
        scope.setdefault("state", {})

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                said = {name for name, _ in message.get("headers", ())}
                more = [one for one in SAFE if one[0] not in said]
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        try:
            await self.app(scope, receive, sent)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self.numbers.requests.labels(scope["method"], route, status).inc()
            self.numbers.seconds.labels(route).observe(time.perf_counter() - began)
            changed = scope["method"] not in LOOKS and scope["path"] not in UNAUDITED
            if status in (401, 403) or changed:
                await run_in_threadpool(self.audit.write, *_line(scope), status)


def _line(scope: Scope) -> tuple[str, str, str]:
    """Who, from where, what."""
    address = (scope.get("client") or ("-",))[0][:60]
    action = f"{scope['method']} {scope['path']}"[:300].replace("\0", "?")
    return scope["state"].get("caller", NOBODY), address, action


class Tags:
    """Gives JSON answers an ETag, and an empty answer to who has that already."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        wanted = dict(scope["headers"]).get(b"if-none-match", b"").replace(b"W/", b"")
        start: Message | None = None

        async def sent(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _may_be_tagged(message):
                start = message
                return
            if start is None:
                await send(message)
                return
            first, start = start, None
            if not message.get("more_body", False):
                first, message = _tagged(first, message, wanted)
            await send(first)
            await send(message)

        await self.app(scope, receive, sent)


def _may_be_tagged(start: Message) -> bool:
    headers = dict(start["headers"])
    return start["status"] == 200 and headers.get(b"content-type") == b"application/json"


def _tagged(start: Message, body: Message, wanted: bytes) -> tuple[Message, Message]:
    headers = dict(start["headers"])
    if b"etag" not in headers:
        sum_ = hashlib.blake2b(body.get("body", b""), digest_size=12).hexdigest()
        headers[b"etag"] = f'"{sum_}"'.encode()
    headers.setdefault(b"cache-control", b"private, no-cache")
    if headers[b"etag"] in [one.strip() for one in wanted.split(b",")]:
        headers.pop(b"content-length", None)
        return {**start, "status": 304, "headers": [*headers.items()]}, {**body, "body": b""}
    return {**start, "headers": [*headers.items()]}, body
