"""Read the statistics that a Loxone Miniserver keeps: a month of one block's outputs in XML."""

from __future__ import annotations

import polars as pl

from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._openers import register
from citytune.readers.containers._xml import is_xml, local, parse

HEAD_BYTES = 1024


def is_loxone(data: bytes) -> bool:
    """Whether a file is XML whose root is a list of statistics."""
    return (
        is_xml(data) and b"<Statistics" in data[:HEAD_BYTES] and b"NumOutputs" in data[:HEAD_BYTES]
    )


def read_loxone(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """A row for each time; and for each output, which measure different things, if several."""
    root = parse(data, findings)
    entries = [one.attrib for one in root.iter() if local(one.tag) == "S"]
    keys = list(dict.fromkeys(key for entry in entries for key in entry if key[:1] == "V"))
    if not keys:
        findings.fail("header-only", "the file holds no statistics", "is the month right?")
    table = pl.DataFrame(
        {"time": [entry.get("T") for entry in entries]}
        | {key: [entry.get(key) for entry in entries] for key in keys},
        schema=dict.fromkeys(["time", *keys], pl.String),
    ).with_columns(pl.col(keys).cast(pl.Float64, strict=False))
    block, told = root.get("Name", "").strip(), root.get("Outputs", "").split(",")
    if len(keys) > 1:
        names = dict(zip(keys, map(str.strip, told), strict=False))
        table = table.rename(names if len({*names.values(), "time", ""}) == len(keys) + 2 else {})
        table = table.unpivot(index="time", variable_name="parameter")
    elif block not in ("", "time"):
        table = table.rename({keys[0]: block})
    return SourceTable(table.lazy(), table.schema, name, stem)


register(is_loxone, read_loxone)
