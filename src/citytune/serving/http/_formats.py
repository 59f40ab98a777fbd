"""A forecast in the form that is asked for."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import polars as pl

from citytune.serving.http._cache import Ready
from citytune.writers import csv_table

Format: TypeAlias = Literal["json", "csv", "parquet", "arrow"]
MEDIA: dict[str, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}


def format_of(asked: Format | None, accept: str) -> str:
    """What was asked for: by the parameter, otherwise by the header; JSON if by neither."""
    if asked is not None:
        return asked
    wanted = [one.partition(";")[0].strip() for one in accept.split(",")]
    by_media = {media.partition(";")[0]: name for name, media in MEDIA.items()}
    return next((by_media[one] for one in wanted if one in by_media), get_args(Format)[0])


def in_format(ready: Ready, sensors: Sequence[str] | None, form: str) -> bytes:
    """The long table as bytes, of some sensors or of all."""
    table = ready.table
    if sensors is not None:
        table = table.filter(pl.col("sensor").is_in([*sensors]))
    out = io.BytesIO()
    if form == "csv":
        csv_table(table.with_columns(pl.col(pl.Float64).cast(pl.Float32))).write_csv(out)
    elif form == "parquet":
        table.write_parquet(out)
    else:
        table.write_ipc_stream(out)
    return out.getvalue()
