"""Read Green Button XML (NAESB ESPI): interval readings of meters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import polars as pl

from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._json import LONGEST_LINE, table_of
from citytune.readers.containers._openers import register
from citytune.readers.containers._web_tables import is_web_table
from citytune.readers.containers._xml_rows import rows_of_xml

UNITS = {"38": "W", "72": "Wh", "42": "m³", "119": "ft³", "169": "therm", "31": "J"}
"""Codes of ESPI's `uom`."""
FLOWS = {"1": "delivered", "19": "received", "4": "net"}
"""Codes of ESPI's `flowDirection`: to the customer, from the customer, one less the other."""


class _Kind(NamedTuple):
    """What a series measures."""

    register: str
    unit: str
    power: int
    """Of ten, by which the values are to be multiplied."""


def is_xml(data: bytes) -> bool:
    """Whether a file begins as XML does, or as a web page without a table of many rows."""
    begins = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    return begins and not is_web_table(data)


def _is_page(data: bytes) -> bool:
    head = data[:4096].lower()
    return any(mark in head for mark in (b"<html", b"<!doctype html", b"<table"))


def read_xml(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """The interval readings of a Green Button file, or a plain table; other XML is refused."""
    if b"IntervalReading" not in data:
        page = _is_page(data)
        able = not page and len(data) <= LONGEST_LINE
        if able and (found := rows_of_xml(parse(data, findings))):
            return table_of(found, name, stem, {}, findings)
        findings.fail(
            "not-a-table",
            "this is a web page, not a table citytune reads"
            if page
            else "this is XML of a kind that citytune does not read",
            "if it is a sheet called .xls, open it in a spreadsheet program and save it as .xlsx; "
            "otherwise export the table as CSV or Parquet"
            if page
            else "export the table as CSV or Parquet, or as JSON with a time and a value each",
        )
    root = parse(data, findings)
    if not any(local(one.tag) == "ReadingType" for one in root.iter()):
        findings.fail(
            "no-unit",
            "the file does not say in which unit and power of ten its readings are (no "
            "ReadingType), so they may be off by a factor of a thousand",
            "export it once more with its reading type, or as CSV",
        )
    rows = _table(list(_series(root, findings)))
    if not len(rows):
        findings.fail(
            "header-only", "the file holds no interval reading", "is the date range right?"
        )
    units = rows["unit"].unique().to_list()
    if "" in units:
        findings.warn(
            "no-unit",
            "the file does not name a unit that citytune knows",
            "say it with unit=",
        )
    apart = rows.select(pl.struct("register", "meter").n_unique()).item()
    told = rows["register"].n_unique() == apart  # one meter, whose registers are told apart
    alike = [name for name in ("register", "unit", "meter") if rows[name].n_unique() == 1]
    alike += ["meter"] if told and "meter" not in alike else []
    rows = rows.drop(alike)
    return SourceTable(rows.lazy(), rows.schema, name, stem,
                       units={"value": units[0]} if len(units) == 1 else {})  # fmt: skip


def parse(data: bytes, findings: Findings) -> Any:
    """The root of a document; one that is damaged or unsafe is refused."""
    try:
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import ParseError, fromstring
    except ModuleNotFoundError:
        findings.fail(
            "extra-needed",
            "XML needs the package defusedxml",
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


def local(tag: Any) -> str:
    """The name of a kind of element without its namespace."""
    return str(tag).rpartition("}")[2]


def _text(element: Any, tag: str) -> str:
    """The text of the first element of a kind within another."""
    return next((one.text or "" for one in element.iter() if local(one.tag) == tag), "").strip()


def _links(entry: Any) -> dict[str, list[str]]:
    """Where an entry of the feed points to, by relation."""
    found: dict[str, list[str]] = {}
    for one in entry.iter():
        if local(one.tag) == "link":
            found.setdefault(one.get("rel", ""), []).append(one.get("href", "").rstrip("/"))
    return found


def _series(root: Any, findings: Findings) -> Iterator[tuple[_Kind, str, Any]]:
    """Every block of readings with what it measures and its meter, as the links tell."""
    entries = [one for one in root.iter() if local(one.tag) == "entry"] or [root]
    kinds: dict[str, _Kind] = {}
    meters: dict[str, str] = {}
    for entry in entries:
        links = _links(entry)
        own = (links.get("self") or [""])[0]
        if any(local(one.tag) == "ReadingType" for one in entry.iter()):
            kinds[own] = _kind(entry)
        elif any(local(one.tag) == "MeterReading" for one in entry.iter()):
            meters[own] = next(
                (one for one in links.get("related", []) if "ReadingType" in one), ""
            )
    default = next(iter(kinds.values()), _Kind("", "", 0))
    for entry in entries:
        if not any(local(one.tag) == "IntervalReading" for one in entry.iter()):
            continue
        ends = [f"{link}/" for links in _links(entry).values() for link in links]
        meter = next((one for one in meters if any(f"{one}/" in link for link in ends)), "")
        kind = _of_link(kinds, meters.get(meter, ""))
        if kind is None and len({*kinds.values()}) > 1:
            findings.fail(
                "no-unit",
                f"the file holds {len(kinds)} reading types, and does not say of which of them a "
                "block of readings is, such as delivered or received",
                "export it once more with its links, export each flow by itself, or as CSV",
            )
        yield kind or default, meter, entry


def _of_link(kinds: dict[str, _Kind], link: str) -> _Kind | None:
    """What a link leads to: the same address, or the only one that ends alike."""
    if link in kinds:
        return kinds[link]
    ends = [
        kind for own, kind in kinds.items() if link and own.split("/")[-2:] == link.split("/")[-2:]
    ]
    return ends[0] if len(ends) == 1 else None


def _kind(entry: Any) -> _Kind:
    power = int(_text(entry, "powerOfTenMultiplier") or 0)
    flow = _text(entry, "flowDirection")
    return _Kind(
        FLOWS.get(flow, flow), UNITS.get(_text(entry, "uom"), ""), max(-12, min(12, power))
    )


def _table(series: list[tuple[_Kind, str, Any]]) -> pl.DataFrame:
    """A row for every interval: register, begin (s since 1970), value, unit and meter."""
    rows = []
    names = _short(dict.fromkeys(meter for _, meter, _ in series))
    for kind, meter, entry in series:
        for element in entry.iter():
            if local(element.tag) == "IntervalReading" and _text(element, "start"):
                value = float(_text(element, "value") or "nan") * 10.0**kind.power
                begin = int(_text(element, "start"))
                rows.append((kind.register, begin, value, kind.unit, names[meter]))
    schema = {"register": pl.String, "time": pl.Int64, "value": pl.Float64, "unit": pl.String,
              "meter": pl.String}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _short(links: Iterable[str]) -> dict[str, str]:
    """Links with the parts in which they differ as names."""
    parts = {link: link.split("/") for link in links}
    width = max(map(len, parts.values()), default=0)
    full = {link: some + [""] * (width - len(some)) for link, some in parts.items()}
    places = [i for i in range(width) if len({some[i] for some in full.values()}) > 1]
    return {link: " / ".join(some[i] for i in places if some[i]) for link, some in full.items()}


register(is_xml, read_xml)
