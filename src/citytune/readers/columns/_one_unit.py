"""Columns of a wide table in several units, or of several quantities of the same places."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from statistics import median

from citytune._text import listed
from citytune.readers.cells._columns import Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._units import factor_between, kind_of_unit, unit_in, unit_of
from citytune.readers.cells._vocabulary import TARGETS, family, goes_beside, plain_name, tokens
from citytune.readers.columns._kinds import kind_among
from citytune.readers.columns._unlike import are_unlike
from citytune.readers.columns._wide import MOST_PLACES

MOST_GROUPS = 4
"""Groups of columns that are proposed one by one."""
FAR_APART = 4.0
"""Ratio of the levels of groups of columns from which they are of different quantities."""
FEW_COLUMNS = 4
"""Columns up to which one without a unit is taken for another quantity, whatever its level."""
_PIPED = ("gas", "heat", "water")
_ELECTRICAL = {"V": "volts", "A": "amps", "Hz": "hertz"}
"""Units of a letter or two that stand behind a name; elsewhere they are names themselves."""


def of_one_unit(
    chosen: Sequence[str], written: Mapping[str, str], columns: Columns, findings: Findings
) -> list[str]:
    """Of columns in units of different kinds, such as MW and %, the known one.

    The units are spelt by their names, or `written` below the names of all.

    They are refused where no name, or more than one, is known to be forecast.
    """
    units: dict[str, list[str]] = {}
    below = all(written.get(name) for name in chosen)
    spelt = any(len(unit_in(name) or "") > 1 for name in chosen)
    spelt = spelt or _end_with_units(chosen, columns)
    before = _units_before(chosen)
    unsaid = list[str]()
    for name in chosen:
        told = unit_of(written.get(name, "")) or (written[name] if below else None)
        unit = told or before.get(name) or _spelt_unit(name, spelt)
        if unit is None:
            unsaid.append(name)
            continue
        units.setdefault(unit, []).append(name)
    groups: dict[str, list[str]] = {}
    for unit, names in units.items():
        groups.setdefault(kind_of_unit(unit), []).extend(names)
    if unsaid:
        _refuse_unsaid(groups, unsaid, columns, findings)
        return list(chosen)
    if len(groups) == 1 and len(units) > 1:
        first = next(iter(units))
        able = all(factor_between(unit, first) for unit in units)
        every = f", or all with target={[*chosen]!r} to have them in {first}" if able else ""
        findings.error(
            "which-target",
            "the columns of one frame are in one unit, and these are in "
            + ", ".join(
                f"{unit} ({listed(names, 3, quoted=True)})" for unit, names in units.items()
            ),
            f"name those of one with {_proposed(units)}{every}",
            count=len(units),
        )
        return list(chosen)
    sure = TARGETS.keys() - {"gas", "heat", "volume"}
    known = [n for n in chosen if {*tokens(n)} & sure and not goes_beside(n)]
    piped = _are_next_to_gas(groups)
    known = groups["energy"] if piped else known
    if len(groups) > 1 and (len(known) == 1 or piped):
        rest = [name for name in chosen if name not in known]
        findings.warn(
            "several-quantities",
            f"the columns are in {len(groups)} kinds of units; {listed(known, 3, quoted=True)} was "
            f"read, not {listed(rest, 6, quoted=True)}",
            f"pass target={rest[0]!r} for another one",
            count=len(chosen),
        )
        return known
    if len(groups) > 1:
        findings.error(
            "which-target",
            f"the columns are in {len(groups)} kinds of units: "
            + "; ".join(
                f"{listed(names, 3, quoted=True)} in {listed(_units_among(names, units))}"
                for names in groups.values()
            ),
            f"name those of one quantity with {_proposed(groups)}",
            count=len(groups),
        )
    return list(chosen)


def _units_before(names: Sequence[str]) -> dict[str, str]:
    """The units that all names begin with, if they do.

    >>> _units_before(["kW Main", "degF Outside"]), _units_before(["kW Main", "K street"])
    ({'kW Main': 'kW', 'degF Outside': '°F'}, {})
    """
    words = {name: name.split() for name in names}
    found = {
        name: unit
        for name, some in words.items()
        if len(some) > 1 and len(some[0]) > 1 and (unit := unit_of(some[0]))
    }
    return found if len(found) == len(names) else {}


def _end_with_units(names: Sequence[str], columns: Columns) -> bool:
    """Whether names end with W, V and A as units, not as letters of places: they are unlike."""
    ends: dict[str, list[str]] = {}
    for name in names:
        ends.setdefault(_last_word(name), []).append(name)
    known = "W" in ends and len(ends) > 1 and {*ends} <= {"W", *_ELECTRICAL}
    return known and are_unlike(ends["W"], [n for n in names if n not in ends["W"]], columns)


def _refuse_unsaid(
    groups: Mapping[str, list[str]], unsaid: list[str], columns: Columns, findings: Findings
) -> None:
    """Columns without a unit next to some with one, or several, that are unlike them.

    A power factor and a spread have none; nor has a station whose neighbours happen to say theirs.
    """
    said = [name for names in groups.values() for name in names]
    sure = [name for name in said if len(unit_in(name) or "") > 1]
    count = len(said) + len(unsaid)
    unlike = len(groups) > 1 or count <= FEW_COLUMNS or are_unlike(said, unsaid, columns)
    if not sure or count > MOST_PLACES or not unlike:
        return
    findings.error(
        "which-target",
        f"{listed(said, 4, quoted=True)} say their unit and {listed(unsaid, 4, quoted=True)} "
        f"say{'s' * (len(unsaid) == 1)} none, as those of other quantities do",
        f"name those of one quantity with {_proposed({**groups, '': unsaid})}",
        count=count,
    )


def _units_among(names: Sequence[str], units: Mapping[str, list[str]]) -> list[str]:
    return [unit for unit, some in units.items() if {*some} & {*names}]


def to_one_unit(
    asked: Sequence[str], row_of_units: Mapping[str, str], findings: Findings
) -> dict[str, float]:
    """What columns that a person asks for are multiplied by, to be in the unit of the first."""
    said = {n: row_of_units.get(n) or _spelt_unit(n, True) for n in asked}
    units = {n: unit_of(said[n] or "") for n in asked}
    if None in units.values() or len({*units.values()}) < 2:
        return {}
    first = units[asked[0]] or ""
    factors = {n: factor_between(unit or "", first) for n, unit in units.items()}
    strange = [n for n, factor in factors.items() if factor is None]
    if strange:
        findings.error(
            "which-target",
            f"{strange[0]!r} is in {units[strange[0]]} and {asked[0]!r} in {first}, and a frame "
            "holds one quantity",
            f"read them one by one, the first with target={asked[0]!r}",
        )
        return {}
    findings.note(
        "converted",
        f"{listed([n for n in asked if units[n] != first], 3, quoted=True)} are in other units "
        f"than {asked[0]!r}",
        f"all were read in {first}",
    )
    return {n: factor for n, factor in factors.items() if factor is not None}


def _are_next_to_gas(groups: Mapping[str, list[str]]) -> bool:
    """Whether a meter's electricity stands next to its gas, heat or water, and to nothing else."""
    rest = [name for kind, names in groups.items() if kind != "energy" for name in names]
    flows = {kind_among(name, "consumption") for name in groups.get("energy", ())}
    return len(flows) == 1 and bool(rest) and all(kind_among(n, "gas") in _PIPED for n in rest)


def refuse_crossed(chosen: Sequence[str], columns: Columns, findings: Findings) -> None:
    """Columns that are several quantities of the same places, such as cars_1, cars_2, bikes_1."""
    groups: dict[str, list[str]] = {}
    for name in chosen:
        groups.setdefault(family(name), []).append(name)
    places = {
        tuple(plain_name(n).replace(kind, "", 1) for n in names) for kind, names in groups.items()
    }
    few = 2 <= len(groups) <= 8 and all(1 < len(n) <= MOST_PLACES for n in groups.values())
    if not few or len(places) != 1 or "" in groups:
        return
    levels = [median(columns.by_name[name].high for name in names) for names in groups.values()]
    if max(levels) > FAR_APART * max(min(levels), 0.0):
        findings.error(
            "which-target",
            f"the columns are {len(groups)} quantities of {len(places.pop())} places each: "
            + "; ".join(listed(names, 3, quoted=True) for names in groups.values()),
            f"name those of one quantity with {_proposed(groups)}",
            count=len(groups),
        )


def _last_word(name: str) -> str:
    return name.rsplit(maxsplit=1)[-1] if name.strip() else ""


def _spelt_unit(name: str, sure: bool = False) -> str | None:
    """The unit in brackets, or that of more than a letter behind other words.

    A letter alone is one only if others are `sure` to spell their units: kWh next to W.
    """
    bracket = re.search(r"[(\[](?!\d+[)\]])([^)\]]+)[)\]]\s*$", name)  # (2) numbers a sensor
    last = _last_word(name)
    found = unit_in(name) or (_ELECTRICAL.get(last) if last != name else None)
    if sure and not found:
        found = (
            _ELECTRICAL.get(re.split(r"[\s_]", name)[-1]) if re.search(r"_(V|Hz)$", name) else None
        )
    if found in _ELECTRICAL.values() and " " in name:
        return found
    if found or bracket:
        single = sure and name.endswith(f" {found}")
        known = found if bracket or single or len(found or "") > 1 else None
        return known or (bracket[1] if bracket else None)
    return unit_of(last) if last != name else None


def _proposed(groups: Mapping[str, list[str]]) -> str:
    apart = [part for names in groups.values() for part in _flows_apart(names)]
    some = [names if names[1:] else names[0] for names in apart]
    return " or ".join(f"target={names!r}" for names in some[:MOST_GROUPS])


def _flows_apart(names: Sequence[str]) -> list[list[str]]:
    """Columns by the flow of energy that they say: what is fed into the grid is no other sensor."""
    flows: dict[str | None, list[str]] = {}
    for name in names:
        flows.setdefault(kind_among(name, "consumption"), []).append(name)
    return list(flows.values())
