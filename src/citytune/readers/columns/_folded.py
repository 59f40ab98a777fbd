"""Rows of the columns that each hold one time of the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._numbers import cells
from citytune.readers.cells._table import SourceTable

DAY = 86_400
VALUE, SECONDS, VALID = "value", "time of day", "valid"
PART = "minute of the hour"


@dataclass(frozen=True)
class Folded:
    """Columns that each hold one time of the day."""

    names: tuple[str, ...]
    seconds: tuple[int, ...]
    """Since midnight, of each one's begin."""
    ends: bool
    """Whether their names said the ends."""
    flags: tuple[str, ...] = ()
    """A column for each that tells whether its value is valid."""
    further: tuple[str, ...] = ()
    """Columns of the hour that comes twice in autumn, numbered on after the last."""
    doubled: Mapping[str, int] = field(default_factory=dict)
    """Columns of that hour with a mark → its begin, in seconds since midnight."""

    @property
    def step(self) -> int:
        """Seconds of each."""
        return self.seconds[1] - self.seconds[0]


def in_rows(table: SourceTable, folded: Folded, spare: set[str]) -> pl.LazyFrame:
    """A row for each time of the day, without the columns of `spare`."""
    used = {*folded.names, *folded.flags, *folded.further, *folded.doubled, *spare}
    kept = [name for name in table.schema if name not in used]
    flags = folded.flags or (None,) * len(folded.names)
    parts = []
    for name, seconds, flag in zip(folded.names, folded.seconds, flags, strict=True):
        extra = [] if flag is None else [pl.col(flag).cast(pl.String).alias(VALID)]
        parts.append(
            table.rows.select(
                *kept,
                pl.lit(seconds, pl.Int64).alias(SECONDS),
                number_of(table, name).alias(VALUE),
                *extra,
            )
        )
    parts += [_part(table, folded, kept, n, s).drop_nulls(VALUE) for n, s in folded.doubled.items()]
    if folded.further and _count_through(table, folded):
        return pl.concat([*parts, *_further(table, folded, kept)]).drop_nulls(VALUE)
    return pl.concat(parts)


def _count_through(table: SourceTable, folded: Folded) -> bool:
    """Whether the periods of a day are counted through a change of the clock.

    Those of the hour that comes twice are filled on a day or two of a year, and the hour that is
    skipped leaves the last columns empty rather than those of the night.
    """
    first, last = folded.further[0], folded.names[-1]
    count = table.rows.select(
        pl.len(),
        *(number_of(table, name).is_not_null().sum().alias(name) for name in (first, last)),
    )
    rows, long, usual = count.collect(engine="streaming").row(0)
    hour = max(1, 3600 // folded.step)
    night = folded.names[hour : 4 * hour]
    there = number_of(table, last).is_not_null() & pl.any_horizontal(
        number_of(table, name).is_null() for name in night
    )
    skipped = table.rows.select(there.sum()).collect(engine="streaming").item()
    return bool(long and long < usual <= rows and not skipped)


def _further(table: SourceTable, folded: Folded, kept: Sequence[str]) -> list[pl.LazyFrame]:
    """The rows of the periods after the last one of a usual day."""
    last = DAY - folded.step
    return [
        _part(table, folded, kept, name, last + (i + 1) * folded.step)
        for i, name in enumerate(folded.further)
    ]


def _part(
    table: SourceTable, folded: Folded, kept: Sequence[str], name: str, seconds: int
) -> pl.LazyFrame:
    """The rows of a column beyond the times of a usual day; 0 on one that is marked is no value."""
    number = number_of(table, name)
    return table.rows.select(
        *kept,
        pl.lit(seconds, pl.Int64).alias(SECONDS),
        (pl.when(number != 0.0).then(number) if name in folded.doubled else number).alias(VALUE),
        *([pl.lit(None, pl.String).alias(VALID)] if folded.flags else []),
    )


def counted_through(table: SourceTable) -> int:
    """Seconds of the unfolded periods, if they are counted beyond a day's; else 0."""
    times = table.rows.select(pl.col(SECONDS).unique().sort()).collect(engine="streaming")
    found = times.to_series().to_list()
    return found[1] - found[0] if len(found) > 1 and found[-1] >= DAY else 0


def number_of(table: SourceTable, name: str) -> pl.Expr:
    """A column as numbers, whatever its notation; null where a cell is none."""
    if table.schema[name] == pl.String:
        return cells(name, name in table.commas).number
    return pl.col(name).cast(pl.Float64, strict=False)


def of_days(names: Sequence[str], findings: Findings) -> list[str]:
    """The numbers of the times across, which are read; what stands next to them is said."""
    rest = [name for name in names if name != VALUE]
    if rest:
        findings.warn(
            "next-to-times",
            f"{listed(rest, quoted=True)} stand next to the columns of times",
            "not read: totals of each row, or what was counted before and after those times",
            count=len(rest),
        )
    return [VALUE]
