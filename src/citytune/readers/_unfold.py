"""Unfold a table that has a row for each day and a column for each time of it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import polars as pl

from citytune._errors import InputError
from citytune._text import listed
from citytune.readers._findings import Findings
from citytune.readers._numbers import cells
from citytune.readers._table import SourceTable

FEWEST = 20
"""Columns of times of the day from which they are unfolded."""
DAY = 86_400
VALUE, SECONDS, VALID = "value", "time of day", "valid"
_PLAIN = re.compile(r"^(?P<hour>\d{1,2})[:.h](?P<minute>\d{2})(:\d{2})?$")
_NUMBERED = re.compile(
    r"^(?P<word>h|he|hr|hour|hora|v|p|period|q|i|int|interval|hour ending|t|kl|he_|h_)?"
    r"[\s_.]*0*(?P<number>\d{1,3})(?P<half>[:.]?00|:30|\.5)?$",
    re.IGNORECASE,
)
_FLAG = re.compile(r"^(v|valid|flag|f|q|s|status)[\s_.]*0*(?P<number>\d{1,2})$", re.IGNORECASE)


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


def unfold(table: SourceTable, target: tuple[str, ...], findings: Findings) -> SourceTable:
    """The table with a row for each time of the day, if its columns are times of the day."""
    found = find_folded(tuple(table.schema))
    if found is None:
        return table
    if told := [name for name in target if name in found.names]:
        raise InputError(
            f"{table.name}: {told[0]!r} is one of {len(found.names)} columns that hold the times "
            "of a day, which are read together; leave it out of target="
        )
    findings.note(
        "unfolded",
        f"each row is a day, and {len(found.names)} columns "
        f"({listed(list(found.names), 2, quoted=True)}) are times of it",
        f"they were read as {len(found.names)} rows each",
        count=len(found.names),
    )
    return table.with_rows(_long(table, found))


def find_folded(names: tuple[str, ...]) -> Folded | None:
    """The columns that are times of the day: evenly spaced, and a day's worth of them.

    >>> find_folded(("day", *(f"H{i:02d}" for i in range(1, 25)))).seconds[:2]
    (0, 3600)
    """
    clocks = [(name, _clock(name)) for name in names]
    found = [(name, seconds) for name, seconds in clocks if seconds is not None]
    if len(found) >= FEWEST and (even := _even(found)):
        return even
    groups: dict[str, list[tuple[str, int]]] = {}
    for name in names:
        if match := _NUMBERED.match(name.strip()):
            groups.setdefault((match["word"] or "").lower(), []).append(
                (name, int(match["number"]))
            )
    fitting = [folded for group in groups.values() if (folded := _counted(group))]
    if not fitting:
        return None
    best = _readings_first(fitting)
    return _with_flags(best, names)


def _clock(name: str) -> int | None:
    match = _PLAIN.match(name.strip())
    if match is None or int(match["minute"]) > 59:
        return None
    return int(match["hour"]) * 3600 + int(match["minute"]) * 60


def _even(found: list[tuple[str, int]]) -> Folded | None:
    """Times such as 00:15 … 24:00 or 00:00 … 23:45."""
    names, seconds = zip(*found, strict=True)
    steps = {b - a for a, b in itertools.pairwise(seconds)}
    if len(steps) != 1 or (step := steps.pop()) <= 0 or abs(len(names) * step - DAY) > 3600:
        return None
    ends = seconds[-1] >= DAY
    begins = tuple(s - step for s in seconds) if ends else seconds
    return Folded(names, begins, ends)


def _counted(group: list[tuple[str, int]]) -> Folded | None:
    """Numbers such as 1 … 24 (25 on the long day) or 0 … 95."""
    names = tuple(name for name, _ in group)
    numbers = [number for _, number in group]
    first, count = numbers[0], len(numbers)
    if numbers != list(range(first, first + count)) or first not in (0, 1):
        return None
    usual = next((n for n in (24, 48, 96, 144, 288) if n <= count <= n + n // 24), None)
    if usual is None:
        return None
    step = DAY // usual
    return Folded(names[:usual], tuple(step * i for i in range(usual)), ends=first == 1)


def _readings_first(found: list[Folded]) -> Folded:
    """Of readings H01 … and flags V01 …, the readings; a V alone is a value."""
    flags = [one for one in found if _FLAG.match(one.names[0])]
    rest = [one for one in found if one not in flags]
    return (rest or flags)[0]


def _with_flags(folded: Folded, names: tuple[str, ...]) -> Folded:
    beside = [name for name in names if _FLAG.match(name.strip()) and name not in folded.names]
    if len(beside) < len(folded.names):
        return folded
    return Folded(folded.names, folded.seconds, folded.ends, tuple(beside[: len(folded.names)]))


def _long(table: SourceTable, folded: Folded) -> pl.LazyFrame:
    used = {*folded.names, *folded.flags}
    # A 25th hour, which has no place on a day of 24, would otherwise pass for a column of its own.
    spare = {n for n in table.schema if find_spare(n, folded)}
    kept = [name for name in table.schema if name not in used and name not in spare]
    flags = folded.flags or (None,) * len(folded.names)
    parts = []
    for name, seconds, flag in zip(folded.names, folded.seconds, flags, strict=True):
        extra = [] if flag is None else [pl.col(flag).cast(pl.String).alias(VALID)]
        parts.append(
            table.rows.select(
                *kept,
                pl.lit(seconds, pl.Int64).alias(SECONDS),
                _number(table, name).alias(VALUE),
                *extra,
            )
        )
    return pl.concat(parts)


def find_spare(name: str, folded: Folded) -> bool:
    """Whether a column is the further hour of the day on which the clock goes back."""
    one, other = _NUMBERED.match(name.strip()), _NUMBERED.match(folded.names[0].strip())
    return bool(
        one and other and name not in folded.names
        and (one["word"] or "").lower() == (other["word"] or "").lower()
        and int(one["number"]) > len(folded.names)
    )  # fmt: skip


def _number(table: SourceTable, name: str) -> pl.Expr:
    if table.schema[name] == pl.String:
        return cells(name, name in table.commas).number
    return pl.col(name).cast(pl.Float64, strict=False)
