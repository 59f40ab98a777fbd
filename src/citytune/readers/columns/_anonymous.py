"""Names that lines above a table give to columns called field1 or channel 2."""

from __future__ import annotations

import re
from collections.abc import Collection

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable

_NUMBERED = re.compile(
    r"(field|channel|ch|chan|kanal|sensor|input|ai|col|column)[_ ]?\d{1,2}", re.I
)
_LONGEST = 60
"""Letters of a name."""


def with_names_above(table: SourceTable, named: Collection[str], findings: Findings) -> SourceTable:
    """The table with the names that its titles give to numbered columns: `field1: Temperature`.

    Columns that the person `named` keep their names.
    """
    if not table.titles:
        return table
    able = [name for name in table.schema if _NUMBERED.fullmatch(name) and name not in named]
    told = {name: said for name in able if (said := _said(table.titles, name))}
    distinct = len({*told.values()}) == len(told) and not {*told.values()} & {*table.schema}
    if not told or not distinct:
        return table
    findings.note(
        "titles",
        f"the lines above the table call {listed(list(told), 4, quoted=True)} "
        f"{listed(list(told.values()), 4, quoted=True)}",
        "they were read under these names",
        count=len(told),
    )
    return table.renamed(told)


def _said(titles: Collection[str], name: str) -> str:
    """What one title calls a column; nothing if none or several do."""
    pattern = re.compile(
        rf"(?<!\w){re.escape(name)}\s*[\"']?\s*[:=]\s*[\"']?([^,;|\t\"']+)", re.IGNORECASE
    )
    found = {one.strip() for line in titles for one in pattern.findall(line)}
    said = found.pop() if len(found) == 1 else ""
    return said if len(said) <= _LONGEST and re.search(r"[^\W\d]", said) else ""
