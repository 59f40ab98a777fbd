"""Readings that are written in parts or multiples of a unit: tenths of a degree, x1000 MW."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import NamedTuple

from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._units import unit_of

_MULTIPLE = r"(?P<times>[x×]\s?1[ ,.]?000|(?:thousand|million)s?)(?: of)?"
_TIMES = {"t": 1e3, "m": 1e6}
"""First letter → what is multiplied by: thousand, million."""
_FRACTION = (
    r"(?P<decimal>0[.,]0{0,3}1)|1/(?P<divisor>10{1,4})|"
    r"(?P<words>[^\W\d_]{6,14}?)(?: of(?: an?)?| van een| d[eu']| di)?"
)
_WORDS = {
    10: "tenths tenth zehntel tienden tiende dixiemes dixièmes decimas décimas decimi",
    100: "hundredths hundredth hundertstel honderdsten centièmes centiemes centésimas",
}
_DIVISORS = {word: divisor for divisor, words in _WORDS.items() for word in words.split()}
_UNIT = (
    r"(?P<unit>°\s?[CFcf]?|degr\w+\b[ _]?\w*|deg\b\.?[ _]?\w*|gra[dt]\w*\b[ _]?\w*|[kmc]?m/s\w*|"
    r"km/h|mph|mm\b|hpa\b|[kmgt]?wh?\b|[µμu]g/m\W?3|mg/m\W?3|pp[bm]\b|%|knots?\b|kt\b|k\b|m3\b|"
    r"m³|uur\b|hours?\b)"
)
_SAID = re.compile(rf"(?<![\w.,/])(?:{_MULTIPLE}|{_FRACTION})\s?{_UNIT}", re.IGNORECASE)
_UNIT_LINE = re.compile(
    r"^\W*(units?|einheit|unidad|unités?|unità|eenheid|jednostka|enhet)\b", re.I
)


class Part(NamedTuple):
    """A part of a unit, or a multiple."""

    factor: float
    """What a number of such parts is multiplied by."""
    unit: str
    """The whole unit, spelt the usual way where it is known."""


def part_of(text: str) -> Part | None:
    """The part of a unit that a text says its numbers count; None if it says none.

    >>> part_of("Temperature (in 0.1 degrees Celsius)"), part_of("wind [1/10 m/s]")
    (Part(factor=0.1, unit='°C'), Part(factor=0.1, unit='m/s'))
    >>> part_of("tenths of degrees C").factor, part_of("0.1 µm per litre"), part_of("10 m/s")
    (0.1, None, None)
    >>> part_of("demand (x1000 MW)"), part_of("in million kWh"), part_of("PV roof (100 kW)")
    (Part(factor=1000.0, unit='MW'), Part(factor=1000000.0, unit='kWh'), None)
    """
    for found in _SAID.finditer(html.unescape(text)):
        if times := found["times"]:
            return Part(_TIMES.get(times[0].lower(), 1e3), _whole(found["unit"]))
        divisor = _DIVISORS.get(found["words"].lower(), 0) if found["words"] else 0
        divisor = divisor or int(found["divisor"] or 0)
        if found["decimal"] or divisor:
            factor = 1 / divisor if divisor else float(found["decimal"].replace(",", "."))
            return Part(factor, _whole(found["unit"]))
    return None


def _whole(unit: str) -> str:
    degrees = re.match(r"(?:°|deg\w*\.?|gra[dt]\w*)[ _]?([CF])", unit, re.IGNORECASE)
    return f"°{degrees[1].upper()}" if degrees else unit_of(unit) or unit


def with_whole_units(
    table: SourceTable, names: tuple[str, ...], findings: Findings
) -> tuple[SourceTable, dict[str, float]]:
    """What columns of readings in parts of a unit are multiplied by; the table with their units.

    A column's name says so, the row of units, or a line above the table that names the column.
    """
    found: dict[str, tuple[Part, str]] = {}
    above = [line for line in table.titles if part_of(line)]
    for name in names:
        lines = [name, table.units.get(name, "")]
        lines += _lines_of(table, above, name, len(names) == 1) if above else []
        said = next(((part, line) for line in lines if (part := part_of(line))), None)
        if said is not None:
            found[name] = said
    for name, (part, line) in list(found.items())[:3]:
        findings.note(
            "converted",
            f"the numbers of {name!r} count {part.factor:g} {part.unit}, as {line.strip()[:80]!r} "
            "says",
            f"they were multiplied by {part.factor:g}",
        )
    if not found and (loose := _nameless(table, above)):
        findings.warn(
            "parts-of-units",
            f"the line {loose.strip()[:80]!r} says a part of a unit, and not of which column",
            "nothing was multiplied; name the column in that line, or its unit in its name",
        )
    units = {name: part.unit for name, (part, _) in found.items()}
    factors = {name: part.factor for name, (part, _) in found.items()}
    return replace(table, units={**table.units, **units}) if found else table, factors


def _lines_of(table: SourceTable, above: list[str], name: str, alone: bool) -> list[str]:
    """Of lines above a table, those that describe a column, or the unit of the only one."""
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    others = [re.compile(rf"^\W*{re.escape(one)}\s*[:=]") for one in table.schema if one != name]
    own = [line for line in above if re.match(rf"^\W*{re.escape(name)}\s*[:=]", line)]
    loose = [
        line
        for line in above
        if (word.search(line) or (alone and _UNIT_LINE.match(line)))
        and not any(other.match(line) for other in others)
    ]
    return own or loose


def _nameless(table: SourceTable, above: list[str]) -> str | None:
    """Of lines above a table, one that names no column."""
    if not above:
        return None
    words = [re.compile(rf"(?<!\w){re.escape(name)}(?!\w)") for name in table.schema]
    return next((line for line in above if not any(word.search(line) for word in words)), None)
