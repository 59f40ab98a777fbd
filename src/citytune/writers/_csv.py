"""Write CSV."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from citytune.writers._table import as_text, name_for_spreadsheet, name_from_spreadsheet
from citytune.writers._writer import register, table_file


def save(table: pl.DataFrame, path: Path) -> None:
    """Names that a spreadsheet would run as a formula get a `'` in front."""
    text = pl.col(pl.String).map_elements(name_for_spreadsheet, pl.String)
    table = as_text(table.with_columns(text)).rename(name_for_spreadsheet)
    table.write_csv(path, quote_style="non_numeric")


def load(path: Path) -> pl.DataFrame:
    """Every column as text; what is empty and not in quotes is missing."""
    table = pl.read_csv(path, infer_schema=False)
    text = pl.col(pl.String).map_elements(name_from_spreadsheet, pl.String)
    return table.with_columns(text)


register((".csv",), table_file("CSV", save, load))
