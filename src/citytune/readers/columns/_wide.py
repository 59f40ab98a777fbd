"""Which columns of a wide table are its sensors: those of one quantity, and no totals of others."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from citytune._text import listed
from citytune.readers.cells._columns import Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._structure import TIME, Moment
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._units import VOLUME, unit_in
from citytune.readers.cells._vocabulary import (
    GENERIC,
    TARGETS,
    bidding_areas,
    family,
    goes_beside,
    is_quantity,
    plain_name,
    pollutants,
    target_rank,
    tokens,
)
from citytune.readers.columns._kinds import bare_names, without_variants
from citytune.readers.columns._measures import ALL, PARTS, proposed

MOST_PLACES = 24
"""Columns of one quantity up to which others of the same places are looked at."""
SUM_TOLERANCE = 0.02
"""Part of a column by which it may differ from the sum of others, if it is known by its name."""
_FULL = 0.9
"""Share of rows that a column of a long table fills from which another may be nearly empty."""
_AGAIN = re.compile(r" \(\d+\)$")
"""What is put behind a name that comes once more."""
_TOTAL = re.compile(rf"(^|_)({'|'.join(sorted(ALL))}|gesamt\w*|hochst\w*)(_|$)")


def wide_columns(table: SourceTable, numbers: list[str]) -> list[str]:
    if len(numbers) == 1:
        return numbers
    generic = [n for n in numbers if plain_name(n) in GENERIC]
    if len(generic) == 1:
        return generic
    numbers = without_variants(numbers)
    areas, short = bidding_areas(numbers), bare_names(numbers)
    known = [n for n in numbers if target_rank(n) is not None and n not in areas]
    if _are_codes(numbers, known):
        return numbers
    if not known:
        known = [n for n in numbers if target_rank(short[n]) is not None and n not in areas]
    elif _share_a_quantity(numbers, known):
        return numbers
    known.sort(key=likely)
    beside = [n for n in numbers if n not in known and goes_beside(n)]
    plain = [n for n in numbers if n not in known and n not in beside]
    families = {family(n) or n for n in numbers}
    strange = {family(n) or n for n in plain}
    different = len({family(n) for n in known if is_quantity(n)}) > 1 or (
        bool(pollutants(numbers)) and len(families) > 1
    )
    if known and (len(strange) <= max(2, len(families) / 2) or different):
        return relatives(fullest(table, known), known)
    if known or plain:
        # In the table's own order: these are the sensors of a wide table.
        return [n for n in numbers if n in known or n in plain]
    return numbers


def _are_codes(names: Sequence[str], known: Sequence[str]) -> bool:
    """Whether all names are codes of two letters, of which few happen to say a quantity: CO, NY."""
    codes = all(re.fullmatch("[A-Z]{2}", n) and not goes_beside(n) for n in names)
    return codes and len(known) < len(names) / 2


def _share_a_quantity(names: Sequence[str], known: Sequence[str]) -> bool:
    """Whether all names hold one word of what is measured: North NO2, South NO2, 007 NO2."""
    words = {name: set(tokens(name)) for name in names}
    shared = {word for word in set.intersection(*words.values()) if is_quantity(word)}
    alone = {TARGETS.get(word) for word in shared} >= {target_rank(name) for name in known}
    versions = any(words[one] < words[name] for one in names for name in names)
    beside = any(goes_beside(name) for name in names)
    return bool(shared) and len(known) < len(names) and alone and not (versions or beside)


def likely(name: str) -> int:
    """By its name; a volume in m³ is not that of traffic, and comes last."""
    rank = target_rank(name)
    return 999 if rank is None or unit_in(name) in VOLUME else rank


def fullest(table: SourceTable, ranked: list[str]) -> str:
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


def filled(table: SourceTable, names: Sequence[str]) -> list[str]:
    """Without columns that are nearly empty next to one that is nearly full."""
    found = table.rows.select(pl.len(), *(pl.col(n).count() for n in names))
    rows, *counts = found.collect(engine="streaming").row(0)
    if max(counts) < _FULL * rows:
        return list(names)
    return [n for n, count in zip(names, counts, strict=True) if count >= rows / 4]


def relatives(name: str, known: list[str]) -> list[str]:
    """The other sensors of the same quantity: speed_6005 brings speed_7578 along, NO2 NO2 (2)."""
    kin = [n for n in known if family(n) == family(name)]
    numbered = all(plain_name(n) != family(n) for n in kin)
    again = [n for n in known if _AGAIN.sub("", n) == _AGAIN.sub("", name)]
    return kin if len(kin) > 1 and numbered else again


def refuse_versions(
    moment: Moment, chosen: Sequence[str], columns: Columns, findings: Findings
) -> None:
    """Columns of which each moment fills one at most are versions of a series: raw and final."""
    filled = [n for n in chosen if columns.kind(n) != "empty"]
    if not 2 <= len(filled) <= 4 or len(moment.rows) < 12:
        return
    there = moment.rows.group_by(TIME).agg(pl.col(n).is_not_null().any() for n in filled)
    count = there.select(pl.sum_horizontal(filled)).to_series()
    least = min(int(there[n].sum()) for n in filled)
    if count.max() == 1 and least and int((count == 1).sum()) > 0.5 * len(count):
        findings.error(
            "versions",
            f"each time fills only one of {listed(filled, quoted=True)}: they seem to be versions "
            "of one series, such as preliminary and checked values",
            f"put them into one column, or name one with {proposed(filled)}",
        )


def without_totals(
    table: SourceTable, chosen: tuple[str, ...], findings: Findings
) -> tuple[str, ...]:
    """The sensors of a wide table but for totals: columns that add up others and are called so.

    A name that begins those of others is a total's too: "Quay" next to "Quay in" and "Quay out";
    and so is any next to "in" and "out".
    """
    plain = [plain_name(name) for name in chosen]
    known = [name for name in chosen if target_rank(name) is not None]
    totals = [
        name
        for name, said in zip(chosen, plain, strict=True)
        if _TOTAL.search(said)
        or known == [name]
        or (len(plain) <= MOST_PLACES and _begins(said, plain))
        or (len(plain) <= MOST_PLACES and _all_parts([one for one in chosen if one != name]))
    ]
    found = [name for name in totals if _parts_of(table, name, chosen, totals)]
    if not found:
        return chosen
    findings.warn(
        "totals",
        f"{listed(found, quoted=True)} add up other columns of the table",
        "they were left out, since their parts are read; pass target= to read them instead",
        count=len(found),
    )
    return tuple(name for name in chosen if name not in found)


def _all_parts(names: Sequence[str]) -> bool:
    """Whether all names say a direction or class and nothing else: in, out."""
    return len(names) > 1 and all({*tokens(name)} <= PARTS for name in names)


def _begins(name: str, others: Sequence[str]) -> bool:
    return sum(one.startswith(f"{name}_") for one in others) > 1


def _parts_of(
    table: SourceTable, total: str, chosen: tuple[str, ...], totals: list[str]
) -> list[str]:
    """The columns that a total adds up: those of its group, or all others; none if it does not."""
    called = _TOTAL.search(plain_name(total)) or target_rank(total) is None
    share, room = (1e-3, 0.5) if called else (SUM_TOLERANCE, 0.0)
    group = _TOTAL.sub("", plain_name(total)).strip("_")
    others = [n for n in chosen if n not in totals]
    near = [n for n in others if group and plain_name(n).startswith(group)]
    place = chosen.index(total)
    before = [[*chosen[first:place]] for first in range(place - 1)][-MOST_PLACES:]
    for parts in (near, others, *before):
        fewest = 1 if called and parts is near else 2  # a group of a pivot table may be one column
        if len(parts) < fewest or total in parts:
            continue
        numbers = [pl.col(n).cast(pl.Float64, strict=False) for n in (total, *parts)]
        rows = table.rows.select(numbers).drop_nulls().head(500).collect()
        gap = (rows[total] - rows.select(pl.sum_horizontal(parts)).to_series()).abs()
        fits = gap <= share * rows[total].abs() + room
        if len(rows) > 10 and float(fits.mean() or 0) > 0.98:  # type: ignore[arg-type]
            return parts
    return []
