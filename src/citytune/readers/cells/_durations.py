"""Lengths of time that are written like a clock, such as 00:12:30: travel times and delays."""

from __future__ import annotations

import re
from collections.abc import Collection

import polars as pl

from citytune._text import listed
from citytune.readers.cells._columns import Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._texts import CELL, Texts, by_name
from citytune.readers.cells._vocabulary import plain_name

_CALLED = re.compile(
    r"(^|_)(durations?|delays?|(travel|journey|waiting|trip|dwell)_?times?|(reise|fahr|warte)zeit|"
    r"temps_de_parcours|tiempo_de_(viaje|recorrido)|reistijd)(_|$)"
)
_WRITTEN = r"^[+-]?\d{1,3}:[0-5]\d:[0-5]\d(\.\d+)?$"


def as_seconds(texts: Texts, findings: Findings) -> tuple[Texts, dict[str, str]]:
    """Hours, minutes and seconds as seconds, in columns that are called a duration; their units."""
    named = [name for name, kind in texts.rows.schema.items()
             if kind == pl.String and _CALLED.search(plain_name(name))]  # fmt: skip
    cells = by_name(texts.of(named), CELL.first(), sure=CELL.str.contains(_WRITTEN).all())
    found = dict(cells.filter("sure").select("name", "cell").rows())
    if not found:
        return texts, {}
    findings.note(
        "durations",
        f"{listed(list(found), quoted=True)} hold hours, minutes and seconds, such as "
        f"{next(iter(found.values()))!r}",
        "they were read in seconds",
        count=len(found),
    )
    return texts.changed([_seconds(name) for name in found]), dict.fromkeys(found, "s")


def _seconds(name: str) -> pl.Expr:
    hours, minutes, seconds = (
        pl.col(name).str.extract(r"^[+-]?(\d+):(\d+):([\d.]+)$", part).cast(pl.Float64)
        for part in (1, 2, 3)
    )
    sign = pl.when(pl.col(name).str.starts_with("-")).then(-1).otherwise(1)
    return (sign * (3600 * hours + 60 * minutes + seconds)).alias(name)


def refuse_clocks(
    columns: Columns, taken: Collection[str], asked: str | None, findings: Findings
) -> bool:
    """Say that the readings may be durations that are written like times of the day."""
    found = [
        (name, column.cells[0]) for name, column in columns.by_name.items()
        if column.kind == "clock" and name not in taken and asked in (None, name)
    ]  # fmt: skip
    for name, cell in found[:1]:
        findings.error(
            "no-numeric-target",
            f"column {name!r} holds times of the day or durations, such as '{cell}', not numbers",
            "write durations as a number of seconds or of minutes; those in hours, minutes and "
            "seconds (00:12:30) are read if the column is called duration or travel_time",
        )
    return bool(found)
