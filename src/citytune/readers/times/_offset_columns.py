"""Columns of numbers that say how far each local time is ahead of UTC: 1, +0100, 60 or 3600."""

from __future__ import annotations

import math

import polars as pl

from citytune.readers.cells._columns import Column
from citytune.readers.cells._vocabulary import plain_name, tokens
from citytune.readers.cells._zone_names import OFFSET_NAMES

_PLACES = frozenset(["utc", "gmt", "tz", "timezone", "zone", "zeitzone"])
_DISTANCES = frozenset(["offset", "diff", "difference", "delta", "shift", "versatz", "decalage"])
_ALONE = frozenset(
    ["tz", "tzoffset", "zeitzone", "zeitverschiebung", "time_zone", "timezone", "tz_hours",
     "fuso_horario", "huso_horario", "fuseau_horaire", "tidszone", "tijdzone"]
)  # fmt: skip
_BARE = frozenset(
    ["offset", "offset_h", "offset_hours", "offset_min", "offset_minutes", "offset_s"]
)
_UNITS = {1: 3600, 60: 60, 100: 0, 3600: 1}
"""Difference of the offsets of summer and winter → seconds of a number; 0 if they spell HHMM."""
_CLOCK = r"^\s*[+]?(\d{1,2}):([0-5]\d)(?::00)?\s*$"
OFFSET_HOURS = (-12, 14)
MOST_OFFSETS = 40
"""Distinct offsets."""


def offset_seconds(column: Column) -> dict[str, int]:
    """Cell → seconds ahead of UTC, of a column whose name and numbers say such; else nothing."""
    name = plain_name(column.name)
    words = {*tokens(column.name)}
    sure = name in OFFSET_NAMES | _ALONE or bool(words & _PLACES and words & _DISTANCES)
    bare = name in _BARE or words == {"offset"}
    if not (sure or bare) or column.kind not in ("number", "clock") or not len(column.cells):
        return {}
    found = _of_clocks(column) if column.kind == "clock" else _of_numbers(column)
    ahead = sorted({*found.values()})
    legal = all(
        OFFSET_HOURS[0] * 3600 <= one <= OFFSET_HOURS[1] * 3600 and one % 900 == 0 for one in ahead
    )
    changes = len(ahead) == 2 and ahead[1] - ahead[0] == 3600
    return found if legal and (sure or changes) else {}


def _of_numbers(column: Column) -> dict[str, int]:
    texts = column.cells.cast(pl.String)
    numbers = texts.str.strip_chars().str.replace("−", "-").cast(pl.Float64, strict=False)
    if numbers.null_count() or len(numbers) > MOST_OFFSETS or not numbers.is_finite().all():
        return {}
    size = _size([*numbers])
    if size is None:
        return {}
    return {
        text: _of_digits(round(number)) if size == 0 else round(number * size)
        for text, number in zip(texts, numbers, strict=True)
    }


def _size(numbers: list[float]) -> int | None:
    """Seconds of a number, 0 for HHMM; None if nothing tells.

    >>> _size([1, 2]), _size([60, 120]), _size([100, 200]), _size([-18000, -14400]), _size([-5])
    (3600, 60, 0, 1, 3600)
    """
    largest = max(map(abs, numbers))
    if largest <= OFFSET_HOURS[1]:
        return 3600
    if any(number != round(number) for number in numbers):
        return None
    gap = math.gcd(*(round(one - numbers[0]) for one in numbers))
    if gap in _UNITS:
        return _UNITS[gap]
    if largest >= 3600:
        return 1
    spelt = all(abs(number) % 100 in (0, 30, 45) for number in numbers)
    minutes = all(number % 15 == 0 for number in numbers) and largest <= 60 * OFFSET_HOURS[1]
    return None if spelt == minutes else 0 if spelt else 60


def _of_digits(number: int) -> int:
    size = abs(number) // 100 * 3600 + abs(number) % 100 * 60
    return -size if number < 0 else size


def _of_clocks(column: Column) -> dict[str, int]:
    cells = column.cells.cast(pl.String)
    hours, minutes = (cells.str.extract(_CLOCK, i).cast(pl.Int64) for i in (1, 2))
    seconds = hours * 3600 + minutes * 60
    return {} if seconds.null_count() else dict(zip(cells, seconds, strict=True))
