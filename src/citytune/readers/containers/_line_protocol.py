"""Read InfluxDB's line protocol: a measurement, its tags, its fields and a time in each line.

https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._openers import register

_KEY = r"(?:[^\s,=\\]|\\.)+"
_FIELD = rf'{_KEY}=(?:"(?:[^"\\]|\\.)*"|[^\s,"]+)'
_LINE = re.compile(
    rf"((?:[^\s,\\]|\\.)+)((?:,{_KEY}={_KEY})*) ({_FIELD}(?:,{_FIELD})*) (-?\d{{9,19}})"
)
_PAIR = re.compile(rf'({_KEY})=("(?:[^"\\]|\\.)*"|(?:[^\s,\\]|\\.)+)')
_NUMBER = re.compile(r"([-+]?[\d.]+(?:[eE][-+]?\d+)?)[iu]?")
_SKIPPED = ("#", "CREATE DATABASE")
"""How lines begin that hold no point, in what `influxd inspect export-lp` writes."""
HEAD_BYTES = 1 << 14


def is_line_protocol(data: bytes) -> bool:
    """Whether the first line that is no comment is a point with a time."""
    lines = data[:HEAD_BYTES].decode("utf-8", errors="replace").splitlines()
    first = next((one for one in lines if one.strip() and not one.startswith(_SKIPPED)), "")
    return _LINE.fullmatch(first.strip()) is not None


def read_line_protocol(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A row for each moment of each set of tags; columns for the tags and the fields."""
    points: dict[tuple[str, str, int], dict[str, Any]] = {}
    for number, line in enumerate(data.decode("utf-8", errors="replace").splitlines(), 1):
        if not line.strip() or line.startswith(_SKIPPED):
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            findings.fail(
                "damaged-file",
                f"line {number} is no point of InfluxDB's line protocol: {line[:60]!r}",
                "correct or delete the line; each needs fields and a time",
            )
        measurement, tags, fields, time = found.groups()
        point = points.setdefault((measurement, tags, int(time)), {})
        point |= {_plain(key): _value(cell) for key, cell in _PAIR.findall(fields)}
    rows = pl.DataFrame(
        [
            {"time": time, "measurement": _plain(measurement)}
            | {_plain(key): _plain(cell) for key, cell in _PAIR.findall(tags)}
            | point
            for (measurement, tags, time), point in points.items()
        ],
        infer_schema_length=None,
        strict=False,
    )
    rows = rows.drop("measurement") if rows["measurement"].n_unique() == 1 else rows
    return SourceTable(rows.lazy(), rows.schema, name, stem)


def _plain(text: str) -> str:
    return re.sub(r"\\([ ,=\\])", r"\1", text)


def _value(cell: str) -> float | str | None:
    if number := _NUMBER.fullmatch(cell):
        return float(number[1])
    return cell.strip('"') or None


register(is_line_protocol, read_line_protocol)
