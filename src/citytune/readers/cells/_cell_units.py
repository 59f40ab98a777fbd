"""Units and marks that stand next to numbers in the cells of a text table."""

from __future__ import annotations

import functools
import math
import re

import polars as pl

from citytune._text import counted, listed
from citytune.readers.cells._brackets import OF_MARKS, of_one_size
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._texts import CELL, Texts, by_name, names_where, of
from citytune.readers.cells._units import UNIT_COLUMNS, factor_between, kind_of_unit, unit_of
from citytune.readers.cells._vocabulary import SENSOR, plain_name, tokens

_SCALED = (
    r"^\s*(?:<\s*=?\s*)?[+-]?\d[\d.,' ]*?\s?"
    r"((?:(?:[KkMGBT]|Mil|Bil) )?[A-Za-zµμ°][A-Za-z0-9µμ°/³^.]{0,9})\s*$"
)
"""As `_WITH_UNIT`, also "1.42 K veh/h", as programs round what they show to people."""
_SIMPLE = r"^\s*([+-]?\d+(?:[.,]\d+)?)\s?[^\d\s].*$"
"""A number without marks of thousands, and what stands behind it."""
_WITH_UNIT = r"^\s*(?:<\s*=?\s*)?[+-]?\d[\d.,' ]*?\s?([A-Za-zµμ°%][A-Za-z0-9µμ°/³^.]{0,9})\s*$"
_MARKED = (
    r"^(\s*[<>~]?\s*[+-]?(?:\d[\d.,' ]*|\.\d+))\s?"
    r"(\*{1,2}|[†‡^!?#¹²³⁴⁵⁶⁷⁸⁹]|[A-Za-z]\*?|[A-Z]{2}|\([A-Za-z*]\)|\[[A-Za-z*]\])\s*$"
)
_PLAIN = r"^\s*[<>~]?\s*[+-]?\d[\d.,' ]*([eE][+-]?\d+)?\s*$"
_MINUS_BEHIND = r"^\s*(\d[\d.,' ]*?)\s?-\s*$"
_LIMIT = r"^\s*<\s*=?\s*(0[.,]\d+|\d+(?:[.,](?:\d{1,2}|\d{4,}))?)\s*$"
"""A value below the limit of detection; of "<1,000" and "<1.000" nobody knows what they mean."""
_MILLION = 1_000_000
_SCALES, _THOUSANDS = frozenset("kKmMgGtTbBhµ"), frozenset("kKµ")
"""Letters that may change a number or its unit, and those that do so more often than not."""
_DEGREES = frozenset("CF")
"""Letters of two units, if they stand in one column."""
_NAME = r"^\d+[A-Za-z]$"
"""Cells that may be names, such as 101N, if all are so."""
_BAD = ("#", "x", "X", "?", "!")
"""Marks of readings that are not to be used; next to them a * is one of them."""
FEWEST_NUMBERS, MOST_MARKS = 12, 8
"""Distinct numbers, and at most so many marks behind them, from which a column is marked."""
MOST_ODD = 0.02
"""Share of distinct cells of a marked column that may be anything else."""
_DOUBLED = r"^(0?[0-4])([ABab])((?::\d{2})*)$"
"""An hour of the night that comes twice in autumn: 2A, 02B, 3A:15."""
_ALONE = r"^(0?[0-4])([ABXabx*])((?::\d{2})*)$"
"""The same, where only one of the two has a mark: 02 and 02X, 2 and 2A, 02 and 02*."""


def without_marks(texts: Texts, findings: Findings) -> Texts:
    """Numbers of cells such as "12.3 R" and "45*", whose marks tell how good a reading is.

    Values whose mark says that they are not to be used stay text, which is no number.
    """
    able = [n for n in names_where(texts.said, CELL.str.contains(_MARKED)) if not _is_name(n)]
    bare, said = [], {}
    for name, marks in _marks(texts.of(able)).items():
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
            f"they were read without them; if some mean that a reading is not valid, pass "
            f"valid={{{next(iter(said)) + OF_MARKS!r}: ['', ...]}} with those that do not",
            count=len(said),
        )
    return texts.changed(bare)


def _is_name(name: str) -> bool:
    return plain_name(name) in SENSOR or tokens(name)[-1] == "id"


def _marks(cells: pl.DataFrame) -> dict[str, list[str]]:
    """Column → the marks behind its numbers, unless they may be parts of names or units."""
    number, mark = CELL.str.extract(_MARKED, 1), CELL.str.extract(_MARKED, 2)
    plain = CELL.str.contains(_PLAIN)
    found = by_name(
        cells,
        marks=mark.drop_nulls().unique().sort(),
        known=number.str.strip_chars().drop_nulls().n_unique() + plain.sum(),
        odd=(mark.is_null() & ~plain).mean(),
        names=CELL.str.contains(_NAME).all(),
    )
    sure = found.filter(~pl.col("names"), pl.col("known") >= FEWEST_NUMBERS,
                        pl.col("odd") <= MOST_ODD)  # fmt: skip
    every = dict(sure.select("name", "marks").rows())
    return {n: marks for n, marks in every.items() if _are_marks({*marks}, of(cells, [n])["cell"])}


def _are_marks(marks: set[str], cells: pl.Series) -> bool:
    """Whether they are none that scale the numbers, which then would be smaller than others."""
    other = marks & _THOUSANDS or marks >= _DEGREES or marks & {"am", "pm", "AM", "PM"}
    if other or not 0 < len(marks) <= MOST_MARKS:
        return False
    may_scale = cells.str.extract(_MARKED, 2).is_in(sorted(marks & _SCALES)).fill_null(value=False)
    if not may_scale.any():
        return True
    plain = cells.filter(cells.str.contains(_PLAIN))
    return of_one_size(cells.filter(may_scale).str.extract(_MARKED, 1).str.strip_chars(), plain)


def with_signs_before(texts: Texts) -> Texts:
    """The minus before numbers where a column writes it behind them, as SAP does: 8,4-."""
    cells = texts.of(names_where(texts.said, CELL.str.contains(_MINUS_BEHIND)))
    behind, plain = CELL.str.contains(_MINUS_BEHIND), CELL.str.contains(_PLAIN)
    found = by_name(cells, sure=(behind | plain).all(), many=behind.sum())
    sure = found.filter("sure", pl.col("many") >= 2)["name"].to_list()
    return texts.changed([pl.col(n).str.replace(_MINUS_BEHIND, "-${1}") for n in sure])


def without_limits(texts: Texts, findings: Findings) -> Texts:
    """Half the limit for values below the limit of detection, such as "<5" among numbers.

    So the European Environment Agency reports them, as valid (its validity 3).
    """
    cells = texts.of(names_where(texts.said, CELL.str.contains(_LIMIT)))
    limit, plain = CELL.str.extract(_LIMIT, 1), CELL.str.contains(_PLAIN)
    found = by_name(
        cells,
        below=CELL.filter(limit.is_not_null()).first(),
        known=(plain & limit.is_null()).sum(),
        odd=(~plain).mean(),
    )
    sure = found.filter(pl.col("known") >= FEWEST_NUMBERS, pl.col("odd") <= MOST_ODD)
    below = {name: cell for name, cell in sure.select("name", "below").rows() if not _is_name(name)}
    if not below:
        return texts
    count = texts.rows.select(pl.col(list(below)).str.contains(_LIMIT).sum()).row(0)
    findings.warn(
        "below-detection",
        f"{counted(sum(count), 'value')} of {listed(list(below), 3, quoted=True)} below the limit "
        f"of detection, such as {next(iter(below.values()))!r}",
        "half the limit was read, as the European Environment Agency reports them; leave the cells "
        "empty if they are not to count",
        count=sum(count),
    )
    return texts.changed([_half_the_limit(name) for name in below])


def _half_the_limit(name: str) -> pl.Expr:
    """The cells of a column, halved where they are a limit.

    Halves are written as 2500000e-6, which says nothing of what points and commas mean in others.
    """
    limit = pl.col(name).str.extract(_LIMIT, 1).str.replace(",", ".", literal=True)
    millionths = (limit.cast(pl.Float64) * (_MILLION // 2)).round().cast(pl.Int64)
    return (millionths.cast(pl.String) + "e-6").fill_null(pl.col(name)).alias(name)


def without_letters(texts: Texts) -> Texts:
    """Times of the day without the letters of the doubled hour: 2A and 2B are both 2."""
    changed = []
    for name in names_where(texts.said, CELL.str.contains(_ALONE)):
        distinct = of(texts.said, [name])["cell"]
        if _is_marked_once(distinct):
            changed.append(pl.col(name).str.replace(_ALONE, "${1}${3}"))
            continue
        lettered = distinct.filter(distinct.str.contains(_DOUBLED))
        first, second = (
            {*lettered.filter(lettered.str.contains(f"(?i){letter}")).str.replace("(?i)[ab]", "")}
            for letter in "ab"
        )
        rest = distinct.filter(~distinct.str.contains(_DOUBLED))
        if first and first == second and len(rest) > len(lettered) and _are_times(rest):
            changed.append(pl.col(name).str.replace(_DOUBLED, "${1}${3}"))
    return texts.changed(changed)


def _is_marked_once(distinct: pl.Series) -> bool:
    """Whether times of the day have a mark where they come again, and stand without one too."""
    marked = distinct.filter(distinct.str.contains(_ALONE))
    rest = distinct.filter(~distinct.str.contains(_ALONE))
    again = {*marked.str.replace(_ALONE, "${1}${3}")} <= {*rest}
    return again and marked.str.extract(_ALONE, 2).n_unique() == 1 and _are_times(rest)


def _are_times(cells: pl.Series) -> bool:
    return bool(cells.str.contains(r"^([01]?\d|2[0-5])(:\d{2})*$").all())


def without_units(texts: Texts) -> tuple[Texts, dict[str, str]]:
    """Numbers of cells such as "12.5 kW", where a column writes one known unit throughout."""
    said = _units_behind(texts, _WITH_UNIT).items()
    every = {name: some[0] for name, some in said if len(some) == 1}
    units = {name: unit for name, unit in every.items() if unit != "%"}
    bare = [pl.col(n).str.replace(rf"\s*{re.escape(unit)}\s*$", "") for n, unit in units.items()]
    return texts.changed(bare), every


def with_one_unit(texts: Texts, findings: Findings) -> tuple[Texts, dict[str, str]]:
    """Numbers of cells in units that are powers of ten of each other: 949 kW, 1.42 MW.

    They are written with an exponent in the unit of most columns. What programs round for people,
    and units of several kinds in one column, is refused.
    """
    behind = _units_behind(texts, _SCALED)
    bases = _bases(texts, behind)
    changed, units = list[pl.Expr](), dict[str, str]()
    for name, said in behind.items():
        base = bases[name]
        if [base] == said:
            continue
        powers = {one: _power_of_ten(one, base) for one in said}
        simple = of(texts.said, [name])["cell"].str.contains(_SIMPLE).all()
        if None in powers.values() or not simple:
            if len(said) > 1:
                findings.error(
                    "units-in-cells",
                    f"column {name!r} writes numbers in several units: {listed(said, quoted=True)}",
                    "export it with plain numbers in one unit (in Grafana, without 'Formatted "
                    "data')",
                )
            continue
        units[name] = base
        changed.append(_in_one_unit(name, powers))
    findings.stop_on_errors()
    if units:
        findings.note(
            "converted",
            f"the cells of {listed(list(units), 3, quoted=True)} are in other units than the rest",
            f"all were read in {listed(sorted({*units.values()}))}",
            count=len(units),
        )
    return texts.changed(changed), units


def _bases(texts: Texts, behind: dict[str, list[str]]) -> dict[str, str]:
    """Column → the unit it is read in: of each kind of unit, the one of most cells."""
    cells = texts.of([name for name, said in behind.items() if said != ["%"]])
    counts = cells.select(unit=CELL.str.extract(_SCALED, 1)).group_by("unit").len()
    often = counts.sort("len", "unit", descending=[True, False])["unit"].to_list()
    best: dict[str, str] = {}
    for unit in often:
        best.setdefault(_kind(unit), unit)
    return {name: best.get(_kind(said[0]), said[0]) for name, said in behind.items()}


def _kind(said: str) -> str:
    return kind_of_unit(unit_of(said) or said)


def _in_one_unit(name: str, powers: dict[str, int | None]) -> pl.Expr:
    unit = pl.col(name).str.extract(_SCALED, 1)
    number = pl.col(name).str.extract(_SIMPLE, 1)
    exponents = {one: f"e{power}" if power else "" for one, power in powers.items()}
    scaled = number + unit.replace_strict(exponents, default=None, return_dtype=pl.String)
    return scaled.fill_null(pl.col(name)).alias(name)


def _power_of_ten(said: str, base: str) -> int | None:
    """Between two units; None if there is none.

    >>> _power_of_ten("kW", "W"), _power_of_ten("K veh/h", "veh/h"), _power_of_ten("mph", "km/h")
    (3, None, None)
    """
    factor = factor_between(unit_of(said) or "", unit_of(base) or "")
    power = None if factor is None else round(math.log10(factor))
    return power if power is not None and abs(factor / 10**power - 1) < 1e-6 else None


def _units_behind(texts: Texts, pattern: str) -> dict[str, list[str]]:
    """Column → the units behind its numbers, where it holds nothing else and all are known."""
    able = units_of(texts.first(50), pattern)
    able = {name: said for name, said in able.items() if plain_name(name) not in UNIT_COLUMNS}
    return units_of(texts.of(able), pattern)


def units_of(cells: pl.DataFrame, pattern: str = _SCALED) -> dict[str, list[str]]:
    """Column → the known units behind its numbers; not of columns with any other cell.

    >>> cells = ["949 veh/h", "1.42 K veh/h", "949 veh/h", "north"]
    >>> units_of(pl.DataFrame({"name": ["a", "a", "b", "b"], "cell": cells}))
    {'a': ['K veh/h', 'veh/h']}
    """
    found = by_name(cells, CELL.str.extract(pattern, 1).unique()).rows()
    told = {name: sorted(units) for name, units in found if None not in units}
    return {name: units for name, units in told.items() if all(map(_is_unit, units))}


@functools.cache
def _is_unit(said: str) -> bool:
    return unit_of(said.rsplit(maxsplit=1)[-1]) is not None
