"""Of columns that measure one place in several ways, the one that is read: the flow of all.

A detector counts vehicles and measures how fast they are, in all, by class, by lane and by
direction; a sensor of particles has several sizes, and two channels of which it gives the mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import polars as pl

from citytune._text import listed
from citytune.readers.cells._columns import Columns
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._vocabulary import (
    SOURCES,
    goes_beside,
    is_quantity,
    plain_name,
    tokens,
)
from citytune.readers.columns._bins import bins_behind_a_word, bins_of
from citytune.readers.columns._kinds import kind_among


def words_of(text: str) -> list[str]:
    """What stands between spaces."""
    return text.split()


ALL = frozenset(words_of("""
kfz total totals totaal totale totalt gesamt alle all tous todos both sum summe insgesamt suma soma
beide beides querschnitt ambos ambas tutti tutte entrambi entrambe begge bada lacznie combined
ogółem somme ukupno razem ogolem celkem osszesen yhteensa kaikki toplam συνολο итого всего
المجموع الإجمالي סהכ 合計 合计 总计 總計 합계 รวม
"""))  # fmt: skip
"""Words of what counts all vehicles, lanes or directions together."""
CLASSES = frozenset(words_of("""
pkw lkw sv lv krad sattelzug sattel lieferwagen sonstige car cars truck trucks lorry lorries hgv lgv
heavy light van vans bus buses motorcycle motorcycles moto motos pl vl bike bikes rad velo
"""))  # fmt: skip
"""Words of classes of vehicles."""
ACTIVE = frozenset(words_of("active activa attiva aktiv actief czynna wirkleistung wirkarbeit"))
REACTIVE = frozenset(words_of("""
reactive reactiva reattiva reaktiv reactief bierna blindleistung blindarbeit inductiva capacitiva
"""))  # fmt: skip
"""Words of the power that does work, and of that which does not."""
PARTS = CLASSES | frozenset(words_of("""
lane lanes spur fahrstreifen carril voie strook kjorefelt direction richtung sens sentido
in out inn ut ein aus entries exits entry exit inbound outbound incoming outgoing entrant sortant
entrants sortants entrees sorties northbound southbound eastbound westbound nb sb eb wb
"""))  # fmt: skip
"""Words of what counts some of them: a class, a lane, a direction."""
PROBES = frozenset(words_of("bus buses taxi taxis probe probes"))
"""Vehicles whose number only says how well a speed is known."""
SIZES = {"p0": "PM1", "p1": "PM10", "p2": "PM2.5"}
"""Sizes of particles as sensor.community calls them."""
_PARTICLE_SENSOR = re.compile(r"SDS\d+|HPM|PMS\d+|PMSX\d+|SPS\d+|NEXTPM|IPS-?\d+", re.IGNORECASE)
_CHANNEL = re.compile(r"[_ .-](ch|channel)?[_ .-]?[ab]$", re.IGNORECASE)
MEANS = frozenset(words_of("mean avg average mittel mittelwert moyenne media gemiddelde"))
SAMPLES = frozenset(words_of("count n samples sample_count confidence"))
STATISTICS = SAMPLES | frozenset(words_of("""
min max minimum maximum minimo maximo massimo std stddev std_dev stdev sd sigma median variance
"""))  # fmt: skip
"""Whole names of columns that say what was computed of the same readings."""
SHARE_ADDED_UP, FEWEST_ADDED_UP = 0.95, 24
"""Share of rows in which a total holds its parts, and rows from which that is seen."""
ROWS_ADDED_UP = 2_000


def main_reading(
    table: SourceTable, names: Sequence[str], columns: Columns, findings: Findings
) -> str | None:
    """The one of several columns of a long table; None if names and cells do not tell.

    Args:
        table: Holds them.
        names: Columns that could be the readings.
        columns: What all columns hold.
        findings: Told what else there is.
    """
    bins = bins_of(names) or bins_behind_a_word(names)
    if bins and (total := next((n for n in names if {*tokens(n)} & ALL), None)):
        rest = [n for n in names if n != total]
        return one_of(total, rest, findings) if _adds_up(table, total, bins) else None
    sizes = {n: kind for n, kind in particles(columns).items() if n in names}
    if sizes:
        chosen = next((n for n, kind in sizes.items() if kind == "PM2.5"), None)
        largest = next((n for n, kind in sizes.items() if kind == "PM10"), None)
        if not chosen or not largest or not holds(table, largest, [chosen]):
            return None
        return one_of(chosen, [n for n in sizes if n != chosen], findings, sizes)
    flows = flows_of(names)
    if flows and all({*tokens(name)} & PROBES for name in flows):
        return None
    chosen = _whole(table, flows or list(names), bool(flows))
    if chosen is None:
        return None
    return one_of(chosen, [n for n in names if n != chosen], findings, sizes)


def flows_of(names: Sequence[str]) -> list[str]:
    """Those that count, where every other one says speed, occupancy or goes with them.

    >>> flows_of(["q_kfz", "v_kfz"]), flows_of(["Total Flow", "Avg Speed"]), flows_of(["q", "x"])
    (['q_kfz'], ['Total Flow'], [])
    """
    paired = letters_of(names)
    found = {name: paired.get(name) or kind_among(name, "flow") for name in names}
    strange = any(kind is None and not goes_beside(name) for name, kind in found.items())
    flows = [name for name, kind in found.items() if kind == "flow"]
    return [] if strange or len(flows) == len(names) else flows


def letters_of(names: Sequence[str]) -> dict[str, str]:
    """Names that begin with the engineer's letters for flow and speed, of the same vehicles each.

    Without vehicles they may as well be quality and value.

    >>> letters_of(["q_pkw", "v_pkw", "q_lkw"]), letters_of(["q_no2", "v_no2"])
    ({'q_pkw': 'flow', 'v_pkw': 'speed', 'q_lkw': 'flow'}, {})
    """
    words = {name: tokens(name) for name in names}
    firsts = {name: some[0] for name, some in words.items() if some[0] in ("q", "v")}
    rests = [
        {tuple(words[n][1:]) for n, first in firsts.items() if first == one} for one in ("q", "v")
    ]
    if not any({*rest} & (ALL | PARTS) for rest in rests[0] & rests[1]):
        return {}
    return {name: {"q": "flow", "v": "speed"}[first] for name, first in firsts.items()}


def of_classes(names: Sequence[str]) -> bool:
    """Whether each name says a class of vehicles, or all of them.

    >>> of_classes(["total", "cars", "trucks"]), of_classes(["total", "lane 1", "lane 2"])
    (True, False)
    """
    return len(names) > 2 and all({*tokens(name)} & (CLASSES | ALL) for name in names)


def particles(columns: Columns) -> dict[str, str]:
    """Column → size of particles, where they are called P1 and P2 and a column says the sensor."""
    kinds = [
        column.cells for column in columns.by_name.values()
        if column.kind == "text" and plain_name(column.name) in ("sensor_type", "type", "sensor")
    ]  # fmt: skip
    named = {name: SIZES[plain_name(name)] for name in columns.kinds if plain_name(name) in SIZES}
    told = any(all(_PARTICLE_SENSOR.match(str(cell)) for cell in cells) for cells in kinds)
    return named if told and len(named) > 1 else {}


def without_channels(table: SourceTable, names: Sequence[str], findings: Findings) -> list[str]:
    """Without the channels A and B of a sensor whose mean is a column of its own."""
    kept = list(names)
    of = {name: list[str]() for name in names}
    for name in names:
        if (whole := _CHANNEL.sub("", name)) != name and whole in of:
            of[whole].append(name)
    for name, channels in of.items():
        if len(channels) != 2 or not _between(table, name, channels):
            continue
        kept = [n for n in kept if n not in channels]
        findings.warn(
            "channels",
            f"{listed(channels, quoted=True)} are the two channels of {name!r}, which lies between",
            f"they were left out; pass {proposed(channels, 1)} to read one of them instead",
            count=2,
        )
    return kept


def describes(cells: pl.Series) -> bool:
    """Whether cells are quantities next to weather, classes of vehicles, or active and reactive.

    They may describe a moment as well: light and heavy rain. They say what is measured where a
    moment has several.
    """
    some = [str(cell) for cell in cells]
    plain = {plain_name(cell) for cell in some}
    sure = [cell for cell in some if is_quantity(cell) and plain_name(cell) not in ("no", "gas")]
    weather = (
        bool(sure)
        and not plain & SOURCES
        and all(is_quantity(cell) or goes_beside(cell) for cell in some)
    )
    reactive = [cell for cell in some if {*tokens(cell)} & REACTIVE]
    powers = 0 < len(reactive) < len(some) and all(
        {*tokens(cell)} & (ACTIVE | REACTIVE) for cell in some
    )
    return weather or powers or all({*tokens(cell)} <= CLASSES | ALL for cell in some)


def proposed(names: Iterable[str], most: int = 8) -> str:
    """Options that name one column each, those that count first.

    >>> proposed(["v_car", "q_car"])
    "target='q_car' or target='v_car'"
    """
    some = list(names)
    flows = flows_of(some)
    ordered = [*flows, *(n for n in some if n not in flows)]
    return " or ".join(f"target={name!r}" for name in ordered[:most])


def one_of(
    chosen: str, rest: Sequence[str], findings: Findings, sizes: dict[str, str] | None = None
) -> str:
    """A column that was chosen, and a word of the others."""
    sizes = sizes or {}
    beside = f" ({sizes[chosen]})" if chosen in sizes else ""
    others = [f"{n!r} ({sizes[n]})" if n in sizes else repr(n) for n in rest]
    findings.warn(
        "several-quantities",
        f"{len(rest) + 1} columns could be the readings; {chosen!r}{beside} was read, not "
        f"{listed(others, 6)}",
        f"pass {proposed(rest, 1)} for another one",
        count=len(rest) + 1,
    )
    return chosen


def _whole(table: SourceTable, names: Sequence[str], counts: bool) -> str | None:
    """The column that counts all of what the others count a part of."""
    if len(names) == 1:
        return names[0]
    words = {name: set(tokens(name)) for name in names}
    totals = [name for name in names if words[name] & ALL]
    if len(totals) > 2 and counts:
        totals = [n for n in totals if _adds_up(table, n, [o for o in totals if o != n])] or totals
    others = [name for name in names if name not in totals]
    if len(totals) == 1 and (
        _adds_up(table, totals[0], others) or (len(others) > 2 and holds(table, totals[0], others))
    ):
        return totals[0]
    parts = [name for name in names if words[name] & PARTS and not words[name] & ALL]
    rest = [name for name in names if name not in parts]
    if len(rest) != 1 or not parts or not (counts or words[rest[0]] & ALL):
        return None
    sound = holds(table, rest[0], parts) if counts else _adds_up(table, rest[0], parts)
    return rest[0] if sound else None


def holds(table: SourceTable, whole: str, parts: Sequence[str]) -> bool:
    """Whether no part is more than the whole."""
    rows = _rows(table, whole, parts)
    small = rows.select(pl.max_horizontal(parts) <= pl.col(whole) * 1.01 + 0.5).to_series()
    return len(rows) >= FEWEST_ADDED_UP and float(small.mean() or 0) >= SHARE_ADDED_UP  # type: ignore[arg-type]


def _adds_up(table: SourceTable, whole: str, parts: Sequence[str]) -> bool:
    """Whether the whole is the sum of two parts and more."""
    rows = _rows(table, whole, parts).filter(pl.col(whole) != 0)
    if len(parts) < 2 or len(rows) < FEWEST_ADDED_UP or rows[whole].n_unique() < 3:
        return False
    gap = (pl.sum_horizontal(parts) - pl.col(whole)).abs()
    fits = rows.select(gap <= 1e-3 * pl.col(whole).abs()).to_series()
    return float(fits.mean() or 0) >= SHARE_ADDED_UP  # type: ignore[arg-type]


def _between(table: SourceTable, mean: str, channels: Sequence[str]) -> bool:
    """Whether a column lies between two others, but for their rounding."""
    rows = _rows(table, mean, channels).drop_nulls()
    room = 0.01 * pl.col(mean).abs() + 0.05
    low, high = pl.min_horizontal(channels) - room, pl.max_horizontal(channels) + room
    inside = rows.select(pl.col(mean).is_between(low, high)).to_series()
    return len(rows) >= FEWEST_ADDED_UP and float(inside.mean() or 0) >= SHARE_ADDED_UP  # type: ignore[arg-type]


def _rows(table: SourceTable, first: str, others: Sequence[str]) -> pl.DataFrame:
    """Some rows of columns of numbers, of those where the first is known."""
    names = [first, *others]
    rows = table.rows.select(pl.col(n).cast(pl.Float64, strict=False) for n in names)
    there = pl.col(first).is_not_null() & pl.any_horizontal(pl.col(n).is_not_null() for n in others)
    return rows.filter(there).head(ROWS_ADDED_UP).collect(engine="streaming").fill_nan(None)
