"""Times of the day that are numbers with decimals: 0.25 of a day, 6.5 hours, 23.45 for 23:45.

Which of them follows from the numbers: read rightly, they follow one another in one step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

DAY = 86_400
PERIOD_COUNTS = (24, 48, 72, 96, 144, 288)
"""Numbers of equal periods that a day is counted in."""
_FEWEST_DECIMAL_TIMES = 6
"""Times of a day whose step tells how they are written."""


@dataclass(frozen=True)
class ClockTimes:
    """How to compute the seconds since midnight of each row."""

    seconds: pl.Expr
    """Int64; null where the cell is no time of the day."""
    words: str
    """What the cells were taken as."""
    ends: bool = False
    """Whether they name the end of an interval."""
    counted: int = 0
    """Length in s of the periods that are counted from midnight; a day of summer time has more or
    fewer of them."""
    from_one: bool = False
    """Whether they number intervals from 1, so that `seconds` is the begin of each already."""


def decimal_times(number: pl.Expr, written: NDArray[np.float64]) -> ClockTimes | None:
    """How numbers with decimals write times of the day; None if they do not.

    Args:
        number: The numbers of a column.
        written: Each of them once, in order.
    """
    if len(written) < _FEWEST_DECIMAL_TIMES or written[0] < 0 or written[-1] > 24:
        return None
    part = (number * DAY / 60).round() * 60
    hours = (number * 60).round() * 60
    minutes = number.floor() * 3600 + ((number % 1) * 100).round() * 60
    found = [
        ("parts of a day, as spreadsheets count them", written * DAY, part),
        ("hours with decimals", written * 3600, hours),
        ("hours and minutes with a point between them",
         np.floor(written) * 3600 + np.rint(written % 1 * 100) * 60, minutes),
    ]  # fmt: skip
    for words, seconds, expression in found if written[-1] <= 1 else found[1:]:
        if _follow(seconds, expression is part):
            return ClockTimes(expression.cast(pl.Int64), words, ends=bool(written[-1] in (1, 24)))
    return None


def _follow(seconds: NDArray[np.float64], rounded: bool) -> bool:
    """Whether times are whole minutes in one step that fills the day.

    Of parts of a day four decimals are kept at the least, which tell it to 5 s.
    """
    whole = np.rint(seconds / 60) * 60
    steps = np.unique(np.diff(whole))
    return (
        bool((np.abs(seconds - whole) < (5 if rounded else 2)).all())
        and len(steps) == 1
        and len(seconds) == DAY // steps[0]
    )
