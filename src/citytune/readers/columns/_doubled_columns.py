"""Columns of the hour that comes twice in autumn, next to those of a day's hours: HE2*, 02X, 3B."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import polars as pl

from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.columns._folded import Folded, number_of

_MARK = re.compile(
    r"[\s_.]*(\*+|['′]|[xab]|\(\d\)|_2|\(?\b(?:dst|extra|repeat(?:ed)?|doubled?|2nd|second|bis)\)?|"
    r"(?<=\d)(?:dst|bis))$",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[\s_.]*([ab])$", re.IGNORECASE)
MOST_OF_AN_HOUR = 12
"""Steps of an hour."""
MOST_FILLED = 0.5
"""Share of days up to which such a column may hold values; more is no change of the clock."""
Key = Callable[[str], object]
"""What names of one time of the day have in common; None of any other name."""


def without_first_letters(table: SourceTable, key: Key) -> SourceTable:
    """The table in which 2A is called 2, where there is a 2B and no 2."""
    lettered = {name: _LETTER.sub("", name) for name in table.schema if _LETTER.search(name)}
    if not any(key(bare) for bare in lettered.values()):
        return table
    known = {key(name) for name in table.schema}
    firsts = {n: bare for n, bare in lettered.items() if n.strip()[-1] in "Aa"}
    seconds = {key(bare) for n, bare in lettered.items() if n.strip()[-1] in "Bb"}
    able = {n: bare for n, bare in firsts.items() if key(bare) in seconds - known - {None}}
    few = 0 < len(able) <= MOST_OF_AN_HOUR and not {*able.values()} & {*table.schema}
    return table.renamed(able) if few else table


def marked_again(names: tuple[str, ...], key: Key) -> dict[str, object]:
    """Columns that are called as another time of the day with a mark → the time of the other.

    >>> marked_again(("HE1", "HE2", "HE2*"), lambda name: name if name[-1].isdigit() else None)
    {'HE2*': 'HE2'}
    """
    found = {
        name: key(bare)
        for name in names
        if (bare := _MARK.sub("", name).strip()) != name.strip() and key(bare) is not None
    }
    known = {key(name) for name in names if name not in found} if found else ()
    some = {name: at for name, at in found.items() if at in known}
    return some if len(some) <= MOST_OF_AN_HOUR else {}


def doubled_hours(
    table: SourceTable, folded: Folded, marked: Mapping[str, object], key: Key, findings: Findings
) -> dict[str, int]:
    """Of the marked columns, those of a time of the day that is read → its seconds since midnight.

    They are refused if they are filled on most days.
    """
    at = {key(name): seconds for name, seconds in zip(folded.names, folded.seconds, strict=True)}
    found = {name: at[one] for name, one in marked.items() if one in at}
    if not found:
        return {}
    counts = table.rows.select(pl.len(), *(is_filled(table, name).sum() for name in found))
    rows, *filled = counts.collect(engine="streaming").row(0)
    names = listed([*found], 4, quoted=True)
    if max(filled) > max(1, MOST_FILLED * rows):
        findings.fail(
            "doubled-hour",
            f"{names} should be the hour that comes twice in autumn once more, by name, and "
            f"{max(filled)} of {rows} rows have a value there",
            "leave these columns out if they hold something else",
        )
    if max(filled):
        findings.note(
            "doubled-hour",
            f"{names} {'holds' if len(found) == 1 else 'hold'} the hour that comes twice in autumn "
            "once more",
            "pass timezone= (such as Europe/Oslo) so that both are kept",
            count=max(filled),
        )
    return found


def is_filled(table: SourceTable, name: str) -> pl.Expr:
    """Whether a further hour is there; on other days it is empty or 0."""
    return (number_of(table, name).fill_nan(None).fill_null(0.0) != 0.0).alias(name)
