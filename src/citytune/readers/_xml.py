"""Read Green Button XML (NAESB ESPI): interval readings of meters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from citytune.readers._containers import register
from citytune.readers._findings import Findings
from citytune.readers._table import SourceTable

UNITS = {"38": "W", "72": "Wh", "42": "m³", "119": "ft³", "169": "therm", "31": "J"}
"""Codes of ESPI's `uom`."""


def is_xml(data: bytes) -> bool:
    """Whether a file begins as XML or a web page does."""
    return data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def read_xml(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """The interval readings of a Green Button file; any other XML is refused."""
    if b"IntervalReading" not in data:
        findings.fail(
            "not-a-table",
            "this is a web page or XML, not a table citytune reads",
            "export the table as CSV or Parquet",
        )
    root = _parse(data, findings)
    unit, power = _reading_type(root)
    if not unit:
        findings.fail(
            "no-unit",
            "the file does not say in which unit and power of ten its readings are (no "
            "ReadingType), so they may be off by a factor of a thousand",
            "export it once more with its reading type, or as CSV",
        )
    rows = pl.DataFrame(
        list(_readings(root, 10.0**power)),
        schema={"meter": pl.String, "time": pl.Int64, "duration": pl.Int64, "value": pl.Float64},
        orient="row",
    )
    if not len(rows):
        findings.fail(
            "header-only", "the file holds no interval reading", "is the date range right?"
        )
    rows = rows.drop([n for n in ("meter",) if rows[n].null_count() == len(rows)])
    units = {"value": unit}
    return SourceTable(rows.drop("duration").lazy(), rows.drop("duration").schema, name, stem,
                       units=units)  # fmt: skip


def _parse(data: bytes, findings: Findings) -> Any:
    try:
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import ParseError, fromstring
    except ModuleNotFoundError:
        findings.fail(
            "extra-needed",
            "Green Button XML needs the package defusedxml",
            "install it with: pip install defusedxml, or export the readings as CSV",
        )
    try:
        return fromstring(data.removeprefix(b"\xef\xbb\xbf"))
    except DefusedXmlException:
        findings.fail(
            "unsafe-xml",
            "the XML defines entities of its own, which can be used to flood the memory",
            "export the readings once more, without a document type",
        )
    except (ParseError, ValueError) as error:
        findings.fail("damaged-file", f"the XML is damaged ({error})", "export it once more")


def _local(tag: Any) -> str:
    return str(tag).rpartition("}")[2]


def _reading_type(root: Any) -> tuple[str, int]:
    """Unit and power of ten of the values."""
    unit, power = "", 0
    for element in root.iter():
        if _local(element.tag) == "uom":
            unit = UNITS.get((element.text or "").strip(), "")
        elif _local(element.tag) == "powerOfTenMultiplier":
            power = int((element.text or "0").strip() or 0)
    return unit, max(-12, min(12, power))


def _readings(root: Any, factor: float) -> Iterator[tuple[str | None, int, int, float]]:
    """Meter, begin (s since 1970), duration in s and value of every interval."""
    for element in root.iter():
        if _local(element.tag) != "IntervalReading":
            continue
        found = {_local(one.tag): (one.text or "").strip() for one in element.iter()}
        if found.get("start") and found.get("value"):
            yield (
                found.get("meter") or None,
                int(found["start"]),
                int(found.get("duration") or 0),
                float(found["value"]) * factor,
            )


register(is_xml, read_xml)
