"""Numbers whose error stands behind them in the same cell: 12.3 ± 0.6."""

from __future__ import annotations

import polars as pl

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._numbers import NUMBER_LIKE
from citytune.readers.cells._texts import CELL, Texts, by_name, names_where

_WITH_ERROR = r"^\s*\(?\s*([+-]?\d[\d.,]*)\s*(?:±|\+/[-−])\s*\d[\d.,]*\s*\)?\s*([^\d\s±].*)?$"
MOST_ODD = 0.02
"""Share of distinct cells that may be neither such numbers nor plain ones."""


def without_errors(texts: Texts, findings: Findings) -> Texts:
    """The numbers alone, and a unit that stands behind both."""
    cells = texts.of(names_where(texts.said, CELL.str.contains(_WITH_ERROR)))
    if not len(cells):
        return texts
    plain = CELL.str.contains(NUMBER_LIKE.pattern)
    odd = by_name(cells, odd=(~(CELL.str.contains(_WITH_ERROR) | plain)).mean())
    names = odd.filter(pl.col("odd") <= MOST_ODD)["name"].to_list()
    if not names:
        return texts
    findings.note(
        "errors-in-cells",
        f"the cells of {listed(names, 3, quoted=True)} hold readings and how far they may be off "
        "(±)",
        "the readings were taken, without the errors",
        count=len(names),
    )
    return texts.changed([_number(name) for name in names])


def _number(name: str) -> pl.Expr:
    number, unit = (pl.col(name).str.extract(_WITH_ERROR, i) for i in (1, 2))
    return (
        (number + pl.concat_str(pl.lit(" "), unit).fill_null(""))
        .fill_null(pl.col(name))
        .alias(name)
    )
