"""Guess which columns hold the readings to forecast, from their names and how full they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import polars as pl

from citytune._text import listed
from citytune.readers._findings import Findings
from citytune.readers._source import SourceTable
from citytune.readers._vocabulary import family, goes_beside, plain_name, target_rank

_REMEDY = "use target= (and covariates= for what is known ahead) if this is wrong"


def guess_targets(
    table: SourceTable,
    numbers: list[str],
    flags: Collection[str],
    long: bool,
    findings: Findings,
) -> tuple[str, ...]:
    """The target column of a long table, or the sensor columns of a wide one.

    `flags` are columns of zeros and ones, which accompany a target unless all are so.
    """
    if not numbers:
        findings.error(
            "no-numeric-target",
            "no column holds numbers that could be readings",
            "name the column of readings with target=, and check that its cells are numbers",
        )
        return ()
    kin = Counter(family(name) or name for name in numbers)
    lone = {name for name in flags if kin[family(name) or name] == 1 and family(name)}
    chosen = _choose(table, [n for n in numbers if n not in lone] or numbers, long)
    ignored = [name for name in numbers if name not in chosen]
    _say(chosen, ignored, long, findings)
    return tuple(chosen)


def _choose(table: SourceTable, numbers: list[str], long: bool) -> list[str]:
    if len(numbers) == 1:
        return numbers
    known = sorted((n for n in numbers if target_rank(n) is not None), key=_rank)
    beside = [n for n in numbers if n not in known and goes_beside(n)]
    plain = [n for n in numbers if n not in known and n not in beside]
    if long:
        return [_fullest(table, known or plain or beside)]
    families = {family(n) or n for n in numbers}
    strange = {family(n) or n for n in plain}
    if known and len(strange) <= max(2, len(families) / 2):
        return _relatives(_fullest(table, known), known)
    if known or plain:
        # In the table's own order: these are the sensors of a wide table.
        return [n for n in numbers if n in known or n in plain]
    return numbers


def _rank(name: str) -> int:
    rank = target_rank(name)
    return 999 if rank is None else rank


def _fullest(table: SourceTable, ranked: list[str]) -> str:
    """The likeliest of some columns, unless it is mostly empty and another is not."""
    if len(ranked) == 1:
        return ranked[0]
    counts = (
        table.rows.select(pl.len().alias("_rows"), *(pl.col(name).count() for name in ranked))
        .collect(engine="streaming")
        .row(0, named=True)
    )
    half = [name for name in ranked if counts[name] >= counts["_rows"] / 2]
    return (half or ranked)[0]


def _relatives(name: str, known: list[str]) -> list[str]:
    """The other sensors of the same quantity: speed_6005 brings speed_7578 along."""
    kin = [n for n in known if family(n) == family(name)]
    numbered = all(plain_name(n) != family(n) for n in kin)
    return kin if len(kin) > 1 and numbered else [name]


def _say(chosen: list[str], ignored: list[str], long: bool, findings: Findings) -> None:
    unused = f"; not used: {listed(ignored, 12, quoted=True)}" if ignored else ""
    if len(chosen) == 1:
        text = f"the readings were taken from column {chosen[0]!r}{unused}"
        findings.note("guessed-target", text, _REMEDY)
        return
    some = listed(chosen, 3, quoted=True)
    text = f"the table is wide: each of {len(chosen)} columns is a sensor ({some}){unused}"
    findings.note("guessed-layout", text, _REMEDY, count=len(chosen))
    if mixed := _mixture(chosen):
        findings.warn(
            "mixed-quantities",
            f"the sensor names suggest different quantities: {listed(mixed, quoted=True)}",
            "all are kept; name the columns of one quantity with target=",
            count=len(mixed),
        )


def _mixture(chosen: list[str]) -> list[str]:
    """Name parts that say that the columns of a wide table are not of one kind."""
    beside = [name for name in chosen if goes_beside(name)]
    ranks = Counter(family(n) for n in chosen if target_rank(n) is not None)
    if beside and len({family(n) for n in chosen}) > 1:
        return sorted({family(n) for n in beside})
    return sorted(ranks) if len(ranks) > 1 else []
