"""What a server is allowed and told: the file `serve.toml` in its folder."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from citytune._errors import InputError, UnknownName
from citytune.serving._channels import Notices, notices_of

FILE = "serve.toml"
LISTS = ("roots", "hosts", "watches")
"""Keys that are lists of texts."""
UPLOADS, RUNS, LOCKS, DOWNLOADS = "uploads", "runs", "locks", "downloads"
"""Folders in the folder of a server."""
POLICIES = ("nothing", "propose", "retune")
"""What an alarm brings about that a model fits no more, besides the safe forecast."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything that the operator decides, and no client."""

    folder: Path
    """Where uploads, runs and, by default, the database are."""
    database: str = ""
    """postgresql://…; by default SQLite in the folder."""
    roots: tuple[str, ...] = ()
    """Folders whose files may be sources."""
    hosts: tuple[str, ...] = ()
    """Hosts inside that may be asked all the same, such as a data portal of the city."""
    connections: Mapping[str, str] = field(default_factory=dict)
    """Name → address of a database that may be read, passwords as ${VARIABLE}."""
    keep: int = 5
    """Versions of a run whose folders are kept."""
    forecast_days: int = 400
    """Days after which forecasts that were issued are deleted."""
    audit_days: int = 400
    """Days after which lines of the audit log are deleted."""
    upload_mb: int = 200
    """Largest file that is taken."""
    body_mb: int = 16
    """Largest other request."""
    rate: int = 600
    """Requests a second of one client, on average over ten seconds."""
    job_hours: int = 12
    """Longest time that a job may take."""
    watches: tuple[str, ...] = ()
    """Python modules that jobs import, which add watches by `register_watch`."""
    policy: str = "propose"
    """One of `POLICIES`."""
    fresh_days: int = 7
    """The newest days, on which a model that is tuned anew has to be better than the old one."""
    retune_days: int = 14
    """Days after one proposal in which no other is made."""
    notices: Notices = field(default_factory=Notices)
    """Who is told of alarms."""

    def __post_init__(self) -> None:
        for one in fields(self):
            _check(one.name, getattr(self, one.name))

    def place(self, *names: str) -> Path:
        """A path in the folder."""
        return self.folder.joinpath(*names)

    def make_folders(self) -> None:
        """Make what is not there yet."""
        for name in (UPLOADS, RUNS, LOCKS, DOWNLOADS):
            self.place(name).mkdir(parents=True, exist_ok=True)


def read_configuration(folder: Path, database: str | None = None) -> Configuration:
    """What `serve.toml` of a folder says, or the usual; a database that is named goes before.

    Raises:
        InputError: the file is no TOML, or says what cannot be.
    """
    path = folder / FILE
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML file ({error}); correct it there") from None
    known = [one.name for one in fields(Configuration) if one.name != "folder"]
    for name in said:
        if name not in known:
            raise UnknownName(f"key of {path}", name, known)
    for name in LISTS:
        if isinstance(said.get(name), list):
            said[name] = tuple(said[name])
    if "notices" in said:
        said["notices"] = notices_of(said["notices"])
    found = Configuration(folder=folder.resolve(), **said)
    return found if database is None else replace(found, database=database)


def _check(name: str, value: Any) -> None:
    """Refuse a value of another kind."""
    if name in LISTS:
        right = isinstance(value, tuple) and all(isinstance(one, str) and one for one in value)
        rule = "a list of texts"
        if right and name == "watches":
            right = all(part.isidentifier() for one in value for part in one.split("."))
            rule = "a list of names of Python modules"
    elif name == "connections":
        right = isinstance(value, Mapping) and all(isinstance(v, str) for v in value.values())
        rule = "a table of names and addresses"
    elif name == "policy":
        right, rule = value in POLICIES, f"one of {', '.join(POLICIES)}"
    elif name == "notices":
        right, rule = isinstance(value, Notices), "a table"
    elif name in ("folder", "database"):
        right, rule = isinstance(value, str | Path), "a text"
    else:
        right = isinstance(value, int) and not isinstance(value, bool) and value > 0
        rule = "a whole number above 0"
    if not right:
        raise InputError(f"{name} in {FILE} is {rule}, got {value!r}")
