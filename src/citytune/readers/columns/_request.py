"""What was asked for apart from the source itself, checked as far as it can be without it."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from citytune._errors import InputError
from citytune.frame import check_country
from citytune.readers.cells._table import guarded
from citytune.readers.times._date_order import Order
from citytune.readers.times._times import Stamp, check_timezone

Names = str | Sequence[str] | None


_TEXTS = {"quantity": "traffic_volume", "unit": "veh/h", "timezone": "Europe/Oslo", "country": "NO",
          "table": "readings", "query": "SELECT * FROM readings"}  # fmt: skip
"""Options that are text, and what it may be."""


class ColumnName(str):
    """The name of a column and never a path, whatever it looks like."""

    __slots__ = ()


def _guarded(option: str, names: Any) -> Names:
    if names is None or isinstance(names, str):
        return None if names is None else guarded(names)
    several = isinstance(names, Iterable) and not isinstance(names, bytes | Mapping)
    some = list(names) if several else [names]
    if not several or not all(isinstance(name, str) for name in some):
        numbered = next((f"; of a numbered column too: {option}={str(name)!r}" for name in some
                         if isinstance(name, int) and not isinstance(name, bool)), "")  # fmt: skip
        raise InputError(
            f"{option} takes the name of a column, or a list of names, not {names!r}; write names "
            f"as text{numbered}"
        )
    return [guarded(name) for name in some]


def _checked_validity(valid: Any) -> Mapping[str, Sequence[str]] | None:
    """Column → its valid cells, of which one may stand alone."""
    if valid is None:
        return None
    found = dict(valid) if isinstance(valid, Mapping) else {}
    for name, cells in found.items():
        if isinstance(cells, str | numbers.Real):
            found[name] = [cells]
    good = all(
        isinstance(name, str) and isinstance(cells, Iterable)
        and not isinstance(cells, bytes | Mapping)
        for name, cells in found.items()
    )  # fmt: skip
    if not good or not isinstance(valid, Mapping):
        raise InputError(
            "valid takes the column of validity with its cells that mean valid, as in "
            f"{{'Validity': ['1']}}, not {valid!r}"
        )
    return {name: [_cell(cell) for cell in cells] for name, cells in found.items()}


def _cell(cell: Any) -> str:
    return str(cell).removesuffix(".0") if isinstance(cell, numbers.Real) else str(cell)


@dataclass(frozen=True)
class Request:
    """The options of `read`; None and () leave the matter to a guess."""

    time: Names = None
    """Column of the times, or several."""
    sensor: Names = None
    """Column that names the sensors, or several."""
    target: Names = None
    """Column of the readings, or those of the sensors of a wide table."""
    covariates: Any = ()
    """Known ahead: names of columns, paths, tables."""
    quantity: str | None = None
    """What is measured."""
    unit: str | None = None
    """Its unit."""
    timezone: str | None = None
    """IANA zone of the sensors."""
    missing: float | Sequence[float] | None = None
    """Value or values that mean "no data"."""
    country: str | None = None
    """Whose public holidays count."""
    stamp: Stamp | None = None
    """Whether times name the begin or the end of an interval."""
    valid: Mapping[str, Sequence[str]] | None = None
    """Column → its cells that mean that a reading is valid."""
    table: str | None = None
    """Of a database: what to read."""
    query: str | None = None
    """Of a database: what to read, in SQL."""
    date_order: Order | None = None
    """Whether the day or the month comes first in dates such as 03/04/2026."""

    def __post_init__(self) -> None:
        for part in ("time", "sensor", "target"):
            object.__setattr__(self, part, _guarded(part, getattr(self, part)))
        for part, example in _TEXTS.items():
            if not isinstance(told := getattr(self, part), str | None):
                raise InputError(f"{part} takes text such as {example!r}, not {told!r}")
        object.__setattr__(self, "valid", _checked_validity(self.valid))
        if self.country is not None:
            check_country(self.country)
        if self.timezone is not None:
            check_timezone(self.timezone)
        if self.stamp not in (None, "begin", "end"):
            raise InputError(f"stamp is 'begin' or 'end', got {self.stamp!r}")
        if self.date_order not in (None, "day", "month"):
            raise InputError(f"date_order is 'day' or 'month', got {self.date_order!r}")
        for value in self.marked:
            if not isinstance(value, numbers.Real) or isinstance(value, bool):
                raise InputError(f"missing takes numbers such as -1, not {value!r}")

    @property
    def marked(self) -> tuple[float, ...]:
        """The values that mean "no data"."""
        if self.missing is None:
            return ()
        if isinstance(self.missing, Sequence) and not isinstance(self.missing, str | bytes):
            return tuple(self.missing)
        return (self.missing,)  # type: ignore[return-value]
