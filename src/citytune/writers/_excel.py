"""Write Excel, by xlsxwriter, which polars uses."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from citytune._errors import InputError
from citytune.writers._table import KEY, TEXTS, as_text
from citytune.writers._writer import Choice, register, table_file

CLOCK = "wall_time"
"""A column more: times as Excel's own, which know no zone and cannot tell the doubled hour."""


def save(table: pl.DataFrame, path: Path) -> None:
    """Moments are text in ISO 8601, which loses nothing; text is never run as a formula."""
    import xlsxwriter

    wall = pl.col("time").dt.replace_time_zone(None).alias(CLOCK)
    shown = as_text(table.with_columns(wall).with_columns(cs.float().fill_nan(None)))
    shown = shown.with_columns(table.select(wall).to_series())
    settings = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with path.open("wb") as file, xlsxwriter.Workbook(file, settings) as book:
        shown.write_excel(book, "forecast", autofit=False, float_precision=6)


def load(path: Path) -> pl.DataFrame:
    """The first sheet, its columns as they were written and not as their cells look."""
    import fastexcel

    try:
        book = fastexcel.read_excel(path)
    except fastexcel.FastExcelError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is no workbook that can be read ({reason})") from None
    names = [one.name for one in book.load_sheet(0, n_rows=0).available_columns()]
    text = {*TEXTS, *KEY, "issued_at"}
    kinds: dict[Any, Any] = {name: "string" if name in text else "float" for name in names}
    kinds |= {CLOCK: "datetime"} if CLOCK in names else {}
    table = book.load_sheet(0, dtypes=kinds).to_polars()
    return table.drop(CLOCK, strict=False)


_EXCEL = table_file("Excel", save, load)


def check(target: str, choice: Choice) -> None:
    """Refuse what no file can be, and say what is lacking before there is something to write."""
    _EXCEL.check(target, choice)
    if importlib.util.find_spec("xlsxwriter") is None:
        raise InputError(
            "writing Excel needs the package xlsxwriter; install it with: pip install "
            "'citytune[excel]', or write CSV"
        )


register((".xlsx",), replace(_EXCEL, check=check))
