"""Open a file by what its first bytes say it is."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from citytune._errors import InputError
from citytune.readers.cells._damage import damage_told
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._dates_of_files import with_date_of_file
from citytune.readers.containers._delimited import read_delimited
from citytune.readers.containers._files import (
    download,
    expand,
    first_bytes,
    is_address,
    masked,
    stem_of,
)
from citytune.readers.containers._several import join

Opener: TypeAlias = Callable[[bytes, str, str, Findings], SourceTable]
"""(bytes, name, stem, findings) → table."""
FREE_BYTES, MOST_RATIO = 50_000_000, 200
"""An archive may unpack to so many bytes, and beyond them to so many times its own size."""
_OPENERS: list[tuple[Callable[[bytes], bool], Opener]] = []
_FOREIGN = (
    (b"\x89PNG", "a PNG picture", "pass a CSV or Parquet file"),
    (b"\xff\xd8\xff", "a JPEG picture", "pass a CSV or Parquet file"),
    (b"%PDF", "a PDF document", "export its table as CSV"),
    (b"SQLite format 3", "an SQLite database", "pass its path alone, with table= or query="),
)


def register(sniff: Callable[[bytes], bool], opener: Opener) -> None:
    """Add a kind of file: `sniff` tells it by its bytes, `opener` makes a table of them.

    What is registered later is asked first.
    """
    _OPENERS.insert(0, (sniff, opener))


def open_container(source: Any, findings: Findings) -> SourceTable:
    """The table in a file, or in several that are one table in parts."""
    files = expand(source)
    if len(files) == 1:
        return with_date_of_file(_open_one(files[0], findings), findings)
    parts = []
    for file in files:
        inner = Findings(masked(file))
        parts.append(with_date_of_file(_open_one(file, inner), inner))
        findings.keep(inner.faults)
    return join(parts, findings.source, findings)


def _open_one(source: Any, findings: Findings) -> SourceTable:
    if is_address(source):
        return open_bytes(download(source), masked(source), stem_of(source), findings)
    path = Path(source)
    magic = first_bytes(path)
    stem = stem_of(path.name)
    if magic.startswith(b"PAR1"):
        return _columnar(pl.scan_parquet(path, glob=False), path, stem, findings)
    if magic.startswith(b"ARROW1"):
        return _columnar(pl.scan_ipc(path, glob=False), path, stem, findings)
    return open_bytes(_local(path), str(path), stem, findings)


def _local(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}") from None


def open_bytes(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """The table in the bytes of a file of any kind."""
    data = _unpacked(data, findings)
    if not data:
        findings.fail("empty-file", "the file is empty", "check the export that wrote it")
    for start, what, remedy in _FOREIGN:
        if data.startswith(start):
            findings.fail("not-a-table", f"this is {what}, not a table citytune reads", remedy)
    if data.startswith(b"PAR1"):
        return _columnar(pl.scan_parquet(data), name, stem, findings)
    if data.startswith(b"ARROW1"):
        return _columnar(pl.scan_ipc(data), name, stem, findings)
    for sniff, opener in _OPENERS:
        if sniff(data):
            return opener(data, name, stem, findings)
    return read_delimited(data, name, stem, findings)


def _unpacked(data: bytes, findings: Findings) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    most = FREE_BYTES + MOST_RATIO * len(data)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            found = file.read(most + 1)
    except (OSError, EOFError, zlib.error):
        findings.fail(
            "damaged-file",
            "the gzip file is damaged",
            "copy or compress it again; it may have been cut off",
        )
    if len(found) > most:
        findings.fail(
            "zip-bomb",
            f"the gzip file of {len(data):,} bytes would unpack to more than {most:,}",
            "unpack it yourself if you trust it, and pass the table",
        )
    return found


def _columnar(rows: pl.LazyFrame, path: object, stem: str, findings: Findings) -> SourceTable:
    with damage_told(findings):
        schema = rows.collect_schema()
        rows.head(1).collect()
    return SourceTable(rows, schema, str(path), stem)
