"""Read InfluxDB's annotated CSV: tables below each other, each with its own columns and types.

https://docs.influxdata.com/influxdb/v2/reference/syntax/annotated-csv/
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator

import polars as pl

from citytune.readers.cells._damage import damage_told
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._openers import register

_MARKS = ("#group", "#datatype", "#default")
_NUMBERS = frozenset(["double", "long", "unsignedLong"])
_OURS = frozenset(["", "result", "table", "_start", "_stop"])
"""Columns that say how a query was put, and nothing of the readings."""


def is_annotated(data: bytes) -> bool:
    """Whether the first line is an annotation."""
    first = data[:200].lstrip(b"\xef\xbb\xbf\r\n").decode("utf-8", errors="replace")
    return first.startswith(tuple(f"{mark}," for mark in _MARKS))


def read_annotated(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """The rows of all tables, with the columns of any."""
    text = data.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
    try:
        with damage_told(findings):
            parts = [_table(lines, findings) for lines in _tables(text)]
    except csv.Error as error:
        findings.fail(
            "damaged-file", f"a header is no line of CSV ({error})", "export it once more"
        )
    filled = [part for part in parts if len(part)]
    if not filled:
        findings.fail("header-only", "the tables hold no rows", "is the time range right?")
    rows = pl.concat(filled, how="diagonal_relaxed")
    return SourceTable(rows.lazy(), rows.schema, name, stem)


def _tables(text: str) -> Iterator[list[str]]:
    """The lines of each table, from its annotations on."""
    lines = [line for line in text.split("\n") if line.strip()]
    marked = [line.startswith("#") for line in lines]
    begins = [i for i, one in enumerate(marked) if one and (i == 0 or not marked[i - 1])]
    for begin, end in itertools.pairwise([*begins, len(lines)]):
        yield lines[begin:end]


def _table(lines: list[str], findings: Findings) -> pl.DataFrame:
    marks = [next(csv.reader([line])) for line in lines if line.startswith("#")]
    body = lines[len(marks) :]
    if not body:
        return pl.DataFrame()
    header = next(csv.reader(body[:1]))
    told = {mark[0]: mark[1:] for mark in marks}
    if "error" in header:
        said = " ".join(" ".join(next(csv.reader(body[1:2]), [])).split())
        findings.fail(
            "not-a-table",
            f"the query failed: {said[:200]}",
            "run it once more",
        )
    kinds = dict(zip(header[1:], told.get("#datatype", []), strict=False))
    defaults = dict(zip(header[1:], told.get("#default", []), strict=False))
    rows = pl.read_csv(io.StringIO("\n".join(body)), infer_schema=False)
    return rows.select(
        _column(name, kinds.get(name, "string"), defaults.get(name, ""))
        for name in rows.columns
        if name not in _OURS and name in kinds
    )


def _column(name: str, kind: str, default: str) -> pl.Expr:
    column = pl.col(name).fill_null(default) if default else pl.col(name)
    return column.cast(pl.Float64, strict=False) if kind in _NUMBERS else column


register(is_annotated, read_annotated)
