"""Read market documents of IEC 62325 (CIM), in which ENTSO-E and network operators send series.

A document holds series, a series periods with a begin, a length and a step, and a period points
that are numbered from 1. With curve type A03 a point holds until the next one that is written.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import polars as pl

from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._units import unit_of
from citytune.readers.containers._openers import register
from citytune.readers.containers._xml import is_xml, local, parse

HEAD_BYTES = 4096
MOST_STEPS = 1_000_000
"""Of a period."""
_STEP = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
_VALUES = ("quantity", "price.amount", "amount")
_LABELS = ("inBiddingZone_Domain.mRID", "outBiddingZone_Domain.mRID", "in_Domain.mRID",
           "out_Domain.mRID", "registeredResource.mRID", "psrType", "businessType",
           "flowDirection.direction")  # fmt: skip
"""Of a series: what tells it from others."""


def is_market_document(data: bytes) -> bool:
    """Whether a file is XML whose root is a market document."""
    return is_xml(data) and re.search(rb"<[\w:]*_MarketDocument\b", data[:HEAD_BYTES]) is not None


def read_market_document(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A row for each point, with what tells the series apart."""
    root = parse(data, findings)
    rows = [row for series in root.iter() if local(series.tag) == "TimeSeries"
            for row in _points(series, findings)]  # fmt: skip
    if not rows:
        findings.fail(
            "header-only", "the document holds no point of a series", "is the date range right?"
        )
    table = pl.DataFrame(rows, infer_schema_length=None)
    alike = [n for n in table.columns if n not in ("time", "value") and table[n].n_unique() == 1]
    units = {"value": unit} if "unit" in alike and (unit := str(table["unit"][0])) else {}
    table = table.drop(alike)
    return SourceTable(table.lazy(), table.schema, name, stem, units=units)


def _points(series: Any, findings: Findings) -> Iterator[dict[str, Any]]:
    inner = [two for one in series if local(one.tag) == "MktPSRType" for two in one]
    told = {local(one.tag): (one.text or "").strip() for one in (*series, *inner)}
    labels = {label: told[label] for label in _LABELS if label in told}
    unit = told.get("quantity_Measure_Unit.name") or told.get("measurement_Unit.name") or ""
    labels["unit"] = unit_of(unit) or unit
    for period in (one for one in series if local(one.tag) == "Period"):
        begin, end, step = _span(period, findings)
        values = dict(_numbered(period))
        held = None
        for place in range(1, round((end - begin) / step) + 1):
            there = place in values
            held = values[place] if there else held
            if there or told.get("curveType") == "A03":
                at = (begin + (place - 1) * step).isoformat()
                yield {**labels, "time": at, "value": held}


def _span(period: Any, findings: Findings) -> tuple[dt.datetime, dt.datetime, dt.timedelta]:
    """Begin, end and step of a period."""
    said = {local(one.tag): (one.text or "").strip() for one in period.iter()}
    found = _STEP.fullmatch(said.get("resolution", ""))
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    step = dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    try:
        begin, end = (dt.datetime.fromisoformat(said.get(one, "")) for one in ("start", "end"))
    except ValueError:
        step = dt.timedelta()
    if not step or (end - begin) / step > MOST_STEPS:
        findings.fail(
            "not-a-table",
            f"a period of {said.get('start', 'no begin')!r} has no step of hours, minutes or "
            f"seconds that fits its length ({said.get('resolution', '')!r})",
            "export the series as CSV",
        )
    return begin, end, step


def _numbered(period: Any) -> Iterator[tuple[int, float]]:
    for point in (one for one in period if local(one.tag) == "Point"):
        said = {local(one.tag): (one.text or "").strip() for one in point}
        value = next((said[name] for name in _VALUES if name in said), "")
        if said.get("position", "").isdigit() and value:
            yield int(said["position"]), float(value)


register(is_market_document, read_market_document)
