"""Read SenML in JSON (RFC 8428): records of measurements that share a base name, time and unit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._units import unit_of
from citytune.readers.containers._json import is_json, read_json
from citytune.readers.containers._openers import register

_LABELS = frozenset(
    ["bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut"]
)
_RELATIVE = 1 << 28
"""Seconds below which a time is relative to when the message arrived."""
LARGEST_NUMBER = 1e15
"""Of any number."""
HEAD_BYTES = 1 << 14


def may_be_senml(data: bytes) -> bool:
    """Whether a file is JSON that begins with labels of SenML."""
    head = data[:HEAD_BYTES]
    return is_json(data) and (b'"bn"' in head or b'"bt"' in head or b'"n"' in head)


def read_senml(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A row for each measurement, with the name and the unit it has; other JSON is read as such."""
    records = _records(data)
    if not records:
        return read_json(data, name, stem, findings)
    rows = list(_resolved(records))
    if not rows:
        findings.fail("header-only", "the SenML holds no value", "is the date range right?")
    if any(abs(row["time"]) < _RELATIVE for row in rows):
        findings.fail(
            "no-time",
            "some times of the SenML are relative to when it was received",
            "write absolute times, with bt in seconds since 1970",
        )
    names = [row["name"] for row in rows]
    low, high = min(names), max(names)  # what these two share begins all
    same = next((i for i, letter in enumerate(low) if high[i : i + 1] != letter), len(low))
    before = low[:same]
    before = before[: max(before.rfind(mark) for mark in ":/-._") + 1]
    table = pl.DataFrame(
        {
            "time": pl.Series([row["time"] for row in rows], dtype=pl.Float64),
            "name": [row["name"].removeprefix(before) for row in rows],
            "value": pl.Series([row["value"] for row in rows], dtype=pl.Float64),
            "unit": [row["unit"] for row in rows],
        }
    )
    table = table.with_columns(
        pl.from_epoch((pl.col("time") * 1e6).round().cast(pl.Int64, strict=False), "us")
    )
    table = table.with_columns(pl.col("time").dt.replace_time_zone("UTC"))
    units = table["unit"].unique().to_list()
    known = {"value": units[0]} if len(units) == 1 and units[0] else {}
    if len(units) == 1:
        table = table.drop("unit")
    if table["name"].n_unique() == 1 and (only := str(table["name"][0])) not in (
        "",
        *table.columns,
    ):
        table = table.drop("name").rename({"value": only})
        known = {only: units[0]} if known else {}
    return SourceTable(table.lazy(), table.schema, name, stem, units=known)


def _records(data: bytes) -> list[Mapping[str, Any]]:
    """The records of a pack; none if it is other JSON, or damaged."""
    try:
        pack = json.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        return []
    if not isinstance(pack, list) or not all(
        isinstance(one, Mapping) and one and {*one} <= _LABELS for one in pack
    ):
        return []
    timed = any("t" in one or "bt" in one for one in pack)
    return pack if timed and all(_is_sound(one) for one in pack) else []


def _is_sound(record: Mapping[str, Any]) -> bool:
    texts = all(isinstance(record.get(key, ""), str) for key in ("bn", "n", "u", "bu"))
    numbers = (record.get(key, 0) for key in ("bt", "t", "bv", "v"))
    return texts and all(
        isinstance(one, int | float) and not isinstance(one, bool) and abs(one) < LARGEST_NUMBER
        for one in numbers
    )


def _resolved(records: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each measurement with its full name, absolute time, value and unit."""
    base: dict[str, Any] = {"bn": "", "bt": 0.0, "bu": "", "bv": 0.0}
    for record in records:
        base |= {key: record[key] for key in base if key in record}
        if "v" in record or ("bv" in record and "n" in record):
            unit = record.get("u", base["bu"])
            yield {
                "name": base["bn"] + record.get("n", ""),
                "time": float(base["bt"]) + float(record.get("t", 0.0)),
                "value": float(base["bv"]) + float(record.get("v", 0.0)),
                "unit": unit_of(unit) or unit,
            }


register(may_be_senml, read_senml)
