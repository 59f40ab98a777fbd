"""Read a table, or the answer to a query, from a database, by the driver its address names."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from citytune._errors import InputError, UnknownName
from citytune._text import counted, listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._files import as_given, is_address, masked

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_READS = re.compile(r"(?is)(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*+(select|with|values|table)\b")


@dataclass(frozen=True)
class Driver:
    """One kind of database. Its functions raise `InputError`, a sentence each, and nothing else."""

    kind: str
    """As a person calls it: "PostgreSQL"."""
    session: Callable[[str, bool], AbstractContextManager[Any]]
    """(address, whether to write) → a DB-API connection; what is written counts at the end."""
    tables: Callable[[Any], Mapping[str, str]]
    """Of a connection: names of tables and views → how a query quotes them."""
    rows: Callable[[Any, str], pl.DataFrame]
    """(connection, query) → the answer."""
    insert: Callable[[Any, str, pl.DataFrame, str], Any]
    """(connection, "INSERT INTO …", rows, "ON CONFLICT …"): puts the rows in, between the two."""
    types: Mapping[str, str]
    """"text", "number" (single precision) and "moment" (with a zone) → type of a column."""
    guard: Callable[[Any], None] = lambda _connection: None
    """Of a connection: called before a query that somebody wrote, which may see it alone."""


_DRIVERS: dict[str, Driver] = {}
_MAGIC: list[tuple[int, bytes, str]] = []


def register_database(
    schemes: Sequence[str], driver: Driver, *, at: int = 0, magic: bytes = b""
) -> None:
    """Add a kind of database.

    Args:
        schemes: What its addresses begin with, before `://`.
        driver: How to read it, and write to it.
        at: Of a database in a file, where in it the magic bytes stand.
        magic: Bytes that tell such a file, whatever it is called.
    """
    _DRIVERS.update(dict.fromkeys(schemes, driver))
    if magic:
        _MAGIC.append((at, magic, schemes[0]))


def is_database(source: Any) -> bool:
    """Whether a source is the address of a database, or a file that is one."""
    return _scheme(source) in _DRIVERS


def driver_of(source: Any) -> Driver:
    """The driver of a source that is a database."""
    return _DRIVERS[_scheme(source)]


def with_secrets(source: Any) -> str:
    """An address with the variables of the environment in it, or a path; never to be shown.

    Raises:
        InputError: a variable is not set, or a password cannot stand in an address.
    """
    if not is_address(source):
        return str(Path(source).expanduser())
    text = str(as_given(source))
    _refuse_bare_secret(text)
    before, at, after = text.rpartition("@")

    def said(found: re.Match[str]) -> str:
        return _of_environment(found[1], text)

    user = _VARIABLE.sub(lambda found: quote(said(found), safe=""), before)
    return user + at + _VARIABLE.sub(said, after)


def open_database(
    source: Any, table: str | None, query: str | None, findings: Findings
) -> SourceTable:
    """The rows of a table, or the answer to a query, of a database."""
    driver = driver_of(source)
    name = masked(source)
    if table is not None and query is not None:
        raise InputError("table= and query= exclude each other; a query names its own tables")
    if query is not None:
        query = only_reading(query)
    with driver.session(with_secrets(source), False) as connection:
        if query is None:
            known = driver.tables(connection)
            table = table or _only_table(known, name, findings)
            query = f"SELECT * FROM {quoted(table, known, name)}"  # noqa: S608 - a name the database gave
        else:
            driver.guard(connection)
        rows = driver.rows(connection, query)
    stem = (table or "").rpartition(".")[2]
    return SourceTable(rows.lazy(), rows.schema, name, stem, table=table)


def only_reading(query: str) -> str:
    """A query without the semicolon at its end, if it reads and changes nothing.

    >>> only_reading("SELECT * FROM loops;")
    'SELECT * FROM loops'
    """
    if not _READS.match(query):
        raise InputError(
            f"a query begins with SELECT or WITH, this one with {query.strip()[:20]!r}; citytune "
            "only reads"
        )
    found = query.strip().rstrip(";").rstrip()
    if ";" in found:
        raise InputError("a query is one statement; leave out what stands behind the first ;")
    return found


def quoted(table: str, known: Mapping[str, str], name: str) -> str:
    """A table as a query writes it, if it is there."""
    if table not in known:
        raise UnknownName(f"table of {name}", table, known)
    return known[table]


def values_of(rows: pl.DataFrame, mark: str) -> str:
    """`VALUES (?, …)`, with a mark for each column."""
    return f"VALUES ({', '.join([mark] * rows.width)})"


def refuse_twins(names: Sequence[str]) -> None:
    """Refuse an answer in which two columns have one name."""
    if twins := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"the query gives two columns {twins[0]!r}; rename one with AS")


def column_of(name: str, values: list[Any]) -> pl.Series:
    """A column of whatever a database without fixed types holds in it."""
    present = [value for value in values if value is not None]
    if all(isinstance(value, int | float) for value in present):
        whole = all(isinstance(value, int) for value in present)
        return pl.Series(name, values, pl.Int64 if whole else pl.Float64, strict=False)
    return pl.Series(name, [None if value is None else str(value) for value in values], pl.String)


def plain_types(rows: pl.DataFrame) -> pl.DataFrame:
    """Decimal numbers as floats or whole numbers, nested and binary columns left out."""
    changed = [
        pl.col(name).cast(pl.Int64 if kind.scale == 0 else pl.Float64, strict=False)
        for name, kind in rows.schema.items()
        if isinstance(kind, pl.Decimal)
    ]
    nested = [n for n, kind in rows.schema.items() if kind.is_nested() or kind == pl.Binary]
    return rows.with_columns(changed).drop(nested)


def reason_of(error: BaseException) -> str:
    """The first line of what a driver says, without its own labels."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"^(ERROR|FATAL|[A-Z]\w+ Error): *", "", lines[0].strip())[:200].rstrip(".")


def _scheme(source: Any) -> str:
    if isinstance(source, str | os.PathLike):
        if is_address(source):
            return str(as_given(source)).partition("://")[0].lower()
        return _of_file(Path(source).expanduser())
    return ""


def _of_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            first = file.read(16)
    except (OSError, ValueError):
        return ""
    found = (scheme for at, magic, scheme in _MAGIC if first[at : at + len(magic)] == magic)
    return next(found, "")


def _of_environment(variable: str, address: str) -> str:
    if variable not in os.environ:
        raise InputError(
            f"{masked(address)} names the variable {variable}, which is not set; set it, as in: "
            f"export {variable}=…"
        )
    return os.environ[variable]


def _refuse_bare_secret(address: str) -> None:
    """A password such as `p@ss/word` would be cut into pieces, and shown as a name of a host."""
    secret = address.partition("://")[2].rpartition("@")[0].partition(":")[2]
    if re.search(r"[/@?#\s]|%(?![0-9A-Fa-f]{2})", _VARIABLE.sub("", secret)):
        raise InputError(
            f"the password in {masked(address)} holds characters that have a meaning in an "
            "address; put it into a variable and name that: user:${DB_PASSWORD}@host"
        )


def _only_table(known: Mapping[str, str], name: str, findings: Findings) -> str:
    if not known:
        findings.fail("no-tables", "the database holds no table that you may see",
                      "is it the right database, and may this user read it?")  # fmt: skip
    if len(known) > 1:
        findings.fail(
            "several-tables",
            f"the database holds {counted(len(known), 'table')}: {listed(sorted(known), 12)}",
            f"name one: table={next(filter(str.isidentifier, sorted(known)), 'loops')}, or ask for "
            "rows: query='SELECT …'",
        )
    return next(iter(known))
