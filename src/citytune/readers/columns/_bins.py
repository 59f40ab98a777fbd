"""Columns that are classes of one count, by speed or by length."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

_BIN = re.compile(
    r"[<>≤≥]=? ?\d+( ?[A-Za-z/]+)?|\d+([.,]\d+)? ?[-–] ?\d+([.,]\d+)?( ?[A-Za-z/]+)?|\d+ ?\+"
)
_BIN_BEHIND = re.compile(r"(?P<word>[A-Za-z][A-Za-z ._]*?)[ _]?(?P<low>\d+) ?[-–] ?(?P<high>\d+)")


def bins_of(names: Sequence[str]) -> list[str]:
    """Columns that are classes of one count by speed or length.

    >>> bins_of(["<30", "30-40", "40 - 50 km/h", "60+", "Vbar"]), bins_of(["1-2", "3-4"])
    (['<30', '30-40', '40 - 50 km/h', '60+'], [])
    """
    found = [name for name in names if _BIN.fullmatch(name)]
    return found if len(found) > 2 else []


def bins_behind_a_word(names: Sequence[str]) -> list[str]:
    """Those of which a word says what they are classes of, each from where another ends.

    >>> bins_behind_a_word(["Total", "Vbin 0-20", "Vbin 20-40", "Vbin 40-60", "Mean"])
    ['Vbin 0-20', 'Vbin 20-40', 'Vbin 40-60']
    """
    found = {name: match for name in names if (match := _BIN_BEHIND.fullmatch(name))}
    ends = [(match["word"], match["low"], match["high"]) for match in found.values()]
    joined = all(one[0] == next_[0] and one[2] == next_[1] for one, next_ in pairwise(ends))
    return [*found] if joined and len(found) > 2 else []
