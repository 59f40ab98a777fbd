"""Say how errors compare, how coverage turned out, and lay out small tables."""

from __future__ import annotations

import math
from collections.abc import Iterable

from citytune._text import capital, percent

SAME_ERROR = 0.01
"""Errors closer than this share of each other are called the same."""
TOO_NARROW, TOO_WIDE = 0.86, 0.94
"""Coverage of 90 % intervals between these is about right for a test of two weeks."""


def judge_error(saved: float) -> str:
    """Whether an error is lower than another: "good", "same" or "bad"; "unknown" for NaN."""
    if not math.isfinite(saved):
        return "unknown"
    return "same" if abs(saved) < SAME_ERROR else "good" if saved > 0 else "bad"


def error_change(saved: float) -> str:
    """How one error compares with another, without saying whose.

    >>> error_change(0.31), error_change(0.001), error_change(-0.07), error_change(float("nan"))
    ('31 % lower error', 'about the same error', '7 % higher error', '–')
    """
    match judge_error(saved):
        case "unknown":
            return "–"
        case "same":
            return "about the same error"
    return f"{percent(abs(saved))} {'lower' if saved > 0 else 'higher'} error"


def compared(saved: float, name: str) -> str:
    """One comparison of errors, whichever way it went.

    >>> compared(0.31, "last week's values"), compared(0.002, "last week's values")
    ("31 % lower error than last week's values", "about the same error as last week's values")
    """
    return f"{error_change(saved)} {'as' if judge_error(saved) == 'same' else 'than'} {name}"


def judge_coverage(coverage: float) -> str:
    """Whether 90 % intervals covered enough: "good", "same" (too wide), "bad" or "unknown"."""
    if not math.isfinite(coverage):
        return "unknown"
    return "bad" if coverage < TOO_NARROW else "same" if coverage > TOO_WIDE else "good"


def describe_coverage(coverage: float) -> str:
    """How often the 90 % intervals contained the measurement, and what to make of it.

    >>> describe_coverage(0.91)
    'The 90 % intervals contained 91 % of the measurements, about as many as they should.'
    """
    found = f"The 90 % intervals contained {percent(coverage)} of the measurements"
    match judge_coverage(coverage):
        case "good":
            return f"{found}, about as many as they should."
        case "bad":
            return f"{found}: they are too narrow, so allow for more than they show."
    return f"{found}: they are wider than they need to be."


def table(rows: list[list[str]]) -> list[str]:
    """Lines of a table with aligned columns, the first one to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def as_sentences(notes: Iterable[str]) -> list[str]:
    """Notes with a capital letter and a full stop.

    >>> as_sentences(["scored on the last 28 days"])
    ['Scored on the last 28 days.']
    """
    return [f"{capital(note).removesuffix('.')}." for note in notes]
