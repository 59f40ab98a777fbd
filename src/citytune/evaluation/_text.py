"""Write counts, cells, tables and comparisons as a person would."""

from __future__ import annotations

import math

SAME = 0.01
"""Errors closer than this share of each other are called the same."""


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "forecast"), count(1200, "forecast")
    ('1 forecast', '1,200 forecasts')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def cell(value: float) -> str:
    """Four digits that matter, a dash for what is not known.

    >>> cell(1234.5), cell(0.0123), cell(0), cell(float("nan"))
    ('1,234', '0.01230', '0', '–')
    """
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    places = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(places, 6)}f}"


def percent(share: float) -> str:
    """A share in per cent, a dash for what is not known.

    >>> percent(0.314), percent(0.004), percent(float("nan"))
    ('31 %', '0.4 %', '–')
    """
    if not math.isfinite(share):
        return "–"
    text = f"{100 * share:.1f} %" if 0 < abs(share) < 0.0095 else f"{100 * share:.0f} %"
    return text.replace("-", "−")


def beside(saved: float, name: str) -> str:
    """One comparison of errors, whichever way it went.

    >>> beside(0.31, "last week's values"), beside(0.002, "last week's values")
    ("31 % less error than last week's values", "as much error as last week's values")
    """
    if abs(saved) < SAME:
        return f"as much error as {name}"
    return f"{100 * abs(saved):.0f} % {'less' if saved > 0 else 'more'} error than {name}"


def change(saved: float) -> str:
    """How an error changed, in per cent.

    >>> change(0.104), change(-0.021), change(0.0001)
    ('−10.4 %', '+2.1 %', '0 %')
    """
    return f"{-100 * saved:+.1f} %".replace("-", "−") if abs(saved) >= 0.0005 else "0 %"


def table(rows: list[list[str]]) -> list[str]:
    """Lines of a table whose columns stand under each other, the first to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
