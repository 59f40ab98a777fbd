"""Units and marks that stand behind numbers in the cells of a text table."""

from __future__ import annotations

import re

import polars as pl

from citytune._text import listed
from citytune.readers._findings import Findings
from citytune.readers._numbers import missing_words
from citytune.readers._units import unit_of
from citytune.readers._vocabulary import SENSOR, plain_name, tokens

_SCALED = (
    r"^\s*[+-]?\d[\d.,' ]*?\s?"
    r"((?:(?:[KkMGBT]|Mil|Bil) )?[A-Za-zµμ°][A-Za-z0-9µμ°/³^.]{0,9})\s*$"
)
"""As `_WITH_UNIT`, also "1.42 K veh/h", as programs round what they show to people."""
_WITH_UNIT = r"^\s*[+-]?\d[\d.,' ]*?\s?([A-Za-zµμ°%][A-Za-z0-9µμ°/³^.]{0,9})\s*$"
_MARKED = (
    r"^(\s*[<>~]?\s*[+-]?(?:\d[\d.,' ]*|\.\d+))\s?"
    r"(\*{1,2}|[†‡^!?#]|[A-Za-z]\*?|[A-Z]{2}|\([A-Za-z*]\))\s*$"
)
_SCALES = frozenset("kKmMgGtTbBhµ")
"""Letters that change a number or its unit."""
_DEGREES = frozenset("CF")
"""Letters of two units, if they stand in one column."""
_NAME = r"^\d+[A-Za-z]$"
"""Cells that may be names, such as 101N, if all are so."""
_BAD = ("#", "x", "X", "?", "!")
"""Marks of readings that are not to be used; next to them a * is one of them."""
FEWEST_NUMBERS, MOST_MARKS = 12, 8
"""Distinct numbers, and at most so many marks behind them, from which a column is marked."""
_DOUBLED = r"^(0?[0-4])([ABab])((?::\d{2})*)$"
"""An hour of the night that comes twice in autumn: 2A, 02B, 3A:15."""


def without_marks(rows: pl.DataFrame, findings: Findings) -> pl.DataFrame:
    """Numbers of cells such as "12.3 R" and "45*", whose marks tell how good a reading is.

    Values whose mark says that they are not to be used stay text, which is no number.
    """
    bare, said = [], {}
    for name in (n for n, kind in rows.schema.items() if kind == pl.String):
        distinct = rows[name].unique(maintain_order=True).drop_nulls()
        if not len(distinct) or not distinct.head(5000).str.contains(_MARKED).any():
            continue
        marks = None if _names_sensors(name) else _marks(distinct)
        if marks is None:
            continue
        bad = {*_BAD, *(("*", "**") if {*_BAD} & {*marks} else ())}
        mark = pl.col(name).str.extract(_MARKED, 2)
        good = mark.is_not_null() & ~mark.is_in(sorted(bad))
        number = pl.col(name).str.extract(_MARKED, 1).str.strip_chars()
        bare.append(pl.when(good).then(number).otherwise(pl.col(name)).alias(name))
        if kept := sorted({*marks} - bad):
            said[name] = kept
    if said:
        marks = sorted({mark for some in said.values() for mark in some})
        findings.warn(
            "marks",
            f"numbers in {listed(list(said), 3, quoted=True)} have marks behind them "
            f"({listed(marks, quoted=True)})",
            "they were read without them; take out what is not valid if these mean that",
            count=len(said),
        )
    return rows.with_columns(bare)


def _names_sensors(name: str) -> bool:
    return plain_name(name) in SENSOR or tokens(name)[-1] == "id"


def _marks(distinct: pl.Series) -> list[str] | None:
    """The marks behind a column's numbers; None if they may be parts of names or units."""
    said = distinct.filter(~distinct.str.strip_chars().str.to_lowercase().is_in(missing_words()))
    number, mark = said.str.extract(_MARKED, 1), said.str.extract(_MARKED, 2)
    plain = said.str.contains(r"^\s*[<>~]?\s*[+-]?\d[\d.,' ]*([eE][+-]?\d+)?\s*$")
    marks = mark.drop_nulls().unique().sort().to_list()
    known = number.str.strip_chars().drop_nulls().n_unique() + int(plain.sum())
    odd = int((mark.is_null() & ~plain).sum())
    if not marks or len(marks) > MOST_MARKS or {*marks} & _SCALES or {*marks} >= _DEGREES:
        return None
    if {"am", "pm", "AM", "PM"} & {*marks} or said.str.contains(_NAME).all():
        return None
    return marks if known >= FEWEST_NUMBERS and odd <= 0.02 * len(said) else None


def without_letters(rows: pl.DataFrame) -> pl.DataFrame:
    """Times of the day without the letters of the doubled hour: 2A and 2B are both 2."""
    changed = []
    for name in (n for n, kind in rows.schema.items() if kind == pl.String):
        distinct = rows[name].unique().drop_nulls()
        lettered = distinct.filter(distinct.str.contains(_DOUBLED))
        first, second = (
            {*lettered.filter(lettered.str.contains(f"(?i){letter}")).str.replace("(?i)[ab]", "")}
            for letter in "ab"
        )
        rest = distinct.filter(~distinct.str.contains(_DOUBLED))
        if first and first == second and len(rest) > len(lettered) and _are_times(rest):
            changed.append(pl.col(name).str.replace(_DOUBLED, "${1}${3}"))
    return rows.with_columns(changed)


def _are_times(cells: pl.Series) -> bool:
    return bool(cells.str.contains(r"^([01]?\d|2[0-5])(:\d{2})*$").all())


def without_units(rows: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """Numbers of cells such as "12.5 kW", where a column writes one known unit throughout."""
    units = {}
    for name in (n for n, kind in rows.schema.items() if kind == pl.String):
        some = rows[name].drop_nulls().head(50)
        if (unit := unit_of_cells(some)) is None or unit_of(unit) is None or unit == "%":
            continue
        if unit_of_cells(rows[name].drop_nulls().unique()) == unit:
            units[name] = unit
    bare = [pl.col(n).str.replace(rf"\s*{re.escape(unit)}\s*$", "") for n, unit in units.items()]
    return rows.with_columns(bare), units


def check_one_unit(rows: pl.DataFrame, findings: Findings) -> None:
    """Refuse columns whose numbers have several units, such as "949 W" and "1.42 kW"."""
    for name in (n for n, kind in rows.schema.items() if kind == pl.String):
        few = rows[name].drop_nulls().head(50)
        if not any(unit_of(unit.split()[-1]) for unit in units_of_cells(few)):
            continue
        units = units_of_cells(rows[name].drop_nulls().unique())
        if len(units) > 1 and all(unit_of(unit.split()[-1]) for unit in units):
            findings.error(
                "units-in-cells",
                f"column {name!r} writes numbers in several units: {listed(units, quoted=True)}",
                "export it with plain numbers in one unit (in Grafana, without 'Formatted data')",
            )
    findings.stop_on_errors()


def unit_of_cells(cells: pl.Series) -> str | None:
    """The unit that stands behind every number of a text column, as it is written; None if none.

    >>> unit_of_cells(pl.Series(["12.5 kW", "n/a", "3 kW"]))
    'kW'
    >>> unit_of_cells(pl.Series(["1 W", "1 kW"]))
    """
    said = cells.filter(~cells.str.strip_chars().str.to_lowercase().is_in(missing_words()))
    units = said.str.extract(_WITH_UNIT, 1)
    found = units.unique()
    return str(found[0]) if len(found) == 1 and found[0] is not None else None


def units_of_cells(cells: pl.Series) -> list[str]:
    """The units behind the numbers of a text column; none if a cell is anything else.

    >>> units_of_cells(pl.Series(["949 veh/h", "1.42 K veh/h"]))
    ['K veh/h', 'veh/h']
    >>> units_of_cells(pl.Series(["949 veh/h", "north"]))
    []
    """
    said = cells.filter(~cells.str.strip_chars().str.to_lowercase().is_in(missing_words()))
    units = said.str.extract(_SCALED, 1)
    return [] if units.null_count() else sorted(units.unique())
