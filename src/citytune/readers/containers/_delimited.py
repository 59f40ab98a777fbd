"""Read delimited text of any delimiter, encoding, layout and notation of numbers."""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Sequence
from typing import Any

import polars as pl

from citytune._text import counted
from citytune.readers.cells._encodings import decoded, has_foreign_digits, with_plain_digits
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._halves import with_hours_of_day
from citytune.readers.cells._numbers import (
    MISSING,
    cells,
    is_missing,
    with_clean_numbers,
    with_numbers,
    writes_commas,
)
from citytune.readers.cells._plain_cells import plain_cells
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._texts import CELL, Texts, by_name, names_where, of
from citytune.readers.containers._braces import with_plain_statuses
from citytune.readers.containers._day_lines import with_commas
from citytune.readers.containers._dialect import (
    HEAD_BYTES,
    LONG,
    NOTATION,
    Dialect,
    counts_things,
    is_code,
    named,
    reused,
    sniff,
)
from citytune.readers.containers._envelope import without_envelope
from citytune.readers.containers._layout import NO_DATE, bare_titles
from citytune.readers.containers._spaced import with_tabs
from citytune.readers.containers._stacked import TITLE, refuse_other_table, titles_of, with_months

CELLS_FOR_NOTATION = 5000
"""Distinct cells of a column from which its notation is told."""
LONGEST_NUMBER = 24
"""Characters of a number."""


def read_delimited(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A table from the bytes of a text; columns of clean numbers become numbers."""
    text = with_plain_statuses(_utf8(data, findings))
    text = without_envelope(with_tabs(with_commas(text)), findings)
    dialect = sniff(text, findings)
    rows = _parse(text, dialect, findings)
    rows, commas, units = _tidy(rows, dialect, findings)
    units |= {
        name: unit.strip(" []()")
        for name, unit in zip(dialect.names, dialect.layout.units, strict=False)
        if unit.strip()
    }
    commas |= dialect.commas & {*rows.columns}
    exact = functools.partial(_exact, text, dialect)
    titles = (*dialect.remarks, *dialect.layout.titles)
    return SourceTable(rows.lazy(), rows.schema, name, stem, commas, units, titles, exact)


def read_rows(
    rows: Sequence[Sequence[str]], name: str, stem: str, findings: Findings
) -> SourceTable:
    """A table from rows of cells that are already told apart, such as a sheet's."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(bare_titles(rows))
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
    if not _is_utf8(data):
        return decoded(data).encode()
    if has_foreign_digits(data):
        findings.note(
            "digits",
            "the text has digits other than 0 to 9",
            "they were read as 0 to 9, in names too",
        )
        return with_plain_digits(data)
    return data


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _parse(text: bytes, dialect: Dialect, findings: Findings) -> pl.DataFrame:
    """All rows; as text if a number of the head turns out to be none further below."""
    for missing in (False, True) if not dialect.missing else (True,):
        try:
            return _scan(text, dialect, dialect.types, missing)
        except pl.exceptions.PolarsError as error:
            if "more fields" in str(error):
                _fail_ragged(text, dialect, findings)
    try:
        texts = _scan(text, dialect, dict.fromkeys(dialect.names, pl.String), missing=False)
        able = [n for n, kind in dialect.types.items() if kind == pl.Float64]
        able = [] if _names_missing(dialect) else [n for n in able if n not in dialect.commas]
        return with_clean_numbers(texts, able)
    except pl.exceptions.PolarsError:
        _fail_ragged(text, dialect, findings)
        findings.fail(
            "not-a-table",
            "the text cannot be read as a table: a quote is opened and never closed, or lines "
            "are of very different kinds",
            "check the export that wrote it",
        )


def _scan(
    text: bytes, dialect: Dialect, types: dict[str, type[pl.DataType]], missing: bool
) -> pl.DataFrame:
    """All rows, columns of numbers as such; `missing` says whether words stand among them."""
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
        null_values=list(MISSING) if typed and missing else None,
        comment_prefix="#" if dialect.comments else None,
    )
    return found.rename(dict(zip(inner, dialect.names, strict=True)))


def _names_missing(dialect: Dialect) -> bool:
    """Whether an id is a word that elsewhere means "no data", such as NA."""
    return any(
        dialect.types[name] == pl.String and named(name)
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
) -> tuple[pl.DataFrame, frozenset[str], dict[str, str]]:
    """Leave out what is no row of data, and make numbers of text columns that hold only them."""
    hollow = [
        n
        for n in rows.columns
        if (n.startswith("unnamed_") or dialect.layout.headless)
        and rows[n].null_count() == len(rows)
    ]
    rows = rows.drop(hollow)
    if not rows.width:
        return rows, frozenset(), {}
    texts = with_hours_of_day(_data_rows(_stripped(Texts(rows)), dialect, findings))
    texts, units = plain_cells(texts, findings)
    return *_numbers(texts, dialect), units


def _stripped(texts: Texts) -> Texts:
    """Texts without outer spaces; few columns have any, which their distinct cells show faster."""
    padded = names_where(texts.once, CELL.ne_missing(_bare(CELL.str)))
    return texts.changed([_bare(pl.col(padded).str)] if padded else [])


def _bare(text: Any) -> Any:
    """Cells without outer spaces and the marks by which spreadsheets keep text: '01:00, ="0042"."""
    text = text.strip_chars().str.replace(r'^="(.*)"$', "${1}")
    return text.str.replace(r"^'(\d.*?)'?$", "${1}").str.replace(NO_DATE, "")


def _data_rows(texts: Texts, dialect: Dialect, findings: Findings) -> Texts:
    """Without rows that are empty or repeat the header."""
    rows = _without(texts.rows, pl.all_horizontal(pl.all().is_null()), "blank-rows",
                    "that are completely empty", "they were left out", findings)  # fmt: skip
    names = [n for n, kind in rows.schema.items() if kind == pl.String]
    if len(names) == rows.width and not dialect.layout.headless:
        heading = dict(zip(dialect.names, dialect.layout.heading, strict=True))
        again = [pl.col(n).str.strip_chars() == heading[n] for n in names if heading[n]]
        repeats = rows.select(pl.all_horizontal(again).fill_null(value=False)).to_series()
        titles = titles_of(rows, repeats, dialect.layout.titles, TITLE)
        if titles is not None:
            kept = ~repeats.shift(-1, fill_value=False)  # the title of each part stands above it
            rows, repeats = with_months(rows, titles).filter(kept), repeats.filter(kept)
        rows = _without(rows, pl.lit(repeats), "repeated-header",
                        "repeat the header", "they were left out", findings)  # fmt: skip
    refuse_other_table(rows, dialect.layout, findings)
    return texts if rows is texts.rows else Texts(rows)


def _numbers(texts: Texts, dialect: Dialect) -> tuple[pl.DataFrame, frozenset[str]]:
    """Each text column that holds numbers only, in the one notation that it writes."""
    some = texts.first(CELLS_FOR_NOTATION)
    long = (CELL.str.len_chars() > LONGEST_NUMBER) | CELL.str.contains(LONG)
    found = by_name(
        some, CELL, marks=CELL.str.contains(NOTATION).any(), names=(is_code(CELL) | long).any()
    )
    usual = dialect.layout.delimiter != ","
    commas, notations = set[str](), {False: list[str](), True: list[str]()}
    for name, distinct, marks, are_names in found.rows():
        comma = marks and writes_commas(distinct, usual=usual, counts=counts_things(name))
        if comma and any("," in cell or "." in cell for cell in distinct):
            commas.add(name)
        if not are_names and not reused(name, distinct):
            notations[comma].append(name)
    rows = texts.rows
    for comma, names in notations.items():
        wrong = {*names_where(of(some, names), cells("cell", comma).wrong)}
        able = [name for name in names if name not in wrong]
        rows = with_numbers(rows, able, decimal_comma=comma)
    return rows, frozenset(commas)


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
    rows = _scan(text, dialect, dict.fromkeys(dialect.names, pl.String), missing=False)
    rows = _data_rows(Texts(rows), dialect, Findings("")).rows
    texts = rows.select(_bare(pl.col(name).str) for name in names)
    return texts.with_columns(pl.when(pl.all() != "").then(pl.all()))
