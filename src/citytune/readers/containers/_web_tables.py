"""Read the table of a web page, as programs write for spreadsheets under a name such as x.xls."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from citytune.readers.cells._encodings import decoded
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._delimited import read_rows
from citytune.readers.containers._openers import register

HEAD_BYTES = 1 << 16
FEWEST_ROWS, MOST_COLUMNS = 12, 2_000
"""Rows below which a table lays out a page, and cells of a row beyond which none is one."""
_CHARSET = re.compile(rb"charset=[\"']?([\w-]+)", re.IGNORECASE)


class _Tables(HTMLParser):
    """Collects the rows of each table, those of tables inside others apart."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._open: list[list[list[str]]] = []
        self._cell: list[str] | None = None
        self._span = 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._open.append([])
            self.tables.append(self._open[-1])
        elif tag == "tr" and self._open:
            self._end_cell()
            self._open[-1].append([])
        elif tag in ("td", "th") and self._open:
            self._end_cell()
            self._cell = []
            span = dict(attrs).get("colspan") or "1"
            self._span = int(span) if span.isdecimal() and int(span) <= MOST_COLUMNS else 1
        elif tag == "br" and self._cell is not None:
            self._cell.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "tr", "table"):
            self._end_cell()
        if tag == "table" and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def _end_cell(self) -> None:
        if self._cell is None or not self._open:
            return
        if not self._open[-1]:
            self._open[-1].append([])
        text = " ".join("".join(self._cell).split())
        self._open[-1][-1] += [text] + [""] * (self._span - 1)
        self._cell, self._span = None, 1


def is_web_table(data: bytes) -> bool:
    """Whether a text is a page with a table of many rows."""
    head = data[:HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith(b"<") and b"<table" in head and data.lower().count(b"<tr") > FEWEST_ROWS


def read_web_table(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """The largest table of a page."""
    said = _CHARSET.search(data[:HEAD_BYTES])
    parser = _Tables()
    parser.feed(_text(data, said[1].decode() if said else "utf-8"))
    parser.close()
    rows = max(parser.tables, key=len, default=[])
    rows = [row for row in rows if any(row)]
    width = max(map(len, rows), default=0)
    if len(rows) <= FEWEST_ROWS or not 1 < width <= MOST_COLUMNS:
        findings.fail(
            "not-a-table",
            "this is a web page, not a table citytune reads",
            "export the table as CSV or Parquet",
        )
    if sum(len(table) > FEWEST_ROWS for table in parser.tables) > 1:
        findings.warn(
            "sheets",
            f"the page holds {len(parser.tables)} tables",
            f"the largest, of {len(rows)} rows, was read; save the others as files of their own",
        )
    # Rows of one cell are titles, which stay as wide as they are.
    full = [row + [""] * (width - len(row)) if len(row) > 1 else row for row in rows]
    return read_rows(full, name, stem, findings)


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except (LookupError, UnicodeDecodeError):
        return decoded(data)


register(is_web_table, read_web_table)
