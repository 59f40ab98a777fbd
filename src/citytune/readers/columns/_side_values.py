"""Columns that are computed from another one: indices of air quality, extremes, errors."""

from __future__ import annotations

import re
from collections.abc import Sequence

from citytune.readers.cells._vocabulary import plain_name, target_rank, tokens
from citytune.readers.columns._measures import MEANS, without_statistics
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
