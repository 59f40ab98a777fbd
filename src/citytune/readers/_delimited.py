"""Read delimited text whose delimiter, encoding, layout and number style are not known beforehand."""

from __future__ import annotations

import csv
import functools
import io
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from citytune.readers._findings import Findings, counted, listed
from citytune.readers._layout import Layout, find_layout
from citytune.readers._numbers import (
    COMMA,
    MISSING,
    PLAIN,
    cells,
    is_missing,
    missing_words,
    numeric_share,
    writes_commas,
)
from citytune.readers._table import SourceTable, guarded
from citytune.readers._vocabulary import SENSOR, SENSOR_PARTS, plain_name, tokens

HEAD_BYTES = 1 << 19
HEAD_LINES = 2000
LONGEST_WHOLE = 15
"""Digits up to which a whole number is exact as a float."""


class Dialect(NamedTuple):
    """How a text writes its table."""

    layout: Layout
    names: tuple[str, ...]
    types: dict[str, type[pl.DataType]]
    commas: frozenset[str]
    comments: bool
    """Whether lines that begin with # are no rows."""


def read_delimited(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A table from the bytes of a text; columns of clean numbers become numbers."""
    text = _utf8(data, findings)
    dialect = _sniff(text, findings)
    rows = _parse(text, dialect, findings)
    rows, commas = _tidy(rows, dialect, findings)
    units = {
        name: unit.strip(" []()")
        for name, unit in zip(dialect.names, dialect.layout.units, strict=False)
        if unit.strip()
    }
    exact = functools.partial(_exact, text, dialect)
    return SourceTable(
        rows.lazy(), rows.schema, name, stem, commas, units, dialect.layout.titles, exact
    )


def read_rows(
    rows: Sequence[Sequence[str]], name: str, stem: str, findings: Findings
) -> SourceTable:
    """A table from rows of cells that are already told apart, such as a sheet's."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return read_delimited(text.getvalue().encode(), name, stem, findings)


def _utf8(data: bytes, findings: Findings) -> bytes:
    """The text in UTF-8 with plain line ends and without a byte order mark."""
    if not data.strip(b"\x00 \r\n\t\xef\xbb\xbf"):
        findings.fail("empty-file", "the file is empty", "check the export that wrote it")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", errors="replace").encode()
    elif any(code in data[:HEAD_BYTES] for code in range(9)):
        findings.fail(
            "not-a-table",
            "this is not a table: the file holds binary data",
            "pass a CSV (plain or gzip), Parquet or Excel file",
        )
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data[:HEAD_BYTES] and b"\n" not in data[:HEAD_BYTES]:
        data = data.replace(b"\r", b"\n")
    return data if _is_utf8(data) else data.decode("cp1252", errors="replace").encode()


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _sniff(text: bytes, findings: Findings) -> Dialect:
    head = text[:HEAD_BYTES].decode("utf-8", errors="ignore")
    lines = head.splitlines()
    lines = lines[:-1] if len(text) > HEAD_BYTES and len(lines) > 1 else lines
    start, told = 0, ""
    if lines and lines[0].lower().startswith("sep=") and len(lines[0].strip()) == 5:
        start, told = 1, lines[0].strip()[4]
    comments = bool(lines[start:]) and lines[start].startswith("#")
    kept = [("" if comments and line.startswith("#") else line) for line in lines[start:]]
    try:
        layout = find_layout(kept[:HEAD_LINES], start, told or None)
    except csv.Error as error:
        findings.fail("not-a-table", f"this is not a table ({error})", "pass a CSV or Parquet file")
    if layout is None:
        findings.fail("empty-file", "the file holds nothing", "check the export that wrote it")
    names = _names(layout, findings)
    if layout.headless:
        findings.note(
            "no-header",
            "the first line holds values, not column names",
            f"columns were called {listed(list(names), 3)}",
        )
    if layout.titles:
        findings.note(
            "titles",
            f"{counted(len(layout.titles), 'line')} above the table ({layout.titles[0][:60]!r})",
            "they were not read as data",
            count=len(layout.titles),
        )
    types, commas = _types(layout, names)
    return Dialect(layout, names, types, commas, comments)


def _names(layout: Layout, findings: Findings) -> tuple[str, ...]:
    """Column names, each its own; a name that comes twice is numbered."""
    header = [name.strip() or f"unnamed_{i + 1}" for i, name in enumerate(layout.names)]
    seen: Counter[str] = Counter()
    names: list[str] = []
    for name in header:
        seen[name] += 1
        new = name if seen[name] == 1 else f"{name} ({seen[name]})"
        while new in names:
            new += "'"
        names.append(new)
    if twice := [name for name, count in seen.items() if count > 1]:
        findings.note(
            "same-name",
            f"several columns are called {listed(twice)}",
            f"the later ones were called {listed([f'{name} (2)' for name in twice])}",
            count=len(twice),
        )
    return tuple(guarded(name) for name in names)


def _types(
    layout: Layout, names: Sequence[str]
) -> tuple[dict[str, type[pl.DataType]], frozenset[str]]:
    """Numbers where the head holds clean numbers only; a code such as 0042 stays text."""
    types: dict[str, type[pl.DataType]] = {}
    commas = set()
    for i, name in enumerate(names):
        column = [row[i] for row in layout.body if not is_missing(row[i])]
        comma = writes_commas(dict.fromkeys(column), usual=layout.delimiter != ",")
        number = COMMA if comma else PLAIN
        clean = bool(column) and all(number.match(cell) for cell in column)
        same = clean and _reused(name, pl.Series(list(dict.fromkeys(column)), dtype=pl.String))
        digits = max((sum(c.isdigit() for c in cell) for cell in column), default=0)
        code = any(_is_code(cell) for cell in column) or digits > LONGEST_WHOLE or same
        types[name] = pl.Float64 if clean and not code else pl.String
        if comma and any("," in cell for cell in column):
            commas.add(name)
    return types, frozenset(commas)


def _named(name: str) -> bool:
    """Whether a column's name says that it names something."""
    words = tokens(name)
    return plain_name(name) in SENSOR or bool(set(words) & SENSOR_PARTS) or words[-1] == "id"


def _reused(name: str, distinct: pl.Series) -> bool:
    """Whether ids are different texts of one number, such as 1e5 and 100000."""
    if not _named(name):
        return False
    return distinct.cast(pl.Float64, strict=False).drop_nulls().is_duplicated().any()


def _is_code(cell: str) -> bool:
    """Whether digits are a name: 0042, +7."""
    cell = cell.strip()
    return len(cell) > 1 and ((cell[0] == "0" and cell.isdigit()) or cell[0] == "+")


def _parse(text: bytes, dialect: Dialect, findings: Findings) -> pl.DataFrame:
    """All rows; as text if a number of the head turns out to be none further below."""
    try:
        return _scan(text, dialect, dialect.types)
    except pl.exceptions.PolarsError as error:
        if "more fields" in str(error):
            _fail_ragged(text, dialect, findings)
    try:
        return _scan(text, dialect, dict.fromkeys(dialect.names, pl.String))
    except pl.exceptions.PolarsError:
        _fail_ragged(text, dialect, findings)
        findings.fail(
            "not-a-table",
            "the text cannot be read as a table: a quote is opened and never closed, or lines "
            "are of very different kinds",
            "check the export that wrote it",
        )


def _scan(text: bytes, dialect: Dialect, types: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    layout = dialect.layout
    inner = {f"c{i}": kind for i, kind in enumerate(types.values())}
    decimal_comma = any(kind == pl.Float64 for kind in types.values()) and any(
        types[name] == pl.Float64 for name in dialect.commas
    )
    mixed = decimal_comma and any(
        types[n] == pl.Float64 and n not in dialect.commas and _has_points(dialect, i)
        for i, n in enumerate(dialect.names)
    )
    if mixed:
        inner = {f"c{i}": pl.String for i in range(len(types))}
    typed = not _names_missing(dialect) and any(kind != pl.String for kind in inner.values())
    if not typed:
        inner = dict.fromkeys(inner, pl.String)
    found = pl.read_csv(
        io.BytesIO(text),
        separator=layout.delimiter,
        has_header=False,
        schema=inner,
        skip_lines=layout.first,
        decimal_comma=decimal_comma and not mixed,
        null_values=list(MISSING) if typed else None,
        comment_prefix="#" if dialect.comments else None,
    )
    return found.rename(dict(zip(inner, dialect.names, strict=True)))


def _names_missing(dialect: Dialect) -> bool:
    """Whether an id is a word that elsewhere means "no data", such as NA."""
    return any(
        dialect.types[name] == pl.String and _named(name)
        and any(row[i].strip() and is_missing(row[i]) for row in dialect.layout.body)
        for i, name in enumerate(dialect.names)
    )  # fmt: skip


def _has_points(dialect: Dialect, place: int) -> bool:
    return any("." in row[place] for row in dialect.layout.body[:200])


def _fail_ragged(text: bytes, dialect: Dialect, findings: Findings) -> None:
    width = len(dialect.names)
    lines = io.TextIOWrapper(io.BytesIO(text), encoding="utf-8", newline="")
    try:
        for row in (reader := csv.reader(lines, delimiter=dialect.layout.delimiter)):
            if len(row) > width and reader.line_num > dialect.layout.first:
                findings.fail(
                    "ragged-rows",
                    f"line {reader.line_num} has {len(row)} fields, but the header has {width}",
                    f"the delimiter was taken to be {dialect.layout.delimiter!r}; put quotes "
                    "around fields that contain it, or mend the line",
                )
    except csv.Error as error:
        findings.fail("not-a-table", f"this is not a table ({error})", "check the export")


def _tidy(
    rows: pl.DataFrame, dialect: Dialect, findings: Findings
) -> tuple[pl.DataFrame, frozenset[str]]:
    """Leave out what is no row of data, and make numbers of text columns that hold only them."""
    hollow = [
        n for n in rows.columns if n.startswith("unnamed_") and rows[n].null_count() == len(rows)
    ]
    rows = rows.drop(hollow)
    if not rows.width:
        return rows, frozenset()
    rows = rows.with_columns(pl.col(pl.String).str.strip_chars())
    rows = _data_rows(rows, dialect, findings)
    return _numbers(rows, [n for n, kind in rows.schema.items() if kind == pl.String], dialect)


def _data_rows(rows: pl.DataFrame, dialect: Dialect, findings: Findings) -> pl.DataFrame:
    """Without rows that are empty or repeat the header."""
    rows = _without(rows, pl.all_horizontal(pl.all().is_null()), "blank-rows",
                    "with nothing at all", "they were left out", findings)  # fmt: skip
    texts = [n for n, kind in rows.schema.items() if kind == pl.String]
    if len(texts) < rows.width or dialect.layout.headless:
        return rows
    heading = dict(zip(dialect.names, dialect.layout.heading, strict=True))
    again = [pl.col(n).str.strip_chars() == heading[n] for n in texts if heading[n]]
    return _without(rows, pl.all_horizontal(again), "repeated-header",
                    "repeat the header", "they were left out", findings)  # fmt: skip


def _numbers(
    rows: pl.DataFrame, texts: list[str], dialect: Dialect
) -> tuple[pl.DataFrame, frozenset[str]]:
    """Each text column that holds numbers only, in the one notation that it writes."""
    commas, made = set(), []
    usual = dialect.layout.delimiter != ","
    for name in texts:
        present = rows[name].drop_nulls().unique(maintain_order=True)
        present = present.filter(
            ~present.str.strip_chars().str.to_lowercase().is_in(missing_words())
        )
        some = present.head(5000)
        if not len(some):
            continue
        comma = writes_commas(some.to_list(), usual=usual)
        if comma and bool(some.str.contains(",", literal=True).any()):
            commas.add(name)
        if (
            any(_is_code(cell) for cell in some)
            or _reused(name, some)
            or int(some.str.len_chars().max() or 0) > 24
        ):
            continue
        if numeric_share(some, comma) < 1 or _too_long(some):
            continue
        both = rows.select(number=cells(name, comma).number, wrong=cells(name, comma).wrong.sum())
        if not both["wrong"][0]:
            made.append(both["number"].alias(name))
    return rows.with_columns(made), frozenset(commas)


def _too_long(cells: pl.Series) -> bool:
    """Whether whole numbers have more digits than a float keeps: they are names."""
    whole = cells.filter(cells.str.contains(r"^\s*\d+\s*$"))
    return bool(len(whole)) and int(whole.str.strip_chars().str.len_chars().max()) > LONGEST_WHOLE


def _without(
    rows: pl.DataFrame, which: pl.Expr, kind: str, what: str, remedy: str, findings: Findings
) -> pl.DataFrame:
    found = rows.select(which.fill_null(value=False)).to_series()
    if not (count := int(found.sum() or 0)):
        return rows
    findings.note(kind, f"{counted(count, 'row')} {what}", remedy, count=count)
    return rows.filter(~found)


def _exact(text: bytes, dialect: Dialect, names: tuple[str, ...]) -> pl.DataFrame:
    """Columns as they were written, without outer spaces; the rows are those of the table."""
    rows = _scan(text, dialect, dict.fromkeys(dialect.names, pl.String))
    rows = _data_rows(rows, dialect, Findings(""))
    texts = rows.select(pl.col(name).str.strip_chars() for name in names)
    return texts.with_columns(pl.when(pl.all() != "").then(pl.all()))
