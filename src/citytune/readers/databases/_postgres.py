"""Read PostgreSQL and TimescaleDB by psycopg, and write to them.

Rows come by COPY as text, which is fast, exact for every type, and understood like a file's. libpq
takes what an address lacks from the environment (PGPASSWORD, PGUSER), from a service file
(`?service=name`) and from ~/.pgpass.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import polars as pl

from citytune._errors import InputError
from citytune.readers.containers._files import LONGEST_SILENCE, LONGEST_WAIT, masked
from citytune.readers.databases._drivers import (
    Driver,
    reason_of,
    refuse_twins,
    register_database,
    values_of,
)

if TYPE_CHECKING:
    import psycopg

_WHOLE, _FLOAT, _NUMERIC, _BOOL, _DATE, _WALL, _MOMENT = (
    (20, 21, 23), (700, 701), 1700, 16, 1082, 1114, 1184,
)  # fmt: skip
"""Types by their numbers in pg_type."""
_TABLES = """
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END,
       quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
      AND n.nspname !~ '^(pg_|information_schema$|_timescaledb|timescaledb)'
ORDER BY 1
"""
_SETTINGS = f"-c timezone=UTC -c datestyle=ISO -c statement_timeout={LONGEST_WAIT * 1000:.0f}"
_READING = " -c default_transaction_read_only=on"


@contextmanager
def session(address: str, write: bool) -> Iterator[psycopg.Connection]:
    """A connection; what goes wrong in it, at any time, is one sentence without a secret."""
    name = masked(address)
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise InputError(
            f"{name} needs the package psycopg; install it with: pip install 'citytune[postgres]'"
        ) from None
    try:
        given = conninfo_to_dict(address)
        options = f"{given.pop('options', '') or ''} {_SETTINGS}{'' if write else _READING}"
        limits = {"connect_timeout": int(LONGEST_SILENCE), "keepalives_idle": 10,
                  "tcp_user_timeout": int(LONGEST_SILENCE * 1000),
                  "application_name": "citytune"}  # fmt: skip
        with psycopg.connect(**limits | given, options=options.strip()) as connection:
            yield connection
    except psycopg.Error as error:
        raise InputError(_told(name, error)) from None


def tables(connection: psycopg.Connection) -> dict[str, str]:
    """Names of tables and views → how they are quoted; those of other schemas with its name."""
    return dict(connection.execute(_TABLES).fetchall())


def rows(connection: psycopg.Connection, query: str) -> pl.DataFrame:
    """The answer to a query, with the types that the server names."""
    from psycopg import sql

    asked = sql.SQL(query)
    # On lines of its own, as a comment may end the query; prepared, it is one statement.
    shape = sql.SQL("SELECT * FROM (\n{}\n) AS asked LIMIT 0").format(asked)
    columns = connection.execute(shape, prepare=True).description or []
    names = [column.name for column in columns]
    refuse_twins(names)
    text = io.BytesIO()
    copied = sql.SQL("COPY (\n{}\n) TO STDOUT (FORMAT csv)").format(asked)
    with connection.cursor().copy(copied) as copy:
        for data in copy:
            text.write(data)
    table = _parsed(text, names)
    return table.with_columns([_typed(table[c.name], c.type_code, c.scale) for c in columns])


def insert(connection: psycopg.Connection, into: str, rows: pl.DataFrame, conflict: str) -> None:
    """Put rows in, many on one way to the server."""
    statement = f"{into} {values_of(rows, '%s')} {conflict}"
    connection.cursor().executemany(statement, rows.iter_rows())


def _parsed(text: io.BytesIO, names: list[str]) -> pl.DataFrame:
    """Text as it came; an empty cell without quotes is NULL."""
    if not text.tell():
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    text.seek(0)
    return pl.read_csv(text, has_header=False, new_columns=names, infer_schema=False)


def _typed(cells: pl.Series, kind: int, scale: int | None) -> pl.Series:
    """Cells in the type that the server names; as text if one, such as infinity, does not fit."""
    found = cells
    if kind in _WHOLE or (kind == _NUMERIC and scale == 0):
        found = cells.cast(pl.Int64, strict=False)
    elif kind in _FLOAT or kind == _NUMERIC:
        found = cells.cast(pl.Float64, strict=False)
    elif kind == _BOOL:
        found = cells == "t"
    elif kind == _DATE:
        found = cells.str.to_date("%Y-%m-%d", strict=False)
    elif kind in (_WALL, _MOMENT):
        form = "%Y-%m-%d %H:%M:%S%.f" + ("%#z" if kind == _MOMENT else "")
        found = cells.str.to_datetime(form, time_unit="us", strict=False)
    return found if found.null_count() == cells.null_count() else cells


def _told(name: str, error: psycopg.Error) -> str:
    """What went wrong, and what to do."""
    import psycopg

    reason = reason_of(error)
    if isinstance(error, psycopg.errors.QueryCanceled):
        return f"{name} took longer than {LONGEST_WAIT / 60:g} minutes; ask for fewer rows"
    if isinstance(
        error, psycopg.errors.InsufficientPrivilege | psycopg.errors.ReadOnlySqlTransaction
    ):
        return f"{name} does not allow that ({reason}); ask its administrator"
    if not isinstance(error, psycopg.OperationalError):
        return f"{name} refused the query ({reason})"
    if error.sqlstate is not None or "closed" in reason or "terminat" in reason:
        return f"{name} broke off in the middle ({reason}); try again"
    if "password" in reason or "authentication" in reason:
        return (
            f"{name} did not let you in ({reason}); set PGPASSWORD, or name a variable in the "
            "address: user:${DB_PASSWORD}@host"
        )
    return f"{name} cannot be reached ({reason}); are host, port and database right?"


TYPES = {"text": "TEXT", "number": "REAL", "moment": "TIMESTAMPTZ"}
register_database(
    ("postgresql", "postgres"), Driver("PostgreSQL", session, tables, rows, insert, TYPES)
)
