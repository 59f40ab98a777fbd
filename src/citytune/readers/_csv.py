"""Read delimited text whose delimiter, encoding and number style are not known beforehand."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from citytune._text import counted, listed
from citytune.readers._findings import Findings
from citytune.readers._numbers import COMMA, MISSING, PLAIN, is_missing

_HEAD_BYTES = 1 << 19
_HEAD_LINES = 2000
_DELIMITERS = ",;\t|"
_TIME_LIKE = re.compile(r"^\s*(\d{4}[-/.]\d{1,2}[-/.]\d|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\b)")


class Text(NamedTuple):
    """What a delimited file holds, still unnamed as to roles."""

    rows: pl.DataFrame
    decimal_comma: bool


@dataclass(frozen=True)
class _Dialect:
    """How a file writes its table."""

    encoding: str
    rewrite: bool
    """Whether polars cannot read the bytes as they are."""
    delimiter: str
    decimal_comma: bool
    before: int
    names: tuple[str, ...]
    headless: bool
    types: dict[str, type[pl.DataType]]


def read_text(path: Path, findings: Findings) -> Text:
    """Read a delimited file, plain or gzipped; columns of clean numbers become numbers."""
    dialect = _sniff(_head(path, findings), findings)
    rows = _read(path, dialect, findings)
    rows = _without_blank(rows, findings)
    return Text(rows, dialect.decimal_comma)


def _head(path: Path, findings: Findings) -> bytes:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if zipped else path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, EOFError, zlib.error):
        findings.fail("damaged-file", "the gzip file is damaged", "copy or compress it again")
    if not head.strip():
        findings.fail("empty-file", "the file is empty", "check the export that wrote it")
    return head


def _sniff(head: bytes, findings: Findings) -> _Dialect:
    encoding = _encoding(head, findings)
    text = head.decode(encoding, errors="ignore").lstrip("\ufeff")
    lines = text.splitlines()
    lines = lines[:-1] if len(head) == _HEAD_BYTES else lines  # the last one may be cut
    filled = (i for i, line in enumerate(lines) if line.strip() and not line.startswith("#"))
    before = next(filled, 0)
    lines = [line for line in lines[before:] if line.strip()][:_HEAD_LINES]
    if not lines:
        findings.fail("empty-file", "the file holds nothing", "check the export that wrote it")
    try:
        delimiter = _delimiter(lines[:50])
        table = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error as error:
        findings.fail("not-a-table", f"this is not a table ({error})", "pass a CSV or Parquet file")
    headless = bool(_TIME_LIKE.match(table[0][0]))
    width = len(table[0])
    names = _names([f"column_{i + 1}" for i in range(width)] if headless else table[0], findings)
    cells = [row for row in table[0 if headless else 1 :] if len(row) == width]
    decimal_comma = delimiter != "," and _writes_commas(cells)
    if headless:
        findings.note(
            "no-header",
            "the first line holds values, not column names",
            f"the columns were named {listed(list(names), 3, quoted=True)}",
        )
    types = _types(names, cells, decimal_comma)
    rewrite = encoding != "utf-8" or (b"\r" in head and b"\n" not in head)
    return _Dialect(encoding, rewrite, delimiter, decimal_comma, before, names, headless, types)


def _encoding(head: bytes, findings: Findings) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    control = sum(head.count(bytes([code])) for code in range(9))
    if control:
        findings.fail(
            "not-a-table",
            "this is not a table: the file holds binary data",
            "pass a CSV (plain or gzip) or Parquet file",
        )
    try:
        head[: -4 if len(head) == _HEAD_BYTES else None].decode("utf-8")
    except UnicodeDecodeError as error:
        if error.end < len(head) - 8:
            return "cp1252"
    return "utf-8"


def _delimiter(lines: list[str]) -> str:
    """The delimiter with which the lines have the header's number of fields most often."""

    def fit(delimiter: str) -> tuple[float, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        agree = sum(width == widths[0] for width in widths) / len(widths)
        return (agree if widths[0] > 1 else 0.0), widths[0]

    return max(_DELIMITERS, key=fit)


def _names(header: list[str], findings: Findings) -> tuple[str, ...]:
    """Column names, each its own; a name that comes twice is numbered."""
    header = [name.strip() or f"unnamed_{i + 1}" for i, name in enumerate(header)]
    seen: Counter[str] = Counter()
    names = []
    for name in header:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    if twice := [name for name, count in seen.items() if count > 1]:
        findings.warn(
            "same-name",
            f"several columns are called {listed(twice, quoted=True)}",
            f"the later ones were renamed {listed([f'{name} (2)' for name in twice], quoted=True)}",
            count=len(twice),
        )
    return tuple(names)


def _writes_commas(cells: list[list[str]]) -> bool:
    values = [cell.strip() for row in cells[:200] for cell in row]
    commas = sum(bool(COMMA.match(value)) for value in values)
    points = sum("." in value and bool(PLAIN.match(value)) for value in values)
    return commas > points


def _types(
    names: tuple[str, ...], cells: list[list[str]], decimal_comma: bool
) -> dict[str, type[pl.DataType]]:
    """Float64 where the head holds clean numbers only; a code such as 0042 stays text."""
    number = COMMA if decimal_comma else PLAIN
    types: dict[str, type[pl.DataType]] = {}
    for i, name in enumerate(names):
        column = [row[i] for row in cells if not is_missing(row[i])]
        clean = bool(column) and all(number.match(cell) for cell in column)
        code = any(len(cell) > 1 and cell[0] == "0" and cell.isdigit() for cell in column)
        whole = clean and all(cell.lstrip("+-").isdigit() and len(cell) < 18 for cell in column)
        types[name] = (
            pl.String if code or not clean else pl.Int64 if whole and _is_key(name) else pl.Float64
        )
    return types


def _is_key(name: str) -> bool:
    """Whole numbers that name or date a row must not turn into 17.0; readings may."""
    return bool(re.search(r"(?i)id$|sensor|station|site|time|date|year|month|day|hour|^ds$", name))


def _read(path: Path, dialect: _Dialect, findings: Findings) -> pl.DataFrame:
    try:
        return _scan(path, dialect, dialect.types)
    except pl.exceptions.PolarsError as error:
        if "more fields" in str(error):
            _fail_ragged(path, dialect, findings)
    try:
        return _scan(path, dialect, dict.fromkeys(dialect.names, pl.String))
    except pl.exceptions.PolarsError as error:
        if "more fields" in str(error):
            _fail_ragged(path, dialect, findings)
        reason = str(error).strip().splitlines()[0]
        findings.fail("not-a-table", f"the text is not a table ({reason})", "check the export")


def _scan(path: Path, dialect: _Dialect, types: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    typed = any(kind != pl.String for kind in types.values())
    options = {
        "separator": dialect.delimiter,
        "has_header": False,  # a header may name two columns alike, which polars would refuse
        "schema": types,
        "skip_lines": dialect.before + (0 if dialect.headless else 1),
        "decimal_comma": dialect.decimal_comma,
        "null_values": list(MISSING) if typed else None,
    }
    try:
        source = _decoded(path, dialect.encoding) if dialect.rewrite else path
        return pl.read_csv(source, **options)  # type: ignore[arg-type]
    except pl.exceptions.ComputeError as error:
        if "utf-8" not in str(error):
            raise
        return pl.read_csv(_decoded(path, "cp1252"), **options)  # type: ignore[arg-type]


def _decoded(path: Path, encoding: str) -> io.BytesIO:
    data = path.read_bytes()
    data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    text = data.decode(encoding, errors="replace")
    return io.BytesIO(text.replace("\r\n", "\n").replace("\r", "\n").encode())


def _fail_ragged(path: Path, dialect: _Dialect, findings: Findings) -> None:
    width = len(dialect.names)
    lines = io.TextIOWrapper(_decoded(path, dialect.encoding), encoding="utf-8", newline="")
    for row in (reader := csv.reader(lines, delimiter=dialect.delimiter)):
        if len(row) > width:
            findings.fail(
                "ragged-rows",
                f"line {reader.line_num} has {len(row)} fields, but the header has {width}",
                f"the delimiter was taken to be {dialect.delimiter!r}; put quotes around fields "
                "that contain it, or correct the line",
            )


def _without_blank(rows: pl.DataFrame, findings: Findings) -> pl.DataFrame:
    """Leave out columns without a name or a value, and rows without a single value."""
    hollow = [
        n for n in rows.columns if n.startswith("unnamed_") and rows[n].null_count() == len(rows)
    ]
    rows = rows.drop(hollow)
    if not rows.width:
        return rows
    blank = rows.select(pl.all_horizontal(pl.all().is_null())).to_series()
    if count := int(blank.sum() or 0):
        findings.note(
            "blank-rows",
            f"{counted(count, 'row')} that are completely empty",
            "they were left out",
            count=count,
        )
        rows = rows.filter(~blank)
    return rows
