"""Write numbers, spans of time and lists of names as a person would."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

_UNITS = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
_PICTURED = {"day": math.inf, "hour": 48, "minute": 90, "second": 90}
"""How many of a unit are still easy to picture."""


def number(value: float, digits: int = 3) -> str:
    """A number for people: three digits, thousands parted, a dash for what is unknown.

    >>> number(12345.6), number(3.14159), number(0.012345), number(1.2e-7), number(float("nan"))
    ('12,346', '3.14', '0.0123', '1.2e-07', '–')
    """
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if abs(value) < 1e-4:
        return f"{value:.{digits}g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


def percent(share: float, digits: int = 0) -> str:
    r"""A share as per cent, with the space that does not break.

    >>> percent(0.3149), percent(float("nan"))
    ('31\xa0%', '–')
    """
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%" if math.isfinite(share) else "–"


def duration(span: dt.timedelta) -> str:
    """A span in the largest unit that fits it, or that makes it easy to picture.

    >>> [duration(dt.timedelta(minutes=minutes)) for minutes in (30, 60, 125, 2160, 30720)]
    ['30 minutes', '1 hour', '2.1 hours', '36 hours', '21.3 days']
    """
    seconds = span.total_seconds()
    for unit, size in _UNITS.items():
        if seconds % size == 0 and 1 <= seconds / size <= _PICTURED[unit]:
            return plural(round(seconds / size), unit)
    unit = next((unit for unit, size in _UNITS.items() if seconds >= 2 * size), "second")
    return f"{seconds / _UNITS[unit]:.1f} {unit}s"


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    >>> plural(1, "sensor"), plural(1200, "sensor")
    ('1 sensor', '1,200 sensors')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names in a row, the tail counted.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], most=2)
    ('a, b and c', 'a, b and 1 more')
    """
    shown, hidden = list(names[:most]), len(names) - most
    if hidden > 0:
        return f"{', '.join(shown)} and {hidden:,} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def seconds(spent: float) -> str:
    """A time spent, for people.

    >>> seconds(0.034), seconds(7.31), seconds(150)
    ('0.03 s', '7.3 s', '2 min 30 s')
    """
    if spent >= 120:
        return f"{int(spent // 60)} min {int(spent % 60)} s"
    return f"{spent:.2f} s" if spent < 1 else f"{spent:.1f} s"
