"""Read ZRXP, in which Kisters' systems hand out series of measurements of stations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from citytune.readers.cells._encodings import decoded
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._units import unit_of
from citytune.readers.containers._openers import register

HEAD_BYTES = 4096
_KEYS = ("REXCHANGE", "TSPATH", "LAYOUT", "RINVAL", "SANR", "SNAME", "SNR", "SWATER", "TZ", "CUNIT",
         "CNAME", "CNR", "TSNAME", "TSID", "TSTYPE", "RNR", "RTIMELVL", "RORPR", "RTYPE", "CMW",
         "CTAG", "CDASA", "CDASANAME", "CTYPE", "ZDATE", "SOURCESYSTEM", "SOURCEID",
         "TSTRACKING", "BASIC", "XVLID", "TAG")  # fmt: skip
"""Words of a header, the value of each of which follows at once."""
_KEY = re.compile("|".join(sorted(_KEYS, key=len, reverse=True)))
_MISSING = "-777"
"""What stands for no value, if a header names nothing else."""
_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(?:(\d\d)(\d\d)?)?)?")
_ZONE = re.compile(r"(?:UTC|GMT)\s*(?:([+-])\s*(\d{1,2})(?::?(\d\d))?)?", re.IGNORECASE)


def is_zrxp(data: bytes) -> bool:
    """Whether a file begins with a header of ZRXP."""
    head = data[:HEAD_BYTES].lstrip(b"\xef\xbb\xbf \r\n")
    return head.startswith(b"#") and (b"|*|" in head or b";*;" in head)


def read_zrxp(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A row for each value, with the station, the parameter and the unit of its header."""
    rows = [*_rows(decoded(data).splitlines(), findings)]
    if not rows:
        findings.fail("header-only", "the ZRXP file holds no value", "is the date range right?")
    table = pl.DataFrame(rows, infer_schema_length=None)
    alike = [n for n in ("parameter", "unit", "status") if table[n].n_unique() == 1]
    alike += ["station"] if table["station"].unique().to_list() == [""] else []
    unit = str(table["unit"][0]) if "unit" in alike else ""
    named = str(table["parameter"][0]) if "parameter" in alike else ""
    value = named if named and named not in table.columns else "value"
    table = table.drop(alike).rename({"value": value})
    return SourceTable(table.lazy(), table.schema, name, stem, units={value: unit} if unit else {})


def _rows(lines: Sequence[str], findings: Findings) -> Iterator[dict[str, str | float | None]]:
    said: dict[str, str] = {}
    below = False
    unknown = set[str]()
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("##"):
            continue
        if text.startswith("#"):
            said = _said(text) if below else said | _said(text)
            below = False
            continue
        below = True
        if _ZONE.fullmatch(said.get("TZ", "UTC")) is None:
            unknown.add(said["TZ"])
        yield _row(text, number, said, findings)
    if unknown:
        findings.note(
            "zone-name",
            f"the times are those of the zone {sorted(unknown)[0]!r}, and were taken as written",
            "pass timezone=, such as 'Europe/Berlin', to bring them to UTC",
        )


def _said(line: str) -> dict[str, str]:
    """What a line of a header says: word → value."""
    parts = re.split(r"\|\*\||;\*;", line.lstrip("#"))
    found = (part.strip() for part in parts if part.strip())
    return {key[0]: part[key.end() :].strip() for part in found if (key := _KEY.match(part))}


def _row(
    text: str, number: int, said: Mapping[str, str], findings: Findings
) -> dict[str, str | float | None]:
    layout = said.get("LAYOUT", "(timestamp,value,status)").strip("()").lower().split(",")
    cells = dict(zip((part.strip() for part in layout), text.split(), strict=False))
    moment = _MOMENT.fullmatch(cells.get("timestamp", ""))
    value, lacking = _number(cells.get("value", "")), _number(said.get("RINVAL", _MISSING))
    if moment is None or "value" not in cells:
        findings.fail(
            "damaged-file",
            f"line {number} of the ZRXP file, {text[:60]!r}, is no time and value",
            "export it once more; it may have been cut short",
        )
    year, month, day, hour, minute, second = (part or "00" for part in moment.groups())
    return {
        "station": said.get("SNAME") or said.get("SANR") or said.get("REXCHANGE")
        or said.get("TSPATH") or "",
        "parameter": said.get("CNAME") or said.get("CNR") or "",
        "time": f"{year}-{month}-{day}T{hour}:{minute}:{second}{_offset(said.get('TZ', ''))}",
        "value": None if value == lacking else value,
        "status": cells.get("status", ""),
        "unit": unit_of(said.get("CUNIT", "")) or said.get("CUNIT", ""),
    }  # fmt: skip


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def _offset(zone: str) -> str:
    """How times of a zone such as UTC+1 end.

    >>> _offset("UTC+1"), _offset("UTC"), _offset("MEZ"), _offset("GMT-03:30")
    ('+01:00', '+00:00', '', '-03:30')
    """
    found = _ZONE.fullmatch(zone)
    if found is None:
        return ""
    return f"{found[1] or '+'}{int(found[2] or 0):02d}:{found[3] or '00'}"


register(is_zrxp, read_zrxp)
