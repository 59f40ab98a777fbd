"""Columns of a wide table whose names say different quantities: those of one quantity are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import polars as pl

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._vocabulary import PLACES, TARGETS, UNITS, plain_name, tokens
from citytune.readers.columns._kind_words import DOUBTFUL, KINDS

Groups = dict[str, list[str]]
MOST_VARIANTS = 4
"""Columns up to which one may be a variant of another."""
_QUALIFIERS = frozenset(
    ["incl", "including", "inkl", "inklusive", "excl", "excluding", "exkl", "ohne", "mit", "with",
     "without", "con", "sin", "avec", "sans", "raw", "corrected", "adjusted", "transmission",
     "gross", "brutto", "vcetne", "bez", "inclus", "incluso"]
)  # fmt: skip
"""Words by which a name says a version of another column."""
_FORECASTS = frozenset(["da", "forecast", "forecasted", "predicted", "pred", "prediction", "yhat",
                        "prognose", "prevision", "planned"])  # fmt: skip
_ACTUALS = frozenset(["rt", "actual", "real", "measured", "observed", "true", "ist"])
_CORRECTIONS = frozenset(["atm", "cf", "alt", "1", "est", "calibrated", "corrected", "raw"])
"""Words of how a sensor's particles were counted or corrected."""
COMPUTED = re.compile(
    "auflos|resolution|original|calculated|hourly|daily|values?$|wert|mean|average|avg|final|"
    "^(max|min|act)$"
)


def of_one_kind(
    table: SourceTable, names: Sequence[str], quantity: str | None, findings: Findings
) -> list[str]:
    """The columns of the likeliest quantity, where every name says one of several.

    If the person says the quantity, its columns are read, or all where only doubtful words differ.
    """
    groups = kinds_of(names)
    if len(groups) < 2:
        return list(names)
    if quantity:
        asked = [some for kind, some in groups.items() if _is(quantity, kind)]
        if asked or all(map(_is_doubtful, names)):
            return asked[0] if asked else list(names)
    counts = table.rows.select(pl.col(n).count() for n in names).collect(engine="streaming").row(0)
    filled = dict(zip(names, counts, strict=True))

    def likely(kind: str) -> tuple[bool, int]:
        half = max(filled[name] for name in groups[kind]) < max(counts) / 2
        return half, list(groups).index(kind)

    chosen, *others = sorted(groups, key=likely)
    rest = groups[others[0]]
    findings.warn(
        "several-quantities",
        f"the columns hold {len(groups)} quantities ({listed(list(groups))}); {chosen} was read",
        f"pass target={rest[0] if len(rest) == 1 else rest!r} for {others[0]}",
        count=len(groups),
    )
    return groups[chosen]


def kinds_of(names: Sequence[str]) -> Groups:
    """Quantity → columns, where every name says one and they differ; else nothing.

    >>> kinds_of(["Nord PM10", "Nord CO"]), kinds_of(["north", "gas works"])
    ({'PM10': ['Nord PM10'], 'CO': ['Nord CO']}, {})
    >>> kinds_of(["Gas Street", "Water Lane"])
    {}
    """
    found = _said_by(names)
    return {} if _are_places(found) else found


def kind_among(name: str, kind: str) -> str | None:
    """Which of the quantities next to `kind` a name says; None if none or several.

    >>> kind_among("Avg Speed", "flow"), kind_among("vol_total", "flow"), kind_among("x", "flow")
    ('speed', 'flow', None)
    """
    kinds = next(some for some in KINDS if kind in some)
    said = [one for one, words in kinds.items() if _says(name, words)]
    return said[0] if len(said) == 1 else None


def called_after_places(names: Sequence[str]) -> bool:
    """Whether words that seem to say quantities are those of places: Gas Street, Water Lane."""
    return _are_places(_said_by(names))


def _said_by(names: Sequence[str]) -> Groups:
    for kinds in KINDS:
        groups: Groups = {kind: [] for kind in kinds}
        unsaid = 0
        for name in names:
            said = _kinds_said(name, kinds)
            if len(said) > 1:
                break
            unsaid += not said
            if said:
                groups[said[0]].append(name)
        else:
            found = {kind: some for kind, some in groups.items() if some}
            if len(found) > 1 and (not unsaid or _outnumber(found, unsaid)):
                return found
    return {}


def _kinds_said(name: str, kinds: dict[str, str]) -> list[str]:
    """The quantities of a group that a name says, but for those that only qualify another."""
    said = [kind for kind, words in kinds.items() if _says(name, words)]
    if {"reactive power", "NOx"} & {*said}:  # nitrogen oxides as nitrogen dioxide
        return [kind for kind in said if kind in ("reactive power", "NOx")]
    return [kind for kind in said if kind != "grid"] or said  # import from the grid


def _outnumber(groups: Groups, unsaid: int) -> bool:
    """Whether so many columns say quantities that the few others tell nothing else."""
    several = all(len(some) > 1 for some in groups.values())
    known = [name for some in groups.values() for name in some]
    return several and 3 * unsaid <= len(known)


def _are_places(groups: Groups) -> bool:
    """Whether only doubtful words say a quantity, and no place has two of them.

    NO2 and speed are what they seem next to anything; Gas and Water are where both are measured.
    """
    if not groups or not all(_is_doubtful(name) for some in groups.values() for name in some):
        return False
    places = [{place_of(name) for name in some} for some in groups.values()]
    shared = {one for i, some in enumerate(places) for one in some & set().union(*places[:i])}
    return not any(one == () or set(one) - PLACES for one in shared)


def _is_doubtful(name: str) -> bool:
    said = [word for word in _said_words(name) if _is_kind(word)]
    return all(DOUBTFUL.fullmatch(word) for word in said)


def place_of(name: str) -> tuple[str, ...]:
    """What a name says apart from quantity, unit and how it was computed."""
    return tuple(
        word
        for word in tokens(name)
        if not (_is_kind(word) or word in TARGETS or word in UNITS or COMPUTED.search(word))
        and word != "total"
    )


def _is_kind(word: str) -> bool:
    return any(re.fullmatch(words, word) for kinds in KINDS for words in kinds.values())


def _is(quantity: str, kind: str) -> bool:
    words = next(kinds[kind] for kinds in KINDS if kind in kinds)
    return plain_name(quantity) == plain_name(kind) or _says(quantity, words)


def _says(name: str, words: str) -> bool:
    return any(re.fullmatch(words, word) for word in _said_words(name))


def _said_words(name: str) -> list[str]:
    """The words of a name, alone and in pairs, and a formula in brackets behind one: X (NO2)."""
    words = tokens(re.sub("</?su[bp]>", "", name))
    inside = [word for part in re.findall(r"\w ?\((\w+)\)", name) for word in tokens(part)]
    return [*words, *map("_".join, pairwise(words)), *inside]


def without_variants(names: Sequence[str]) -> list[str]:
    """Without columns that are another one "incl." or "without" something, raw or corrected.

    >>> without_variants(["Netzlast [MWh]", "Netzlast inkl. Pumpspeicher [MWh]", "Wind"])
    ['Netzlast [MWh]', 'Wind']
    """
    words = {name: set(tokens(name)) for name in names}
    bare = {name: words[name] - _FORECASTS - _ACTUALS for name in names}
    known = [bare[name] for name in names if not words[name] & _FORECASTS]
    names = [n for n in names if not (words[n] & _FORECASTS and bare[n] in known)]
    return [
        name
        for name in names
        if not words[name] & _QUALIFIERS
        or not any(words[one] < words[name] and words[one] & {*TARGETS} for one in names)
    ]


def bare_names(names: Sequence[str]) -> dict[str, str]:
    """Each name without the words that all of them have and that only say how it was computed.

    >>> bare_names(["Load hourly mean", "Reserve hourly mean"])
    {'Load hourly mean': 'load', 'Reserve hourly mean': 'reserve'}
    """
    words = {name: tokens(name) for name in names}
    shared = set.intersection(*map(set, words.values())) if len(names) > 1 else set()
    said = {word for word in shared if COMPUTED.search(word)}
    return {name: "_".join(w for w in some if w not in said) for name, some in words.items()}


def without_strangers(names: Sequence[str]) -> list[str]:
    """Of columns among which one place has several sizes of particles, those that say a quantity.

    >>> without_strangers(["pm1.0_atm", "pm2.5_atm", "0.3_um_count"])
    ['pm1.0_atm', 'pm2.5_atm']
    >>> without_strangers(["PM10 north", "PM2.5 south", "east"])
    ['PM10 north', 'PM2.5 south', 'east']
    """
    kinds = {name: kind_among(name, "PM2.5") for name in names}
    sizes = [name for name, kind in kinds.items() if kind and kind.startswith("PM")]
    if len({place_of(name) for name in sizes}) == len({(place_of(n), kinds[n]) for n in sizes}):
        return list(names)
    return [name for name, kind in kinds.items() if kind]


def refuse_variants(names: Sequence[str], findings: Findings) -> None:
    """Of few columns, one whose name adds words to that of another: demand, station demand."""
    if not 2 <= len(names) <= MOST_VARIANTS:
        return
    words = {name: set(tokens(name)) for name in names}
    shared = set.intersection(*words.values())
    if shared & set(TARGETS) and all(words[n] - shared <= _CORRECTIONS for n in names):
        findings.error(
            "which-target",
            f"{listed(names, quoted=True)} seem to be ways to compute the same",
            "name one with " + " or ".join(f"target={name!r}" for name in names),
            count=len(names),
        )
        return
    for one in names:
        more = [n for n in names if words[one] < words[n] and _spelt_out(words[n] - words[one])]
        if more and words[one] & set(TARGETS) and not plain_name(one).isdigit():
            both = [one, *more]
            findings.error(
                "which-target",
                f"{listed(both, quoted=True)} seem to be ways to measure the same",
                f"name one with target=, such as target={one!r}, or all of them with "
                f"target={list(names)!r} if each is a sensor",
                count=len(both),
            )
            return


def _spelt_out(words: set[str]) -> bool:
    return all(len(word) > 3 and word.isalpha() for word in words)
