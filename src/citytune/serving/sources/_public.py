"""Fetch a file from the open internet, and from nowhere inside.

An address a client names could point at the server's own network. Every host is resolved here, each
of its addresses must be public, and the connection goes to just that address, so that a name that
is answered otherwise the next time gains nothing. Redirects are followed by the same rule.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from citytune._errors import InputError
from citytune.readers import masked

if TYPE_CHECKING:
    import httpx

REDIRECTS = 5
SILENCE = 30.0
"""Seconds without a byte after which an address is given up …"""
LONGEST = 900.0
"""… and seconds that all of it may take."""


def fetch(address: str, path: Path, *, hosts: tuple[str, ...], most_bytes: int) -> None:
    """Download into a file.

    Args:
        address: http or https.
        path: Written anew.
        hosts: May be asked although they are inside.
        most_bytes: Larger files are refused.

    Raises:
        InputError: the address leads inside, does not answer, or the file is too large.
    """
    import httpx

    url, until = _url(address), time.monotonic() + LONGEST
    with httpx.Client(timeout=SILENCE, trust_env=False) as client:
        for _ in range(REDIRECTS + 1):
            with _answer(client, url, hosts) as answer:
                if answer.is_redirect and "location" in answer.headers:
                    url = _url(str(url.join(answer.headers["location"])))
                    continue
                if not answer.is_success:
                    raise InputError(f"{masked(str(url))} answered {answer.status_code}, not 200")
                _save(answer, path, masked(address), most_bytes, until)
                return
    raise InputError(f"{masked(address)} redirects more than {REDIRECTS} times")


def post(
    address: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    hosts: tuple[str, ...],
    seconds: float,
    name: str,
) -> None:
    """Post to an address by the same rule; redirects are not followed.

    Args:
        address: http or https; it may hold a secret, and is not shown.
        body: What is sent.
        headers: Sent besides.
        hosts: May be asked although they are inside.
        seconds: Longest wait for each part of an answer.
        name: What an error calls the address.

    Raises:
        InputError: the address leads inside, does not answer, or answers with an error.
    """
    import httpx

    url = _url(address)
    with (
        httpx.Client(timeout=seconds, trust_env=False) as client,
        _answer(client, url, hosts, "POST", content=body, headers=headers, name=name) as answer,
    ):
        if not answer.is_success:
            raise InputError(f"{name} answered {answer.status_code}, not 200")


def check_public(address: str, hosts: tuple[str, ...] = ()) -> None:
    """Refuse an address that is no http(s), or leads inside."""
    url = _url(address)
    _public_address(url, hosts)


def _url(address: str) -> httpx.URL:
    import httpx

    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, UnicodeError, TypeError):
        raise InputError(f"{masked(address)!r} is no address") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError(f"{masked(address)!r} is no http:// or https:// address of a file")
    return url


def _public_address(url: httpx.URL, hosts: tuple[str, ...]) -> str:
    """An address of the host to connect to."""
    try:
        port = url.port or (443 if url.scheme == "https" else 80)
        found = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise InputError(f"no host {url.host!r} is known; is the address right?") from None
    numbers = [str(one[4][0]).partition("%")[0] for one in found]
    if url.host not in hosts and not all(map(_is_public, numbers)):
        raise InputError(
            f"{url.host!r} leads into the server's own network, which clients may not ask; whoever "
            "runs the server can allow it: hosts in serve.toml"
        )
    return numbers[0]


def _is_public(number: str) -> bool:
    address = ipaddress.ip_address(number)
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return _is_public(str(inner))
        if address in _TRANSLATED:
            return _is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
    return address.is_global and not address.is_multicast


_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""NAT64: an address of version 4 in one of version 6."""


@contextmanager
def _answer(
    client: httpx.Client,
    url: httpx.URL,
    hosts: tuple[str, ...],
    method: str = "GET",
    *,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    name: str = "",
) -> Iterator[httpx.Response]:
    import httpx

    pinned = url.copy_with(host=_public_address(url, hosts))
    request = client.build_request(
        method,
        pinned,
        content=content,
        headers={**(headers or {}), "Host": url.netloc.decode("ascii")},
        extensions={"sni_hostname": url.host},
    )
    try:
        answer = client.send(request, stream=True, auth=_login(url))
    except httpx.HTTPError as error:
        name = name or masked(str(url))
        raise InputError(f"{name} cannot be reached ({type(error).__name__})") from None
    try:
        yield answer
    finally:
        answer.close()


def _login(url: httpx.URL) -> tuple[str, str] | None:
    return (url.username, url.password) if url.username else None


def _save(answer: httpx.Response, path: Path, name: str, most: int, until: float) -> None:
    import httpx

    count = 0
    try:
        with path.open("wb") as file:
            for part in answer.iter_bytes():
                count += len(part)
                if count > most:
                    raise InputError(
                        f"{name} is larger than {most:,} bytes, which are allowed here"
                    )
                if time.monotonic() > until:
                    raise InputError(f"{name} took longer than {LONGEST:g} seconds")
                file.write(part)
    except httpx.HTTPError as error:
        raise InputError(f"{name} broke off ({type(error).__name__}); try again") from None
