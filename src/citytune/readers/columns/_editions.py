"""Editions of one reading, estimated and real, that would be taken for series of two sensors."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from citytune._text import listed
from citytune.readers.cells._columns import Column, Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._structure import TIME, Moment, called_a_sensor
from citytune.readers.cells._vocabulary import SENSOR_PARTS, tokens
from citytune.readers.columns._ways import says_only_a_way

MOST_EDITIONS = 4
GAP_OF_EDITIONS, SHARE_OF_EDITIONS = 0.1, 0.8
"""Median difference of editions, as a share of one, and the share of moments that both have."""
FEWEST_PAIRS = 12
WORDS = frozenset(
    ["method", "metodo", "obtencion", "provenance", "estimated",
     "estimation", "estimado", "geschatzt", "schatzung", "edition", "version", "revision", "rev",
     "release", "vintage", "ausgabe"]
)  # fmt: skip
"""Words of the names of columns that say how, or how finally, a reading was obtained."""


def refuse_editions(
    moment: Moment,
    sensor: Sequence[str],
    targets: Sequence[str],
    columns: Columns,
    findings: Findings,
) -> None:
    """Add an error if a guessed key says which edition of the same reading a row holds."""
    if len(targets) != 1 or targets[0] not in moment.rows.columns:
        return
    for name in sensor:
        column = columns.by_name.get(name)
        if column is None or not _may_be(column):
            continue
        others = [other for other in sensor if other != name]
        told = WORDS & {*tokens(name)} or all(says_only_a_way(str(one)) for one in column.cells)
        if not (told or _are_alike(moment, name, others, targets[0])):
            continue
        cells = [str(cell) for cell in column.cells]
        findings.error(
            "editions",
            f"the rows of one time are told apart by {name!r} ({listed(cells, quoted=True)}), "
            "which seems to say which edition of the same reading each is, such as estimated and "
            "real",
            f"keep one with valid={{{name!r}: [{cells[0]!r}]}}, or pass sensor={[*sensor]!r} if "
            "each is a series of its own",
        )


def _may_be(column: Column) -> bool:
    words = {*tokens(column.name)}
    plans = words == {"type"} and all(says_only_a_way(str(one)) for one in column.cells)
    named = not plans and (called_a_sensor(column) or words & SENSOR_PARTS)
    return 1 < len(column.cells) <= MOST_EDITIONS and not named


def _are_alike(moment: Moment, name: str, others: Sequence[str], target: str) -> bool:
    """Whether some cells stand at a part of the times of another only, with nearly its readings."""
    value = pl.col(target).cast(pl.Float64, strict=False)
    rows = moment.rows.select(TIME, *others, name, value.alias("_value")).drop_nulls()
    whole = rows.group_by(name).len().sort("len", descending=True)
    if len(whole) < 2:
        return False
    most = rows.filter(pl.col(name) == whole[name][0])
    for cell, count in whole.rows()[1:]:
        both = rows.filter(pl.col(name) == cell).join(most, on=[TIME, *others], suffix="_most")
        gap = (both["_value"] - both["_value_most"]).abs() / both["_value_most"].abs()
        alike = len(both) >= FEWEST_PAIRS and float(gap.median() or 0) < GAP_OF_EDITIONS  # type: ignore[arg-type]
        if not alike or len(both) < count or count > SHARE_OF_EDITIONS * len(most):
            return False
    return True
