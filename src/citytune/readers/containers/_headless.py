"""Name the columns of files that come without a header and are known by their cells."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from citytune._text import listed
from citytune.readers.cells._columns import Column, look
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.cells._units import unit_of
from citytune.readers.cells._vocabulary import is_quantity
from citytune.readers.containers._label_rows import TIME_LIKE

STATION = ("Timestamp", "Station", "District", "Freeway", "Direction", "Lane Type",
           "Station Length", "Samples", "% Observed", "Total Flow", "Avg Occupancy",
           "Avg Speed")  # fmt: skip
"""Columns of a station's file of PeMS, which columns of the delays and of each lane follow."""
LANES = frozenset(["ML", "HV", "FR", "OR", "FF", "CD", "CH"])
FIVE_MINUTES = ("Samples", "Flow", "Avg Occ", "Avg Speed", "Observed")
HOURLY = ("Flow", "Avg Occ", "Avg Speed")
YEARS, DATES = (1950, 2100), (19500101, 21001231)
MADRID = ("PROVINCIA", "MUNICIPIO", "ESTACION", "MAGNITUD", "TECNICA", "PERIODO")
"""Codes before the date of a day's hours, each with a mark; the station's may be in one."""
PERIODS_OF_A_DAY = (24, 25, 48, 50, 96, 100)
"""In a day."""
MOST_DISTINCT_CODES = 10
"""Distinct numbers that are no periods of a day yet."""
DELAYS = tuple(f"Delay (V_t={speed})" for speed in range(35, 61, 5))


def with_names(table: SourceTable, told: Collection[str], findings: Findings) -> SourceTable:
    """The table with the names of its columns, if it has none and its cells tell the layout.

    A person who calls a column by its number keeps the numbers.
    """
    before = table.schema.names()
    numbered = [f"column_{i + 1}" for i in range(len(before))]
    if before != numbered:
        return table
    columns = [*look(table).by_name.values()]
    station = len(before) >= len(STATION) and not {*before} & {*told}
    if station and _is_station(columns[: len(STATION)]):
        names = dict(zip(before, _names(table), strict=False))
        what = "the columns are those of a station's file of PeMS"
    elif (names := _dated(columns)) and not {*names} & {*told}:
        what = f"{listed(list(names), quoted=True)} hold the parts of dates"
        names |= _codes(before, names)
    elif (names := _measured(columns)) and not {*names} & {*told}:
        what = f"{listed(list(names), quoted=True)} hold readings, their unit and what they are of"
    else:
        return table
    findings.note(
        "no-header", what, f"they were renamed {listed(list(names.values()), 12, quoted=True)}"
    )
    return table.renamed(names)


def _dated(columns: Sequence[Column]) -> dict[str, str]:
    """Names of columns that hold year, month, day and hour, or a date and the period of the day."""
    spans = [_whole(column) for column in columns]
    for i, first in enumerate(spans):
        following = [*spans[i + 1 : i + 4], [], [], []][:3]
        if _within(first, YEARS) and _within(following[0], (1, 12)) \
                and _within(following[1], (1, 31)):  # fmt: skip
            names = ["year", "month", "day", *(["hour"] if _counts(following[2]) else [])]
        elif _within(first, DATES) and _counts(following[0]):
            names = ["date", "settlement_period"]
        else:
            continue
        return {columns[i + k].name: name for k, name in enumerate(names)}
    return {}


def _measured(columns: Sequence[Column]) -> dict[str, str]:
    """Names of readings, of their units right of them and of quantities, as cells tell them."""
    texts = [i for i, one in enumerate(columns) if one.kind == "text" and len(one.cells)]
    units = [i for i in texts if all(unit_of(str(cell)) for cell in columns[i].cells)]
    said = [i for i in texts if all(is_quantity(str(cell)) for cell in columns[i].cells)]
    if len(units) != 1 or len(said) != 1 or columns[units[0] - 1].kind != "number":
        return {}
    names = {said[0]: "parameter", units[0] - 1: "value", units[0]: "unit"}
    return {columns[i].name: name for i, name in names.items()}


def _codes(columns: Sequence[str], dated: Mapping[str, str]) -> dict[str, str]:
    """Names of the codes before the date of Madrid's old files: station, pollutant, technique."""
    first, last = columns.index(next(iter(dated))), columns.index(list(dated)[-1])
    if len(columns) - last - 1 != 48 or first not in (4, 6):
        return {}
    return dict(zip(columns, MADRID[-first:], strict=False))


def _whole(column: Column) -> list[int]:
    """The whole numbers of a column, also 01 and 02; none if it holds others."""
    cells = [str(cell).removesuffix(".0") for cell in column.cells]
    whole = column.kind in ("number", "text", "moment") and all(map(str.isdecimal, cells))
    return sorted(map(int, cells)) if whole else []


def _within(numbers: Sequence[int], limits: tuple[int, int]) -> bool:
    """Whether sorted numbers are between limits."""
    return bool(numbers) and limits[0] <= numbers[0] and numbers[-1] <= limits[1]


def _counts(numbers: Sequence[int]) -> bool:
    """Whether numbers are all the hours, halves or quarters of a day, or of that of autumn."""
    whole = len(numbers) > MOST_DISTINCT_CODES and [*range(numbers[0], numbers[-1] + 1)] == [
        *numbers
    ]
    return whole and numbers[0] in (0, 1) and len(numbers) in PERIODS_OF_A_DAY


def _is_station(columns: Sequence[Column]) -> bool:
    time, station, district, freeway, direction, lanes, _, samples, observed, flow, occupancy, _ = (
        columns
    )
    numbers = (station, district, freeway, samples, flow)
    return (
        TIME_LIKE.match(str(time.cells[0]) if len(time.cells) else "") is not None
        and {*map(str, direction.cells)} <= {*"NSEW"}
        and {*map(str, lanes.cells)} <= LANES
        and all(column.kind == "number" and column.whole for column in numbers)
        and district.low >= 1 and district.high <= 12
        and observed.kind == "number" and observed.low >= 0 and observed.high <= 100
        and occupancy.kind in ("number", "empty") and occupancy.low >= 0 and occupancy.high <= 1
    )  # fmt: skip


def _names(table: SourceTable) -> list[str]:
    """Of all columns, as far as those of the lanes are understood."""
    rest = table.schema.names()[len(STATION) :]
    if rest and len(rest) % 5 == 0 and _are_marks(table, rest[4::5]):
        return [*STATION, *_of_lanes(len(rest) // 5, FIVE_MINUTES)]
    if len(rest) > len(DELAYS) and (len(rest) - len(DELAYS)) % 3 == 0:
        return [*STATION, *DELAYS, *_of_lanes((len(rest) - len(DELAYS)) // 3, HOURLY)]
    return [*STATION, *(f"Other {i + 1}" for i in range(len(rest)))]


def _of_lanes(count: int, names: Sequence[str]) -> list[str]:
    return [f"Lane {i + 1} {name}" for i in range(count) for name in names]


def _are_marks(table: SourceTable, names: Sequence[str]) -> bool:
    """Whether columns hold 0 and 1 alone, and the first of them holds something."""
    columns = [*look(table, names).by_name.values()]
    return bool(len(columns[0].cells)) and all(c.low >= 0 and c.high <= 1 for c in columns)
