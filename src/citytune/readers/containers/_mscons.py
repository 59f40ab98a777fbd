"""Read MSCONS, the EDIFACT messages in which Europe's networks hand out interval readings."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import polars as pl

from citytune._text import counted, listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._openers import register

_UNITS = {"KWH": "kWh", "KWT": "kW", "MWH": "MWh", "MAW": "MW", "WHR": "Wh", "WTT": "W",
          "MTQ": "m3", "D90": "m3", "D54": "m3"}  # fmt: skip
"""Codes of units (UN/ECE 20)."""
_MOMENT = re.compile(r"(\d{12})(?:\d\d)?([+-]\d\d)?")
_BEGIN, _END = "163", "164"
"""Qualifiers of the times at which an interval begins and ends."""
_ESCAPED = "\ue000\ue001\ue002\ue003"


class _Marks(NamedTuple):
    """What separates the parts of a message."""

    component: str = ":"
    element: str = "+"
    decimal: str = "."
    release: str = "?"
    segment: str = "'"


def is_edifact(data: bytes) -> bool:
    """Whether a file begins as an interchange of EDIFACT does."""
    return re.match(rb"\s*(UNA[^\w\s]{2}[.,].{2}\W|UNB\+|UNB.UNO)", data[:64]) is not None


def read_mscons(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A row for each interval of each register of each metering point."""
    segments = [*_segments(data)]
    kinds = {one[2][0] for one in segments if one[0][0] == "UNH" and len(one) > 2}
    if "MSCONS" not in kinds:
        findings.fail(
            "not-a-table",
            f"this is an EDIFACT message ({listed(sorted(kinds)) or 'of no kind'}) and none of "
            "readings (MSCONS)",
            "pass the MSCONS messages, or export the readings as CSV",
        )
    try:
        rows = [*_readings(segments)]
    except (ValueError, IndexError, OverflowError) as error:
        findings.fail("damaged-file", f"a segment of the MSCONS message cannot be read ({error})",
                      "export it once more; it may have been cut short")  # fmt: skip
    if not any(one[0][0] == "UNZ" for one in segments):
        findings.fail("damaged-file", "the MSCONS message (EDIFACT) has no end (UNZ)",
                      "transfer it once more; it was cut short")  # fmt: skip
    if not rows:
        findings.fail(
            "header-only",
            f"the MSCONS message (EDIFACT) holds {counted(len(segments), 'segment')} and no value "
            "with the begin and the end of its interval (DTM+163, DTM+164)",
            "readings of meters now and then are no series: pass the message with the load profile",
        )
    if len({row[2].tzinfo is None for row in rows}) > 1:
        findings.fail("unreadable-times", "some times of the MSCONS message have an offset from "
                      "UTC, and some have none", "export it once more")  # fmt: skip
    table = pl.DataFrame(
        {"meter": [r[0] for r in rows], "register": [r[1] for r in rows],
         "time": pl.Series([r[2] for r in rows], dtype=pl.Datetime("us", _zone(rows))),
         "value": pl.Series([r[3] for r in rows], dtype=pl.Float64),
         "unit": [r[4] for r in rows], "qualifier": [r[5] for r in rows]}
    )  # fmt: skip
    units = table["unit"].unique().to_list()
    known = {"value": units[0]} if len(units) == 1 and units[0] else {}
    table = table.drop("unit") if len(units) == 1 else table
    return SourceTable(table.lazy(), table.schema, name, stem, units=known)


def _zone(rows: Sequence[tuple[Any, ...]]) -> str | None:
    return None if rows[0][2].tzinfo is None else "UTC"


def _segments(data: bytes) -> Iterator[list[list[str]]]:
    """Each segment as its elements, and these as their components."""
    text = data.decode("latin-1").lstrip()
    marks = _Marks()
    if text.startswith("UNA"):
        marks, text = _Marks(text[3], text[4], text[5], text[6], text[8]), text[9:]
    signs = (marks.release, marks.segment, marks.element, marks.component)
    for sign, escaped in zip(signs, _ESCAPED, strict=True):
        text = text.replace(marks.release + sign, escaped)
    for segment in text.split(marks.segment):
        if segment.strip():
            elements = [
                part.split(marks.component) for part in segment.strip().split(marks.element)
            ]
            yield [[_plain(part, signs) for part in element] for element in elements]


def _plain(part: str, signs: Sequence[str]) -> str:
    for sign, escaped in zip(signs, _ESCAPED, strict=True):
        part = part.replace(escaped, sign)
    return part


def _readings(segments: Sequence[list[list[str]]]) -> Iterator[tuple[Any, ...]]:
    """(point, register, begin, value, unit, qualifier) of each value with an interval."""
    point = code = ""
    value: list[str] = []
    begin: dt.datetime | None = None
    for segment in segments:
        tag, one = segment[0][0], segment[1] if len(segment) > 1 else [""]
        if tag == "UNH":
            point = code = ""
        elif tag == "LOC" and one[0] in ("172", "237"):
            point, code = segment[2][0], ""
        elif tag == "LIN":
            code = ""
        elif tag == "PIA":
            code = ":".join(part for part in segment[2] if part != "SRW")
        elif tag == "QTY":
            value, begin = one, None
        elif tag == "DTM" and value and one[0] == _BEGIN:
            begin = _moment(one[1])
        elif tag == "DTM" and value and one[0] == _END and begin is not None:
            unit = _UNITS.get(value[2], value[2]) if len(value) > 2 else ""
            yield point, code, begin, float(value[1].replace(",", ".")), unit, value[0]
            value = []


def _moment(text: str) -> dt.datetime:
    """202402010000 as wall time, 202402010000+00 in UTC."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time")
    wall = dt.datetime.strptime(found[1], "%Y%m%d%H%M")
    if not found[2]:
        return wall
    return (wall - dt.timedelta(hours=int(found[2]))).replace(tzinfo=dt.UTC)


register(is_edifact, read_mscons)
