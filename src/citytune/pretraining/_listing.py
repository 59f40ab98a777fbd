"""Read a corpus listing: a TOML file that names sets, how each is read, and what is left out."""

from __future__ import annotations

import datetime as dt
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from citytune._errors import InputError, UnknownName

DATA_VARIABLE = "CITYTUNE_DATA"
"""Environment variable that overrides the `folder` of a listing."""

Span = tuple[dt.datetime, dt.datetime]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One set: a file, the options of `citytune.read` for it, and what may be learnt from it."""

    path: Path
    """CSV or Parquet."""
    name: str
    """What the set is called; the file's stem if the listing does not say."""
    domain: str | None = None
    """Such as "traffic"; None leaves it to the folder's name and the quantity."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of `citytune.read`: time, sensor, target, quantity, unit, timezone, …"""
    written: str | None = None
    """Zone the file's times are written in ("UTC"), where it is not that of the sensors."""
    licence: str = ""
    """Of the data."""
    citation: str = ""
    """Whom to name."""
    weight: float = 1.0
    """How often the set is drawn, against 1 of the others of its domain."""
    clocks: tuple[dt.timedelta, ...] | None = None
    """The steps of the clocks to give it on; None for those that suit it."""
    most_sensors: int | None = None
    """At most so many sensors, evenly chosen, on the set's own clock."""
    cut: tuple[Span, ...] = ()
    """Times left out, as from (included) and to (excluded), in the wall time of the sensors."""


_READING = ("time", "sensor", "target", "quantity", "unit", "timezone", "missing", "country")
_TOP = ("folder", "set")
_KEYS = ("file", "name", "domain", "written", "licence", "citation", "weight", "clocks",
         "most_sensors", "except", "before", *_READING)  # fmt: skip
_TEXTS = ("file", "name", "domain", "written", "licence", "citation", "quantity", "unit",
          "timezone", "country")  # fmt: skip

_STEPS = {
    "min": dt.timedelta(minutes=1),
    "h": dt.timedelta(hours=1),
    "D": dt.timedelta(days=1),
}


def read_listing(path: Path) -> list[Entry]:
    """The entries of a listing, in its order; files are looked for, but not opened, later.

    Raises:
        InputError: Not valid TOML, a key nobody knows, or a value of the wrong kind.
    """
    listing = _parse(path)
    _know(listing, _TOP, f"key of the listing {path}")
    folder = os.environ.get(DATA_VARIABLE) or str(listing.get("folder", "."))
    root = path.parent / Path(folder).expanduser()
    tables = listing.get("set", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InputError(f"{path}: sets are written as [[set]], each with a file")
    return [_entry(table, root, f"{path}, set {i}") for i, table in enumerate(tables, 1)]


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}; mend that line") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text in UTF-8: save the listing as UTF-8") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def _entry(table: dict[str, Any], root: Path, where: str) -> Entry:
    _know(table, _KEYS, f"key of a set ({where})")
    for key in _TEXTS:
        if not isinstance(table.get(key, ""), str):
            raise InputError(f"{where}: {key} takes text, not {table[key]!r}")
    if not table.get("file"):
        raise InputError(f"{where}: a set needs a file, such as file = 'traffic/loops.parquet'")
    path = root / table["file"]
    return Entry(
        path=path,
        name=table.get("name") or path.name.partition(".")[0],
        options={key: table[key] for key in _READING if key in table},
        weight=_positive(table, "weight", 1.0, where),
        clocks=_clocks(table, where),
        most_sensors=_whole(table, "most_sensors", where),
        cut=_cut(table, where),
        **{
            key: table[key]
            for key in ("domain", "written", "licence", "citation")
            if table.get(key)
        },
    )


def _know(table: Mapping[str, Any], known: tuple[str, ...], kind: str) -> None:
    for key in table:
        if key not in known:
            raise UnknownName(kind, key, known)


def _positive(table: Mapping[str, Any], key: str, default: float, where: str) -> float:
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InputError(f"{where}: {key} takes a number above 0, not {value!r}")
    return float(value)


def _whole(table: Mapping[str, Any], key: str, where: str) -> int | None:
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{where}: {key} takes a whole number of at least 1, not {value!r}")
    return value


def _clocks(table: Mapping[str, Any], where: str) -> tuple[dt.timedelta, ...] | None:
    """The steps of `clocks`, finest first."""
    value = table.get("clocks")
    if value is None:
        return None
    texts = value if isinstance(value, list) else [value]
    spelt = [re.fullmatch(r"(\d+)(min|h|D)", str(text)) for text in texts]
    steps = {int(one[1]) * _STEPS[one[2]] for one in spelt if one}
    if not (steps and all(spelt) and all(step and not _STEPS["D"] % step for step in steps)):
        raise InputError(
            f"{where}: clocks takes steps that divide a day, such as ['15min', '1h', '1D'], "
            f"not {value!r}"
        )
    return tuple(sorted(steps))


def _cut(table: Mapping[str, Any], where: str) -> tuple[Span, ...]:
    """The spans of `except`, and all from `before` on."""
    spans = table.get("except", [])
    if not isinstance(spans, list) or not all(
        isinstance(span, list) and len(span) == 2 for span in spans
    ):
        raise InputError(
            f"{where}: except takes a list of [from, to], such as [['2014-05-01', '2015-05-01']], "
            f"not {spans!r}"
        )
    cut = [(_moment(first, where), _moment(last, where)) for first, last in spans]
    for first, last in cut:
        if first >= last:
            raise InputError(f"{where}: except goes from {first} to {last}, which holds no time")
    if "before" in table:
        cut.append((_moment(table["before"], where), dt.datetime.max))
    return tuple(cut)


def _moment(value: Any, where: str) -> dt.datetime:
    """A TOML date, date and time, or text of either, as naive wall time."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            value = None
    elif isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    if not isinstance(value, dt.datetime) or value.tzinfo is not None:
        raise InputError(
            f"{where}: times are written as 2014-05-01 or 2014-05-01T06:00:00, in wall time"
        )
    return value
