"""Hours of a day written as spans, whatever words stand around them: "De 0 a 1 h", "0700-0800".

One such cell tells little; all of them together, each an hour and the next one, tell the day.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

FEWEST = 6
"""Spans from which minutes or halves of the day tell that they are times; bare hours need all."""
DAY = 24
_AT = r"(?:(\d{1,2})[.:hH]?(\d{2})|(\d{1,2}))\s?(?:h|:)?\s?(?:([ap])\.?m\.?)?"
_SPAN = re.compile(rf"^(?P<before>\D*?){_AT}(?P<between>\D+){_AT}(?P<behind>\D*)$", re.IGNORECASE)


def span_in(cell: str) -> tuple[int, int] | None:
    """Begin and end in hours of a span of one hour, and nothing else in numbers.

    >>> span_in("De 0 a 1 h"), span_in("2300-0000"), span_in("11am-12pm"), span_in("km 3 to 5")
    ((0, 1), (23, 0), (11, 12), None)
    """
    found = _SPAN.match(cell.strip())
    if found is None:
        return None
    _, h1, m1, bare1, half1, _, h2, m2, bare2, half2, _ = found.groups()
    if (m1 or "00") != "00" or (m2 or "00") != "00":
        return None
    begin, end = _hour(h1 or bare1, half1), _hour(h2 or bare2, half2)
    return (begin, end) if begin < DAY and end <= DAY and (end - begin) % DAY == 1 else None


def _hour(digits: str, half: str | None) -> int:
    return int(digits) % 12 + 12 * (half.lower() == "p") if half else int(digits)


def are_spans_of_a_day(cells: Sequence[str]) -> bool:
    """Whether nearly all distinct cells are hours and the next ones, in one notation.

    >>> are_spans_of_a_day([f"{h:02d}.00-{h + 1:02d}.00" for h in range(7, 19)])
    True
    >>> are_spans_of_a_day([f"km {n} a {n + 1}" for n in range(8)])
    False
    """
    found = {cell: span for cell in cells if (span := span_in(cell))}
    begins = {begin for begin, _ in found.values()}
    if len(cells) - len(found) > 1 or len(begins) < max(FEWEST, len(found)):
        return False
    if len({_words(cell) for cell in found}) > 1:
        return False
    timed = all(re.search(r"\d{3}|\d[.:]\d|\d\s?[ap]\.?m", cell.lower()) for cell in found)
    return len(begins) == DAY or (timed and max(begins) - min(begins) == len(begins) - 1)


def _words(cell: str) -> str:
    """What stands around the numbers, without the halves of the day."""
    return re.sub(r"[\d\s]|[ap]\.?m\.?", "", cell.lower())


def begin_of_spans(column: pl.Expr) -> pl.Expr:
    """The begin of each span as text such as 7:00 or 7:00 pm; other cells as they are."""
    at = r"\d{1,2}[.:hH]?(?:\d{2})?\s?(?:h|:)?\s?(?:[ap]\.?m\.?)?"
    timed = rf"(?i)^\D*?(\d{{1,2}})[.:h]?(\d{{2}})\s?([ap]m)?\D+{at}\D*$"
    bare = rf"(?i)^\D*?(\d{{1,2}})\s?h?\s?([ap]m)?\D+{at}\D*$"
    text = column.cast(pl.String).str.strip_chars()
    found = pl.when(text.str.contains(timed)).then(text.str.replace(timed, "${1}:${2} ${3}"))
    return found.otherwise(text.str.replace(bare, "${1}:00 ${2}")).str.strip_chars()
