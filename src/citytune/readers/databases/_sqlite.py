"""Read SQLite by Python's own sqlite3, and write to it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from citytune._errors import InputError
from citytune.readers.containers._files import LONGEST_SILENCE, LONGEST_WAIT
from citytune.readers.databases._drivers import (
    Driver,
    column_of,
    reason_of,
    refuse_twins,
    register_database,
    values_of,
)

STEPS_BETWEEN_LOOKS = 100_000
"""Steps of SQLite between two looks at the clock: a millisecond or so."""
MOST_ROWS = 30_000_000
"""Rows of an answer; one that never ends would fill the memory before its time is over."""
AT_ONCE = 100_000


def path_in(address: str) -> Path:
    """The file that `sqlite:///loops.db` (relative) or `sqlite:////data/loops.db` names.

    Raises:
        InputError: something stands behind a question mark, which would be passed over.
    """
    kind, mark, rest = address.partition("://")
    path, asked, more = rest.partition("?")
    if mark and asked:
        raise InputError(
            f"{kind}:// takes a path and nothing else, and not {more!r} behind a question mark; "
            "name a table or a query by its own option"
        )
    return Path(path.removeprefix("/") if mark else address).expanduser()


@contextmanager
def gone_on_failure(path: Path, write: bool) -> Iterator[None]:
    """A database that was only just made does not outlive a failure."""
    new = write and not path.exists()
    try:
        yield
    except BaseException:
        if new:
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
        raise


@contextmanager
def session(address: str, write: bool) -> Iterator[sqlite3.Connection]:
    """A connection to a file; only one that is written to is made if it is not there."""
    path = path_in(address)
    mode = "rwc" if write else "ro"
    if not write and not path.is_file():
        raise InputError(f"there is no database {str(path)!r}; is the path right?")
    try:
        uri = f"{path.absolute().as_uri()}?mode={mode}"
        with gone_on_failure(path, write), closing(_opened(uri)) as connection, connection:
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            if not write:
                until = time.monotonic() + LONGEST_WAIT
                connection.set_progress_handler(
                    lambda: time.monotonic() > until, STEPS_BETWEEN_LOOKS
                )
            yield connection
    except sqlite3.Error as error:
        raise InputError(_told(path, error)) from None


def _opened(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=LONGEST_SILENCE)


def tables(connection: sqlite3.Connection) -> dict[str, str]:
    """Names of tables and views → how they are quoted."""
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE "
        "'sqlite_%' ORDER BY name"
    )
    return {name: '"' + name.replace('"', '""') + '"' for (name,) in found}


def rows(connection: sqlite3.Connection, query: str) -> pl.DataFrame:
    """The answer to a query; its columns have the types of what is in them."""
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    refuse_twins(names)
    columns: list[list[Any]] = [[] for _ in names]
    while part := cursor.fetchmany(AT_ONCE):
        for column, more in zip(columns, zip(*part, strict=True), strict=True):
            column.extend(more)
        if len(columns[0]) > MOST_ROWS:
            raise InputError(
                f"the query gives more than {MOST_ROWS:,} rows; does it end? Ask for fewer by WHERE"
            )
    return pl.DataFrame([column_of(*one) for one in zip(names, columns, strict=True)])


def insert(connection: sqlite3.Connection, into: str, rows: pl.DataFrame, conflict: str) -> None:
    """Put rows in; moments as text in ISO 8601, since SQLite knows no times."""
    moments = pl.col(pl.Datetime("us", "UTC")).dt.strftime("%Y-%m-%dT%H:%M:%S%.f%:z")
    values = rows.with_columns(moments).iter_rows()
    connection.executemany(f"{into} {values_of(rows, '?')} {conflict}", values)


def _told(path: Path, error: sqlite3.Error) -> str:
    reason = reason_of(error)
    if "interrupted" in reason:
        return (
            f"{str(path)!r} took longer than {LONGEST_WAIT:g} seconds to answer; does the query, "
            "or the view it reads, end?"
        )
    if "locked" in reason:
        return f"{str(path)!r} is locked by another program; try again when it is done"
    if "unable to open" in reason:
        return f"{str(path)!r} cannot be opened; is there such a folder, and may you write there?"
    if "not a database" in reason or "malformed" in reason:
        return f"{str(path)!r} is no SQLite database, or a damaged one ({reason})"
    return f"{str(path)!r} refused the query ({reason})"


TYPES = {"text": "TEXT", "number": "REAL", "moment": "TEXT"}
register_database(
    ("sqlite",),
    Driver("SQLite", session, tables, rows, insert, TYPES),
    magic=b"SQLite format 3\0",
)
