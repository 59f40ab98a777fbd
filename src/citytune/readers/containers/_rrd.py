"""Read what RRDtool exports: `xport` as XML or JSON, and the lines of `fetch`.

https://oss.oetiker.ch/rrdtool/doc/rrdxport.en.html; a time is the end of the interval of its row.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._json import is_json, read_json
from citytune.readers.containers._openers import register
from citytune.readers.containers._xml import is_xml, local, parse

HEAD_BYTES = 1 << 14
TIME = "end_time"
_FETCHED = re.compile(rb"^\s*\S[^\n:]*\n\s*\n\d{9,10}:\s+\S")
_ROW = re.compile(r"^(\d{9,10}):((?:\s+\S+)+)\s*$")


def is_xport_xml(data: bytes) -> bool:
    """Whether a file is XML whose root is an export."""
    return is_xml(data) and b"<xport>" in data[:HEAD_BYTES]


def may_be_xport_json(data: bytes) -> bool:
    """Whether a file is JSON that says a start, a step and a legend."""
    ends = data[:HEAD_BYTES] + data[-HEAD_BYTES:]
    return is_json(data) and all(word in ends for word in (b"legend", b"step", b"start", b"data"))


def is_fetched(data: bytes) -> bool:
    """Whether names are followed by an empty line and a moment with a colon."""
    return _FETCHED.match(data[:HEAD_BYTES].replace(b"\r\n", b"\n")) is not None


def read_xport_xml(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A row for each time, and a column for each entry of the legend."""
    root = parse(data, findings)
    texts = {local(one.tag): one.text or "" for one in root.iter()}
    meta = {key: _number(texts.get(key, "")) for key in ("start", "step", "end")}
    legend = [one.text or "" for one in root.iter() if local(one.tag) == "entry"]
    rows = [one for one in root.iter() if local(one.tag) == "row"]
    values = [[_number(v.text or "") for v in row if local(v.tag) == "v"] for row in rows]
    times = [_number(t.text or "") for row in rows for t in row if local(t.tag) == "t"]
    return _made(times, values, legend, meta, (name, stem), findings)


def read_xport_json(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """The same of JSON; any other document is read as JSON is."""
    try:
        document = json.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        return read_json(data, name, stem, findings)
    meta = document.get("meta") if isinstance(document, Mapping) else None
    values = document.get("data") if isinstance(document, Mapping) else None
    if not isinstance(meta, Mapping) or not isinstance(values, list) or not all(
        isinstance(row, list) for row in values
    ) or not isinstance(meta.get("legend"), list):  # fmt: skip
        return read_json(data, name, stem, findings)
    legend = [str(one) for one in meta["legend"]]
    cells = [[_number(cell) for cell in row] for row in values]
    times: list[float | None] = []
    if all(len(row) == len(legend) + 1 for row in cells):
        times, cells = [row[0] for row in cells], [row[1:] for row in cells]
    known = {key: _number(meta.get(key)) for key in ("start", "step", "end")}
    return _made(times, cells, legend, known, (name, stem), findings)


def read_fetched(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """The same of lines: the names of the sources, an empty line, then a time and its values."""
    head, *lines = data.decode("utf-8", errors="replace").splitlines()
    found = [_ROW.match(line) for line in lines if line.strip()]
    if None in found:
        findings.fail(
            "damaged-file",
            "some lines are not a time in seconds, a colon and values",
            "export the series once more",
        )
    rows = [one for one in found if one is not None]
    values = [[_number(cell) for cell in row[2].split()] for row in rows]
    times = [_number(row[1]) for row in rows]
    return _made(times, values, head.split(), {}, (name, stem), findings)


def _made(
    times: Sequence[float | None],
    values: Sequence[Sequence[float | None]],
    legend: Sequence[str],
    meta: Mapping[str, float | None],
    called: tuple[str, str],
    findings: Findings,
) -> SourceTable:
    if not values:
        findings.fail("header-only", "the export holds no row", "is the time range right?")
    if not times:
        times = _counted(len(values), meta, findings)
    width = len(values[0])
    names = (
        list(legend)
        if len({*legend, TIME}) == width + 1
        else [f"value_{i + 1}" for i in range(width)]
    )
    if any(len(row) != width for row in values) or len(times) != len(values):
        findings.fail(
            "damaged-file", "the rows of the export differ in length", "export it once more"
        )
    table = pl.DataFrame(
        {TIME: times} | {name: [row[i] for row in values] for i, name in enumerate(names)},
        schema={TIME: pl.Float64} | dict.fromkeys(names, pl.Float64),
    )
    table = table.with_columns(pl.col(TIME).cast(pl.Int64, strict=False))
    return SourceTable(table.lazy(), table.schema, *called)


def _counted(rows: int, meta: Mapping[str, float | None], findings: Findings) -> list[float | None]:
    """The times of rows without one, from the start on, or from the end of the first step."""
    start, step, end = (meta.get(key) or 0.0 for key in ("start", "step", "end"))
    able = (start, start + step) if step else ()
    first = next((one for one in able if round((end - one) / step) + 1 == rows), None)
    if first is None:
        findings.fail(
            "no-time",
            f"the start, the step and the end of the export do not fit its {rows} rows",
            "export it with the times of its rows (--showtime)",
        )
    return [first + i * step for i in range(rows)]


def _number(text: Any) -> float | None:
    try:
        found = float(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


register(may_be_xport_json, read_xport_json)
register(is_xport_xml, read_xport_xml)
register(is_fetched, read_fetched)
