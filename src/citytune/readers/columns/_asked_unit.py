"""Compare the unit that a person names with what the columns and the quantity say."""

from __future__ import annotations

import difflib
import re

from citytune.frame import Quantity, same_unit
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._units import AIR, ENERGY, FLOW, POWER, SPEED, UNITS, unit_in, unit_of

SPAN = re.compile(r"\d*\s*(h|hr|hour|min|minute|s|sec|second|d|day|week|month|year|lane|picture)s?")
"""What may be counted by."""
GROUPS = {"energy": ENERGY | POWER, "air": AIR, "traffic": SPEED | FLOW}
"""Domain → units of it, which no quantity of another of these domains has."""


def check_unit(asked: str, column: str, quantity: Quantity, findings: Findings) -> None:
    """Say where a unit that was asked for is unknown, or contradicts a name.

    Args:
        asked: What the person calls the unit.
        column: The name of the column of readings, which may spell another.
        quantity: What is measured, as far as it is known without the unit.
        findings: Where it is said.
    """
    known, spelt = unit_of(asked), unit_in(column)
    if known is None and not _of_counts(asked):
        _unknown(asked, findings)
    elif known is not None and _of_other(known, quantity):
        findings.error(
            "unit-of-other",
            f"{asked!r} is no unit of {quantity.name}",
            "leave unit= away, or say by quantity= what is measured",
        )
    if spelt and (known or _of_counts(asked)) and not same_unit(spelt, known or asked):
        findings.warn(
            "other-unit",
            f"the unit is {asked}, as requested, but the column {column!r} says {spelt}",
            "the readings are not converted; leave unit= away if the column is right",
        )


def _unknown(asked: str, findings: Findings) -> None:
    near = difflib.get_close_matches(asked.lower(), UNITS, n=1, cutoff=0.7)
    meant = f"write unit={UNITS[near[0]]} if you mean that; " if near else ""
    findings.warn(
        "unknown-unit",
        f"the unit {asked!r} is not known here",
        f"{meant}it is kept as it is, and readings in another unit cannot be converted to it",
    )


def _of_counts(asked: str) -> bool:
    """Counts of whatever may be counted, by whatever time: bikes, people/h, veh/15min."""
    what, slash, time = (part.strip().lower() for part in asked.partition("/"))
    if slash and not SPAN.fullmatch(time):
        return False
    counted = ("veh", "vehicle", "car", "bike", "people", "person", "pedestrian", "passenger")
    return not what or what.rstrip("s") in counted or what in ("count", "counts", "trips", "index")


def _of_other(unit: str, quantity: Quantity) -> bool:
    """Whether a unit belongs to another domain than the quantity."""
    theirs = {domain for domain, units in GROUPS.items() if unit in units}
    if not theirs or quantity.domain not in GROUPS:
        return False
    if quantity.domain == "traffic" and unit in SPEED:
        return "speed" not in quantity.name
    return quantity.domain not in theirs
