"""Limits of what one client may send: how much, how fast, how slowly, and from which page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from citytune.serving._config import Configuration
from citytune.serving.http._problems import document

SLOWEST = 30.0
"""Seconds that a client may let wait for the next part of a request."""
WINDOW = 10.0
"""Seconds over which requests are counted."""
HERE = ("127.0.0.1", "localhost", "::1")
PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""Headers that a proxy adds."""
OTHER_SITE = "a page of another site may not ask this server"


class Limits:
    """Refuses requests that are too large, too many or too slow."""

    def __init__(self, app: ASGIApp, config: Configuration) -> None:
        self.app, self.config = app, config
        self._left: dict[str, tuple[float, float]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not self._may_ask(scope):
            answer = document(429, f"more than {self.config.rate} requests a second; slow down")
            answer.headers["Retry-After"] = "1"
            await answer(scope, receive, send)
            return
        uploads = scope["path"].endswith("/upload")
        most = 1_000_000 * (self.config.upload_mb if uploads else self.config.body_mb)
        length = _headers(scope).get("content-length", "0")
        if not length.isdigit() or int(length) > most:
            await _too_large(most)(scope, receive, send)
            return
        await self._limited(scope, receive, send, most)

    async def _limited(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        """A body without a length, or a slow one, is cut off when it is too much."""
        count, begun, wrong = 0, False, None

        async def received() -> Message:
            nonlocal count, wrong
            if count < 0:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), SLOWEST)
            except TimeoutError:
                wrong = document(
                    408, f"nothing came for {SLOWEST:g} seconds; send the rest at once"
                )
                raise _Cut from None
            count += len(message.get("body", b""))
            if count > most:
                wrong = _too_large(most)
                raise _Cut
            if not message.get("more_body", False):
                count = -1  # all is here; what is asked now is whether the client is still there
            return message

        async def sent(message: Message) -> None:
            nonlocal begun
            if wrong is None or begun:
                begun = True
                await send(message)

        with suppress(_Cut):
            await self.app(scope, received, sent)
        if wrong is not None and not begun:
            await wrong(scope, receive, send)

    def _may_ask(self, scope: Scope) -> bool:
        """A bucket a client: full it holds the requests of ten seconds, and it fills steadily."""
        client = (scope.get("client") or ("",))[0]
        now, most = time.monotonic(), self.config.rate * WINDOW
        if len(self._left) > 10_000:
            self._left.clear()
        left, at = self._left.get(client, (most, now))
        left = min(most, left + (now - at) * self.config.rate)
        self._left[client] = (max(0.0, left - 1), now)
        return left >= 1


class OnlyFromHere:
    """Without tokens: refuses pages of other sites in a browser on this machine."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and (why := _foreign(_headers(scope))):
            await document(403, why)(scope, receive, send)
            return
        await self.app(scope, receive, send)


class _Cut(Exception):  # noqa: N818 - reads as what it says
    """A request is not read on."""


def _foreign(headers: dict[str, str]) -> str:
    """Why a request does not come from this machine's own pages or programs; empty if it does."""
    if _name(headers.get("host", "")) not in HERE:
        return "this server answers only to 127.0.0.1 and localhost as long as it needs no token"
    if any(name in headers for name in PASSED_ON):
        return "behind a proxy the server needs tokens: start it with another --host"
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers["host"]:
        return OTHER_SITE
    return OTHER_SITE if headers.get("sec-fetch-site") == "cross-site" else ""


def is_own_form(headers: Mapping[str, str]) -> bool:
    """Whether a page of this server sent a form; browsers say so, and scripts cannot lie about it.

    Behind a server that speaks TLS the host may have another name, so what the browser itself has
    compared goes first.
    """
    said = headers.get("sec-fetch-site")
    if said is not None:
        return said == "same-origin"
    return headers.get("origin", "").partition("://")[2] == headers.get("host", "-")


def _name(host: str) -> str:
    try:
        return "" if "@" in host else urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _too_large(most: int) -> Any:
    return document(413, f"a request of more than {most:,} bytes is not taken; send it in parts")
