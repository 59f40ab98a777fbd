"""The unit that a line above a table, or the file's name, says of all its readings."""

from __future__ import annotations

import re
from itertools import pairwise

from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._units import (
    AIR,
    ENERGY,
    FLOW,
    POWER,
    SPEED,
    unit_in,
    unit_of,
    unit_of_titles,
)
from citytune.readers.cells._vocabulary import AIR as POLLUTANTS
from citytune.readers.cells._vocabulary import ENERGY as LOADS
from citytune.readers.cells._vocabulary import TRAFFIC, goes_beside, tokens

_IN_WORDS = re.compile(r"(?:\b(?:in|en|i|w)\s+|[(\[]\s*(?:in\s+)?)([^\s()\[\],;]+)", re.IGNORECASE)
"""What stands behind "in" or in brackets."""
_PARTS = re.compile(
    r"\b(?:parts per (?:hundred )?[mb]illion|(?:micro|milli)grams per cubic met(?:er|re))\b",
    re.IGNORECASE,
)
_OF_COLUMN = re.compile(r"^\W*[\w.]{1,15}\s*[:=]")
"""How a line begins that describes one column."""
_LONGEST = 80
_KNOWN = AIR | ENERGY | POWER | SPEED | FLOW
_NEVER = frozenset(["W", "Wh", "J", "GW"])
"""Units whose letters are as well something else in a file's name."""


def unit_around(table: SourceTable, name: str, findings: Findings) -> str:
    """The unit of readings called `name`; nothing if nothing around the table tells, or several."""
    if found := unit_of_titles(table.titles):
        return found
    if unit_in(name) is not None or goes_beside(name):
        return ""
    for found, where in (
        (_of_lines(table.titles), "a line above the table"),
        (_of_stem(table.stem), "the file's name"),
    ):
        if found and _fits(name, found):
            findings.note(
                "guessed-unit",
                f"{where} says {found}, which was taken for the unit of the readings",
                "use unit= if this is wrong",
            )
            return found
    return ""


def _of_lines(titles: tuple[str, ...]) -> str:
    """The one unit that short lines say of a whole table.

    >>> _of_lines(("Concentration in µg/m3",)), _of_lines(("T = temperature (in °C)",))
    ('µg/m³', '')
    >>> _of_lines(("CO concentration, micrograms per cubic metre",))
    'µg/m³'
    """
    lines = [one for one in titles if len(one) <= _LONGEST and not _OF_COLUMN.match(one)]
    words = [word for line in lines for word in _IN_WORDS.findall(line) if len(word) > 1]
    words += [phrase for line in lines for phrase in _PARTS.findall(line)]
    found = {unit for word in words if (unit := unit_of(word.rstrip(".:"))) in _KNOWN}
    return str(found.pop()) if len(found) == 1 else ""


def _of_stem(stem: str) -> str:
    """The one unit in a file's name.

    >>> _of_stem("pm25_ugm3_2024"), _of_stem("no2-ug-m3"), _of_stem("load_kW"), _of_stem("w_1")
    ('µg/m³', 'µg/m³', 'kW', '')
    """
    words = [word for word in re.split(r"[\s_.\-]+", stem) if word]
    spelt = [unit_of("/".join(pair)) for pair in pairwise(words)] + [*map(unit_of, words)]
    found = {unit for unit in spelt if unit in _KNOWN - _NEVER}
    return str(found.pop()) if len(found) == 1 else ""


def _fits(name: str, unit: str) -> bool:
    """Whether a unit may be that of what a name says; any may be that of an unknown one."""
    words = {*tokens(name)}
    if words & {"speed", "velocity", "v85"}:
        return unit in SPEED
    kinds = ((POLLUTANTS, AIR), (TRAFFIC, FLOW), (LOADS, ENERGY | POWER))
    said = [units for known, units in kinds if words & {*known}]
    return not said or any(unit in units for units in said)
