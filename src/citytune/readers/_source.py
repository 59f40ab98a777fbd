"""Bring bytes or anyone's table in as one lazy polars table."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from citytune._errors import InputError
from citytune.readers._csv import read_text
from citytune.readers._findings import Findings

_ENDINGS = r"(?i)(\.(csv|tsv|txt|dat|gz|parquet|pq|arrow|feather|ipc))+$"
_FOREIGN = (
    (b"PK\x03\x04", "an Excel workbook or zip archive", "save the sheet as CSV, or unpack it"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
    (b"\x89HDF", "an HDF5 file", "export the table as CSV or Parquet"),
    (b"\x89PNG", "a PNG picture", "pass a CSV or Parquet file"),
    (b"\xff\xd8\xff", "a JPEG picture", "pass a CSV or Parquet file"),
    (b"%PDF", "a PDF document", "export its table as CSV"),
    (b"<", "a web page or XML", "export the table as CSV or Parquet"),
    (b"{", "JSON", "write it as a table, in CSV or Parquet"),
    (b"[", "JSON", "write it as a table, in CSV or Parquet"),
)


@dataclass(frozen=True)
class SourceTable:
    """A table not yet understood: columns with names and types, rows still on disk if possible."""

    rows: pl.LazyFrame
    schema: pl.Schema
    name: str
    """As the person called it, for messages."""
    stem: str = ""
    """The file's name without its endings, which often tells the quantity."""
    decimal_comma: bool = False
    """Whether numbers that are still text write 1,5 for one and a half."""


def open_table(source: Any, findings: Findings) -> SourceTable:
    """A path to CSV or Parquet, or any table narwhals knows, as a `SourceTable`."""
    on_disk = isinstance(source, str | os.PathLike)
    table = _open_file(Path(source).expanduser(), findings) if on_disk else _adopt(source)
    if not table.rows.head(1).collect().height:
        findings.fail(
            "header-only",
            "there are column names but no rows of data",
            "check the date range of the export",
        )
    return table


def source_name(source: Any) -> str:
    """What to call a source in messages."""
    return str(source) if isinstance(source, str | os.PathLike) else f"the {type(source).__name__}"


def _open_file(path: Path, findings: Findings) -> SourceTable:
    magic = _first_bytes(path)
    if not magic:
        findings.fail("empty-file", "the file is empty", "check the export that wrote it")
    stem = re.sub(_ENDINGS, "", path.name)
    if magic.startswith(b"PAR1"):
        return _open_columnar(pl.scan_parquet(path), path, stem, findings)
    if magic.startswith(b"ARROW1"):
        return _open_columnar(pl.scan_ipc(path), path, stem, findings)
    for start, what, remedy in _FOREIGN:
        if magic.startswith(start):
            findings.fail("not-a-table", f"this is {what}, not a table citytune reads", remedy)
    text = read_text(path, findings)
    return SourceTable(text.rows.lazy(), text.rows.schema, str(path), stem, text.decimal_comma)


def _first_bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputError(f"{str(path)!r} is a folder; pass one CSV or Parquet file in it")
        with path.open("rb") as file:
            return file.read(16)
    except FileNotFoundError:
        raise InputError(f"there is no file {str(path)!r}.{_near_file(path)}") from None
    except PermissionError:
        raise InputError(
            f"{str(path)!r} cannot be read: permission denied; ask its owner, or "
            f"allow it with: chmod u+r {path.name}"
        ) from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{str(path)!r} cannot be read: {reason}") from None


def _near_file(path: Path) -> str:
    try:
        names = sorted(entry.name for entry in path.parent.iterdir() if entry.is_file())
    except OSError:
        return f" Neither is there a folder {str(path.parent)!r}; is the path right?"
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    return f" Did you mean {str(path.with_name(close[0]))!r}?" if close else " Is the path right?"


@contextmanager
def damage_told(findings: Findings) -> Iterator[None]:
    """Report a damaged Parquet or Arrow file, found only when its rows are read, as an error."""
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        if not re.search(r"(?i)parquet|thrift|ipc|arrow|out of spec|metadata", reason):
            raise
        findings.fail(
            "damaged-file",
            f"the file is damaged ({reason})",
            "copy or export it again; it may have been cut off",
        )


def _open_columnar(rows: pl.LazyFrame, path: Path, stem: str, findings: Findings) -> SourceTable:
    with damage_told(findings):
        schema = rows.collect_schema()
        rows.head(1).collect()
    return SourceTable(rows, schema, str(path), stem)


def _adopt(source: Any) -> SourceTable:
    name = source_name(source)
    try:
        frame = nw.from_native(source)
    except TypeError:
        raise InputError(
            f"a {type(source).__name__} is not a table; use a path to a CSV or Parquet file, or "
            "a pandas, polars or pyarrow table"
        ) from None
    try:
        rows = _to_polars(frame)
        return SourceTable(rows, rows.collect_schema(), name)
    except (pl.exceptions.PolarsError, OSError, ModuleNotFoundError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{name} cannot be read: {reason}") from error


def _to_polars(frame: nw.DataFrame[Any] | nw.LazyFrame[Any]) -> pl.LazyFrame:
    if isinstance(frame, nw.LazyFrame):
        if frame.implementation.is_polars():
            lazy: pl.LazyFrame = frame.to_native()
            return lazy
        return frame.collect("polars").to_polars().lazy()
    return _with_index(frame).to_polars().lazy()


def _with_index(frame: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
    """A pandas index of times or of names is a column to everybody but pandas."""
    index = nw.maybe_get_index(frame)
    if index is None:
        return frame
    plain = type(index).__name__ == "RangeIndex"
    native = frame.to_native()
    native = native if plain else native.reset_index()
    renamed = native.rename(columns=str)
    if renamed.columns.nlevels > 1:
        raise InputError("the table has several rows of column names; flatten them into one")
    if not renamed.columns.is_unique:
        twice = sorted(set(renamed.columns[renamed.columns.duplicated()]))
        raise InputError(f"two columns are called {twice[0]!r}; give each its own name")
    return nw.from_native(renamed, eager_only=True)
