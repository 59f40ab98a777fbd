"""Read the first sheet of an Excel workbook that holds a table, by calamine."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from typing import Any

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._said_clocks import OF_1904
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._delimited import read_rows
from citytune.readers.containers._openers import register
from citytune.readers.containers._several import join
from citytune.readers.containers._zip import is_zip, members

MOST_ROWS_ABOVE_HEADER = 20
"""Rows within which a header stands."""
OLD = b"\xd0\xcf\x11\xe0"
"""How workbooks began before .xlsx."""


def is_workbook(data: bytes) -> bool:
    """Whether the bytes are a workbook of Excel, old or new, or of LibreOffice."""
    if data.startswith(OLD):
        return True
    if not is_zip(data):
        return False
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    return any(name.startswith("xl/workbook.") for name in names) or (
        "content.xml" in names and "mimetype" in names
    )


def read_workbook(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """The table of the sheet with the most cells; other sheets with as many columns are named."""
    if is_zip(data):
        members(data, findings)
    try:
        import fastexcel
    except ModuleNotFoundError:
        findings.fail(
            "extra-needed",
            "this is an Excel workbook, which needs the package fastexcel",
            "install it with: pip install 'citytune[excel]', or save the sheet as CSV",
        )
    try:
        book = fastexcel.read_excel(data)
        sheets = [
            book.load_sheet(i, header_row=None, dtypes="string")
            for i in range(len(book.sheet_names))
        ]
    except Exception as error:  # noqa: BLE001 - calamine's own errors are of many kinds
        findings.fail(
            "damaged-file",
            f"the workbook cannot be read ({str(error).splitlines()[0][:160]})",
            "save it once more, or save the sheet as CSV",
        )
    filled = [sheet for sheet in sheets if sheet.width and sheet.total_height]
    if not filled:
        findings.fail("empty-file", "the workbook holds nothing", "check the export that wrote it")
    chosen = max(filled, key=lambda sheet: sheet.width * sheet.total_height)
    alike = [sheet for sheet in filled if _top(sheet) == _top(chosen)]
    if len(alike) > 1:
        tables = [read_rows(_cells(one), one.name, one.name, findings) for one in alike]
        joined = replace(join(tables, name, findings, "sheets"), stem=stem, files=1)
        return _with_date_system(joined, data)
    if len(filled) > 1:
        rest = [sheet.name for sheet in filled if sheet is not chosen]
        findings.note(
            "sheets",
            f"sheet {chosen.name!r} was read, not {listed(rest, quoted=True)}",
            "save another sheet as its own file to read it",
        )
    return _with_date_system(read_rows(_cells(chosen), name, stem, findings), data)


def _with_date_system(table: SourceTable, data: bytes) -> SourceTable:
    """The table with a title that says so, if a workbook counts its days from 1904 on."""
    if not is_zip(data):
        return table
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        names = [name for name in book.namelist() if name == "xl/workbook.xml"]
        said = book.read(names[0]) if names else b""
    counts = re.search(rb"<workbookPr[^>]*\bdate1904=[\"'](1|true)[\"']", said)
    return replace(table, titles=(*table.titles, OF_1904)) if counts else table


def _cells(sheet: Any) -> list[list[str]]:
    return [[cell or "" for cell in row] for row in sheet.to_polars().iter_rows()]


def _top(sheet: Any) -> list[list[str]]:
    """The rows of a sheet up to the first that is full: what sheets of one kind have in common."""
    rows = _cells(sheet)[:MOST_ROWS_ABOVE_HEADER]
    full = next((i for i, row in enumerate(rows) if all(row)), len(rows))
    return rows[: full + 1]


register(is_workbook, read_workbook)
