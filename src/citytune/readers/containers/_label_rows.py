"""Tell rows of labels from rows of data: their cells are of another kind than those below."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from citytune.readers.cells._numbers import NUMBER_LIKE, is_missing
from citytune.readers.cells._time_words import DATE_PARTS, DAY_OF_YEAR

MOST_NOTES = 3
"""Fields of a header beyond those of most rows."""
MOST_CELLS = 40_000
"""Of the head, by which labels are told from data."""
TIME_LIKE = re.compile(
    r"^\W*([^\W\d]{2,10}\.?,? )?"
    r"((19|20)\d\d[-/]\d{1,2}([-/.]\d|$)|(19|20)\d\d\.\d{1,2}\.\d|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\b|"
    r"\d{1,2}\.?[- ][^\W\d_]{3,13}[- ]\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4}|\d{1,2}:\d{2})"
)
_DATES = frozenset(word for words in (*DATE_PARTS, DAY_OF_YEAR) for word in words)


class Row(NamedTuple):
    """A row of the head, and the line of the file on which it begins."""

    cells: list[str]
    line: int


def with_notes(rows: list[Row], width: int) -> tuple[list[Row], int]:
    """Rows as wide as their header, where it has more fields than they: notes stand by the first.

    Else those that are wider would be lost without a word.
    """
    body = [row.cells for row in rows if len(row.cells) == width]
    kinds = [_kind([row[i] for row in body[-200:]]) for i in range(width)]
    if not {*kinds} & {"time", "number"}:
        return rows, width
    for i, row in enumerate(rows[:-1]):
        more = len(row.cells)
        if width < more <= width + MOST_NOTES:
            rest = rows[i + 1 :]
            data = all(len(one.cells) in (width, more) for one in rest[: len(rest) // 2])
            named = all(cell.strip() for cell in row.cells[:width])
            if data and named and _is_label(row.cells, kinds) \
                    and not _is_label(rest[0].cells, kinds):  # fmt: skip
                full = [one._replace(cells=one.cells + [""] * (more - len(one.cells)))
                        if len(one.cells) == width else one for one in rest]  # fmt: skip
                return [*rows[: i + 1], *full], more
    return rows, width


def label_rows(rows: Sequence[Sequence[str]]) -> int:
    """How many of the first rows hold labels: cells of another kind than those of their column."""
    width = len(rows[0])
    below = rows[min(len(rows) // 2, 5) :][: max(20, min(200, MOST_CELLS // width))]
    kinds = [_kind([row[i] for row in below]) for i in range(width)]
    count = 0
    for row in rows[: min(8, max(1, len(rows) - 1))]:
        if not _is_label(row, kinds):
            break
        count += 1
    return count


def _kind(cells: Sequence[str]) -> str:
    present = [cell for cell in cells if not is_missing(cell)]
    if not present:
        return "empty"
    if sum(bool(TIME_LIKE.match(cell)) for cell in present) > 0.8 * len(present):
        return "time"
    if sum(bool(NUMBER_LIKE.match(cell)) for cell in present) > 0.8 * len(present):
        return "number"
    return "text"


def _is_label(row: Sequence[str], kinds: Sequence[str]) -> bool:
    """Whether times and numbers are wanting where the rows below have them."""
    strict = [i for i, kind in enumerate(kinds) if kind == "time"]
    if strict:
        wrong = [i for i in strict if row[i].strip() and not TIME_LIKE.match(row[i])]
        empty = [i for i in strict if not row[i].strip()]
        return bool(wrong) or (len(empty) == len(strict) and any(c.strip() for c in row))
    if _counts_up(row) or _is_row_of_dates(row, kinds):
        return True
    numbers = [i for i, kind in enumerate(kinds) if kind == "number" and row[i].strip()]
    wrong = [i for i in numbers if not (NUMBER_LIKE.match(row[i]) or is_missing(row[i]))]
    if not any(kind == "number" for kind in kinds):
        return not any(kind in ("time", "number") for kind in kinds)
    return (
        len(wrong) > len(numbers) / 2 or len(_DATES & {row[i].strip().lower() for i in wrong}) > 1
    )


def _is_row_of_dates(row: Sequence[str], kinds: Sequence[str]) -> bool:
    """Whether days stand above columns of numbers: the hours go down, the days across."""
    there = [i for i, kind in enumerate(kinds) if kind == "number" and row[i].strip()]
    dates = [i for i in there if TIME_LIKE.match(row[i])]
    return len(dates) > max(2, len(there) / 2)


def _counts_up(row: Sequence[str]) -> bool:
    """Whether cells are words, and then 1, 2, 3 … as columns are numbered."""
    numbers = [int(cell) for cell in row if cell.strip().isdecimal()]
    first = numbers[0] if numbers else -1
    enough = 12 <= len(numbers) < len(row)
    return enough and first in (0, 1) and numbers == [*range(first, first + len(numbers))]
