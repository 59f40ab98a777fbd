"""What was asked for apart from the source itself, checked as far as it can be without it."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from citytune._errors import InputError
from citytune.frame import check_country
from citytune.readers.cells._table import guarded
from citytune.readers.times._date_order import Order
from citytune.readers.times._times import Stamp, check_timezone

Names = str | Sequence[str] | None


class ColumnName(str):
    """The name of a column and never a path, whatever it looks like."""

    __slots__ = ()


def _guarded(names: Names) -> Names:
    if names is None or isinstance(names, str):
        return None if names is None else guarded(names)
    return [guarded(name) for name in names]


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
            object.__setattr__(self, part, _guarded(getattr(self, part)))
        if self.country is not None:
            check_country(self.country)
        if self.timezone is not None:
            check_timezone(self.timezone)
        if self.stamp not in (None, "begin", "end"):
            raise InputError(f"stamp is 'begin' or 'end', got {self.stamp!r}")
        if self.date_order not in (None, "day", "month"):
            raise InputError(f"date_order is 'day' or 'month', got {self.date_order!r}")
        for value in self.marked:
            if not isinstance(value, numbers.Real):
                raise InputError(f"missing takes numbers such as -1, not {value!r}")

    @property
    def marked(self) -> tuple[float, ...]:
        """The values that mean "no data"."""
        if self.missing is None:
            return ()
        if isinstance(self.missing, Sequence) and not isinstance(self.missing, str):
            return tuple(self.missing)
        return (self.missing,)
