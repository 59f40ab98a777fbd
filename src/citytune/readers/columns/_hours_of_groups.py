"""Hours or quarters across that stand in groups: 24 columns a lane, or four for each hour's row."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import polars as pl

from citytune._text import listed
from citytune.readers.cells._columns import look_at
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._time_words import CLOCK_TIME
from citytune.readers.cells._vocabulary import plain_name
from citytune.readers.columns._folded import PART, VALUE, Folded, number_of

GROUP = "sensor"
"""Column of what the groups of columns are called."""
FEWEST = 20
"""Columns of a group, from which they are the times of a day."""
PARTS = (4, 6, 12)
"""Numbers of parts of an hour that stand side by side."""
_LAST = re.compile(r"^(?P<group>.*[^\s_|/-])[\s_|/]+(?P<time>\S+)$")
_FIRST = re.compile(r"^(?P<time>\S+)[\s_|/]+(?P<group>.*\S)$")
_PART = re.compile(
    r"^(?:min|minute|minutos?|m)?[\s_.:]*(?P<begin>\d{1,2})(?:\s*[-–]\s*:?(?P<end>\d{1,2}))?"
    r"\s*(?:min\w*|'|m)?$",
    re.IGNORECASE,
)


def with_groups_in_rows(
    table: SourceTable, fold: Callable[[tuple[str, ...]], Folded | None], findings: Findings
) -> SourceTable:
    """A row for each group of columns, where several groups each hold the times of a day.

    Args:
        table: With columns such as "Lane 1 0-1" to "Lane 1 23-24" and "Lane 2 0-1", or the
            other way round.
        fold: Tells names that are times of a day.
        findings: Told what was taken apart.
    """
    for form in (_LAST, _FIRST):
        groups: dict[str, dict[str, str]] = {}
        for name in table.schema:
            if found := form.match(name.strip()):
                groups.setdefault(found["group"], {})[name] = found["time"]
        groups = {group: names for group, names in groups.items() if len(names) >= FEWEST}
        times = {(*names.values(),) for names in groups.values()}
        if len(groups) < 2 or len(times) != 1 or fold(times.pop()) is None:
            continue
        used = {name for names in groups.values() for name in names}
        rest = [name for name in table.schema if name not in used]
        if GROUP in rest or not any(look_at(table, name).date for name in rest):
            continue
        findings.note(
            "unfolded",
            f"the times of a day stand {len(groups)} times side by side, for "
            f"{listed([*groups], 3, quoted=True)}",
            "each was read as a sensor",
            count=len(groups),
        )
        parts = [
            table.rows.select(
                *rest,
                pl.lit(group).alias(GROUP),
                *(number_of(table, name).alias(time) for name, time in names.items()),
            )
            for group, names in groups.items()
        ]
        return table.with_rows(pl.concat(parts))
    return table


def with_parts_in_rows(table: SourceTable, findings: Findings) -> SourceTable:
    """A row for each part of an hour, where the parts of each row's hour stand side by side."""
    names = _parts_of_hours([*table.schema])
    rest = [name for name in table.schema if name not in names]
    if not names or not _are_hours(table, rest):
        return table
    minutes = 60 // len(names)
    findings.note(
        "unfolded",
        f"each row is an hour, and {listed(names, quoted=True)} are its parts of {minutes} minutes",
        f"they were read as {len(names)} rows each",
        count=len(names),
    )
    parts = [
        table.rows.select(
            *rest, pl.lit(i * minutes).alias(PART), number_of(table, name).alias(VALUE)
        )
        for i, name in enumerate(names)
    ]
    return table.with_rows(pl.concat(parts))


def _parts_of_hours(names: Sequence[str]) -> list[str]:
    """Consecutive names that are the minutes at which all parts of an hour begin, or end.

    >>> _parts_of_hours(["day", "hour", ":00", ":15", ":30", ":45", "total"])
    [':00', ':15', ':30', ':45']
    >>> _parts_of_hours(["15", "30", "45", "60"]), _parts_of_hours(["00-15", "15-30", "30-60"])
    (['15', '30', '45', '60'], [])
    """
    found = {name: one for name in names if (one := _PART.match(name.strip()))}
    if len(found) not in PARTS:
        return []
    step = 60 // len(found)
    begins = [int(one["begin"]) for one in found.values()]
    ends = [int(one["end"] or 60) % 60 for one in found.values()]
    ranges = any(one["end"] for one in found.values())
    due = [i * step for i in range(len(found))]
    if ranges:
        fits = begins == due and [*ends[:-1], ends[-1] or 60] in (
            [*due[1:], 60], [at + step - 1 for at in due],
        )  # fmt: skip
    else:
        fits = begins in (due, [at + step for at in due])
    return [*found] if fits else []


def _are_hours(table: SourceTable, rest: Sequence[str]) -> bool:
    """Whether other columns say a date and an hour, or both in one."""
    looked = [look_at(table, name) for name in rest]
    moments = [one for one in looked if one.kind in ("moment", "range")]
    clocks = [
        one
        for one in looked
        if plain_name(one.name) in CLOCK_TIME and one.kind in ("number", "clock", "clock-range")
    ]
    return any(not one.date for one in moments) or bool(moments and clocks)
