"""Numbers of some cells in brackets, [12.3] or (12.3), which mark how good a reading is."""

from __future__ import annotations

import polars as pl

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._texts import CELL, Texts, names_where
from citytune.readers.cells._vocabulary import pollutants

OF_MARKS = " mark"
"""What is put behind a column's name for the column of its marks."""
FEWEST_NUMBERS, MOST_ODD = 12, 0.02
"""Distinct numbers with brackets, and without; share of distinct cells that may be neither."""
MOST_APART = 2.0
"""Ratio of the medians, and of the largest, of numbers that are marked and those that are not."""
_NUMBER = r"[+-]?\d[\d.,' ]*"
_SQUARE, _ROUND = rf"^\s*\[\s*({_NUMBER})\]\s*$", rf"^\s*\(\s*({_NUMBER})\)\s*$"
_PLAIN = rf"^\s*({_NUMBER})\s*$"


def without_brackets(texts: Texts, findings: Findings) -> Texts:
    """Numbers out of brackets, where others of their size stand without.

    Round ones are the minus of accountants as well: only the concentration of a pollutant, which
    is never negative, is taken out of them.
    """
    square = dict.fromkeys(names_where(texts.said, CELL.str.contains(_SQUARE)), _SQUARE)
    around = pollutants(names_where(texts.said, CELL.str.contains(_ROUND)))
    forms = {**dict.fromkeys(around, _ROUND), **square}
    found = [name for name, form in forms.items() if _are_marked(texts.of([name]), form)]
    if not found:
        return texts
    findings.warn(
        "marks",
        f"numbers in {listed(found, 3, quoted=True)} stand in brackets among others that do not",
        f"they were read without them; pass valid={{{found[0] + OF_MARKS!r}: ['']}} if they mean "
        "that a reading is not valid",
        count=len(found),
    )
    cells = {n: pl.col(n).str.extract(forms[n], 1).str.strip_chars() for n in found}
    bare = [cell.fill_null(pl.col(n)).alias(n) for n, cell in cells.items()]
    return texts.changed(bare)


def _are_marked(cells: pl.DataFrame, form: str) -> bool:
    cell = cells["cell"]
    odd = ~(cell.str.contains(form) | cell.str.contains(_PLAIN))
    return float(odd.mean() or 0) <= MOST_ODD and of_one_size(  # type: ignore[arg-type]
        *(cell.str.extract(one, 1).str.strip_chars().drop_nulls() for one in (form, _PLAIN))
    )


def of_one_size(marked: pl.Series, plain: pl.Series) -> bool:
    """Whether numbers that are marked are as large as those that are not: no mark scales them.

    >>> plain = pl.Series([f"{i}.5" for i in range(30)])
    >>> of_one_size(plain, plain), of_one_size("0.0" + plain, plain)
    (True, False)
    """
    one, other = (some.str.replace(",", ".").cast(pl.Float64, strict=False).drop_nulls().abs()
                  for some in (marked, plain))  # fmt: skip
    if one.n_unique() < FEWEST_NUMBERS or other.n_unique() < FEWEST_NUMBERS:
        return False
    pairs = ((one.median(), other.median()), (one.max(), other.max()))
    return all(
        0 < float(a) <= MOST_APART * float(b) and float(b) <= MOST_APART * float(a)  # type: ignore[arg-type]
        for a, b in pairs
    )
