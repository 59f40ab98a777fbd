"""Read WaterML 2.0 (OGC 10-126), in which observation services hand out series of measurements.

A document holds observations, an observation a property, a place and points of time and value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._units import unit_of
from citytune.readers.containers._openers import register
from citytune.readers.containers._xml import is_xml, local, parse


def is_waterml(data: bytes) -> bool:
    """Whether a file is XML with points of WaterML."""
    return is_xml(data) and b"MeasurementTVP" in data


def read_waterml(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A row for each point, with the property, the place and the unit of its observation."""
    root = parse(data, findings)
    observations = [one for one in root.iter() if local(one.tag) == "OM_Observation"] or [root]
    rows = [row for one in observations for row in _points(one)]
    if not rows:
        findings.fail("header-only", "the document holds no point", "is the date range right?")
    table = pl.DataFrame(rows, infer_schema_length=None)
    units = table["unit"].unique().to_list()
    alike = [n for n in ("property", "station", "unit") if table[n].n_unique() == 1]
    named = str(table["property"][0]) if "property" in alike else ""
    table = table.drop(alike).rename({"value": named} if named else {})
    known = {named or "value": units[0]} if len(units) == 1 and units[0] else {}
    return SourceTable(table.lazy(), table.schema, name, stem, units=known)


def _points(observation: Any) -> Iterator[dict[str, Any]]:
    said = {"property": "", "station": "", "unit": ""}
    for one in observation.iter():
        if local(one.tag) == "observedProperty":
            said["property"] = _title(one)
        elif local(one.tag) == "featureOfInterest":
            said["station"] = _title(one)
        elif local(one.tag) == "uom":
            said["unit"] = unit_of(one.get("code", "")) or one.get("code", "")
        elif local(one.tag) == "MeasurementTVP":
            cells = {local(cell.tag): (cell.text or "").strip() for cell in one}
            yield {**said, "time": cells.get("time", ""), "value": _number(cells.get("value", ""))}


def _title(element: Any) -> str:
    """What an element calls what it points to, or the end of its address."""
    told = {local(key): value for key, value in element.attrib.items()}
    return told.get("title") or told.get("href", "").rstrip("/").rpartition("/")[2]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


register(is_waterml, read_waterml)
