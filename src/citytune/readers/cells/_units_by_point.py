"""Numbers with the unit of their point behind them, in one column for points of several kinds."""

from __future__ import annotations

import polars as pl

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._texts import CELL, Texts, by_name, of
from citytune.readers.cells._units import UNIT_COLUMNS, unit_of
from citytune.readers.cells._vocabulary import plain_name

UNIT = "unit"
MOST_POINTS = 5_000
_BEHIND = (
    r"^\s*[+-]?\d[\d.,' ]*?\s?((?:[Dd]eg(?:rees)?\.? )?[A-Za-zµμ°%][A-Za-z0-9µμ°/³^.%]{0,9})\s*$"
)


def with_units_of_points(texts: Texts, findings: Findings) -> Texts:
    """Units in a column of their own, where another column tells the unit of each row.

    So control systems of buildings export: 67.3 deg F of one point, 35.1 kW of the next.
    """
    names = texts.said["name"].unique(maintain_order=True).to_list()
    if any(plain_name(name) in UNIT_COLUMNS for name in texts.rows.columns):
        return texts
    heads = by_name(texts.first(50), CELL.str.extract(_BEHIND, 1).unique()).rows()
    for name in [name for name, units in heads if None not in units and all(map(unit_of, units))]:
        unit = pl.col(name).str.extract(_BEHIND, 1)
        cells = of(texts.said, [name])["cell"]
        said = cells.str.extract(_BEHIND, 1).drop_nulls().unique().sort().to_list()
        if len(said) < 2 or not all(map(unit_of, said)):
            continue
        others = [one for one in names if one != name]
        if not any(_tells(texts.rows, one, unit) for one in others):
            continue
        findings.note(
            "units-of-points",
            f"column {name!r} writes the unit of each point behind its numbers: "
            f"{listed(said, quoted=True)}",
            "the units were read as a column of their own",
            count=len(said),
        )
        number = pl.col(name).str.extract(r"^\s*([+-]?\d[\d.,' ]*)", 1).str.strip_chars()
        bare = pl.when(unit.is_not_null()).then(number).otherwise(pl.col(name)).alias(name)
        return texts.changed([bare, unit.alias(UNIT)])
    return texts


def _tells(rows: pl.DataFrame, name: str, unit: pl.Expr) -> bool:
    """Whether each of some cells of a column always stands next to one unit."""
    found = rows.select(pl.col(name).alias("of"), unit.alias("unit")).drop_nulls().unique()
    points = found["of"].n_unique()
    return 1 < points <= MOST_POINTS and len(found) == points < len(rows) / 3
