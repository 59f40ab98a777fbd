"""Text columns without what stands next to their numbers: units, marks, codes, limits."""

from __future__ import annotations

from citytune.readers.cells._brackets import without_brackets
from citytune.readers.cells._cell_units import (
    with_one_unit,
    with_signs_before,
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
from citytune.readers.cells._units_by_point import with_units_of_points


def plain_cells(texts: Texts, findings: Findings) -> tuple[Texts, dict[str, str]]:
    """The table with bare numbers in its cells, and column → the unit that they had."""
    texts = with_units_of_points(without_errors(texts, findings), findings)
    texts, converted = with_one_unit(texts, findings)
    texts, units = without_units(texts)
    texts = with_signs_before(texts)
    texts = without_letters(without_codes(without_brackets(texts, findings), findings))
    texts = without_limits(without_marks(texts, findings), findings)
    texts, seconds = as_seconds(texts, findings)
    return texts, {**units, **converted, **seconds}
