"""Tokens: who may read, write or administer. Only their hashes are kept."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
import threading
import time
from collections.abc import Collection
from typing import Literal, NamedTuple, TypeAlias, get_args

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import select
from sqlalchemy.orm import Session

from citytune._errors import InputError, UnknownName
from citytune.serving.database import Database, Source, Token
from citytune.serving.http._problems import Problem

Role: TypeAlias = Literal["read", "write", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may also do what those before it may."""
FRESH = 1.0
"""Seconds after which it is asked again whether a token still counts."""
MOST_FAILURES, PAUSE = 20, 60.0
"""Wrong tokens of one address, and the seconds in which so many are answered."""
AT_ONCE = 2
"""Tokens whose hash is worked out at the same time: that costs time and memory by design."""
_FORM = re.compile(r"ct_(\d{1,15})_([\w-]{43})")
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class Caller(NamedTuple):
    """Who asks."""

    name: str
    role: Role
    sources: frozenset[int] | None = None
    """The only ones that are seen; None: all."""

    def may(self, role: Role) -> bool:
        """Whether this role is enough."""
        return ROLES.index(self.role) >= ROLES.index(role)


LOCAL = Caller("local", "admin")
"""Who sits at the machine itself, where no token is needed."""


def add_token(
    session: Session,
    name: str,
    role: str,
    now: dt.datetime,
    days: float | None = None,
    sources: Collection[int] | None = None,
) -> tuple[Token, str]:
    """Make a token; the text is shown this once and never again.

    Args:
        session: Writes.
        name: Of the token.
        role: One of `ROLES`.
        now: When.
        days: How long it is good for; None: until it is revoked.
        sources: Numbers of the only sources that it sees; None: all.

    Raises:
        InputError: the name is taken, the role is not known, or there is no such source.
    """
    if role not in ROLES:
        raise UnknownName("role", role, ROLES)
    if not re.fullmatch(r"[\w .@-]{1,100}", name):
        raise InputError(f"a token's name is letters, digits, spaces and .@_-, got {name[:50]!r}")
    if days is not None and not 0 < days <= 36_500:
        raise InputError(f"a token is good for more than 0 days and at most 36,500, got {days:g}")
    if session.scalars(select(Token).where(Token.name == name)).first() is not None:
        raise InputError(f"a token called {name!r} is already there; choose another name")
    if sources is not None:
        _check_sources(session, role, sources)
    secret = secrets.token_urlsafe(32)
    until = None if days is None else now + dt.timedelta(days=days)
    token = Token(
        name=name, role=role, hash=_HASHER.hash(secret), created_at=now, expires_at=until,
        sources=None if sources is None else sorted(set(sources)),
    )  # fmt: skip
    session.add(token)
    session.flush()
    return token, f"ct_{token.id}_{secret}"


def _check_sources(session: Session, role: str, sources: Collection[int]) -> None:
    if role == "admin":
        raise InputError("an admin sees all sources; limit a token that may read or write")
    if not sources:
        raise InputError("name at least one source that the token sees, or none of them for all")
    known = set(session.scalars(select(Source.id)))
    if lacking := sorted(set(sources) - known):
        raise InputError(f"there is no source {lacking[0]}; the list of sources says which are")


def count_tokens(session: Session, now: dt.datetime) -> int:
    """How many tokens still count."""
    return sum(_counts(one, now) for one in session.scalars(select(Token)))


class Doorkeeper:
    """Tells who a caller is by the token of a request."""

    def __init__(self, database: Database, *, needs_token: bool) -> None:
        self.database, self.needs_token = database, needs_token
        self._known: dict[str, tuple[float, Caller]] = {}
        self._looks: set[str] = set()
        self._askers: dict[str, threading.Lock] = {}
        self._generation = 0
        self._verified: dict[str, bool] = {}
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._failures: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def known(self, header: str | None) -> Caller | None:
        """The caller, if that was asked a moment ago."""
        if header is None:
            return None if self.needs_token else LOCAL
        found = self._known.get(_sum(header))
        return found[1] if found is not None and time.monotonic() - found[0] < FRESH else None

    def is_due(self, header: str) -> bool:
        """Whether somebody should `look`: a token will soon have to be asked for, and nobody does.

        However long that takes, it counts for no longer than `FRESH` without an answer.
        """
        key = _sum(header)
        found = self._known.get(key)
        if found is None or time.monotonic() - found[0] < FRESH / 2 or key in self._looks:
            return False
        self._looks.add(key)
        return True

    def look(self, header: str, address: str) -> None:
        """Ask anew; after `is_due`."""
        try:
            self._asked(header, address)
        finally:
            self._looks.discard(_sum(header))

    def ask(self, header: str | None, address: str) -> Caller:
        """The caller, by the database.

        A right token counts also where others guess from the same address, such as that of a proxy;
        what is not known there yet is looked at only while that takes nobody's turn.

        Raises:
            Problem: the token is missing, wrong, expired or revoked; or too many were wrong.
        """
        if header is None:
            raise _refusal("a token is needed: send the header Authorization: Bearer ct_…")
        with self._turn(_sum(header)):  # of many with one token, the first asks for all
            return self.known(header) or self._asked(header, address)

    def _asked(self, header: str, address: str) -> Caller:
        generation = self._generation
        began, guessed = time.monotonic(), self._is_guessed_at(address)
        token = self._token(header, patient=not guessed)
        if token is None:
            raise self._failed(address, guessed)
        only = None if token.sources is None else frozenset(token.sources)
        caller = Caller(token.name, token.role, only)
        with self._lock:
            if len(self._known) > 10_000:
                self._known.clear()
            if generation == self._generation:
                self._known[_sum(header)] = (began, caller)
        return caller

    def _turn(self, key: str) -> threading.Lock:
        with self._lock:
            if len(self._askers) > 10_000:
                self._askers.clear()
            return self._askers.setdefault(key, threading.Lock())

    def forget(self) -> None:
        """Ask anew for every token: one was revoked."""
        with self._lock:
            self._generation += 1
            self._known.clear()

    def _token(self, header: str, *, patient: bool) -> Token | None:
        match = _FORM.fullmatch(header.removeprefix("Bearer "))
        if match is None or not header.startswith("Bearer "):
            return None
        with self.database.reading() as session:
            token = session.get(Token, int(match[1]))
            if token is None or not _counts(token, self.database.now(session)):
                return None
        return token if self._is_right(header, match[2], token, patient) else None

    def _is_right(self, header: str, secret: str, token: Token, patient: bool) -> bool:
        """Whether the secret fits the hash; that takes long by design, so it is remembered."""
        key = _sum(header + token.hash)
        if key in self._verified:
            return self._verified[key]
        if not self._turns.acquire(blocking=patient):
            return False
        try:
            right = _fits(token.hash, secret)
        finally:
            self._turns.release()
        with self._lock:
            if len(self._verified) > 10_000:
                self._verified.clear()
            self._verified[key] = right
        return right

    def _is_guessed_at(self, address: str) -> bool:
        """Whether too many tokens from there were wrong in the last minute."""
        now = time.monotonic()
        with self._lock:
            if len(self._failures) > 10_000:
                self._failures.clear()
            recent = [at for at in self._failures.get(address, ()) if now - at < PAUSE]
            self._failures[address] = recent
        return len(recent) >= MOST_FAILURES

    def _failed(self, address: str, guessed: bool) -> Problem:
        if guessed:
            return Problem(
                429, "too many wrong tokens; wait a minute", {"Retry-After": f"{PAUSE:.0f}"}
            )
        with self._lock:
            self._failures.setdefault(address, []).append(time.monotonic())
        return _refusal("the token is not known, has expired or was revoked")


def _fits(hash_: str, secret: str) -> bool:
    try:
        _HASHER.verify(hash_, secret)
    except (Argon2Error, InvalidHashError):
        return False
    return True


def _counts(token: Token, now: dt.datetime) -> bool:
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now)


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _refusal(detail: str) -> Problem:
    return Problem(401, detail, {"WWW-Authenticate": 'Bearer realm="citytune"'})
