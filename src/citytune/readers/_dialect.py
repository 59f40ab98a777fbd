"""Find how a text writes its table: delimiter, names, which columns are numbers, how they look."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from citytune._text import counted, listed
from citytune.readers._coded_cells import are_coded
from citytune.readers._findings import Findings
from citytune.readers._layout import Layout, find_layout
from citytune.readers._numbers import COMMA, PLAIN, is_missing, writes_commas
from citytune.readers._table import guarded
from citytune.readers._vocabulary import SENSOR, SENSOR_PARTS, plain_name, tokens

HEAD_BYTES = 1 << 19
HEAD_LINES = 2000
LONGEST_WHOLE = 15
"""Digits up to which a whole number is exact as a float."""


class Dialect(NamedTuple):
    """How a text writes its table."""

    layout: Layout
    names: tuple[str, ...]
    types: dict[str, type[pl.DataType]]
    commas: frozenset[str]
    comments: bool
    """Whether lines that begin with # are no rows."""


def sniff(text: bytes, findings: Findings) -> Dialect:
    """How the text writes its table, from its first lines."""
    head = text[:HEAD_BYTES].decode("utf-8", errors="ignore")
    lines = head.splitlines()
    lines = lines[:-1] if len(text) > HEAD_BYTES and len(lines) > 1 else lines
    start, told = 0, ""
    if lines and lines[0].lower().startswith("sep=") and len(lines[0].strip()) == 5:
        start, told = 1, lines[0].strip()[4]
    comments = bool(lines[start:]) and lines[start].startswith("#")
    kept = [("" if comments and line.startswith("#") else line) for line in lines[start:]]
    try:
        layout = find_layout(kept[:HEAD_LINES], start, told or None)
        if comments and layout is not None and layout.headless:
            layout = _headed(lines[start:], kept, start, layout)
    except csv.Error as error:
        findings.fail("not-a-table", f"this is not a table ({error})", "pass a CSV or Parquet file")
    if layout is None:
        findings.fail("empty-file", "the file holds nothing", "check the export that wrote it")
    names = _names(layout, findings)
    if layout.headless:
        findings.note(
            "no-header",
            "the first line holds values, not column names",
            f"the columns were named {listed(list(names), 3, quoted=True)}",
        )
    if layout.titles:
        findings.note(
            "titles",
            f"{counted(len(layout.titles), 'line')} above the table ({layout.titles[0][:60]!r})",
            "they were not read as data",
            count=len(layout.titles),
        )
    types, commas = _types(layout, names)
    return Dialect(layout, names, types, commas, comments)


def _headed(lines: Sequence[str], kept: list[str], start: int, layout: Layout) -> Layout:
    """The layout of rows without a header, of which the last of the comments above is one."""
    rows = next((i for i, line in enumerate(lines) if line.strip() and line[0] != "#"), 0)
    last = next((i for i in range(rows - 1, -1, -1) if lines[i].startswith("#")), None)
    if last is None:
        return layout
    bare = lines[last].lstrip("# ")
    if len(next(csv.reader([bare], delimiter=layout.delimiter), [])) != len(layout.names):
        return layout
    again = [*kept[:last], bare, *kept[last + 1 :]][:HEAD_LINES]
    found = find_layout(again, start, layout.delimiter)
    return layout if found is None or found.headless else found


def _names(layout: Layout, findings: Findings) -> tuple[str, ...]:
    """Column names, each its own; a name that comes twice is numbered."""
    header = [name.strip() or f"unnamed_{i + 1}" for i, name in enumerate(layout.names)]
    seen: Counter[str] = Counter()
    names: list[str] = []
    for name in header:
        seen[name] += 1
        new = name if seen[name] == 1 else f"{name} ({seen[name]})"
        while new in names:
            new += "'"
        names.append(new)
    if twice := [name for name, count in seen.items() if count > 1]:
        findings.note(
            "same-name",
            f"several columns are called {listed(twice, quoted=True)}",
            f"the later ones were renamed {listed([f'{name} (2)' for name in twice], quoted=True)}",
            count=len(twice),
        )
    return tuple(guarded(name) for name in names)


def _types(
    layout: Layout, names: Sequence[str]
) -> tuple[dict[str, type[pl.DataType]], frozenset[str]]:
    """Numbers where the head holds clean numbers only; a code such as 0042 stays text."""
    types: dict[str, type[pl.DataType]] = {}
    commas = set()
    for i, name in enumerate(names):
        column = [row[i] for row in layout.body if not is_missing(row[i])]
        tenths = are_coded(name, column)
        comma = not tenths and writes_commas(
            dict.fromkeys(column), usual=layout.delimiter != ","
        )
        number = COMMA if comma else PLAIN
        clean = bool(column) and all(number.match(cell) for cell in column)
        same = clean and reused(name, pl.Series(list(dict.fromkeys(column)), dtype=pl.String))
        code = same or tenths or any(is_code(cell) or _is_long(cell) for cell in column)
        types[name] = pl.Float64 if clean and not code else pl.String
        if comma and any("," in cell for cell in column):
            commas.add(name)
    return types, frozenset(commas)


def named(name: str) -> bool:
    """Whether a column's name says that it names something."""
    words = tokens(name)
    return plain_name(name) in SENSOR or bool(set(words) & SENSOR_PARTS) or words[-1] == "id"


def reused(name: str, distinct: pl.Series) -> bool:
    """Whether ids are different texts of one number, such as 1e5 and 100000."""
    if not named(name):
        return False
    return distinct.cast(pl.Float64, strict=False).drop_nulls().is_duplicated().any()


def _is_long(cell: str) -> bool:
    """Whether a number has more digits than a float keeps."""
    return len(cell) > LONGEST_WHOLE and sum(c.isdigit() for c in cell) > LONGEST_WHOLE


def is_code(cell: str) -> bool:
    """Whether digits are a name: 0042, +7."""
    cell = cell.strip()
    return len(cell) > 1 and ((cell[0] == "0" and cell.isdigit()) or cell[0] == "+")
