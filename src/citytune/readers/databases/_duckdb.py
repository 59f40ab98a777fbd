"""Read DuckDB by its own package, and write to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from citytune._errors import InputError
from citytune.readers.containers._files import LONGEST_WAIT
from citytune.readers.databases._drivers import (
    Driver,
    plain_types,
    reason_of,
    refuse_twins,
    register_database,
)
from citytune.readers.databases._sqlite import gone_on_failure, path_in

if TYPE_CHECKING:
    import duckdb


PAUSE_OF_INTERRUPTIONS = 0.1
"""Seconds between two interruptions of what takes too long."""


@contextmanager
def session(address: str, write: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a file; only one that is written to is made if it is not there."""
    path = path_in(address)
    try:
        import duckdb
    except ModuleNotFoundError:
        raise InputError(
            f"{str(path)!r} is a DuckDB database, which needs the package duckdb; install it with: "
            "pip install 'citytune[duckdb]'"
        ) from None
    if not write and not path.is_file():
        raise InputError(f"there is no database {str(path)!r}; is the path right?")
    try:
        with gone_on_failure(path, write), closing(_opened(path, write)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("BEGIN")
            with nullcontext() if write else _stopped_in_time(connection):
                yield connection
            connection.execute("COMMIT")
    except duckdb.InterruptException:
        raise InputError(
            f"{str(path)!r} took longer than {LONGEST_WAIT:g} seconds to answer; does the query, "
            "or the view it reads, end?"
        ) from None
    except duckdb.Error as error:
        raise InputError(f"{str(path)!r}: {reason_of(error)}") from None


@contextmanager
def _stopped_in_time(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """A query that never ends is ended.

    What is interrupted is what runs at that moment, if anything does, so it is done until it helps.
    """
    done = threading.Event()

    def interrupt() -> None:
        patience = LONGEST_WAIT
        while not done.wait(patience):
            connection.interrupt()
            patience = PAUSE_OF_INTERRUPTIONS

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _opened(path: Path, write: bool) -> duckdb.DuckDBPyConnection:
    import duckdb

    return duckdb.connect(str(path), read_only=not write)


def tables(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Names of tables and views → how they are quoted."""
    found = connection.execute(
        "SELECT schema_name, name FROM (SELECT schema_name, table_name AS name FROM "
        "duckdb_tables() UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE NOT "
        "internal) ORDER BY ALL"
    ).fetchall()
    return {
        name if schema == "main" else f"{schema}.{name}": f"{_quote(schema)}.{_quote(name)}"
        for schema, name in found
    }


def guard(connection: duckdb.DuckDBPyConnection) -> None:
    """Let a query reach neither files, nor addresses, nor variables of this program."""
    connection.execute("SET enable_external_access = false")
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET lock_configuration = true")


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    """The answer to a query."""
    import duckdb

    found = duckdb.extract_statements(query)
    if len(found) != 1 or found[0].type != duckdb.StatementType.SELECT:
        raise InputError("a query is one SELECT; citytune only reads")
    answer = connection.sql(query)
    refuse_twins(answer.columns)
    return plain_types(pl.DataFrame(answer))


def insert(
    connection: duckdb.DuckDBPyConnection, into: str, rows: pl.DataFrame, conflict: str
) -> None:
    """Put rows in, all at once: one by one takes DuckDB a hundred times as long."""
    connection.register("rows_to_write", _Arrow(rows))
    connection.execute(f"{into} SELECT * FROM rows_to_write {conflict}")  # noqa: S608 - ours


class _Arrow:
    """A table by the Arrow interface alone: of a polars table DuckDB would ask pyarrow."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self._rows = rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._rows.__arrow_c_stream__(requested_schema)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


TYPES = {"text": "VARCHAR", "number": "REAL", "moment": "TIMESTAMPTZ"}
register_database(
    ("duckdb",), Driver("DuckDB", session, tables, rows, insert, TYPES, guard), at=8, magic=b"DUCK"
)
