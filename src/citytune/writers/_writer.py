"""The shelf of writers: which one a target's ending or address asks for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from citytune._errors import InputError
from citytune._files import check_file, new_file
from citytune._text import counted
from citytune.readers import is_address, masked
from citytune.writers._table import ForecastTable


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How to write."""

    wide: str | None = None
    """Column of the forecast that becomes a column for each sensor; None is the long table."""
    overwrite: bool = False
    """Whether a file may be replaced."""
    dry_run: bool = False
    """Whether only to say what would be written."""


@dataclass(frozen=True, kw_only=True)
class Writer:
    """One way out."""

    name: str
    """As a person calls it: "Parquet"."""
    write: Callable[[ForecastTable, str, Choice], str]
    """Writes all or nothing, and gives what was written in words."""
    read: Callable[[str, str | None], pl.DataFrame] | None = None
    """(target, run) → records, as `ForecastTable.records` gave them; None if it is one-way."""
    check: Callable[[str, Choice], None] = lambda _target, _choice: None
    """Refuses a target, before there is something to write."""


DATABASES = {
    ".db": "sqlite:///",
    ".sqlite": "sqlite:///",
    ".sqlite3": "sqlite:///",
    ".duckdb": "duckdb:///",
}
"""Ending of a file that holds a database → how its address begins."""

_WRITERS: dict[str, Writer] = {}
"""By endings such as ".csv" and beginnings such as "sqlite://"."""


def register(marks: Sequence[str], writer: Writer) -> None:
    """Add a writer: `marks` are endings of files (".csv") or beginnings of addresses ("s3://")."""
    for mark in marks:
        if mark in _WRITERS:
            raise ValueError(f"a writer for {mark} is already there")
        _WRITERS[mark] = writer


def marks() -> list[str]:
    """Endings of files and beginnings of addresses that are known."""
    return sorted(_WRITERS)


def writer_of(target: str) -> Writer:
    """The writer for a target.

    Raises:
        InputError: nobody writes that; the nearest endings are named.
    """
    address = is_address(target)
    for mark in sorted(_WRITERS, key=len, reverse=True):
        if (address and target.startswith(mark)) or (
            not address and mark[0] == "." and target.lower().endswith(mark)
        ):
            return _WRITERS[mark]
    asked = target.partition("://")[0] + "://" if address else Path(target).suffix.lower()
    near = difflib.get_close_matches(asked, _WRITERS, n=2, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    if asked in DATABASES and not address:
        hint = f" A database is named by its address: {DATABASES[asked]}{masked(target)}"
    raise InputError(
        f"{masked(target)!r} does not say how to write it: {asked or 'a name without an ending'} "
        f"is not known.{hint} "
        f"Known: {', '.join(marks())}"
    )


def table_file(
    name: str, save: Callable[[pl.DataFrame, Path], None], load: Callable[[Path], pl.DataFrame]
) -> Writer:
    """A writer of a table into a file of its own."""

    def write(table: ForecastTable, target: str, choice: Choice) -> str:
        made = table.records() if choice.wide is None else table.wide(choice.wide)
        return into_file(target, choice, counted(made.height, "row"), lambda path: save(made, path))

    def read(target: str, _run: str | None) -> pl.DataFrame:
        return load(Path(target).expanduser())

    return Writer(name=name, write=write, read=read, check=_check_file)


def document(name: str, made: Callable[[ForecastTable], tuple[bytes, str]]) -> Writer:
    """A writer of a document, which `made` gives with what is in it, in words."""

    def write(table: ForecastTable, target: str, choice: Choice) -> str:
        data, words = made(table)
        return into_file(target, choice, words, lambda path: path.write_bytes(data))

    return Writer(name=name, write=write, check=_check_document)


def into_file(target: str, choice: Choice, words: str, save: Callable[[Path], object]) -> str:
    """Write a file whole or not at all."""
    path = Path(target).expanduser()
    if choice.dry_run:
        return f"would write {words} to {path}"
    with new_file(path, overwrite=choice.overwrite) as draft:
        save(draft)
    return f"{words} written to {path}"


def refuse_wide(target: str, choice: Choice) -> None:
    """For targets that take the long form alone."""
    if choice.wide is not None:
        raise InputError(
            f"{masked(target)} takes the long form alone; wide= is for CSV, Parquet, Excel and "
            "JSON lines"
        )


def _check_file(target: str, choice: Choice) -> None:
    check_file(Path(target).expanduser(), choice.overwrite)


def _check_document(target: str, choice: Choice) -> None:
    refuse_wide(target, choice)
    _check_file(target, choice)
