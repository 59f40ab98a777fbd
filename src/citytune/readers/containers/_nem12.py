"""Read NEM12, in which Australian distributors hand out interval readings of meters."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._openers import register

ZONE = "Etc/GMT-10"
"""The market's time, all year and in every state."""
_SCHEMA: dict[str, type[pl.DataType] | pl.DataType] = {
    "meter": pl.String,
    "register": pl.String,
    "time": pl.Datetime("us"),
    "value": pl.Float64,
    "unit": pl.String,
}


def is_nem12(data: bytes) -> bool:
    """Whether a file begins with the header record of NEM12."""
    return (
        data[:64].lstrip(b"\xef\xbb\xbf \r\n").upper().startswith((b"100,NEM12", b'"100","NEM12'))
    )


def read_nem12(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A row for each interval of each register; null readings are left out."""
    lines = csv.reader(io.StringIO(data.decode("utf-8-sig", errors="replace")))
    try:
        rows = pl.DataFrame(list(_readings(lines, findings)), schema=_SCHEMA, orient="row")
    except (csv.Error, ValueError, IndexError, OverflowError) as error:
        findings.fail(
            "damaged-file",
            f"a record of the NEM12 file cannot be read ({error})",
            "export it once more; it may have been cut short",
        )
    rows = rows.with_columns(pl.col("time").dt.replace_time_zone(ZONE))
    units = rows["unit"].unique().to_list()
    rows = rows.drop("unit") if len(units) < 2 else rows
    return SourceTable(rows.lazy(), rows.schema, name, stem,
                       units={"value": units[0]} if len(units) == 1 else {})  # fmt: skip


def _readings(lines: Any, findings: Findings) -> Iterator[tuple[Any, ...]]:
    details: Sequence[str] = ()
    day: list[tuple[Any, ...]] = []
    for line in lines:
        kind = line[0].strip() if line else ""
        if kind in ("200", "300", "900"):
            yield from day
            day = []
        if kind == "200":
            details = line
        elif kind == "300":
            day = _day(line, details, findings)
        elif kind == "400" and line[3][:1].upper() == "N":
            first, last = int(line[1]), int(line[2])
            day = [row for i, row in enumerate(day, 1) if not first <= i <= last]
    yield from day


def _day(line: Sequence[str], details: Sequence[str], findings: Findings) -> list[tuple[Any, ...]]:
    """The intervals of a record 300."""
    if not details:
        findings.fail(
            "damaged-file", "a record 300 comes before any record 200", "export the file once more"
        )
    minutes = int(details[8])
    if minutes not in (5, 15, 30):
        raise ValueError(f"intervals of {minutes} minutes")
    count = 1440 // minutes
    midnight = dt.datetime.strptime(line[1].strip(), "%Y%m%d")
    quality = line[2 + count].strip().upper()
    if quality[:1] == "N":
        return []
    step = dt.timedelta(minutes=minutes)
    return [
        (details[1], details[4] or details[3], midnight + i * step, float(cell), details[7])
        for i, cell in enumerate(line[2 : 2 + count])
        if cell.strip()
    ]


register(is_nem12, read_nem12)
