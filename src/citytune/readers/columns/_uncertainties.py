"""Columns that say how sure the readings of another column are: errors, spreads and bounds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from citytune.readers.cells._vocabulary import tokens
from citytune.readers.columns._measures import words_of

_SIGN = re.compile(r"±|\+/?[-−]")
"""Between a reading and its error, and in the name of the column that holds it."""
_WORDS = frozenset(words_of("""
err error errors sd std stddev stdev stderr sem sigma unc uncert uncertainty rmse deviation
abweichung fehler unsicherheit messunsicherheit standardabweichung standardfehler incertitude
incertezza incertidumbre incerteza onzekerheid standaardafwijking ecart erreur errore
"""))  # fmt: skip
_AFFIXES = frozenset(words_of("sd sem unc sigma ecart rmse deviation"))
"""Those that alone may be something else, such as the code of a state."""
_FURTHER = frozenset(words_of("standard dev rel abs relative absolute expanded combined type"))
"""Words that stand next to those."""
_LOWER = frozenset(words_of("lower low lo min minimum lwr lcl lb p5 p05 p10 q05 q10 q25"))
_UPPER = frozenset(words_of("upper high hi max maximum upr ucl ub p95 p90 q95 q90 q75"))


def without_uncertainties(names: Sequence[str]) -> list[str]:
    """Columns without the errors of others, and without the bounds around them.

    >>> without_uncertainties(["x1", "x1_err", "y1", "y1_err"]), without_uncertainties(["error"])
    (['x1', 'y1'], ['error'])
    >>> without_uncertainties(["NO2", "NO2 standard deviation", "±"])
    ['NO2']
    >>> without_uncertainties(["NV", "SD", "TX"])
    ['NV', 'SD', 'TX']
    >>> without_uncertainties(["flow", "flow_lower", "flow_upper", "low road"])
    ['flow', 'low road']
    """
    of = {name: _of(name) for name in names}
    bare = {tuple(tokens(name)) for name in names if of[name] is None}
    kept = [name for name in names if of[name] is None or not _stands_by(of[name] or (), bare)]
    bounds = _bounds(kept, bare)
    return [name for name in kept if name not in bounds]


def _of(name: str) -> tuple[str, ...] | None:
    """The words of the column whose error a name says; None if it says none."""
    words = tokens(name)
    if not (_SIGN.search(name) or _WORDS & {*words}):
        return None
    rest = tuple(word for word in words if word and word not in _WORDS | _FURTHER)
    return rest if rest or not {*words} <= _AFFIXES | _FURTHER else None


def _stands_by(words: tuple[str, ...], bare: set[tuple[str, ...]]) -> bool:
    """Whether there is a column of such words, or any where an error names none."""
    return bool(bare) and (not words or words in bare)


def _bounds(names: Sequence[str], bare: set[tuple[str, ...]]) -> set[str]:
    """Columns that are called as another one and lower or upper, if it has both."""
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        words = tokens(name)
        for side in (_LOWER, _UPPER):
            rest = tuple(word for word in words if word not in side)
            if len(rest) == len(words) - 1 and rest in bare:
                found.setdefault(rest, {})["upper" if side is _UPPER else "lower"] = name
    return {name for sides in found.values() if len(sides) == 2 for name in sides.values()}
