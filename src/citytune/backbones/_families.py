"""Names that stand for several releases of one network, of which history and horizon pick one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from citytune._errors import InputError


class Family(NamedTuple):
    """Releases that differ in how far they look back and ahead."""

    title: str
    """One line for people."""
    members: tuple[str, ...]
    """Their names on the shelf; the first is the usual one."""
    pick: Callable[[int, int, int], str]
    """The member for (rows of history, steps ahead, steps a day)."""


_families: dict[str, Family] = {}


def register_family(name: str, family: Family) -> None:
    """Let a name stand for whichever of a family's members suits a history and a horizon."""
    _families[name] = family


def families() -> dict[str, Family]:
    """Every family by name."""
    return dict(_families)


def member_of(name: str, *, rows: int, horizon: int, steps_per_day: int) -> str:
    """The backbone that a name stands for: itself, unless it is the name of a family.

    Args:
        name: Of a backbone or a family.
        rows: Steps of history there are.
        horizon: Steps ahead that are asked for.
        steps_per_day: Of the clock.

    >>> member_of("ttm", rows=24 * 365, horizon=48, steps_per_day=24)
    'ttm-r2-1536-96'
    """
    family = _families.get(name)
    return name if family is None else family.pick(rows, horizon, steps_per_day)


def refuse_family(name: str) -> None:
    """Raise `InputError` if a name is that of a family, where one network is wanted."""
    if family := _families.get(name):
        raise InputError(
            f"backbone {name!r} stands for several networks, of which history and horizon pick "
            f"one when tuning; name one here: {', '.join(family.members)}"
        )
