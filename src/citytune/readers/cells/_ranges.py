"""Read a stretch of time in one cell: "01.10.2023 00:00 - 01.10.2023 01:00", "00:00-01:00"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

import polars as pl

from citytune.readers.cells._hour_spans import begin_of_spans

_GLUE = (
    r"\s*(?:/|\s-\s|\s–\s|\s—\s|\s+to\s+|\s+bis\s+|\s+a\s+|"
    r"(?<=\d)[-–~～〜](?=\d{1,2}:\d{2})|\s[~～〜]\s)\s*"
)
_SPLIT = re.compile(rf"^(?P<begin>.*?(?:[\d)]|\dZ|\d ?[AaPp][Mm])){_GLUE}(?P<end>\d.*)$")
_CLOCK = re.compile(r"^\d{1,2}[:.]\d{2}([:.]\d{2})?$")
_HOUR = "(?:Uhr|h|hrs?|[時时시点點])"
_HOURS = (
    r"^(\d{2})\s*[-–~～〜]\s*(\d{2})$",
    rf"^(\d{{1,2}}) ?{_HOUR}? ?[-–~～〜] ?(\d{{1,2}}) ?{_HOUR}$",
)
"""Hours from and to: 00-01, 9-10 Uhr, 0時～1時."""
_WITH_H = r"^(\d{1,2})[hH](\d{2})\s*(?:[-–]|à)\s*\d{1,2}[hH]\d{2}$"
"""Times as the French write them: 07h00-07h30."""
_PAIR = re.compile(r"^(\d{1,2})\s*[-–]\s*(\d{1,2})$")
BARE_HOUR = r"(\d{1,2}) ?(?:hrs?|hs|h|Uhr|uur)\.?"
FEWEST_HOURS = 6
"""Distinct hours from which numbers are seen to be hours from and to."""
_MOMENT = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*\d{1,2}[:.]?\d{2}")


def is_range(cell: str) -> bool:
    """Whether a cell holds a begin and an end.

    >>> is_range("00:00-01:00"), is_range("23 - 00"), is_range("1/2/2024"), is_range("10-12")
    (True, True, False, False)
    >>> is_range("07h00-07h30"), is_range("7h30")
    (True, False)
    >>> is_range("0時～1時"), is_range("9-10 Uhr"), is_range("00:00~01:00"), is_range("1-2")
    (True, True, True, False)
    """
    if hours := _hours(cell):
        return int(hours[2]) <= 24 and (int(hours[2]) - int(hours[1])) % 24 == 1
    found = _SPLIT.match(cell.strip())
    if found is None:
        return bool(re.match(_WITH_H, cell.strip()))
    begin, end = found["begin"], found["end"]
    clocks = bool(_CLOCK.match(begin) and _CLOCK.match(end))
    return clocks or bool(_MOMENT.search(begin) and (_MOMENT.search(end) or _CLOCK.match(end)))


def _hours(cell: str) -> re.Match[str] | None:
    return next(filter(None, (re.match(hours, cell.strip()) for hours in _HOURS)), None)


def are_hours(numbers: Iterable[float]) -> bool:
    """Whether whole numbers are hours and the next ones, two digits each: 0001, 0102, 2324.

    >>> are_hours([1, 102, 203, 1314, 2223, 2324]), are_hours([1, 102, 203, 1314, 2223, 2325])
    (True, False)
    """
    some = list(numbers)
    if not all(0 <= number <= 2400 for number in some):  # nor are those that are not finite
        return False
    pairs = [divmod(int(number), 100) for number in some]
    whole = all(0 <= low < 24 and high <= 24 and (high - low) % 24 == 1 for low, high in pairs)
    return whole and len({*pairs}) >= FEWEST_HOURS


def are_hour_pairs(cells: Sequence[str]) -> bool:
    """Whether cells are hours and the next ones of a whole day: 0-1, 1-2 to 23-24.

    >>> are_hour_pairs([f"{h}-{h + 1}" for h in range(24)]), are_hour_pairs(["0-1", "1-2"])
    (True, False)
    """
    pairs = [_PAIR.match(cell.strip()) for cell in cells[:25]]
    numbers = {(int(one[1]), int(one[2])) for one in pairs if one}
    return len(cells) == len(numbers) == 24 and numbers == {(hour, hour + 1) for hour in range(24)}


def are_bare_hours(cells: Sequence[str]) -> bool:
    """Whether cells are all hours of a day, each with a word for it: 0h, 1h to 23h.

    >>> are_bare_hours([f"{n}h" for n in range(24)]), are_bare_hours(["1h", "8h", "24h"])
    (True, False)
    """
    found = [re.fullmatch(BARE_HOUR, cell.strip()) for cell in cells[:26]]
    numbers = sorted(int(one[1]) for one in found if one)
    return len(cells) == len(numbers) and numbers in ([*range(24)], [*range(1, 25)])


def range_kind(cells: pl.Series) -> Literal["range", "clock-range"]:
    """Whether ranges name their days, or only times of the day."""
    if _hours(cells[0]) or re.match(_WITH_H, cells[0].strip()):
        return "clock-range"
    found = _SPLIT.match(cells[0].strip())
    assert found is not None, "asked only of ranges"
    return "clock-range" if _CLOCK.match(found["begin"]) else "range"


def begin_of_hours(column: pl.Expr) -> pl.Expr:
    """As `begin_of`, of a column of times of the day, in which 0-1 are hours."""
    text = begin_of(column).str.replace(_PAIR.pattern, "${1}:00")
    plain = text.str.contains(r"(?i)^\d{1,2}[:.h]\d{2}([:.]\d{2})?( ?[ap]\.?m\.?)?$")
    return pl.when(plain).then(text).otherwise(begin_of_spans(column))


def begin_of(column: pl.Expr) -> pl.Expr:
    """The text of the begin of each range; a cell that is none stays as it is."""
    text = column.cast(pl.String).str.strip_chars()
    for hours in _HOURS:
        text = text.str.replace(hours, "${1}:00")
    text = text.str.replace(_WITH_H, "${1}:${2}")
    for glue in (r"/", r"\s[-–—~～〜]\s", r"\s+to\s+", r"\s+bis\s+"):
        clock = r"\d{1,2}[:.]\d{2}([:.]\d{2})?(\.\d+)?(Z|[+-]\d{2}:?\d{2})?( [AaPp][Mm])?"
        clock += r"( \([A-Z]{3,4}\))?"
        text = text.str.replace(rf"^(.*{clock})\s*{glue}\s*\d.*$", "${1}")
    return text.str.replace(
        r"^(\d{1,2}[:.]\d{2}([:.]\d{2})?)\s*[-–~～〜]\s*\d{1,2}[:.]\d{2}.*$", "${1}"
    )
