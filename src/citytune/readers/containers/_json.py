"""Read records from JSON: plain ones, lines, NGSI-LD, SensorThings, OpenAQ, Telraam.

NGSI-LD: ETSI GS CIM 009 (normalised, key values, temporal). SensorThings: OGC 18-088 (observations,
expanded data streams, data arrays). Whatever else is a list of objects is read as a table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from citytune._text import counted
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._numbers import with_numbers, writes_commas
from citytune.readers.cells._plain_cells import plain_cells
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._texts import Texts
from citytune.readers.containers._json_cells import EXTENDED, dated, extended
from citytune.readers.containers._json_records import MOST_NESTED_OBJECTS, Record, records_of
from citytune.readers.containers._json_stages import without_forecasts
from citytune.readers.containers._openers import register

LONGEST_LINE = 200_000_000
"""Bytes of a document or of a line."""
MOST_COLUMNS = 2_000
MOST_OF_ONE = 50
"""Fields of a record that stands alone."""
_LISTS = ("value", "results", "data")
"""Of the records of a standard in a document."""
_MORE = ("@iot.nextLink", "nextLink", "next", "nextPageToken", "next_page")
_META = frozenset({"@context", "location", "geometry", "@iot.selfLink"})


def is_json(data: bytes) -> bool:
    """Whether a file begins as JSON does."""
    return data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def read_json(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """The records of a document, or of its lines, as a table."""
    document = without_forecasts(_parse(data, findings), findings)
    if isinstance(document, dict) and (more := [key for key in _MORE if document.get(key)]):
        findings.warn(
            "more-pages",
            f"the document is one page of several: {more[0]!r} leads to the next",
            "fetch all pages and pass them as one file",
        )
    units: dict[str, str] = {}
    records = [_flat(record, units) for record in _records(document)]
    if not records or not any(records):
        findings.fail(
            "not-a-table",
            "the JSON holds no list of records",
            "pass a list of objects with a time and a value each, or a CSV or Parquet file",
        )
    if len(records) == 1 and len(records[0]) > MOST_OF_ONE:
        findings.fail(
            "not-a-table",
            f"the JSON holds one record of {len(records[0]):,} fields, such as "
            f"{list(records[0])[-1]!r}, and no list of readings",
            "pass a list of objects with a time and a value each, or a CSV or Parquet file",
        )
    return table_of(records, name, stem, units, findings)


def table_of(
    records: Sequence[Mapping[str, Any]],
    name: str,
    stem: str,
    units: Mapping[str, str],
    findings: Findings,
) -> SourceTable:
    """Flat records as a table, with the units of its columns that are known."""
    texts, said = plain_cells(Texts(_table(records, findings)), findings)
    rows, commas = _with_commas(texts.rows)
    return SourceTable(rows.lazy(), rows.schema, name, stem, commas, {**units, **said})


def _with_commas(rows: pl.DataFrame) -> tuple[pl.DataFrame, frozenset[str]]:
    """The rows, texts that are numbers with a decimal comma as such; and which columns have one."""
    texts = [name for name, kind in rows.schema.items() if kind == pl.String]
    commas = [
        name
        for name in texts
        if rows[name].str.contains(",").any()
        and writes_commas(rows[name].drop_nulls().unique(), usual=False)
    ]
    return with_numbers(rows, commas, decimal_comma=True), frozenset(commas)


def _parse(data: bytes, findings: Findings) -> Any:
    text = data.removeprefix(b"\xef\xbb\xbf")
    if len(text) > LONGEST_LINE:
        findings.fail(
            "too-long",
            f"the JSON is {len(text) // 1_000_000:,} MB in one piece",
            "write it as lines of one record each, or as CSV or Parquet",
        )
    try:
        return json.loads(text)
    except RecursionError:
        _refuse_depth(findings)
    except (ValueError, UnicodeDecodeError) as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not lines[0].lstrip().startswith(b"{"):
            findings.fail(
                "damaged-file", f"this is not valid JSON ({error})", "export it once more"
            )
        return _lines(lines, findings)


def _lines(lines: Sequence[bytes], findings: Findings) -> list[Any]:
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(json.loads(line))
        except RecursionError:
            _refuse_depth(findings)
        except (ValueError, UnicodeDecodeError) as error:
            findings.fail(
                "damaged-file",
                f"line {number} is not valid JSON ({error})",
                "correct or delete the line; the file may have been cut short",
            )
    return found


def _refuse_depth(findings: Findings) -> None:
    findings.fail(
        "not-a-table", "the JSON is nested too deeply to be a table", "pass a list of records"
    )


def _records(document: Any) -> Iterator[Record]:
    """Every record of a document, one for each reading."""
    listed = next(
        (document[key] for key in _LISTS if isinstance(document, Mapping) and document.get(key)),
        document,
    )
    first = listed[0] if isinstance(listed, list) and listed else listed
    if isinstance(first, Mapping) and (special := _special(first)):
        for record in listed if isinstance(listed, list) else [first]:
            yield from special(record) if isinstance(record, Mapping) else ()
    else:
        yield from records_of(document)


def _special(record: Record) -> Callable[[Record], Iterable[Record]] | None:
    """How to read the records of a standard that are no readings by themselves."""
    if "dataArray" in record and isinstance(record.get("components"), list):
        return _of_data_array
    if isinstance(record.get("Observations"), list):
        return _of_data_stream
    return _temporal if _temporal(record) else None


def _of_data_array(record: Record) -> Iterator[Record]:
    """SensorThings' compact form: names once, then rows."""
    stream = record.get("Datastream") or record.get("Datastream@iot.navigationLink") or {}
    named = {"datastream": _label(stream)} if stream else {}
    for row in record["dataArray"]:
        if isinstance(row, list):
            yield named | dict(zip(record["components"], row, strict=False))


def _of_data_stream(record: Record) -> Iterator[Record]:
    """SensorThings' data streams with their observations expanded."""
    unit = record.get("unitOfMeasurement")
    unit = unit.get("symbol") if isinstance(unit, Mapping) else None
    measured = record.get("ObservedProperty")
    named = {"observed_property": measured["name"]} if isinstance(measured, Mapping) and \
        measured.get("name") else {}  # fmt: skip
    for one in record["Observations"]:
        if isinstance(one, Mapping):
            yield {"datastream": _label(record), **named, "unit": unit, **one}


def _label(stream: Any) -> str:
    if isinstance(stream, Mapping):
        return str(stream.get("name") or stream.get("@iot.id") or "")
    return str(stream)


def _temporal(record: Record) -> list[Record]:
    """NGSI-LD's temporal form: for each attribute, its values over time."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    fixed = {"id": record.get("id"), "type": record.get("type")}
    for name, attribute in record.items():
        for value, when, unit in _over_time(attribute):
            row = rows.setdefault((str(record.get("id")), when), {**fixed, "observedAt": when})
            row[name] = value
            if unit:
                row[f"{name}.unitCode"] = unit
    return list(rows.values())


def _over_time(attribute: Any) -> Iterator[tuple[Any, str, str | None]]:
    if isinstance(attribute, Mapping) and isinstance(attribute.get("values"), list):
        for pair in attribute["values"]:
            if isinstance(pair, list) and len(pair) == 2:
                yield pair[0], str(pair[1]), attribute.get("unitCode")
    elif isinstance(attribute, list):
        for one in attribute:
            if isinstance(one, Mapping) and "observedAt" in one and "value" in one:
                yield one["value"], str(one["observedAt"]), one.get("unitCode")


def _flat(
    record: Record, units: dict[str, str], prefix: str = "", depth: int = 0
) -> dict[str, Any]:
    """One level of plain values; an NGSI-LD property becomes its value."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        if key in _META and not isinstance(value, str | int | float):
            continue
        if not isinstance(value, Mapping):
            found[name] = None if isinstance(value, list) else dated(value)
        elif "value" in value and "type" in value:
            inner = value["value"]
            found[name] = inner.get("@value") if isinstance(inner, Mapping) else inner
            if value.get("observedAt"):
                found.setdefault("observedAt", value["observedAt"])
            if value.get("unitCode"):
                units.setdefault(name, str(value["unitCode"]))
        elif len(value) == 1 and next(iter(value)) in EXTENDED:
            found[name] = extended(value)
        elif "@value" in value:
            found[name] = value["@value"]
        elif depth < MOST_NESTED_OBJECTS:
            found |= _flat(value, units, f"{name}.", depth + 1)
    return found


def _table(records: Sequence[Mapping[str, Any]], findings: Findings) -> pl.DataFrame:
    names = dict.fromkeys(name for record in records for name in record)
    if len(names) > MOST_COLUMNS:
        findings.fail(
            "not-a-table",
            f"the {counted(len(records), 'record')} have {len(names):,} different fields",
            "pass records that all have the same fields",
        )
    columns = {name: _column([record.get(name) for record in records]) for name in names}
    rows = pl.DataFrame(columns)
    return rows.drop([name for name in rows.columns if rows[name].null_count() == len(rows)])


def _column(values: list[Any]) -> pl.Series:
    present = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in present):
        return pl.Series(values, dtype=pl.Boolean)
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        whole = all(isinstance(value, int) and abs(value) < 2**63 for value in present)
        kind = pl.Int64 if whole else pl.Float64
        return pl.Series(
            [None if v is None else (v if whole else _as_float(v)) for v in values], dtype=kind
        )
    return pl.Series([None if v is None else str(v) for v in values], dtype=pl.String)


def _as_float(value: float) -> float:
    """A number in double precision; one of more digits than that holds is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


register(is_json, read_json)
