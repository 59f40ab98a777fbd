"""Post JSON to a server: batches, and patience with one that is busy."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from citytune._errors import InputError
from citytune.readers import masked, with_secrets

if TYPE_CHECKING:
    import httpx

TRIES = 5
LONGEST_WAIT = 30.0
"""Seconds between two tries, and without an answer."""
TOKEN = "CITYTUNE_BROKER_TOKEN"  # noqa: S105 - the name of a variable
"""Variable of the environment whose value is sent as a bearer token."""
_BUSY = {408, 425, 429, 500, 502, 503, 504}
_wait = time.sleep


class UnansweredError(InputError):
    """A server was asked, and nobody knows whether it did what it was asked for."""


class Server:
    """One server, by its address."""

    def __init__(self, target: str, client: httpx.Client) -> None:
        self.name = masked(target)
        self._client = client

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Send JSON to a path below the address; headers with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._asked("POST", path, json=body, headers=named)

    def post_once(self, path: str, body: Any) -> httpx.Response:
        """Send JSON, once: for what would be there twice if it were sent again.

        Raises:
            UnansweredError: no answer came, or that of a busy server.
        """
        return self._asked("POST", path, tries=1, json=body)

    def get(self, path: str, params: Mapping[str, str]) -> Any:
        """JSON at a path below the address."""
        answer = self._asked("GET", path, params=dict(params))
        try:
            return answer.json()
        except ValueError:
            raise InputError(
                f"{self.name} answers, but not in JSON; is the address right?"
            ) from None

    def _asked(self, method: str, path: str, tries: int = TRIES, **request: Any) -> httpx.Response:
        """Ask until there is an answer other than "busy"; refuse any that is not a success."""
        import httpx

        for count in range(1, tries + 1):
            try:
                answer = self._client.request(method, path, **request)
            except httpx.TransportError as error:
                if count == tries:
                    often = f", {tries} times in a row" if tries > 1 else ""
                    raise UnansweredError(
                        f"{self.name} cannot be reached ({type(error).__name__}){often}; is the "
                        "address right, and the server up?"
                    ) from None
                pause(count)
                continue
            if answer.status_code not in _BUSY or count == tries:
                break
            pause(count, answer.headers.get("Retry-After"))
        if answer.status_code in _BUSY:
            raise UnansweredError(f"{self.name} refused what was sent: {_words(answer)}")
        if not answer.is_success:
            raise InputError(f"{self.name} refused what was sent: {_words(answer)}")
        return answer


@contextmanager
def server(target: str) -> Iterator[Server]:
    """The server of an address such as `ngsi-ld+https://host/ngsi-ld/v1`."""
    try:
        import httpx
    except ModuleNotFoundError:
        raise InputError(
            f"posting to {masked(target)} needs the package httpx; install it with: pip install "
            "'citytune[broker]', or write a file"
        ) from None
    base = with_secrets(target).partition("+")[2].rstrip("/")
    token = os.environ.get(TOKEN)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.Client(base_url=f"{base}/", headers=headers, timeout=LONGEST_WAIT) as client:
            yield Server(target, client)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
        raise InputError(f"{masked(target)} is no address of a server") from None


def check_server(target: str) -> None:
    """Refuse an address without a host."""
    if not urlsplit(target).hostname:
        raise InputError(f"{masked(target)} names no server; as in ngsi-ld+https://host/ngsi-ld/v1")


def pause(count: int, asked: str | None = None) -> None:
    """Wait until the next try: as long as the server asks for, or twice as long as before."""
    seconds = float(asked) if asked and asked.isdigit() else 0.5 * 2.0 ** (count - 1)
    _wait(min(seconds, LONGEST_WAIT))


def _words(answer: httpx.Response) -> str:
    text = " ".join(answer.text.split())[:200]
    return f"{answer.status_code} {answer.reason_phrase}" + (f" ({text})" if text else "")
