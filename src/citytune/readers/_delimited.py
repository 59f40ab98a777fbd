"""Read delimited text of any delimiter, encoding, layout and notation of numbers."""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Sequence
from typing import Any

import polars as pl

from citytune._text import counted
from citytune.readers._cell_units import (
    check_one_unit,
    without_letters,
    without_marks,
    without_units,
)
from citytune.readers._coded_cells import without_codes
from citytune.readers._dialect import (
    HEAD_BYTES,
    LONGEST_WHOLE,
    Dialect,
    is_code,
    named,
    reused,
    sniff,
)
from citytune.readers._encodings import decoded, has_foreign_digits, with_plain_digits
from citytune.readers._findings import Findings
from citytune.readers._layout import bare_titles
from citytune.readers._numbers import (
    MISSING,
    cells,
    is_missing,
    missing_words,
    numeric_share,
    with_clean_numbers,
    writes_commas,
)
from citytune.readers._spaced import with_tabs
from citytune.readers._table import SourceTable

_NO_DATE = r"^(1899-12-3[01]|12/3[01]/1899|3[01]\.12\.1899)[T ]\b"
"""The day that spreadsheets and databases write before a time of the day."""


def read_delimited(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A table from the bytes of a text; columns of clean numbers become numbers."""
    text = with_tabs(_utf8(data, findings))
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
    return SourceTable(
        rows.lazy(), rows.schema, name, stem, commas, units, dialect.layout.titles, exact
    )


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
    for missing in (False, True) if not _head_misses(dialect) else (True,):
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


def _head_misses(dialect: Dialect) -> bool:
    """Whether a word for a missing value is written in the head."""
    return any(cell and is_missing(cell) for row in dialect.layout.body for cell in row)


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
        n for n in rows.columns if n.startswith("unnamed_") and rows[n].null_count() == len(rows)
    ]
    rows = rows.drop(hollow)
    if not rows.width:
        return rows, frozenset(), {}
    rows = _stripped(rows)
    rows = _data_rows(rows, dialect, findings)
    check_one_unit(rows, findings)
    rows, units = without_units(rows)
    rows = without_marks(without_letters(without_codes(rows, findings)), findings)
    texts = [n for n, kind in rows.schema.items() if kind == pl.String]
    return *_numbers(rows, texts, dialect), units


def _stripped(rows: pl.DataFrame) -> pl.DataFrame:
    """Texts without outer spaces; few columns have any, which their distinct cells show faster."""
    texts = [name for name, kind in rows.schema.items() if kind == pl.String]
    padded = [n for n in texts if (c := rows[n].unique()).ne_missing(_bare(c.str)).any()]
    return rows.with_columns(_bare(pl.col(padded).str)) if padded else rows


def _bare(text: Any) -> Any:
    """Cells without outer spaces and the marks by which spreadsheets keep text: '01:00, ="0042"."""
    text = text.strip_chars().str.replace(r'^="(.*)"$', "${1}")
    return text.str.replace(r"^'(\d.*?)'?$", "${1}").str.replace(_NO_DATE, "")


def _data_rows(rows: pl.DataFrame, dialect: Dialect, findings: Findings) -> pl.DataFrame:
    """Without rows that are empty or repeat the header."""
    rows = _without(rows, pl.all_horizontal(pl.all().is_null()), "blank-rows",
                    "that are completely empty", "they were left out", findings)  # fmt: skip
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
            any(is_code(cell) for cell in some)
            or reused(name, some)
            or bool((some.str.len_chars() > 24).any())
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
    return bool(len(whole)) and bool(
        (whole.str.strip_chars().str.len_chars() > LONGEST_WHOLE).any()
    )


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
    rows = _data_rows(rows, dialect, Findings(""))
    texts = rows.select(_bare(pl.col(name).str) for name in names)
    return texts.with_columns(pl.when(pl.all() != "").then(pl.all()))
