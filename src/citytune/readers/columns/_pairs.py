"""Columns that come in pairs: each second one is called as the first, and by one word more."""

from __future__ import annotations

from collections.abc import Sequence

from citytune._text import listed
from citytune.readers.cells._columns import Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._vocabulary import PLACES, tokens
from citytune.readers.columns._measures import ALL, PARTS

_GROSS = frozenset(["gross", "brutto", "brut", "bruto", "lordo"])
_NET = frozenset(["net", "netto", "neto", "nette"])
HIGHEST_FLAG = 9
"""Of the codes of a flag, and how many there may be."""
_DIRECTIONS = PARTS | ALL | PLACES | {"north", "south", "east", "west", "nord", "sud", "ost", "est"}


def of_pairs(chosen: Sequence[str], columns: Columns, findings: Findings) -> list[str]:
    """The columns without those that are codes of the others; refused if they may be sensors.

    Args:
        chosen: Columns of a wide table.
        columns: What all columns hold.
        findings: Told what could be meant.
    """
    if opposite := _opposites(chosen):
        gross, net = (some if some[1:] else some[0] for some in opposite)
        findings.error(
            "which-target",
            f"{listed(opposite[0], 3, quoted=True)} and {listed(opposite[1], 3, quoted=True)} seem "
            "to be gross and net of the same",
            f"name those of one kind with target={gross!r} or target={net!r}",
            count=len(chosen),
        )
        return list(chosen)
    pairs = _pairs(chosen)
    word = next((word for word, found in pairs.items() if _are_all(found, chosen)), None)
    if word is None:
        return list(chosen)
    first, second = ([*some] for some in zip(*pairs[word], strict=True))
    if all(_is_flag(columns, n) for n in second) and not any(_is_flag(columns, n) for n in first):
        return first
    findings.error(
        "which-target",
        f"{listed(second, 3, quoted=True)} are called as {listed(first, 3, quoted=True)} and "
        f"{word!r}: they seem to say something about them",
        f"name those of one kind with target={first!r} or target={second!r}, or all with "
        f"target={[*chosen]!r} if each is a sensor",
        count=len(second),
    )
    return list(chosen)


def _opposites(names: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Columns that are called gross and those that are called net, if they are of the same."""
    words = {name: {*tokens(name)} for name in names}
    gross, net = ([n for n in names if words[n] & kind] for kind in (_GROSS, _NET))
    bare = [{frozenset(words[n] - _GROSS - _NET) for n in some} for some in (gross, net)]
    return (gross, net) if gross and len(gross) + len(net) == len(names) and bare[0] == bare[1] \
        else None  # fmt: skip


def _pairs(names: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Word → columns and those that are called by that word more.

    >>> _pairs(["A", "A_err", "B", "B_err"])
    {'err': [('A', 'A_err'), ('B', 'B_err')]}
    >>> _pairs(["A act kWh", "A act ret kWh"])
    {'ret': [('A act kWh', 'A act ret kWh')]}
    """
    called: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        called.setdefault(tuple(tokens(name)), []).append(name)
    found: dict[str, list[tuple[str, str]]] = {}
    for other in names:
        words = tuple(tokens(other))
        for place, word in enumerate(words):
            if len(word) > 1 and word.isalpha() and word not in _DIRECTIONS:
                rest = words[:place] + words[place + 1 :]
                found.setdefault(word, []).extend((one, other) for one in called.get(rest, ()))
    return {word: pairs for word, pairs in found.items() if pairs}


def _are_all(pairs: Sequence[tuple[str, str]], names: Sequence[str]) -> bool:
    """Whether two pairs and more are made of all columns."""
    return len(pairs) > 1 and {name for pair in pairs for name in pair} == {*names}


def _is_flag(columns: Columns, name: str) -> bool:
    column = columns.by_name[name]
    return column.whole and 0 <= column.low <= column.high <= HIGHEST_FLAG >= len(column.cells)
