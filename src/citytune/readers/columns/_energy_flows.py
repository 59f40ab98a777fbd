"""Flows of energy at one place, side by side: what a home uses, its solar roof, battery and grid.

They are in one unit and of one size, so only their names tell that they are no sensors alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._vocabulary import goes_beside, plain_name, tokens
from citytune.readers.columns._kinds import kinds_of, of_one_kind, place_of

_ROLES = frozenset(["consumption", "production", "battery", "grid"])
_FLOWS = _ROLES | {"electricity", "gas", "water", "heat"}
_SAY_SO = re.compile(r"solar|pv|batter(y|ies)|\w*batterie\w*|akku|powerwall|grid|generation")
"""Words of flows that elsewhere stand next to a target."""
_GRID = frozenset(["grid", "netz", "self", "eigen"])
_SIGNED = re.compile(r"(?P<before>[\w /.]*\w) ?(?P<sign>[+-])(?P<behind>(?=[\s(\[]|$).*)$")
"""A name with a sign behind its letter, as the power of meters has: P+ [kW], A-."""
_USED = re.compile(r"consum\w*|\w*verbrauch\w*|demand|usage|loads?|homes?|houses?|haus")
"""Words of all that a place uses, of which what it draws from the grid is a part."""


def of_one_flow(
    table: SourceTable, names: Sequence[str], quantity: str | None, findings: Findings
) -> list[str]:
    """The columns of the likeliest flow, if all that are no side values say one and they differ."""
    if signed := _drawn(names):
        rest = [n for n in names if n not in signed]
        findings.warn(
            "several-quantities",
            f"{listed(signed, 3, quoted=True)} and {listed(rest, 3, quoted=True)} seem to be what "
            "is drawn and what is fed in; the first was read",
            f"pass target={rest[0] if len(rest) == 1 else rest!r} for the other",
            count=len(names),
        )
        return signed
    able = [n for n in names if not goes_beside(n) or any(map(_SAY_SO.fullmatch, tokens(n)))]
    groups = kinds_of(able)
    if len(groups) < 2 or not _FLOWS.issuperset(groups):
        return list(names)
    chosen = of_one_kind(table, able, quantity, findings)
    places = {place_of(name) for name in chosen}
    others = {place_of(name) for name in able if name not in chosen}
    apart = _are_of_places(chosen)
    if apart and (len(chosen) == 1 or places & others or not _ROLES.issuperset(groups)):
        return chosen
    if set(chosen) == set(able):
        return list(names)
    used = [n for n in chosen if any(map(_USED.fullmatch, tokens(n))) and not _GRID & {*tokens(n)}]
    if used and _are_of_places(used):
        return used
    several = sorted(chosen, key=plain_name)
    findings.error(
        "which-target",
        f"{listed(several, quoted=True)} seem to be the same flow of energy",
        "name one with "
        + " or ".join(f"target={name!r}" for name in several[:8])
        + (f", or all with target={several!r} if each is a sensor" if apart else ""),
        count=len(several),
    )
    return chosen


def _drawn(names: Sequence[str]) -> list[str]:
    """Of columns that all come in pairs, P+ and P-, those with a plus."""
    found = {name: match for name in names if (match := _SIGNED.match(name.strip()))}
    pairs: dict[tuple[str, str], set[str]] = {}
    for match in found.values():
        pairs.setdefault((match["before"], match["behind"]), set()).add(match["sign"])
    whole = len(found) == len(names) == 2 * len(pairs) and all(len(s) == 2 for s in pairs.values())
    return [name for name in names if found[name]["sign"] == "+"] if whole else []


def _are_of_places(names: Sequence[str]) -> bool:
    """Whether each name says a place of its own, and none says that of another and more."""
    places = {place_of(name) for name in names}
    return len(places) == len(names) and not any({*a} < {*b} for a in places for b in places)
