"""Refuse the readings of a sensor that moves, as on a bus: they are of no place."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.columns._folded import number_of

FARTHEST_OF_A_PLACE = 0.01
"""Degrees, about 1 km, by which most positions of a sensor that stays may differ."""
FEWEST_POSITIONS = 5
"""Positions, to some 100 m, from which a sensor is on its way; one that was moved has fewer."""
ROWS_OF_POSITIONS = 100_000


def refuse_moving(
    table: SourceTable, places: Sequence[str], sensor: Sequence[str], findings: Findings
) -> None:
    """Add an error if the coordinates of a sensor go on and on.

    Args:
        table: Holds the columns.
        places: Those of latitude and longitude in degrees, or nothing.
        sensor: Those that name the sensors; none in a table of one place.
        findings: Told of it.
    """
    if not places or {*places} & {*sensor}:
        return
    degrees = [number_of(table, name).alias(f"_{i}") for i, name in enumerate(places)]
    keys = [pl.col(name).alias(f"_key_{i}") for i, name in enumerate(sensor)] or [
        pl.lit(0).alias("_key_0")
    ]
    rows = table.rows.head(ROWS_OF_POSITIONS).select(*keys, *degrees).drop_nulls(["_0", "_1"])
    spans = [pl.col(f"_{i}").quantile(0.9) - pl.col(f"_{i}").quantile(0.1) for i in (0, 1)]
    each = (
        rows.group_by(f"_key_{i}" for i in range(len(keys)))
        .agg(
            span=pl.max_horizontal(spans),
            positions=pl.struct(pl.col("_0").round(3), pl.col("_1").round(3)).n_unique(),
        )
        .filter((pl.col("span") > FARTHEST_OF_A_PLACE) & (pl.col("positions") >= FEWEST_POSITIONS))
        .collect(engine="streaming")
    )
    if not len(each):
        return
    most = int(each["positions"].max() or 0)  # type: ignore[arg-type]
    findings.error(
        "moving-sensor",
        f"{places[0]!r} and {places[1]!r} show that a sensor moves: it has up to "
        f"{most} positions, so its readings are of no single place",
        "average the readings by place (a street, a cell of a grid) and hour first and name the "
        "place in a column; leave out the columns of coordinates if it does not move",
        count=len(each),
    )
