"""Flows of energy at one place, side by side: what a home uses, its solar roof, battery and grid.

They are in one unit and of one size, so only their names tell that they are no sensors alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from citytune.readers._findings import Findings
from citytune.readers._kinds import kinds_of, of_one_kind, place_of
from citytune.readers._table import SourceTable
from citytune.readers._vocabulary import goes_beside, plain_name, tokens

_FLOWS = frozenset(
    ["consumption", "production", "battery", "grid", "electricity", "gas", "water", "heat"]
)
_SAY_SO = re.compile(r"solar|pv|batter(y|ies)|\w*batterie\w*|akku|powerwall|grid|generation")
"""Words of flows that elsewhere stand beside a target."""
_USED = re.compile(r"consum\w*|\w*verbrauch\w*|demand|usage|loads?|homes?|houses?|haus")
"""Words of all that a place uses, of which what it draws from the grid is a part."""


def of_one_flow(
    table: SourceTable, names: Sequence[str], quantity: str | None, findings: Findings
) -> list[str]:
    """The columns of the likeliest flow, if all that are no side values say one and they differ."""
    able = [n for n in names if not goes_beside(n) or any(map(_SAY_SO.fullmatch, tokens(n)))]
    groups = kinds_of(able)
    if len(groups) < 2 or not _FLOWS.issuperset(groups):
        return list(names)
    chosen = of_one_kind(table, able, quantity, findings)
    if len({place_of(name) for name in chosen}) == len(chosen):
        return chosen
    if set(chosen) == set(able):
        return list(names)
    used = [n for n in chosen if any(map(_USED.fullmatch, tokens(n)))]
    if len({place_of(name) for name in used}) == len(used) > 0:
        return used
    several = sorted(chosen, key=plain_name)
    findings.error(
        "which-target",
        f"{len(several)} columns seem to be the same flow of energy of one place",
        "name one with " + " or ".join(f"target={name!r}" for name in several[:8]),
        count=len(several),
    )
    return chosen
