"""Find the records in a JSON document, however deep and in whichever shape it keeps them.

A document may hold a list of objects, rows with a list of their names (`fields` and `data`),
pairs of time and value, or a list for each column. The most rows of one kind are its table; where
they stand in several places, what differs around them, such as a title or a tag, becomes columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from citytune.readers.cells._time_words import TIME
from citytune.readers.cells._units import UNIT_COLUMNS, unit_of
from citytune.readers.cells._vocabulary import GENERIC, plain_name
from citytune.readers.containers._json_keyed import LOOKED_AT, is_keyed, is_scalars, keyed
from citytune.readers.containers._json_steps import shared, stepped

Record: TypeAlias = Mapping[str, Any]
Path: TypeAlias = tuple[str | int, ...]
MOST_NESTED_OBJECTS = 40
"""Objects within objects."""
_NAMES = ("fields", "columns", "components", "header", "headers", "names", "schema")
_CALLED = ("name", "ColumnName", "columnName", "Name", "id")
"""Of lists of the names of columns."""
_NUMBERED = re.compile(r"^(field|channel|ch|var|value|val|col|column|sensor)_?\d+$")
MOST_FIELDS = 2
"""Of rows whose unit may be said around them."""
MOST_TAGS = 6
"""Of a series, as pairs of name and value."""


@dataclass(frozen=True)
class _Table:
    names: frozenset[str]
    rows: Sequence[Record]
    around: Record
    """Plain values around the rows."""
    path: Path


def records_of(document: Any) -> list[Record]:
    """The records of the largest table of a document; the whole document if it holds none.

    >>> records_of({"data": {"nodes": [{"at": 1, "v": 2}]}, "page": 1})
    [{'at': 1, 'v': 2}]
    >>> records_of({"fields": ["at", "v"], "data": [[1, 2]]})
    [{'at': 1, 'v': 2}]
    """
    groups: dict[frozenset[str], list[_Table]] = {}
    for table in _tables(document, {}, ()):
        groups.setdefault(table.names, []).append(table)
    if not groups:
        return [document] if isinstance(document, Mapping) else []
    parts = max(groups.values(), key=_size)
    labels = _told_apart(parts)
    return [
        {**{k: v for k, v in label.items() if k not in row}, **row} if label else row
        for part, label in zip(parts, labels, strict=True)
        for row in part.rows
    ]


def _size(parts: Sequence[_Table]) -> tuple[int, bool, int]:
    """By how many rows; of as many, those that hold numbers, and the deepest of them.

    What stands around the rows of the deepest is added to them.
    """
    first = parts[0]
    numbers = any(_is_number(cell) for cell in first.rows[0].values())
    return sum(len(one.rows) for one in parts), numbers, len(first.path)


def _is_number(cell: Any) -> bool:
    text = cell.strip() if isinstance(cell, str) else ""
    return bool(re.fullmatch(r"-?\d+([.,]\d+)?", text)) or (
        isinstance(cell, int | float) and not isinstance(cell, bool)
    )


def _told_apart(parts: Sequence[_Table]) -> list[Record]:
    """What differs around the rows of several tables; the key they stand under if nothing does."""
    names = dict.fromkeys(name for part in parts for name in part.around)
    said = {n: [str(part.around.get(n)) for part in parts] for n in names}
    differ = [n for n, cells in said.items() if len({*cells}) > 1 or n.endswith("__name__")]
    inner = {(n, *said[n]) for n in differ}  # said once more by the objects around theirs
    differ = [n for n in differ if not {(end, *said[n]) for end in _ends_of(n)} & inner]
    labels: list[dict[str, Any]] = [{n: part.around.get(n) for n in differ} for part in parts]
    if len(parts) > 1 and not differ:
        # Values that have a name of their own were measured where the key says.
        called = {plain_name(name) for name in parts[0].names} - {*TIME}
        name = "parameter" if len(called) != 1 or called & {*GENERIC} else "series"
        for label, part in zip(labels, parts, strict=True):
            label[name] = next((k for k in reversed(part.path) if isinstance(k, str)), "")
    for label, part in zip(labels, parts, strict=True):
        if (unit := _unit_of(part)) and not any(plain_name(n) in UNIT_COLUMNS for n in differ):
            label["unit"] = unit
    return list(labels)


def _ends_of(name: str) -> list[str]:
    """A name without the objects around it: b.c and c of a.b.c."""
    words = name.split(".")
    return [".".join(words[i:]) for i in range(1, len(words))]


def _unit_of(part: _Table) -> str | None:
    """The unit that is said around rows of a time and a value."""
    if len(part.names) > MOST_FIELDS:
        return None
    near = {plain_name(key.rpartition(".")[2]): str(one) for key, one in part.around.items()}
    said = {unit for name, unit in near.items() if name in UNIT_COLUMNS and unit_of(unit)}
    return said.pop() if len(said) == 1 else None


def _tables(value: Any, around: Record, path: Path) -> Iterator[_Table]:
    if len(path) > MOST_NESTED_OBJECTS:
        return
    if isinstance(value, Mapping) and (rows := keyed(value)):
        yield _Table(frozenset(rows[0]), rows, around, path)
    elif isinstance(value, Mapping):
        yield from _of_object(value, {**around, **_plain(value)}, path)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        records = [row for row in value if isinstance(row, Mapping)]
        yield _Table(frozenset(records[0]), records, around, path)
        if any(_holds_lists(row) or _holds_columns(row) or stepped(row)
               or any(map(is_keyed, row.values()))
               for row in records[:LOOKED_AT]):  # fmt: skip
            for i, row in enumerate(records):
                yield from _tables(row, around, (*path, i))
    elif isinstance(value, list) and value and _is_list_of_objects(value[0]):
        for i, one in enumerate(value):
            yield from _tables(one, around, (*path, i))
    elif isinstance(value, list):
        yield from _of_rows(value, None, around, path)


def _of_object(value: Record, around: Record, path: Path) -> Iterator[_Table]:
    if rows := stepped(value) or shared(value):
        yield _Table(frozenset(rows[0]), rows, around, path)
        return
    lists = {k: one for k, one in value.items() if isinstance(one, list) and is_scalars(one)}
    lengths = {len(one) for one in lists.values()}
    if len(lists) > 1 and len(lengths) == 1 and lengths.pop() > LOOKED_AT:
        rows = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
        yield _Table(frozenset(lists), rows, around, path)
    names: Sequence[Any] | None = next(
        (one for k, one in value.items() if k.lower() in _NAMES and isinstance(one, list)), None
    )
    for key, one in value.items():
        if isinstance(one, list) and one and isinstance(one[0], list) \
                and not _is_list_of_objects(one[0]):  # fmt: skip
            names = names or _names_within(value, len(one[0]))
            yield from _of_rows(*_with_index(one, names, value), around, (*path, key))
        elif isinstance(one, Mapping | list):
            labels = _labels(value)
            for table in _tables(one, around, (*path, key)):
                yield _labelled(table, labels) if labels else table


def _names_within(value: Record, width: int) -> Sequence[Any] | None:
    """The list of as many names as rows have cells, in an object next to them, however deep."""
    for key, one in value.items():
        if key in _NAMES and isinstance(one, list) and len(one) == width:
            return one
        if isinstance(one, Mapping) and (found := _names_within(one, width)):
            return found
    return None


def _with_index(
    rows: Sequence[Any], names: Sequence[Any] | None, near: Record
) -> tuple[Sequence[Any], Sequence[Any] | None]:
    """Rows with the times that stand next to them as their index, as pandas writes a table."""
    index = near.get("index")
    if names is None or not isinstance(index, list) or len(index) != len(rows):
        return rows, names
    if "time" in names or not all(map(_may_be_time, index[:LOOKED_AT])):
        return rows, names
    return [[at, *row] for at, row in zip(index, rows, strict=True)], ["time", *names]


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _labels(value: Record) -> dict[str, str]:
    """What an object next to the rows calls their numbered fields: field1, PM2.5."""
    near = [one for one in value.values() if isinstance(one, Mapping)]
    found = {k: v.strip() for one in near for k, v in one.items()
             if _NUMBERED.match(k) and isinstance(v, str) and v.strip()}  # fmt: skip
    return found if len(set(found.values())) == len(found) else {}


def _labelled(table: _Table, labels: Mapping[str, str]) -> _Table:
    if not table.names & labels.keys() or table.names & set(labels.values()):
        return table
    rows = [{labels.get(k, k): v for k, v in row.items()} for row in table.rows]
    return replace(table, rows=rows, names=frozenset(rows[0]))


def _of_rows(
    rows: Sequence[Any], names: Sequence[Any] | None, around: Record, path: Path
) -> Iterator[_Table]:
    """Rows as lists, whose names stand next to them or which are pairs of time and value."""
    some = [row for row in rows[:LOOKED_AT] if isinstance(row, list)]
    width = len(some[0]) if some and all(len(row) == len(some[0]) for row in some) else 0
    if not width:
        return
    if names is None or len(names) != width:
        names = _of_pairs(some) if width == 2 else None
    if names is not None:
        called = [str(next((n[k] for k in _CALLED if n.get(k)), None)) if isinstance(n, Mapping)
                  else str(n) for n in names]  # fmt: skip
        found = [dict(zip(called, row, strict=False)) for row in rows if isinstance(row, list)]
        yield _Table(frozenset(called), found, around, path)


def _of_pairs(some: Sequence[Sequence[Any]]) -> list[str] | None:
    times = [all(_may_be_time(row[i]) for row in some) for i in (0, 1)]
    if times == [True, False]:
        return ["time", "value"]
    return ["value", "time"] if times == [False, True] else None


def _may_be_time(cell: Any) -> bool:
    if isinstance(cell, str):
        return len(cell) >= 10 and cell[:4].isdigit()
    return isinstance(cell, int | float) and abs(cell) >= 1e8


def _holds_lists(value: Any) -> bool:
    """Whether an object holds a list of more than plain values somewhere."""
    inner = value.values() if isinstance(value, Mapping) else ()
    return any(
        (isinstance(one, list) and bool(one) and isinstance(one[0], Mapping | list))
        or _holds_lists(one)
        for one in inner
    )


def _holds_columns(value: Record) -> bool:
    """Whether an object holds long lists of plain values, as many of each.

    An object in it counts if one of its lists is one of times, as in features of GeoJSON.
    """
    lists = [one for one in value.values() if isinstance(one, list) and is_scalars(one)]
    lengths = [len(one) for one in lists]
    if any(size > LOOKED_AT and lengths.count(size) > 1 for size in lengths):
        return True
    inner = [one for one in value.values() if isinstance(one, Mapping)]
    return any(_holds_columns(one) and _holds_times(one) for one in inner)


def _holds_times(value: Record) -> bool:
    return any(
        all(map(_may_be_time, one[:LOOKED_AT])) if isinstance(one, list) else _holds_times(one)
        for one in value.values()
        if isinstance(one, Mapping) or (isinstance(one, list) and len(one) > LOOKED_AT)
    )


def _tags(some: Sequence[Any]) -> dict[str, Any]:
    """What names are paired with in a short list: [{"name": "meter", "value": "m1"}]."""
    if not 0 < len(some) <= MOST_TAGS or not all(isinstance(one, Mapping) for one in some):
        return {}
    found = {}
    for one in some:
        name = one.get("name", one.get("key"))
        name = name.get("value") if isinstance(name, Mapping) else name
        if isinstance(name, str) and isinstance(one.get("value"), str):
            found[name] = one["value"]
    return found if len(found) == len(some) else {}


def _plain(value: Record) -> dict[str, Any]:
    """The plain values of an object and of those in it, and what few names are paired with."""
    found: dict[str, Any] = {}
    for key, one in value.items():
        if isinstance(one, Mapping):
            if not is_keyed(one):
                found |= {f"{key}.{name}": part for name, part in _plain(one).items()}
        elif isinstance(one, list):
            found |= _tags(one)
        else:
            found[key] = one
    return found
