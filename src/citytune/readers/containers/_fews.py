"""Read PI XML, in which Delft-FEWS hands out series of measurements of locations and parameters.

https://publicwiki.deltares.nl/display/FEWSDOC/Delft-Fews+Published+Interface+timeseries+Format
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from typing import Any

import polars as pl

from citytune._text import counted
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._units import unit_of
from citytune.readers.containers._openers import register
from citytune.readers.containers._xml import is_xml, local, parse

HEAD_BYTES = 4096
_UNRELIABLE = 6
"""Flag from which a value is unreliable (6 to 8) or missing (9)."""
_LABELS = ("location", "parameter", "qualifier", "ensemble", "unit")


def is_fews(data: bytes) -> bool:
    """Whether a file is XML of the published interface."""
    return is_xml(data) and b"www.wldelft.nl/fews/PI" in data[:HEAD_BYTES]


def read_fews(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A row for each event, with the location, the parameter and the unit of its series."""
    root = parse(data, findings)
    ahead = _ahead(root, findings)
    series = [one for one in root.iter() if local(one.tag) == "series"]
    rows = [row for one in series for row in _events(one, ahead)]
    if not rows:
        findings.fail("header-only", "the document holds no event", "is the date range right?")
    table = pl.DataFrame(rows, infer_schema_length=None)
    if bad := int(table["bad"].sum()):
        findings.warn(
            "invalid-readings",
            f"{counted(bad, 'value')} with a flag of {_UNRELIABLE} and more, which says unreliable",
            "they are missing",
            count=bad,
        )
    units = table["unit"].unique().to_list()
    ends = all(_kind(one) == "accumulative" for one in series)
    alike = [label for label in _LABELS if table[label].n_unique() == 1]
    named = str(table["parameter"][0]) if "parameter" in alike else ""
    named = "" if named in table.columns else named
    table = table.drop("bad", *alike).rename({"value": named} if named else {})
    table = table.rename({"time": "end_time"} if ends else {})
    known = {named or "value": units[0]} if len(units) == 1 and units[0] else {}
    return SourceTable(table.lazy(), table.schema, name, stem, units=known)


def _ahead(root: Any, findings: Findings) -> dt.timedelta:
    """How far the times are ahead of UTC; the standard says 0 where nothing is written."""
    said = next((one.text or "" for one in root.iter() if local(one.tag) == "timeZone"), "0")
    try:
        return dt.timedelta(hours=float(said or 0))
    except (ValueError, OverflowError):
        findings.fail(
            "which-zone",
            f"the zone of the times, {said.strip()[:40]!r}, is no number of hours ahead of UTC",
            "export the series with a time zone such as 1.0",
        )


def _header(series: Any) -> dict[str, str]:
    header = next((one for one in series if local(one.tag) == "header"), ())
    return {local(one.tag): (one.text or "").strip() for one in header}


def _kind(series: Any) -> str:
    return _header(series).get("type", "")


def _events(series: Any, ahead: dt.timedelta) -> Iterator[dict[str, Any]]:
    said = _header(series)
    unit = said.get("units", "")
    labels = {
        "location": said.get("locationId", ""),
        "parameter": said.get("parameterId", ""),
        "qualifier": said.get("qualifierId", ""),
        "ensemble": said.get("ensembleMemberIndex", ""),
        "unit": unit_of(unit) or unit,
    }
    missing = _number(said.get("missVal", ""))
    for event in (one for one in series if local(one.tag) == "event"):
        value = _number(event.get("value", ""))
        bad = event.get("flag", "").isdecimal() and int(event.get("flag", "0")) >= _UNRELIABLE
        lacking = value is None or value == missing or math.isnan(value)
        at = f"{event.get('date', '')}T{event.get('time', '')}"
        yield {
            "time": _in_utc(at, ahead),
            **labels,
            "value": None if lacking or bad else value,
            "bad": bad and not lacking,
        }


def _in_utc(text: str, ahead: dt.timedelta) -> str:
    """A moment in UTC; text that is none stays, and will be told."""
    try:
        return f"{(dt.datetime.fromisoformat(text) - ahead).isoformat()}+00:00"
    except (ValueError, OverflowError):
        return text


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


register(is_fews, read_fews)
