"""Bring bytes or anyone's table in as one lazy polars table."""

from __future__ import annotations

import os
import re
from typing import Any

import narwhals as nw
import polars as pl

from citytune._errors import InputError
from citytune.readers.cells._damage import damage_told
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable, guarded
from citytune.readers.containers._files import masked
from citytune.readers.containers._openers import open_container
from citytune.readers.databases._drivers import is_database, open_database

_ROW_LABELS = re.compile(r"^(level_\d+|index|__index_level_\d+__)$")


def open_table(
    source: Any, findings: Findings, *, table: str | None = None, query: str | None = None
) -> SourceTable:
    """A path or address of a file, or any table narwhals knows, as a `SourceTable`.

    Args:
        source: A database too, of which `table` or `query` says what to read.
        findings: Takes what is noticed.
        table: Name of a table.
        query: In SQL, reading only.
    """
    found = _opened(source, findings, table, query)
    with damage_told(findings):
        empty = not found.rows.head(1).collect().height
    if empty:
        findings.fail(
            "header-only",
            "there are column names but no rows of data",
            "check the date range of the export",
        )
    return found


def _opened(source: Any, findings: Findings, table: str | None, query: str | None) -> SourceTable:
    if is_database(source):
        return _guarded(open_database(source, table, query, findings))
    if table is not None or query is not None:
        raise InputError(
            f"table= and query= are for databases, and {source_name(source)} is none; leave them "
            "out"
        )
    on_disk = isinstance(source, str | os.PathLike) or (
        isinstance(source, list | tuple) and all(isinstance(s, str | os.PathLike) for s in source)
    )
    return _guarded(open_container(source, findings) if on_disk else _adopt(source))


def _guarded(table: SourceTable) -> SourceTable:
    renamed = {name: new for name in table.schema if (new := guarded(name)) != name}
    if len({renamed.get(name, name) for name in table.schema}) < len(table.schema):
        return table
    return table.renamed(renamed) if renamed else table


def source_name(source: Any) -> str:
    """What to call a source in messages."""
    if isinstance(source, list | tuple) and source:
        return f"{len(source)} files" if len(source) != 1 else source_name(source[0])
    return (
        masked(source) if isinstance(source, str | os.PathLike) else f"the {type(source).__name__}"
    )


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
        library = frame.implementation.value
        return SourceTable(rows, rows.collect_schema(), name, library=library)
    except InputError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:200] or type(error).__name__
        raise InputError(
            f"{name} cannot be read ({reason}); give its columns plain types: numbers, text and "
            "times"
        ) from error


def _to_polars(frame: nw.DataFrame[Any] | nw.LazyFrame[Any]) -> pl.LazyFrame:
    if isinstance(frame, nw.LazyFrame):
        if frame.implementation.is_polars():
            lazy: pl.LazyFrame = frame.to_native()
            return lazy
        return frame.collect("polars").to_polars().lazy()
    return _from_pandas(frame).to_polars().lazy()


def _from_pandas(frame: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
    """A pandas table with its index as a column, if that holds times or names, and plain types."""
    if not frame.implementation.is_pandas():
        return frame
    native = frame.to_native()
    native = _with_index(native)
    renamed = native.rename(columns=str)
    if renamed.columns.nlevels > 1:
        levels = [" ".join(part for part in one if part.strip()) for one in renamed.columns]
        renamed = renamed.set_axis(levels, axis="columns")
    if not renamed.columns.is_unique:
        twice = sorted(set(renamed.columns[renamed.columns.duplicated()]))
        raise InputError(f"two columns are called {twice[0]!r}; give each its own name")
    return nw.from_native(_plain_types(renamed), eager_only=True)


def _with_index(native: Any) -> Any:
    """A row number, also one with gaps after a filter or a sort, is no column."""
    index = native.index
    kind = str(index.dtype)
    if (
        index.nlevels == 1
        and kind.startswith(("int", "uint"))
        and (index.name is None or _ROW_LABELS.match(str(index.name)))
    ):
        return native.reset_index(drop=True)
    if index.nlevels == 1 and kind.startswith("period"):
        native = native.set_axis(index.to_timestamp())
        native.index.name = index.name
    named = [name for name in native.index.names if name in native.columns]
    return native.reset_index(drop=bool(named)) if named else native.reset_index()


def _plain_types(native: Any) -> Any:
    """Objects, periods, sparse and complex columns as what polars takes."""
    changed = {}
    for name, dtype in native.dtypes.items():
        kind = str(dtype).lower()
        column = native[name]
        if kind.startswith("period"):
            changed[name] = column.dt.to_timestamp()
        elif kind.startswith("sparse"):
            changed[name] = column.sparse.to_dense()
        elif kind.startswith("complex"):
            raise InputError(f"column {name!r} holds complex numbers; pass their real parts")
        elif kind == "object":
            changed[name] = _from_objects(column)
    return native.assign(**changed) if changed else native


def _from_objects(column: Any) -> Any:
    """Cells of several kinds: moments, dates and pictures stay, all else becomes text."""
    import datetime as dt

    first = list(column.dropna().head(100))
    if first and (all(isinstance(cell, dt.date) for cell in first) or any(map(_is_file, first))):
        return column
    return column.map(lambda cell: cell if cell is None else _text(cell), na_action="ignore")


def _is_file(cell: object) -> bool:
    """Whether a cell is a file, such as a picture: bytes with a zero among them, which text lacks.

    Hugging Face's `datasets` keeps them in a dict, next to their names.
    """
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    return isinstance(data, bytes) and b"\0" in data


def _text(cell: object) -> str:
    try:
        return cell.decode() if isinstance(cell, bytes) else str(cell)
    except UnicodeDecodeError:
        return str(cell)
