"""Objects in JSON whose keys are times, or number the rows of each column of a table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Record: TypeAlias = Mapping[str, Any]
LOOKED_AT = 20
"""Rows after which their shape is known."""


def is_keyed(value: Any) -> bool:
    """Whether an object holds rows under such keys."""
    return isinstance(value, Mapping) and bool(keyed(value))


def is_scalars(values: Sequence[Any]) -> bool:
    """Whether the first values hold no others."""
    return not any(isinstance(one, Mapping | list) for one in values[:LOOKED_AT])


def keyed(value: Record) -> list[dict[str, Any]]:
    """Rows of an object whose keys are times, or number the rows of each column of a table.

    >>> keyed({f"2024-01-{day}": day for day in range(10, 31)})[0]
    {'time': '2024-01-10', 'value': 10}
    >>> keyed({"2024-01-10": {"00:00": 5, "01:00": 6}})[1]
    {'time': '2024-01-10 01:00', 'value': 6}
    """
    parts = list(value.values())
    if all(map(_is_time_key, list(value)[:LOOKED_AT])) and all(map(_are_hours, parts)):
        return [{"time": f"{day} {hour}", "value": cell}
                for day, hours in value.items() for hour, cell in hours.items()]  # fmt: skip
    plain = [isinstance(one, Mapping) and is_scalars(list(one.values())) for one in parts]
    if len(value) > LOOKED_AT and all(map(_is_time_key, list(value)[:LOOKED_AT])):
        if all(plain):
            return [{"time": _time_of(key)} | dict(row) for key, row in value.items()]
        if is_scalars(parts):
            return [{"time": _time_of(key), "value": one} for key, one in value.items()]
        if all(isinstance(one, list) and is_scalars(one) for one in parts):
            return _keyed_lists(value)
        return []
    if not parts or not all(plain) or len(parts[0]) <= LOOKED_AT:
        return []
    keys = list(parts[0])
    if any(one.keys() != parts[0].keys() for one in parts):
        return []
    timed = all(map(_is_time_key, keys[:LOOKED_AT]))
    if not timed and not all(key.isdigit() for key in keys):
        return []
    return [
        {**({"time": _time_of(key)} if timed else {}), **{n: one[key] for n, one in value.items()}}
        for key in keys
    ]


def _keyed_lists(value: Record) -> list[dict[str, Any]]:
    """Rows of lists under their times, but for what is the same in all of them: codes."""
    columns = list(zip(*value.values(), strict=False))
    live = [i for i, cells in enumerate(columns) if any(cell != cells[0] for cell in cells)]
    return [
        {"time": _time_of(key)} | {f"value_{i + 1}": columns[i][row] for i in live}
        for row, key in enumerate(value)
    ]


def _are_hours(value: Any) -> bool:
    """Whether an object holds plain values under times of the day: {"00:00": 12, "01:00": 14}."""
    keys = list(value) if isinstance(value, Mapping) else []
    clocks = all(re.fullmatch(r"\d{1,2}:\d\d(:\d\d)?", key) for key in keys)
    return len(keys) > 1 and clocks and is_scalars(list(value.values()))


def _is_time_key(key: str) -> bool:
    return (key.isdigit() and len(key) >= 9) or bool(re.match(r"(19|20)\d\d-\d\d-\d\d", key))


def _time_of(key: str) -> int | str:
    return int(key) if key.isdigit() else key
