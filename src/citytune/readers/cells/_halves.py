"""Halves of the day as languages other than English write them: "3:15 μ.μ.", "오후 3:15"."""

from __future__ import annotations

import re

import polars as pl

from citytune.readers.cells._texts import CELL, Texts, by_name

_HALVES = (
    ("a.m.", "p.m."), ("오전", "오후"), ("上午", "下午"), ("午前", "午後"), ("π.μ.", "μ.μ."),
    ("ص", "م"), ("صباحا", "مساء"), ("ق.ظ", "ب.ظ"), ("SA", "CH"), ("de.", "du."), ("f.m.", "e.m."),
    ("ap.", "ip."), ("dop.", "odp."), ("ÖÖ", "ÖS"), ("ДП", "ПП"), ("vorm.", "nachm."),
    ("לפנה״צ", "אחה״צ"), ("ก่อนเที่ยง", "หลังเที่ยง"),
)  # fmt: skip
"""Before and after noon, as spreadsheets and browsers write them (CLDR of Unicode)."""
_TIME = r"(\d{1,2})(?:[:.](\d{2})(?:[:.](\d{2}))?|[時时시点點] ?(?:(\d{1,2}) ?[分분])?)"
_AFTER = re.compile(rf"^(.*?)(?<!\d){_TIME} ?(\D{{1,15}})$")
_AHEAD = re.compile(rf"^(|.*?[\s.日일])([^\d\s]\D{{0,14}}?) ?{_TIME}$")
_ENGLISH = re.compile("[AaPp][Mm]")
_CELLS_LOOKED_AT, _MOST_OTHERS = 5, 0.02
"""Cells that tell whether a column is looked at, and the share that may be no times."""


def _bare(word: str) -> str:
    """A word without points, spaces and the vowel signs of Arabic."""
    return re.sub(r"[\s.\u064b-\u0652]", "", word).lower()


_NEVER_AHEAD = frozenset(["sa", "ch"])
"""Words that are weekdays and countries where they stand before a time."""
_LATE = {_bare(word): bool(late) for pair in _HALVES for late, word in enumerate(pair)}


def with_hours_of_day(texts: Texts) -> Texts:
    """Columns of times that name the half of the day, with hours from 0 to 23."""
    able = by_name(texts.said, CELL.head(_CELLS_LOOKED_AT)).rows()
    named = [name for name, cells in able if all(map(without_half, cells))]
    changed = []
    for name, cells in by_name(texts.of(named), CELL).rows() if named else ():
        plain = [without_half(cell) or (cell, None) for cell in cells]
        others = sum(late is None for _, late in plain)
        if {late for _, late in plain} >= {False, True} and others <= _MOST_OTHERS * len(cells):
            changed.append(pl.col(name).replace(cells, [cell for cell, _ in plain]))
    return texts.changed(changed)


def without_half(cell: str) -> tuple[str, bool] | None:
    """A time with its hour from 0 to 23, and whether it is after noon; None if it names no half.

    >>> without_half("1/3/2024 12:15 μ.μ."), without_half("2024-03-01 오전 12:15:00")
    (('1/3/2024 12:15', True), ('2024-03-01 00:15:00', False))
    >>> without_half("午後0時15分"), without_half("3:15 PM"), without_half("Sa. 3:15")
    (('12:15', True), None, None)
    """
    text = cell.strip()
    if found := _AFTER.match(text):
        date, hour, minute, second, spelt, word = found.groups()
    elif found := _AHEAD.match(text):
        date, word, hour, minute, second, spelt = found.groups()
        word = "" if _bare(word) in _NEVER_AHEAD else word
    else:
        return None
    late = _LATE.get(_bare(word))
    if late is None or _ENGLISH.fullmatch(word.strip()) or int(hour) > 12:
        return None
    clock = f"{int(hour) % 12 + 12 * late:02d}:{int(minute or spelt or 0):02d}"
    return f"{date}{clock}{f':{second}' if second else ''}", late
