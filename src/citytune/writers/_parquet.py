"""Write Parquet."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from citytune.writers._writer import register, table_file


def save(table: pl.DataFrame, path: Path) -> None:
    """Types and zones are kept as they are."""
    table.write_parquet(path)


register((".parquet",), table_file("Parquet", save, pl.read_parquet))
