"""Times of the day in a notation that is not known, which would be taken for names of sensors."""

from __future__ import annotations

import re
from collections.abc import Sequence

from citytune.readers.cells._columns import Column, Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._time_words import CLOCK_TIME
from citytune.readers.cells._vocabulary import plain_name
from citytune.readers.times._time_columns import WHOLE_DAYS

_TIME = re.compile(r"(?<!\d)\d{1,2} ?([:.hH] ?[0-5]\d(?!\d)|[時时시点點])")
_FEWEST_HOURS_AS_NAMES = 6
"""Times of a day that are more than parts of it, such as the morning peak."""


def refuse_hours_as_names(
    time: tuple[str, ...], sensor: tuple[str, ...], columns: Columns, findings: Findings
) -> None:
    """Add an error if rows of one date are told apart by what looks like times of the day."""
    if len(time) != 1 or not columns.by_name[time[0]].date:
        return
    for name in filter(lambda name: _holds_times(columns.by_name[name]), sensor):
        findings.error(
            "no-time-of-day",
            f"the rows of each date in {time[0]!r} are told apart by {name!r}, whose cells, such "
            f"as {str(columns.by_name[name].cells[0])!r}, look like times of the day in a notation "
            "that is not known",
            f"write them as 14:30, or pass sensor={name!r} if they are names",
        )


def _holds_times(column: Column) -> bool:
    """Whether cells look like times of the day, or numbers are called so."""
    cells = [str(cell) for cell in column.cells]
    if len(cells) < _FEWEST_HOURS_AS_NAMES:
        return False
    named = plain_name(column.name) in CLOCK_TIME and all(re.search(r"\d", c) for c in cells)
    return named or _count_a_day(cells) or (column.kind == "text" and all(map(_TIME.search, cells)))


def _count_a_day(cells: Sequence[str]) -> bool:
    """Whether cells are one word with the numbers of all hours, halves or quarters of a day.

    >>> _count_a_day([f"Hour-{n:02d}" for n in range(24)]), _count_a_day(["P1", "P2"])
    (True, False)
    """
    found = [re.fullmatch(r"(\D*)(\d{1,2})(\D*)", cell) for cell in cells]
    numbers = sorted(int(one[2]) for one in found if one)
    words = {(one[1], one[3]) for one in found if one}
    whole = len(numbers) == len(cells) and len(cells) in WHOLE_DAYS and len(words) == 1
    return whole and numbers in ([*range(len(cells))], [*range(1, len(cells) + 1)])
