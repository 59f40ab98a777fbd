"""Write JSON, a record on each line."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import polars.selectors as cs

from citytune.writers._table import FACTS, KEY, as_text
from citytune.writers._writer import register, table_file


def save(table: pl.DataFrame, path: Path) -> None:
    """What is missing is null, since JSON knows no NaN."""
    as_text(table.with_columns(cs.float().fill_nan(None))).write_ndjson(path)


def load(path: Path) -> pl.DataFrame:
    """Columns of nothing but null are numbers."""
    table = pl.read_ndjson(path, infer_schema_length=None)
    known = {*KEY, *FACTS}
    empty = [n for n, kind in table.schema.items() if kind == pl.Null and n not in known]
    return table.with_columns(pl.col(empty).cast(pl.Float64))


register((".jsonl", ".ndjson"), table_file("JSON lines", save, load))
