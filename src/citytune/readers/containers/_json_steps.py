"""Series in JSON that say their times once: by a start and a step, or in a list for several."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from citytune.readers.cells._vocabulary import plain_name

Record: TypeAlias = Mapping[str, Any]
FEW_VALUES = 20
"""Values that are more than a few of a record."""
_START = frozenset(
    ["start", "begin", "from", "start_time", "begin_time", "beg_time", "start_date", "start_at",
     "starts_at",
     "time_start", "point_start", "start_point", "first", "first_time", "time", "timestamp"]
)  # fmt: skip
_STEP = re.compile(
    r"(time_)?(step|interval|resolution|granularity|frequency|freq|period|sampling|point_interval)"
    r"(_length|_size|_ticks?)?(?:_(?P<unit>[a-z]+))?"
)
_LENGTH = re.compile(r"(?:P?T?)(\d+)\s*_?([a-z]+)", re.IGNORECASE)
_UNITS = {
    1: ("s", "sec", "secs", "second", "seconds"),
    60: ("m", "min", "mins", "minute", "minutes", "t"),
    3600: ("h", "hr", "hrs", "hour", "hours"),
}
_NAMES = ("name", "attrName", "label", "id", "key", "title", "sensor", "station")
_ZONED = re.compile(r"_?(utc|gmt)$")
_LEAST_BARE = 300
"""Seconds from which a step without a unit can be nothing else."""
_EPOCH, _MILLISECONDS = 1e8, 1e11


def stepped(value: Record) -> list[dict[str, Any]]:
    """The rows of an object with a start, a step and long lists of values; none of any other.

    >>> stepped({"start": "2024-01-01T00:00Z", "step": "PT15M", "values": [*range(21)]})[1]
    {'time': '2024-01-01T00:15:00+00:00', 'values': 1}
    """
    lists = {k: v for k, v in value.items() if isinstance(v, list) and len(v) > FEW_VALUES}
    lists = _columns_of(value) or lists
    if len({len(one) for one in lists.values()}) != 1 or not all(
        _is_number(one) for some in lists.values() for one in some
    ):
        return []
    starts = [v for k, v in value.items() if _ZONED.sub("", plain_name(k)) in _START]
    begin = _moment(starts[0]) if len(starts) == 1 else None
    clock = None if begin is None or isinstance(starts[0], str) else _per_second(starts[0])
    steps = [found for k, v in value.items() if (found := _length(plain_name(k), v, clock))]
    if begin is None or len(steps) != 1:
        return []
    step = dt.timedelta(seconds=steps[0])
    return [
        {"time": (begin + i * step).isoformat(), **dict(zip(lists, row, strict=True))}
        for i, row in enumerate(zip(*lists.values(), strict=True))
    ]


def _columns_of(value: Record) -> dict[str, list[Any]]:
    """The columns of the one list of rows of numbers of an object."""
    rows = [v for v in value.values() if isinstance(v, list) and v and isinstance(v[0], list)]
    if len(rows) != 1 or {len(row) for row in rows[0]} != {len(rows[0][0])}:
        return {}
    columns = [list(column) for column in zip(*rows[0], strict=True)]
    return {f"value_{i}" if columns[1:] else "value": one for i, one in enumerate(columns, 1)}


def shared(value: Record) -> list[dict[str, Any]]:
    """The rows of an object with a list of times, and named lists of as many values next to it.

    >>> at = [1711324800 + 900 * i for i in range(21)]
    >>> shared({"t": at, "series": [{"name": "load", "data": [*range(21)]}]})[0]
    {'t': 1711324800, 'load': 0}
    """
    times = {k: v for k, v in [*value.items(), *_of_an_axis(value)]
             if isinstance(v, list) and len(v) > FEW_VALUES and all(map(_is_time, v))}  # fmt: skip
    if len(times) != 1:
        return []
    ((called, at),) = times.items()
    for some in value.values():
        if isinstance(some, list) and some and all(isinstance(one, Mapping) for one in some):
            named = [_series(one, len(at)) for one in some]
            columns = dict(one for one in named if one is not None)
            if len(columns) == len(some):
                rows = zip(at, *columns.values(), strict=True)
                return [dict(zip((called, *columns), row, strict=True)) for row in rows]
    return []


def _of_an_axis(value: Record) -> list[tuple[str, Any]]:
    """What the axis of a chart holds: {"xAxis": {"data": [...]}}, or a list of one such."""
    parts = [v[0] if isinstance(v, list) and len(v) == 1 else v
             for k, v in value.items() if plain_name(k) in ("x_axis", "xaxis")]  # fmt: skip
    return [("time", v) for one in parts if isinstance(one, Mapping) for v in one.values()]


def _series(value: Record, count: int) -> tuple[str, Sequence[Any]] | None:
    lists = [v for v in value.values() if isinstance(v, list)]
    name = next((str(value[k]) for k in _NAMES if value.get(k) is not None), None)
    if name is None or len(lists) != 1 or len(lists[0]) != count:
        return None
    return (name, lists[0]) if all(map(_is_number, lists[0])) else None


def _length(name: str, cell: Any, clock: int | None = None) -> int | None:
    """Seconds of a step, whose unit its cell or its name says, or the clock of the start."""
    told = _STEP.fullmatch(name)
    if told is None or isinstance(cell, bool):
        return None
    if isinstance(cell, str) and (found := _LENGTH.fullmatch(cell.strip())):
        number, unit = int(found[1]), found[2].lower()
        if cell.strip().upper().startswith("P") and "T" not in cell.upper()[:2]:
            return None  # a period of days or months
    elif isinstance(cell, int) and clock and told["unit"] in (None, "time"):
        sure = cell // clock >= _LEAST_BARE  # else it may as well be minutes
        number, unit = (cell // clock, "s") if sure else (0, "")
    elif isinstance(cell, int) and told["unit"]:
        number, unit = cell, told["unit"]
    else:
        return None
    if unit in ("ms", "milliseconds") and number % 1000 == 0:
        return number // 1000 or None
    size = next((size for size, words in _UNITS.items() if unit in words), None)
    return number * size if size and number > 0 else None


def _moment(cell: Any) -> dt.datetime | None:
    if isinstance(cell, int | float) and abs(cell) >= _EPOCH:
        return dt.datetime.fromtimestamp(cell / _per_second(cell), dt.UTC)
    try:
        found = dt.datetime.fromisoformat(str(cell))
    except ValueError:
        return None
    return found if found.tzinfo is None else found.astimezone(dt.UTC)


def _per_second(epoch: float) -> int:
    """How many units of a moment that counts since 1970 make a second."""
    return 1000 if abs(epoch) >= _MILLISECONDS else 1


def _is_number(one: Any) -> bool:
    return one is None or (isinstance(one, int | float) and not isinstance(one, bool))


def _is_time(cell: Any) -> bool:
    if isinstance(cell, str):
        return re.match(r"(19|20)\d\d-\d\d-\d\d", cell) is not None
    return _is_number(cell) and cell is not None and abs(cell) >= _EPOCH
