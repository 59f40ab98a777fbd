"""Columns of a wide table in several units, or of several quantities of the same places."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from statistics import median

from citytune._text import listed
from citytune.readers.cells._columns import Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._units import kind_of_unit, unit_in, unit_of
from citytune.readers.cells._vocabulary import TARGETS, family, goes_beside, plain_name, tokens
from citytune.readers.columns._kinds import kind_among
from citytune.readers.columns._wide import MOST_PLACES

MOST_GROUPS = 4
"""Groups of columns that are proposed one by one."""
FAR_APART = 4.0
"""Ratio of the levels of groups of columns from which they are of different quantities."""
_PIPED = ("gas", "heat", "water")
_ELECTRICAL = {"V": "volts", "A": "amps", "Hz": "hertz"}
"""Units of a letter or two that stand behind a name; elsewhere they are names themselves."""


def of_one_unit(chosen: Sequence[str], written: Mapping[str, str], findings: Findings) -> list[str]:
    """Of columns in units of different kinds, such as MW and %, the known one.

    The units are spelt by their names, or `written` below the names of all.

    They are refused where no name, or more than one, is known to be forecast.
    """
    units: dict[str, list[str]] = {}
    below = all(written.get(name) for name in chosen)
    for name in chosen:
        unit = (unit_of(written[name]) or written[name]) if below else _spelt_unit(name)
        if unit is None:
            return list(chosen)
        units.setdefault(unit, []).append(name)
    groups: dict[str, list[str]] = {}
    for unit, names in units.items():
        groups.setdefault(kind_of_unit(unit), []).extend(names)
    if len(groups) == 1 and len(units) > 1:
        findings.error(
            "which-target",
            "the columns of one frame are in one unit, and these are in "
            + ", ".join(
                f"{unit} ({listed(names, 3, quoted=True)})" for unit, names in units.items()
            ),
            f"convert them to one unit, or name those of one with {_proposed(units)}",
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
            + "; ".join(listed(names, 3, quoted=True) for names in groups.values()),
            f"name those of one quantity with {_proposed(groups)}",
            count=len(groups),
        )
    return list(chosen)


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


def _spelt_unit(name: str) -> str | None:
    """The unit in brackets, or that of more than a letter behind other words."""
    bracket = re.search(r"[(\[]([^)\]]+)[)\]]\s*$", name)
    found = unit_in(name) or _ELECTRICAL.get(name.rsplit(maxsplit=1)[-1])
    if found in _ELECTRICAL.values() and " " in name:
        return found
    if found or bracket:
        return found if found and (bracket or len(found) > 1) else bracket[1] if bracket else None
    last = name.rsplit(maxsplit=1)[-1]
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
