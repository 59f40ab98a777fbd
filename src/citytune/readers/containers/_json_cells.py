"""Values that JSON cannot say plainly: the types of MongoDB, the moments of ASP.NET."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

EXTENDED = frozenset(["$date", "$oid", "$numberInt", "$numberLong", "$numberDouble",
                       "$numberDecimal"])  # fmt: skip
"""Keys by which MongoDB says the type of a value."""
_DATE = re.compile(r"/Date\((-?\d{1,14})([+-]\d{4})?\)/")
"""Milliseconds since 1970 (UTC); an offset behind them only says where that was."""


def extended(value: Any) -> Any:
    """A plain value of MongoDB's extended JSON: {"$date": {"$numberLong": "1704067200000"}}."""
    if not isinstance(value, Mapping):
        return value
    ((kind, inner),) = value.items()
    inner = extended(inner) if isinstance(inner, Mapping) and len(inner) == 1 else inner
    if kind == "$date" and isinstance(inner, int | float):
        return dt.datetime.fromtimestamp(inner / 1000, dt.UTC).isoformat(timespec="milliseconds")
    return _number(inner) if kind.startswith("$number") else inner


def dated(value: Any) -> Any:
    """A moment of ASP.NET such as /Date(1709251200000)/ in ISO 8601; all else as it is."""
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    moment = dt.datetime.fromtimestamp(int(found[1]) / 1000, dt.UTC)
    return moment.isoformat(timespec="milliseconds")


def _number(text: Any) -> Any:
    try:
        return int(text) if str(text).lstrip("-").isdigit() else float(text)
    except (TypeError, ValueError):
        return text
