"""Find how a text writes its table: delimiter, names, which columns are numbers, how they look."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from citytune._text import counted, listed
from citytune.readers.cells._coded_cells import are_coded
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._numbers import COMMA, PLAIN, may_be_thousands, writes_commas
from citytune.readers.cells._table import guarded
from citytune.readers.cells._texts import CELL, Texts, by_name
from citytune.readers.cells._vocabulary import SENSOR, SENSOR_PARTS, plain_name, tokens
from citytune.readers.containers._layout import Layout, find_layout

HEAD_BYTES = 1 << 19
HEAD_LINES = 2000
LONG = r"^\s*[+-]?\d{16,}\s*$"
"""More digits than a float keeps exactly."""
NOTATION = r",|\.\d{3}"
"""What numbers of different notations are told apart by."""


_THINGS = frozenset(
    ["anzahl", "anz", "fahrzeuge", "kfz", "pkw", "lkw", "fahrrader", "radfahrer", "numero",
     "vehiculos", "veicoli", "voertuigen", "count", "counts", "vehicles", "aantal",
     "nombre", "antal", "antall", "liczba", "besucher", "passages"]
)  # fmt: skip
"""Words of numbers of whole things."""


_REPORT = re.compile(r"\b[A-Z]{4}[ ,;\t]+\d{6}Z[ ,;\t]")
"""The airport and time of a METAR, SPECI or TAF."""


class Dialect(NamedTuple):
    """How a text writes its table."""

    layout: Layout
    names: tuple[str, ...]
    types: dict[str, type[pl.DataType]]
    commas: frozenset[str]
    comments: bool
    """Whether lines that begin with # are no rows."""
    missing: bool
    """Whether a word for a missing value is written in the head."""
    remarks: tuple[str, ...] = ()
    """Lines of the head that begin with #."""


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
        _refuse_reports(layout, findings)
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
    rows = pl.DataFrame(layout.body, dict.fromkeys(names, pl.String), orient="row")
    texts = Texts(rows)
    types, commas = _types(layout, names, texts)
    _tell_points(layout, texts, commas, findings)
    missing = len(texts.said) < len(texts.once.filter(CELL != ""))
    remarks = tuple(line.lstrip("# ").rstrip() for line in lines if line.startswith("#"))
    return Dialect(layout, names, types, commas, comments, missing, remarks if comments else ())


def _tell_points(layout: Layout, texts: Texts, commas: frozenset[str], findings: Findings) -> None:
    """Say which columns hold nothing but numbers such as 3.456, whose point may part thousands."""
    if layout.delimiter != ";":
        return
    found = by_name(texts.said, CELL, marks=CELL.str.contains(r"\.\d{3}").all())
    doubtful = [
        (name, cells[0])
        for name, cells, marks in found.rows()
        if marks and name not in commas and may_be_thousands(cells)
    ]
    for name, cell in doubtful:
        findings.warn(
            "point-or-thousands",
            f"every cell of column {name!r} is such as {cell}, whose point may be that of decimals "
            "or part thousands",
            f"{cell} was read as {float(cell):g}; write decimals with a comma, or no marks between "
            "thousands, if this is wrong",
        )


def _refuse_reports(layout: Layout, findings: Findings) -> None:
    """Reports of the weather at airports are texts, whose groups are no columns."""
    rows = [layout.delimiter.join(row) for row in layout.body[:20]]
    if all(_REPORT.search(row) for row in rows):
        findings.fail(
            "not-a-table",
            f"the lines are coded reports of the weather, such as {rows[0][:60]!r}",
            "decode them into columns first (such as wind, temperature and pressure)",
        )


def _headed(lines: Sequence[str], kept: list[str], start: int, layout: Layout) -> Layout:
    """The layout of rows without a header, for which a comment above has as many fields."""
    rows = next((i for i, line in enumerate(lines) if line.strip() and line[0] != "#"), 0)
    width = len(layout.names)

    def names_columns(line: str) -> bool:
        cells = next(csv.reader([line.lstrip("# ")], delimiter=layout.delimiter), [])
        return line.startswith("#") and len(cells) == width

    last = next((i for i in range(rows - 1, -1, -1) if names_columns(lines[i])), None)
    if last is None:
        return layout
    bare = lines[last].lstrip("# ")
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
    layout: Layout, names: Sequence[str], texts: Texts
) -> tuple[dict[str, type[pl.DataType]], frozenset[str]]:
    """Numbers where the head holds clean numbers only; a code such as 0042 stays text."""
    found = by_name(
        texts.said,
        CELL,
        marks=CELL.str.contains(NOTATION).any(),
        codes=(is_code(CELL) | CELL.str.contains(LONG)).any(),
        plain=CELL.str.contains(PLAIN).all(),
        comma=CELL.str.contains(COMMA).all(),
    )
    types: dict[str, type[pl.DataType]] = dict.fromkeys(names, pl.String)
    commas = set()
    for name, cells, marks, codes, *clean in found.rows():
        if are_coded(name, cells):
            continue
        comma = marks and writes_commas(
            cells, usual=layout.delimiter != ",", counts=counts_things(name)
        )
        if clean[comma] and not codes and not reused(name, cells):
            types[name] = pl.Float64
        if comma and any("," in cell or "." in cell for cell in cells):
            commas.add(name)
    return types, frozenset(commas)


def named(name: str) -> bool:
    """Whether a column's name says that it names something."""
    words = tokens(name)
    return plain_name(name) in SENSOR or bool(set(words) & SENSOR_PARTS) or words[-1] == "id"


def counts_things(name: str) -> bool:
    """Whether a column is called a number of things, which are whole: Anzahl Fahrzeuge."""
    return bool({*tokens(name)} & _THINGS)


def reused(name: str, distinct: Sequence[str]) -> bool:
    """Whether ids are different texts of one number, such as 1e5 and 100000."""
    if not named(name):
        return False
    cells = pl.Series(distinct, dtype=pl.String)
    return cells.cast(pl.Float64, strict=False).drop_nulls().is_duplicated().any()


def is_code(cell: pl.Expr) -> pl.Expr:
    """Whether digits are a name: 0042, +7."""
    return cell.str.contains(r"^\s*(0\d+|\+.+)\s*$")
