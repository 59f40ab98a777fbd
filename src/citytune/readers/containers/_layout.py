"""Find the table inside delimited text: its delimiter, titles, header, row of units and body."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from citytune.readers.cells._numbers import NUMBER_LIKE, is_missing
from citytune.readers.cells._vocabulary import is_quantity
from citytune.readers.containers._label_rows import TIME_LIKE, Row, label_rows, with_notes

DELIMITERS = ",;\t|"
NO_DATE = r"^(1899-12-3[01]|12/3[01]/1899|3[01]\.12\.1899)[T ]\b"
"""The day that spreadsheets and databases write before a time of the day."""
UNIT_LIKE = re.compile(
    r"^[\[(]?\s*(?:(?:0[.,]0*1|1/10+)\s?)?(ts|rn|volts?|amps?|watts?|deg\.? ?[cfk]|degrees|"
    r"veh|vehicles?|km|mph|kph|vph|m/s|met(er|re)s/(sec|second)|°?[cf]|%|k?[wv]h?|[mgt]wh?|k?va(rh?)?|"
    r"[µu]?g\s?/?\s?m\W?3?|ppb|ppm|hpa|mbar|mm|counts?|s|sec|seconds|min(utes)?|h|hours|"
    r"utc|local time|"
    r"yyyy\W.*|dd\W.*|hh:.*|-|n/?a|\w{1,4}/\w{1,3})(?![^\W\d_])"
    r"[\w/³²·.\s-]*[\])]?$",
    re.IGNORECASE,
)

_POINT = re.compile(
    r"(point|channel|ch|sensor|series|trend|tag|input|column|field|value|var|y)[ _.-]?\d+ ?:?",
    re.IGNORECASE,
)
"""Names of columns that say nothing themselves."""
_RULE = re.compile(r"\s*:?[-+]{2,}:?\s*|\s*")
"""A cell of a line that is drawn below a header."""


@dataclass(frozen=True)
class Layout:
    """Where what stands in a text."""

    delimiter: str
    names: tuple[str, ...]
    heading: tuple[str, ...]
    """The header as it is written, which may be repeated further below."""
    headless: bool
    first: int
    """Lines before the first row of data."""
    body: tuple[tuple[str, ...], ...]
    """Rows of data in the head, all of the table's width."""
    units: tuple[str, ...] = ()
    """Of each column, from a row of units."""
    titles: tuple[str, ...] = ()
    """Lines above the header."""


def find_layout(
    lines: Sequence[str], start: int = 0, delimiter: str | None = None
) -> Layout | None:
    """The layout of the first lines of a text; None if there is no table in them.

    Args:
        lines: Of the head, without line ends.
        start: Lines of the file before these.
        delimiter: If it is known.
    """
    delimiter = delimiter or find_delimiter(lines)
    rows = _rows(lines, delimiter, start)
    if not rows:
        return None
    width = _usual_width(rows)
    rows, width = with_notes(rows, width)
    inside = [i for i, row in enumerate(rows) if len(row.cells) == width]
    if not inside:
        return None
    body = [rows[i].cells for i in inside]
    labels = label_rows(body)
    top = inside[:labels]
    header, parent, units = _which(rows, top, width)
    data = inside[labels:]
    if not data:
        header = header if header is not None else inside[0]
        return _without_rows(rows, header, delimiter, width)
    above = rows[: header if header is not None else data[0]]
    titles = tuple(" ".join(c.strip() for c in row.cells if c.strip()) for row in above)
    cells = [rows[i].cells for i in data]
    heading = None if header is None else _heading(rows, header, width)
    names = heading or [f"column_{i + 1}" for i in range(width)]
    if parent is not None and len({cell for cell in rows[parent].cells if cell.strip()}) > 1:
        hollow = [all(is_missing(row[i]) for row in cells) for i in range(width)]
        names = _under(rows[parent].cells, names, hollow)
    if units is not None:
        names = _with_units(names, rows[units].cells)
    names = _with_legend(names, [row.cells for row in above])
    below = top[top.index(header) + 1 :] if header in top else []
    for row in below[: below.index(units) if units in below else None]:
        names = _told_apart(names, rows[row].cells)
    for row in top[: top.index(header)][::-1] if header in top and parent is None else []:
        names = _told_apart(names, rows[row].cells, above=True)
    return Layout(
        delimiter=delimiter,
        names=tuple(names),
        heading=tuple(heading or names),
        headless=header is None,
        first=rows[data[0]].line,
        body=tuple(tuple(row) for row in cells),
        units=() if units is None or _are_formats(rows[units].cells) else tuple(rows[units].cells),
        titles=tuple(title for title in titles if title),
    )


def bare_titles(rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Rows of cells, those above the first full one without the empty cells behind their last."""
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    usual = sorted(filled)[len(filled) // 2] if filled else 0
    top = next((i for i, count in enumerate(filled) if count >= usual), 0)
    # Cells with gaps between them are no title: they name groups of columns.
    titles = [row[:count] if all(cell.strip() for cell in row[:count]) else row
              for row, count in zip(rows[:top], filled, strict=False)]  # fmt: skip
    return [*titles, *rows[top:]]


def find_delimiter(lines: Sequence[str]) -> str:
    """The delimiter by which the most lines have the same number of fields.

    Titles above the table and sentences below it have other numbers of fields.
    """

    def fit(delimiter: str) -> tuple[float, int]:
        widths = [len(row.cells) for row in _rows(lines[:400], delimiter, 0)]
        wide = Counter(width for width in widths if width > 1)
        if not wide:
            return 0.0, 1
        width, count = max(wide.items(), key=lambda item: (item[1], item[0]))
        return count / len(widths), width

    return max(DELIMITERS, key=fit)


def _rows(lines: Sequence[str], delimiter: str, start: int) -> list[Row]:
    """Rows that hold anything, with their lines."""
    reader = csv.reader(lines, delimiter=delimiter)
    found, before = [], 0
    for cells in reader:
        if any(cell.strip() for cell in cells) and not all(map(_RULE.fullmatch, cells)):
            found.append(Row(cells, start + before))
        before = reader.line_num
    return found


def _usual_width(rows: Sequence[Row]) -> int:
    """The number of fields of most rows, of the later ones if in doubt."""
    counts = Counter(len(row.cells) for row in rows)
    most = max(counts.values())
    return max(width for width, count in counts.items() if count == most)


def _which(
    rows: Sequence[Row], top: Sequence[int], width: int
) -> tuple[int | None, int | None, int | None]:
    """Of the rows of labels: the header, the one above that groups its names, the row of units."""
    if not top:
        above = [i for i, row in enumerate(rows[:12]) if 1 < len(row.cells) < width]
        return (
            (above[-1] if above and _is_short_header(rows, above[-1], width) else None),
            None,
            None,
        )
    filled = {i: sum(bool(cell.strip()) for cell in rows[i].cells) for i in top}
    units = None
    for i in range(len(top) - 1, 0, -1):
        named = 2 * filled[top[i - 1]] >= filled[top[i]]  # below a title stand no units
        if named and _are_units(rows[top[i]].cells, rows[top[i - 1]].cells):
            units = top[i]
            names = [j for j in top[i + 1 :] if _names_all(rows[j], [rows[k] for k in top[:i]])]
            # What stands below them says how they were computed, if it is not their names.
            top = [j for j in top if j != units] if names else top[:i]
            break
    most = max(filled[i] for i in top)
    able = [i for i in reversed(top) if filled[i] >= 0.7 * most or filled[i] == most]
    header = max(able, key=lambda i: len({cell.strip() for cell in rows[i].cells}))
    if header + 1 in top and _groups(rows[header], rows[header + 1]):
        header += 1  # names of groups, with words above the times
    parent = header - 1 if header - 1 in top and _groups(rows[header - 1], rows[header]) else None
    return header, parent, units


def _names_all(row: Row, above: Sequence[Row]) -> bool:
    """Whether a row names every column, each otherwise, and none above it does."""

    def full(one: Row) -> bool:
        cells = [cell.strip() for cell in one.cells]
        return all(cells) and len({*cells}) == len(cells)

    return full(row) and not any(map(full, above))


def _is_short_header(rows: Sequence[Row], place: int, width: int) -> bool:
    """A header with a field or two less than the rows: they end with a delimiter, or an index."""
    row = rows[place].cells
    body = [other.cells for other in rows[place + 1 :][:50] if len(other.cells) == width]
    lonely = (
        width - len(row) == 1
        and bool(body)
        and (all(not other[-1].strip() for other in body) or _are_numbered(body))
    )
    return lonely and not any(NUMBER_LIKE.match(cell) or TIME_LIKE.match(cell) for cell in row)


def _are_formats(cells: Sequence[str]) -> bool:
    """Whether each cell says how wide a column is and what it holds: 5s, 20d, 14n."""
    return all(re.fullmatch(r"\d+[a-z]", cell.strip()) for cell in cells)


def _are_units(cells: Sequence[str], names: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell.strip()]
    if _are_formats(cells):
        return True
    alike = sum(bool(UNIT_LIKE.match(cell.strip())) for cell in filled)
    same = sum(a.strip() == b.strip() for a, b in zip(cells, names, strict=False) if a.strip())
    return bool(filled) and alike >= 0.6 * len(filled) and same < len(filled) / 2


def _groups(parent: Row, header: Row) -> bool:
    """Whether one row of labels names groups of columns of the next."""
    names = [cell.strip() for cell in parent.cells]
    below = [cell.strip() for cell in header.cells]
    groups, told = [name for name in names[1:] if name], [cell for cell in below if cell]
    if not groups or len(set(told)) == len(told):
        return False
    pairs = [*zip(names, below, strict=False)]
    full = bool(names[0]) and not below[0] and all(below[1:]) and len(set(pairs)) == len(pairs)
    each = not names[0] and len(groups) == len(names) - 1 and len(set(pairs)) == len(pairs)
    return full or each or len(groups) < len(names) - 1


def _with_legend(names: Sequence[str], above: Sequence[Sequence[str]]) -> list[str]:
    """Names such as Point_1 with what lines above the header say they stand for.

    >>> _with_legend(["Time", "Point_1"], [["Point_1:", "B7.KW", "15 minutes"]])
    ['Time', 'B7.KW']
    """
    legend = {
        cells[0].strip().rstrip(": "): cells[1].strip()
        for cells in above
        if len(cells) > 1 and _POINT.fullmatch(cells[0].strip()) and cells[1].strip()
    }
    found = [legend.get(name.strip()) or name for name in names]
    return found if len({*found}) == len({*names}) else list(names)


def _under(parent: Sequence[str], names: Sequence[str], hollow: Sequence[bool]) -> list[str]:
    """Names with that of their group before them; a hollow column without a name has none."""
    group, found = "", []
    for above, name, empty in zip(parent, names, hollow, strict=False):
        group = above.strip() or group
        found.append(f"{group} {name}".strip() if group and (name or not empty) else name)
    return found


def _with_units(names: Sequence[str], units: Sequence[str]) -> list[str]:
    """Names, where some stand over several units, with the unit of those that have none.

    >>> _with_units(["Time", "North", "", "South", ""], ["", "kWh", "kvarh", "kWh", "kvarh"])
    ['Time', 'North', 'North kvarh', 'South', 'South kvarh']
    """
    group, found = "", []
    for name, unit in zip(names, units, strict=False):
        group = name.strip() or group
        bare = not name.strip() and unit.strip() and group
        found.append(f"{group} {unit.strip()}" if bare else name)
    return found if len({*found}) == len(found) else list(names)


def _told_apart(names: Sequence[str], cells: Sequence[str], *, above: bool = False) -> list[str]:
    """Names that come twice, with another row of labels where that tells them apart.

    Below them it may say what each measures, too.
    """
    pairs = [(cell.strip(), name) for name, cell in zip(names, cells, strict=False)]
    joined = [" ".join(pair if above else pair[::-1]).strip() for pair in pairs]
    said = [cell for cell, _ in pairs if cell]
    measured = not above and bool(said) and all(map(is_quantity, said))
    return joined if measured or len(set(joined)) > len(set(names)) else list(names)


def _are_numbered(body: Sequence[Sequence[str]]) -> bool:
    """Whether the first cells number the rows from 1 on, as R does without a name for them."""
    return [row[0].strip() for row in body] == [str(i + 1) for i in range(len(body))]


def _heading(rows: Sequence[Row], header: int, width: int) -> list[str]:
    cells = [re.sub(NO_DATE, "", cell.strip()) for cell in rows[header].cells]
    lacking = [""] * (width - len(cells))
    body = [row.cells for row in rows[header + 1 :][:50] if len(row.cells) == width]
    return lacking + cells if lacking and _are_numbered(body) else cells + lacking


def _without_rows(rows: Sequence[Row], header: int, delimiter: str, width: int) -> Layout:
    names = tuple(_heading(rows, header, width))
    return Layout(delimiter, names, names, False, rows[header].line + 1, ())
