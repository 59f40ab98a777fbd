"""Dates in a month whose name is that of another month elsewhere."""

from __future__ import annotations

import polars as pl

from citytune.readers.cells._findings import Findings
from citytune.readers.cells._month_names import in_english, without_listopad


def with_clear_months(cells: pl.Series, findings: Findings) -> pl.Series:
    """Cells in which "listopada" is the month of their language, as the others tell it."""
    month = without_listopad(cells)
    if month is None:
        findings.error(
            "which-month",
            "'listopada' is November in Polish and October in Croatian, and no other month tells "
            "which is meant",
            "write dates such as 2024-11-30",
        )
    return cells.map_elements(lambda cell: in_english(cell, month), pl.String) if month else cells
