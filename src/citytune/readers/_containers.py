"""Open a file by what its first bytes say it is."""

from __future__ import annotations

import difflib
import gzip
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from citytune._errors import InputError
from citytune.readers._damage import damage_told
from citytune.readers._delimited import read_delimited
from citytune.readers._findings import Findings
from citytune.readers._table import SourceTable

Opener: TypeAlias = Callable[[bytes, str, str, Findings], SourceTable]
"""(bytes, name, stem, findings) → table."""
_OPENERS: list[tuple[Callable[[bytes], bool], Opener]] = []
_ENDINGS = (
    r"(?i)(\.(csv|tsv|txt|dat|gz|parquet|pq|arrow|feather|ipc|json|jsonl|ndjson|xlsx?|zip|xml))+$"
)
_FOREIGN = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as .xlsx or CSV"),
    (b"\x89PNG", "a PNG picture", "pass a CSV or Parquet file"),
    (b"\xff\xd8\xff", "a JPEG picture", "pass a CSV or Parquet file"),
    (b"%PDF", "a PDF document", "export its table as CSV"),
)


def register(sniff: Callable[[bytes], bool], opener: Opener) -> None:
    """Add a kind of file: `sniff` tells it by its bytes, `opener` makes a table of them."""
    _OPENERS.append((sniff, opener))


def open_container(source: Any, findings: Findings) -> SourceTable:
    """The table in a file."""
    path = Path(source).expanduser()
    magic = _first_bytes(path)
    if not magic:
        findings.fail("empty-file", "the file is empty", "check the export that wrote it")
    stem = re.sub(_ENDINGS, "", path.name)
    if magic.startswith(b"PAR1"):
        return _columnar(pl.scan_parquet(path, glob=False), path, stem, findings)
    if magic.startswith(b"ARROW1"):
        return _columnar(pl.scan_ipc(path), path, stem, findings)
    return open_bytes(_unpacked(path, findings), str(path), stem, findings)


def open_bytes(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """The table in the bytes of a file of any kind."""
    for start, what, remedy in _FOREIGN:
        if data.startswith(start):
            findings.fail("not-a-table", f"this is {what}, not a table citytune reads", remedy)
    for sniff, opener in _OPENERS:
        if sniff(data):
            return opener(data, name, stem, findings)
    return read_delimited(data, name, stem, findings)


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
            f"{str(path)!r} may not be read by you: permission denied. Ask its owner, or "
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


def _unpacked(path: Path, findings: Findings) -> bytes:
    data = path.read_bytes()
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        findings.fail(
            "damaged-file",
            "the gzip file is damaged",
            "copy or pack it once more; it may have been cut short",
        )


def _columnar(rows: pl.LazyFrame, path: Path, stem: str, findings: Findings) -> SourceTable:
    with damage_told(findings):
        schema = rows.collect_schema()
        rows.head(1).collect()
    return SourceTable(rows, schema, str(path), stem)
