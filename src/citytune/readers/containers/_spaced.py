"""Tables whose columns are told apart by spaces: of fixed width, or words in a row."""

from __future__ import annotations

import re
from collections import Counter

from citytune.readers.containers._layout import DELIMITERS

HEAD_LINES = 200
SHARE_OF_LINES_ALIKE = 0.9
"""Share of lines that must have the same number of fields."""
_GAPS = (re.compile(r"\s{2,}"), re.compile(r"\s+"))

_RULE = re.compile(r"-{2,}( -{2,})+")
_END = re.compile(r"\s*\(?\d[\d,]* rows? (affected|selected)", re.IGNORECASE)
"""What is printed below a table."""
_NUMBERS = re.compile(r"[\d.+\s-]+")
"""Lines of numbers alone, which no space is part of."""


def with_tabs(text: bytes) -> bytes:
    """The text with a tab for each gap between columns, if spaces are all that parts them."""
    head = text[: 1 << 16].decode("utf-8", errors="ignore").splitlines()[:HEAD_LINES]
    if columns := _ruled(head):
        rows = text.decode("utf-8", errors="replace").splitlines()
        cut = [[row[a:b].strip() for a, b in columns] for row in rows if not _END.match(row)]
        return "\n".join(map("\t".join, cut)).encode() + b"\n"
    lines = [line.strip() for line in head if line.strip()]
    if len(lines) < 3 or any(c in line for line in lines[1:] for c in DELIMITERS.replace(",", "")):
        return text
    if _usual(lines, re.compile(",")) > 1 or any('"' in line and "," in line for line in lines[1:]):
        return text
    gaps = _GAPS[::-1] if all(map(_NUMBERS.fullmatch, lines[1:])) else _GAPS
    gap = next((one for one in gaps if _usual(lines, one) > 1), None)
    if gap is None:
        return text
    rows = text.decode("utf-8", errors="replace").splitlines()
    return "\n".join(gap.sub("\t", row.strip()) for row in rows).encode() + b"\n"


def _ruled(lines: list[str]) -> list[tuple[int, int | None]]:
    """Begin and end of each column, where lines of dashes below the header show how wide they are.

    So the tools of SQL Server and Oracle print a table.
    """
    rule = lines[1].rstrip() if len(lines) > 2 else ""
    if not _RULE.fullmatch(rule):
        return []
    begins = [found.start() for found in re.finditer(r"-+", rule)]
    return [*zip(begins, [*begins[1:], None], strict=True)]


def _usual(lines: list[str], gap: re.Pattern[str]) -> int:
    """The number of fields that nearly all lines have; 0 if they differ."""
    width, count = Counter(len(gap.split(line)) for line in lines).most_common(1)[0]
    return width if count >= SHARE_OF_LINES_ALIKE * len(lines) else 0
