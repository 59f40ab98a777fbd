"""Rows of XML that is a plain table: one element a row, whose parts or attributes are its cells."""

from __future__ import annotations

from collections import Counter
from typing import Any

FEWEST_XML_ROWS = 12
SHARE_OF_ROWS = 0.9
"""Share of the elements next to each other that must be rows of one kind."""


def rows_of_xml(root: Any) -> list[dict[str, str]]:
    """The cells of each row by name; nothing if the document is no plain table.

    Rows stand next to each other in one place, or in several of one kind, such as stations. They
    hold plain cells alone: what is nested deeper means more than a table says.
    """
    parent = root
    while len(parent) == 1:
        parent = parent[0]
    if rows := _rows_in(parent):
        return rows
    found = []
    for group in parent:
        rows, around = _rows_in(group), _around(group)
        if not rows or group.tag != parent[0].tag or around.keys() & rows[0].keys():
            return []
        found += [around | row for row in rows]
    return found


def _rows_in(parent: Any) -> list[dict[str, str]]:
    """The rows that stand next to each other in one place; what holds others is none."""
    tags = Counter(one.tag for one in parent)
    rows = [one for one in parent if one.tag == tags.most_common(1)[0][0]]
    if len(rows) < max(FEWEST_XML_ROWS, SHARE_OF_ROWS * len(parent)):
        return []
    if any(len(cell) for row in rows for cell in row):
        return []
    found = [_cells(row) for row in rows]
    return found if all(len(row) > 1 for row in found) else []


def _around(group: Any) -> dict[str, str]:
    """What a group of rows says of all of them, in attributes and parts: the station's name."""
    tags = Counter(one.tag for one in group)
    alone = {_local(one.tag): (one.text or "").strip() for one in group if tags[one.tag] == 1}
    return _attributes(group) | alone


def _attributes(element: Any) -> dict[str, str]:
    return {_local(name): value for name, value in element.items()}


def _cells(row: Any) -> dict[str, str]:
    """Attributes and parts of a row, but for those of a name that comes again: then nothing."""
    names = [*row.keys(), *(_local(cell.tag) for cell in row)]
    if len({*names}) < len(names):
        return {}
    texts = {_local(cell.tag): (cell.text or cell.get("value") or "").strip() for cell in row}
    return _attributes(row) | texts


def _local(tag: Any) -> str:
    return str(tag).rpartition("}")[2]
