"""Columns that are computed from another one: indices of air quality, extremes, errors."""

from __future__ import annotations

import re
from collections.abc import Sequence

from citytune.readers.cells._vocabulary import UNITS, plain_name, target_rank, tokens
from citytune.readers.columns._measures import MEANS, SAMPLES, STATISTICS
from citytune.readers.columns._uncertainties import without_uncertainties

_INDEX = re.compile(r"(^|_)((i|c|na|da)?aqi|aqhi|air_quality_index|(sub_?)index)(_|$)")
"""Names of what is computed from concentrations and has no unit."""
_READINGS = MEANS | {"concentration", "conc", "value", "measurement", "result", "reading"}
_ORDINAL = re.compile(r"\d+(st|nd|rd|th)")
_SAMPLES = re.compile(
    r"(^|_)(observations?|obs|samples?|messages?|records?|probes?|pings?)_"
    r"(count|percent|pct|number|num)$"
)
"""Names of how many readings a mean was made of."""
_MOVING = re.compile(
    r"(^|_)(movel|movil|mobile|moving|rolling|running|gleitend\w*|glissant\w*|kroczac\w*|"
    r"voortschrijdend\w*|glidande|glidende)(_|$)"
)
"""Names of means over some steps of another column."""
_EXTREMES = frozenset(["max", "maximum", "min", "minimum", "highest", "lowest"])


def without_side_values(names: Sequence[str]) -> list[str]:
    """Without what is computed from another of some columns of numbers.

    >>> without_side_values(["O3 Concentration", "Daily AQI Value"]), without_side_values(["AQI"])
    (['O3 Concentration'], ['AQI'])
    >>> without_side_values(["Arithmetic Mean", "1st Max Value"])
    ['Arithmetic Mean']
    >>> without_side_values(["Média Horária", "Média Móvel"])
    ['Média Horária']
    """
    rest = [n for n in names if not (is_index(n) or _SAMPLES.search(plain_name(n)))]
    kept = rest if any(map(_is_reading, rest)) else list(names)
    still = [name for name in kept if not _MOVING.search(plain_name(name))]
    kept = still if any(map(_is_reading, still)) else kept
    if any(MEANS & {*tokens(name)} for name in kept):
        kept = [name for name in kept if not _is_ordinal_extreme(name)]
    return without_uncertainties(without_statistics(kept))


def is_index(name: str) -> bool:
    """Whether a column holds an index of air quality, which has no unit."""
    return bool(_INDEX.search("_".join(tokens(name))))


def _is_reading(name: str) -> bool:
    return target_rank(name) is not None or bool(_READINGS & {*tokens(name)})


def _is_ordinal_extreme(name: str) -> bool:
    """Whether a name says first or fourth highest value of a day."""
    words = tokens(name)
    return bool(_EXTREMES & {*words}) and any(map(_ORDINAL.fullmatch, words))


def without_statistics(names: Sequence[str]) -> list[str]:
    """Without the lowest, highest and spread of what a column called mean is of, and their number.

    >>> without_statistics(["COUNT", "MEAN", "STDDEV", "MIN", "MAX"]), without_statistics(["min"])
    (['MEAN'], ['min'])
    >>> without_statistics(["A avg", "A min", "A max", "B min"])
    ['A avg', 'B min']
    """
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        words = tokens(name)
        said = [word for word in words if word in MEANS | STATISTICS]
        whole = plain_name(name) if plain_name(name) in STATISTICS else ""
        if len(said) == 1 or whole:
            of = (
                ()
                if whole
                else tuple(word for word in words if word not in said and word not in UNITS)
            )
            groups.setdefault(of, {})[name] = whole or said[0]
    beside = {
        name
        for group in groups.values()
        if MEANS & {*group.values()} and {*group.values()} - MEANS - SAMPLES
        for name, word in group.items()
        if word not in MEANS
    }
    return [name for name in names if name not in beside]
