"""Find the columns that hold the readings, from their cells and their names."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import polars as pl

from citytune._text import listed
from citytune.readers.cells._coded_cells import refuse_json
from citytune.readers.cells._columns import Column, Columns
from citytune.readers.cells._durations import refuse_clocks
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._structure import Moment
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._vocabulary import (
    FLAGS,
    SENSOR,
    family,
    goes_beside,
    is_quantity,
    plain_name,
    target_rank,
    tokens,
)
from citytune.readers.columns._bins import bins_behind_a_word, bins_of
from citytune.readers.columns._classes import of_one_class
from citytune.readers.columns._energy_flows import of_one_flow
from citytune.readers.columns._folded import PART, SECONDS, VALUE, of_days
from citytune.readers.columns._kinds import (
    kinds_of,
    of_one_kind,
    refuse_variants,
    without_strangers,
)
from citytune.readers.columns._long_tables import of_long_table
from citytune.readers.columns._measures import (
    letters_of,
    main_reading,
    of_classes,
    without_channels,
)
from citytune.readers.columns._multiples import refuse_multiples
from citytune.readers.columns._one_unit import of_one_unit, refuse_crossed
from citytune.readers.columns._pairs import of_pairs
from citytune.readers.columns._side_values import without_side_values
from citytune.readers.columns._statistics import refuse_statistics
from citytune.readers.columns._steps_of_totals import without_their_totals
from citytune.readers.columns._unlike import (
    flags_of_others,
    is_speed_of_wind,
    mixture,
    numbers_rows,
    refuse_code,
    refuse_unlike,
    stands_beside,
)
from citytune.readers.columns._ways import refuse_left_out, refuse_ways
from citytune.readers.columns._wide import (
    refuse_versions,
    wide_columns,
    without_totals,
)
from citytune.readers.times._time_again import tells_time

MOST_FLAGS = 0.15
"""Columns of zeros and ones for each other one, up to which they may be quiet counters."""
_REMEDY = "use target= (and covariates= for what is known ahead) if this is wrong"
_ID = re.compile(
    r"(^|_)(id|ids|no|nr|num|number|code|kode|poc|key|uuid|idx|index|version|fid|gid|order|source|cnt|objectid)$"
)
_CODE_OF = re.compile(r"(codigo|code|cod|kod|kode|koodi|codice|numero|nummer|id)_")
"""How names of numbers of a place begin."""
_CALENDAR = re.compile(r"^(year|month|day|hour|minute|weekday|week|dow|doy|quarter|season|holiday|"
                       r"day_of_week|day_of_year|is_\w+)$")  # fmt: skip
_SHARE = re.compile(
    r"(quality|qualitae?t|coverage|complete|share|pct|percent|grad|uptime|confidence|valid(ity)?(_|$)|observed|mdl|"
    r"uncertainty|height|altitude|elevation|samples|(sample|probe)s?_(count|cnt|size)|length|^(ratio|dur)_?p\d$)"
)


def guess_targets(
    table: SourceTable,
    columns: Columns,
    taken: set[str],
    moment: Moment,
    keys: Sequence[str],
    long: bool,
    readings: Collection[str],
    quantity: str | None,
    findings: Findings,
) -> tuple[str, ...]:
    """The target column of a long table, or the sensor columns of a wide one.

    `readings` are called like names of sensors, and are known to be none; `quantity` is what the
    person says is measured.
    """
    flags = flags_of_others(columns)
    numbers = [n for n in columns.numbers(taken) if n not in keys]
    able = [
        n
        for n in numbers
        if n in readings
        or not (n in flags or _is_no_reading(columns.by_name[n], columns, table, moment, keys))
    ]
    able = without_side_values(able)
    telling = {n for n in able if tells_time(columns.by_name[n], moment)}
    again = {*able} - {*without_their_totals(table, able, keys)}
    for left_out in (telling, again):
        if left_out < {*able}:
            able, numbers = ([n for n in some if n not in left_out] for some in (able, numbers))
    known = _before_time(columns, taken, able)
    rest = [n for n in numbers if n in able or n not in (known | flags)]
    able = _with_quiet(able, rest, columns, long)
    if not able and (
        refuse_clocks(columns, {*taken, *keys}, None, findings) or refuse_json(columns, findings)
    ):
        return ()
    if not able:
        shown = f" (columns of numbers: {listed(numbers, quoted=True)})" if numbers else ""
        findings.error(
            "no-numeric-target",
            f"no column holds numbers that could be readings{shown}",
            "name the column of readings with target=, and see that its cells are numbers",
        )
        return ()
    if not (able := of_one_class(table, able, long, findings)):
        return ()
    if VALUE in able and {SECONDS, PART} & {*table.schema}:
        chosen = of_days(able, findings)
    elif long:
        chosen = of_long_table(table, able, columns, keys, findings)
    else:
        able = without_strangers(without_channels(table, able, findings))
        main = (
            main_reading(table, able, columns, findings)
            if letters_of(able) or of_classes(able) or bins_of(able) or bins_behind_a_word(able)
            else None
        )
        able = [main] if main else bins_of(able) or of_one_flow(table, able, quantity, findings)
        if any(len(names) > 1 for names in kinds_of(able).values()):
            able = of_one_kind(table, able, quantity, findings)
        parts = without_totals(table, tuple(wide_columns(table, able)), findings)
        chosen = of_one_kind(table, parts, quantity, findings)
        chosen = of_pairs(chosen, columns, findings)
        refuse_variants(chosen, findings)
        refuse_versions(moment, chosen, columns, findings)
        refuse_crossed(chosen, columns, findings)
        chosen = of_one_unit(chosen, table.units, columns, findings)
        refuse_ways(chosen, able, findings)
        refuse_statistics(chosen, findings)
        refuse_left_out(chosen, able, findings)
        if not refuse_multiples(table, chosen, columns, findings):
            refuse_unlike(chosen, columns, findings)
    refuse_code(chosen, numbers, columns, findings)
    ignored = [n for n, kind in columns.kinds.items()
               if kind in ("number", "empty", "bool") and n not in {*chosen, *keys, *taken}
               and not columns.by_name[n].counter]  # fmt: skip
    if chosen:
        _say(chosen, ignored, findings)
    return tuple(chosen)


def _is_no_reading(
    column: Column, columns: Columns, table: SourceTable, moment: Moment, keys: Sequence[str]
) -> bool:
    """Ids, counters, constants, coordinates, parts of the calendar, what never changes."""
    rank = target_rank(column.name)
    if not keys and numbers_rows(column, columns):
        return True
    if is_speed_of_wind(column.name, columns):
        return True
    if column.kind == "empty" or _is_coordinate(column.name) or column.counter:
        return True
    if rank is not None:
        return False
    plain = plain_name(column.name)
    flag = column.whole and column.low >= 0 and column.high <= 1
    named = bool(_SHARE.search(plain) and column.name.lower() != "observed") or (
        column.whole and _is_id(plain)
    )
    return column.constant or flag or named or _is_static(column, table, moment, keys)


def _is_id(plain: str) -> bool:
    return bool(_ID.search(plain) or _CALENDAR.match(plain)) or plain in SENSOR


def _before_time(columns: Columns, taken: set[str], able: Sequence[str]) -> set[str]:
    """Columns that never change or are empty, left of the time, if all others stand right of it.

    They say where was measured: state, road, number of the station.
    """
    place = {name: i for i, name in enumerate(columns.by_name)}
    first = min((place[n] for n in able if n in place), default=0)
    time = max((place[n] for n in taken if n in place and place[n] < first), default=-1)
    return {n for n, one in columns.by_name.items()
            if place[n] < time and (one.constant or one.kind == "empty")}  # fmt: skip


def _with_quiet(able: list[str], numbers: list[str], columns: Columns, long: bool) -> list[str]:
    """The sensors of a wide table that are silent, stand still or only saw zeros and ones too.

    They are known by two or more columns with names of their own, or one of the same family.
    """

    def may_be(name: str) -> bool:
        plain = plain_name(name)
        return not (
            columns.by_name[name].counter or numbers_rows(columns.by_name[name], columns)
            or _is_coordinate(name) or goes_beside(name)
            or _is_id(plain) or plain in FLAGS or _SHARE.search(plain)
            or (columns.by_name[name].constant and _CODE_OF.match(plain))
        )  # fmt: skip

    quiet = {n for n in numbers if n not in able and (may_be(n) or target_rank(n) is not None)}
    live = [n for n in able if not goes_beside(n)]
    if not able or (not live and len(quiet) == 1):
        return able or [n for n in numbers if n in quiet]
    if long:
        return able
    flags = {n for n in quiet if columns.by_name[n].high > 0 and not columns.by_name[n].constant}
    if len(flags) > max(1.0, MOST_FLAGS * len(live)):
        quiet -= flags  # so many columns of zeros and ones are no counters
    families = {family(n) for n in live if family(n)}
    many = len(live) >= 2 and not all(target_rank(n) is not None for n in live)
    beside = {n for n in quiet if stands_beside(n, live)}
    low, high = (end(getattr(columns.by_name[n], side) for n in live or able)
                 for end, side in ((min, "low"), (max, "high")))  # fmt: skip
    stuck = {n for n in quiet if min(low, 0) <= columns.by_name[n].low <= high}
    kept = {n for n in quiet - beside
            if (many and may_be(n) and n in stuck) or family(n) in families}  # fmt: skip
    return [n for n in numbers if n in able or n in kept]


def _is_coordinate(name: str) -> bool:
    words = set(tokens(name))
    return not any(map(is_quantity, words)) and bool(
        words & {"alt", "alti", "lat", "latitude", "lon", "lng", "longitude", "easting", "northing"}
    )


def _is_static(column: Column, table: SourceTable, moment: Moment, keys: Sequence[str]) -> bool:
    """Whether a sensor always has the same value, such as its capacity."""
    if not keys or len(moment.rows) < 4:
        return False
    each = moment.rows.group_by(*keys).agg(pl.col(column.name).n_unique(), pl.len().alias("_n"))
    each = each.filter(pl.col("_n") > 3)
    return bool(len(each)) and bool((each[column.name] <= 1).all())


def _say(chosen: list[str], ignored: list[str], findings: Findings) -> None:
    unused = f"; not used: {listed(ignored, 12, quoted=True)}" if ignored else ""
    if len(chosen) == 1:
        text = f"the readings were taken from column {chosen[0]!r}{unused}"
        findings.note("guessed-target", text, _REMEDY)
        return
    some = listed(chosen, 3, quoted=True)
    text = f"the table is wide: each of {len(chosen)} columns is a sensor ({some}){unused}"
    findings.note("guessed-layout", text, _REMEDY, count=len(chosen))
    if mixed := mixture(chosen):
        findings.warn(
            "mixed-quantities",
            f"the sensor names suggest different quantities: {listed(mixed, quoted=True)}",
            "all are kept; name the columns of one quantity with target=",
            count=len(mixed),
        )
