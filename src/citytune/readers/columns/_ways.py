"""Columns that are one reading in several ways: of one hour and of eight, raw and checked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._units import unit_in
from citytune.readers.cells._vocabulary import tokens
from citytune.readers.columns._measures import MEANS, words_of

HIGHEST_AND_LOWEST = frozenset(
    words_of("""
max maximum maxima maximal maximo massimo min minimum minima minimal minimo peak spitze pico
hochstwert tiefstwert
""")
)
"""Words of the highest and the lowest of the time that a reading stands for."""
STAGES_OF_CHECKING = frozenset(
    words_of("""
raw roh rohwert rohdaten brute brutes crudo cruda crudos grezzo bruto unvalidated validated valide
validee validees validado validada validato validiert gepruft checked unchecked verified corrected
corrige korrigiert adjusted calibrated uncalibrated filtered unfiltered smoothed geglattet imputed
interpolated cleaned preliminary provisional vorlaufig ratified ajustado corregido
""")
)
"""Words of how far a reading was checked or mended."""
LENGTHS_IN_WORDS = frozenset(
    words_of("hourly daily weekly stundlich taglich horaire horaria horario diaria")
)
_LENGTH = re.compile(
    r"(?<![^\W_])(?<![./])(\d+)[ _-]?(h|hr|hrs|hours?|std|stunden|heures?|horas?|ore|uur|min|"
    r"minutes?|days?)(?![A-Za-z/])",
    re.IGNORECASE,
)
"""The time that a mean is of: 8h, 24-hour, 15 min."""
_OF_NOISE = re.compile(r"L[ACZ]?[FSI]?(eq|max|min|den|night|day|evening|\d\d)", re.IGNORECASE)
"""Indices of noise: LAeq, LAFmax, L90."""
PLANS = frozenset(
    words_of("""
budget budgets budgeted plan planwert planwerte soll presupuesto presupuestado
preventivo begroting begroot budgete orcamento orcado
""")
)
"""Words of what was meant to be."""
ACTUALS = frozenset(
    words_of(
        "actual actuals ist istwert istwerte real reales consuntivo werkelijk realise realizado"
    )
)
"""Words of what was measured, next to a plan."""
SCENARIOS = frozenset(words_of("scenario scenarios escenario simulated simulation"))
"""Words of what did not happen."""
MOST_WAYS_SHOWN = 4
_FURTHER_ONE = re.compile("[a-e]|[1-9]")
"""What the name of a second sensor adds to that of the first: Load, Load B."""


def refuse_ways(chosen: Sequence[str], able: Sequence[str], findings: Findings) -> None:
    """Add an error if columns of a wide table differ only in how a reading was computed or checked.

    Args:
        chosen: Columns that would be sensors.
        able: Columns that could be; one that was left out counts next to one that says its way.
        findings: Told which could be meant.
    """
    told = {_rest_of(name) for name in chosen if _way_of(name)}
    chosen = [name for name in able if name in chosen or (_way_of(name) and _rest_of(name) in told)]
    ways = {name: _way_of(name) for name in chosen}
    of: dict[tuple[str, ...], list[str]] = {}
    for name in chosen:
        of.setdefault(_rest_of(name), []).append(name)
    doubtful = next((some for rest, some in of.items() if _differ(rest, some, ways)), None)
    if any(SCENARIOS & {*tokens(name)} for name in chosen) and len(chosen) > 1:
        doubtful, ways = chosen, {name: frozenset([name]) for name in chosen}
    if doubtful is None:
        return
    kinds = dict.fromkeys(ways[name] for name in doubtful)
    groups = [[n for n in chosen if ways[n] == kind] for kind in kinds]
    options = " or ".join(
        f"target={some if some[1:] else some[0]!r}" for some in groups[:MOST_WAYS_SHOWN]
    )
    findings.error(
        "which-target",
        f"{listed(doubtful, quoted=True)} seem to be one reading in several ways, such as means "
        "over longer times, extremes, scenarios, plans, or values before and after checking",
        f"name those of one way with {options}, or all with target={[*chosen]!r} if each is a "
        "sensor",
        count=len(doubtful),
    )


def refuse_left_out(chosen: Sequence[str], able: Sequence[str], findings: Findings) -> None:
    """Add an error if only one column is read and another has its name and a letter or digit more.

    Args:
        chosen: The column that would be read.
        able: Columns that could be.
        findings: Told which could be meant.
    """
    if len(chosen) != 1:
        return
    words, unit = tokens(chosen[0]), unit_in(chosen[0])
    more = [n for n in able if tokens(n)[:-1] == words and unit_in(n) == unit
            and _FURTHER_ONE.fullmatch(tokens(n)[-1])]  # fmt: skip
    if more:
        findings.error(
            "which-target",
            f"{listed(more, quoted=True)} seem to be further sensors of what {chosen[0]!r} holds",
            f"name all of them with target={[*chosen, *more]!r}, or one with target={chosen[0]!r}",
            count=len(more) + 1,
        )


def _way_of(name: str) -> frozenset[str]:
    """How a reading was computed, by the words of its column's name."""
    lengths = {f"{size}{unit[:1].lower()}" for size, unit in _LENGTH.findall(name)}
    said = MEANS | HIGHEST_AND_LOWEST | STAGES_OF_CHECKING | LENGTHS_IN_WORDS | PLANS
    return frozenset(lengths | {word for word in tokens(name) if word in said or _is_noise(word)})


def _is_noise(word: str) -> bool:
    return bool(_OF_NOISE.fullmatch(word))


def says_only_a_way(cell: str) -> bool:
    """Whether a cell says how a reading was computed and nothing else.

    >>> says_only_a_way("8 h"), says_only_a_way("24-hour mean"), says_only_a_way("Lane 8")
    (True, True, False)
    """
    return bool(_way_of(cell) or ACTUALS & {*tokens(cell)}) and not _rest_of(cell)


def _rest_of(name: str) -> tuple[str, ...]:
    """What a name says apart from that."""
    words = tokens(_LENGTH.sub(" ", name))
    return tuple(word for word in words if word and word not in _way_of(name) | ACTUALS)


def _differ(rest: Sequence[str], names: Sequence[str], ways: dict[str, frozenset[str]]) -> bool:
    """Whether names of one place say different ways; those of times alone may be hours."""
    several = len({ways[name] for name in names}) == len(names) > 1
    return several and bool(rest or not any(map(_LENGTH.search, names)))
