"""Text columns without what stands next to their numbers: units, marks, codes, limits."""

from __future__ import annotations

from citytune.readers.cells._cell_units import (
    with_one_unit,
    without_letters,
    without_limits,
    without_marks,
    without_units,
)
from citytune.readers.cells._coded_cells import without_codes
from citytune.readers.cells._durations import as_seconds
from citytune.readers.cells._errors_in_cells import without_errors
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._texts import Texts


def plain_cells(texts: Texts, findings: Findings) -> tuple[Texts, dict[str, str]]:
    """The table with bare numbers in its cells, and column → the unit that they had."""
    texts, converted = with_one_unit(without_errors(texts, findings), findings)
    texts, units = without_units(texts)
    texts = without_letters(without_codes(texts, findings))
    texts = without_limits(without_marks(texts, findings), findings)
    texts, seconds = as_seconds(texts, findings)
    return texts, {**units, **converted, **seconds}
