"""Whom a server tells what it finds: the table `notices` of `serve.toml`."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar
from urllib.parse import urlsplit

from citytune._errors import InputError, UnknownName
from citytune.serving._hours import quiet_hours, zone_of
from citytune.serving._words import LANGUAGES

KINDS = ("alarm", "alert", "job", "proposal", "stale")
"""What there is to tell: see the docs."""
SECURITY = ("starttls", "tls", "none")
MAIL = "email"
"""Name of the channel that is no webhook."""
_NAME = re.compile(r"\w[\w .-]{0,49}")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_MAILBOX = re.compile(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+")
Kind = TypeVar("Kind")


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """An address that notices are posted to."""

    url: str
    secret: str = ""
    """Signs what is posted, by the rules of Standard Webhooks."""
    name: str = ""
    """What it is called; if it has no name, after its address, wherever it stands in the list."""

    def __post_init__(self) -> None:
        if not re.match(r"https?://", self.url):
            raise InputError("url of a webhook in serve.toml begins with https:// or http://")
        try:
            urlsplit(self.url)
        except ValueError as error:
            raise InputError(f"url of a webhook in serve.toml is no address: {error}") from None
        if self.name and (not _NAME.fullmatch(self.name) or self.name == MAIL):
            raise InputError(
                f"name of a webhook in serve.toml is up to 50 letters, digits, spaces and ._-, and "
                f"not {MAIL!r}, got {self.name[:60]!r}"
            )

    @property
    def title(self) -> str:
        """Its name, or one that its address gives it."""
        sum_ = hashlib.sha256(self.url.encode()).hexdigest()[:6]
        return self.name or f"webhook {sum_}"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail server, and who is written to."""

    host: str
    sender: str
    to: tuple[str, ...]
    port: int = 587
    security: str = "starttls"
    user: str = ""
    password: str = ""

    def __post_init__(self) -> None:
        if self.security not in SECURITY:
            raise UnknownName("security of e-mail in serve.toml", self.security, SECURITY)
        if not 0 < self.port < 65_536:
            raise InputError(f"port of e-mail in serve.toml is 1 to 65535, got {self.port}")
        for one in (self.sender, *self.to):
            if not _MAILBOX.fullmatch(one):
                raise InputError(
                    f"from and to of e-mail in serve.toml are addresses such as duty@city.org, got "
                    f"{one!r}"
                )
        if not self.to:
            raise InputError("to of e-mail in serve.toml names nobody; give at least one address")


@dataclass(frozen=True, kw_only=True)
class Notices:
    """What is told, to whom, and when not."""

    kinds: tuple[str, ...] = KINDS
    quiet: str = ""
    """Hours in which nobody is told, such as 22:00-06:00; what came in them is told after."""
    timezone: str = "UTC"
    language: str = "en"
    """One of `LANGUAGES`, in which people are told."""
    page: str = ""
    """Where people reach the server: links in notices begin so."""
    again_hours: int = 12
    """Hours in which an alarm that ends and comes back is not told anew."""
    stale_hours: int = 24
    """Hours without a newer reading after which a source is stale."""
    webhooks: tuple[Webhook, ...] = ()
    email: Mail | None = None

    def __post_init__(self) -> None:
        for one in self.kinds:
            if one not in KINDS:
                raise UnknownName("kind of notice in serve.toml", one, KINDS)
        if self.quiet:
            quiet_hours(self.quiet)
        zone_of(self.timezone)
        if self.page and not re.match(r"https?://", self.page):
            raise InputError("page of notices in serve.toml begins with https:// or http://")
        titles = [one.title for one in self.webhooks]
        for one in titles:
            if titles.count(one) > 1:
                raise InputError(
                    f"two webhooks in serve.toml are called {one!r}, or lead to one address; take "
                    "one out, or give each a name of its own"
                )
        if self.language not in LANGUAGES:
            raise UnknownName("language of notices in serve.toml", self.language, LANGUAGES)
        if self.again_hours < 1 or self.stale_hours < 1:
            raise InputError("again_hours and stale_hours of notices in serve.toml are at least 1")

    @property
    def channels(self) -> dict[str, Webhook | Mail]:
        """Name → webhook or mail server."""
        found: dict[str, Webhook | Mail] = {one.title: one for one in self.webhooks}
        return found if self.email is None else {**found, MAIL: self.email}


def notices_of(said: Any) -> Notices:
    """The table as it was read from TOML.

    Raises:
        InputError: something in it cannot be.
    """
    table = dict(_table("notices", said))
    hooks = table.get("webhooks", [])
    if not isinstance(hooks, list):
        raise InputError("webhooks in serve.toml are written as [[notices.webhooks]]")
    table["webhooks"] = [_made(Webhook, "notices.webhooks", one) for one in hooks]
    if "email" in table:
        mail = dict(_table("notices.email", table["email"]))
        mail |= {"sender": mail.pop("from")} if "from" in mail else {}
        table["email"] = _made(Mail, "notices.email", mail)
    return _made(Notices, "notices", table)


def filled(text: str, where: str) -> str:
    """A text with the variables of the environment in it; never to be shown.

    Raises:
        InputError: one is not set, or empty, as Compose sets what it is not told.
    """

    def value(found: re.Match[str]) -> str:
        if not os.environ.get(found[1]):
            raise InputError(
                f"{where} in serve.toml names the variable {found[1]}, which is not set, or empty; "
                f"set it, as in: export {found[1]}=…"
            )
        return os.environ[found[1]]

    return _VARIABLE.sub(value, text)


def check_secrets(notices: Notices) -> None:
    """Refuse to start where a secret that a channel needs is not in the environment."""
    for name, one in notices.channels.items():
        hidden = (one.url, one.secret) if isinstance(one, Webhook) else (one.user, one.password)
        for text in hidden:
            filled(text, name)


def _table(name: str, said: Any) -> Mapping[str, Any]:
    if not isinstance(said, Mapping):
        raise InputError(f"{name} in serve.toml is a table, got {said!r}")
    return said


def _made(kind: type[Kind], name: str, said: Any) -> Kind:
    """A table as its dataclass; keys and types are those of the fields."""
    table = dict(_table(name, said))
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]  # all are dataclasses
    shown = ["from" if one == "sender" else one for one in known]
    for key, value in table.items():
        if key not in known:
            raise UnknownName(f"key of {name} in serve.toml", key, shown)
        wanted = str(known[key].type)
        if wanted.startswith("tuple"):
            right, rule = isinstance(value, list), "a list of texts"
            if right and wanted == "tuple[str, ...]":
                right = all(isinstance(one, str) for one in value)
        elif wanted == "int":
            right, rule = isinstance(value, int) and not isinstance(value, bool), "a whole number"
        else:
            right, rule = wanted != "str" or isinstance(value, str), "a text"
        if not right:
            raise InputError(f"{key} of {name} in serve.toml is {rule}, got {value!r}")
        table[key] = tuple(value) if isinstance(value, list) else value
    for key, one in known.items():
        if one.default is MISSING and key not in table:
            raise InputError(
                f"{name} in serve.toml lacks {'from' if key == 'sender' else key}; write it there"
            )
    return kind(**table)
