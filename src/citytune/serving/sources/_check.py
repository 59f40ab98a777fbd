"""Refuse a source that a client may not name, before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from citytune._errors import InputError, UnknownName
from citytune.readers import first_bytes, is_address
from citytune.runs import Reading
from citytune.serving._config import UPLOADS, Configuration
from citytune.serving.sources._public import check_public

KINDS = ("upload", "path", "url", "database", "readings")
OPTIONS = (
    "time", "sensor", "target", "covariates", "quantity", "unit", "timezone", "missing", "country",
    "stamp", "date_order", "valid", "table",
)  # fmt: skip
"""What a client may say of how a source is read."""


def reading_of(options: Mapping[str, Any]) -> Reading:
    """Options as a reading, in which covariates are columns and never paths or addresses.

    Raises:
        InputError: an option is not known, or not of its kind.
    """
    for name in options:
        if name not in OPTIONS:
            raise UnknownName("option of reading", name, OPTIONS)
    try:
        return Reading.of_run({name: one for name, one in options.items() if one is not None})
    except TypeError as error:
        raise InputError(f"the reading cannot be used: {error}") from None


def check_source(kind: str, place: str | None, query: str | None, config: Configuration) -> None:
    """Refuse what leads to where no client may go.

    Raises:
        InputError: it says what is wrong, and what is allowed.
    """
    if kind not in KINDS:
        raise UnknownName("kind of source", kind, KINDS)
    if (kind == "readings") == bool(place):
        raise InputError(
            "a source of kind readings has no place"
            if place
            else f"a source of kind {kind} needs a place: a path, an address or a connection"
        )
    if query is not None and kind != "database":
        raise InputError("a query is for a source of kind database")
    if kind == "url":
        check_public(str(place), config.hosts)
    elif kind == "database":
        connection_of(str(place), config)
    elif kind in ("path", "upload"):
        file_of(kind, str(place), config)


def file_of(kind: str, place: str, config: Configuration) -> Path:
    """The file of a source, inside the folders that are allowed, links resolved.

    Raises:
        InputError: it is outside, no file, or a kind of database that can read other files.
    """
    roots = [str(config.place(UPLOADS))] if kind == "upload" else list(config.roots)
    if not roots:
        raise InputError(
            "no folder is open for paths on this server; upload the file, or let its operator name "
            "folders: roots in serve.toml"
        )
    if "\0" in place or is_address(place):
        raise InputError(f"{place!r} is no path of a file; an address is a source of kind url")
    for root in map(Path, roots):
        path = _inside(root, place)
        if path is not None:
            refuse_foreign_database(path)
            return path
    raise InputError(
        f"{place!r} is no file in a folder that is open for paths here; upload it, or let whoever "
        "runs the server put it there, or open its folder: roots in serve.toml"
    )


def connection_of(name: str, config: Configuration) -> str:
    """The address of a connection that the operator named."""
    if name not in config.connections:
        raise UnknownName("connection of this server", name, config.connections)
    return config.connections[name]


def refuse_foreign_database(path: Path) -> None:
    """Refuse a file that is a DuckDB database, whose views may read any file of the server."""
    if first_bytes(path)[8:12] == b"DUCK":
        raise InputError(
            "a DuckDB file can make the server read its other files, so it is not taken from a "
            "client; its operator can name it as a connection in serve.toml"
        )


def _inside(root: Path, place: str) -> Path | None:
    try:
        top = root.resolve(strict=True)
        path = (top / place).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        return None
    return path if path.is_relative_to(top) and path.is_file() else None
