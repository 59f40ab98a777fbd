"""Write numbers, shares, spans of time and lists of names as a person would."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Container, Sequence

_OPTION = re.compile(r"""(?<![\w.?&/,;:|='"-])([a-z_]+)=(?=(\S?))""")
"""What messages name as in Python, such as "timezone="; not in names such as 'lane=1,sensor=A'."""
OF_READING = frozenset(
    ["time", "sensor", "target", "covariates", "quantity", "unit", "timezone", "missing", "country",
     "stamp", "date_order", "valid", "table", "query", "wide", "days", "horizon"]
)  # fmt: skip
"""Options that messages about files name."""
_UNITS = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
_EASY = {"day": math.inf, "hour": 48, "minute": 90, "second": 90}
"""How many of a unit are still easy to picture."""


def number(value: float | None, digits: int = 3) -> str:
    """A number to so many significant digits, with commas; a dash for an unknown one.

    >>> number(12345.6), number(3.14159), number(0.012345, digits=4), number(1.2e-7), number(None)
    ('12,346', '3.14', '0.01235', '1.2e-07', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if abs(value) < 1e-4:
        return _minus(f"{value:.{digits}g}")
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return _minus(f"{value:,.{places}f}")


def percent(share: float | None, digits: int = 0, *, signed: bool = False) -> str:
    """A share in per cent, with one decimal below 1 %; a dash for an unknown one.

    >>> percent(0.3149), percent(0.004), percent(0.0001), percent(0), percent(float("nan"))
    ('31 %', '0.4 %', 'under 0.1 %', '0 %', '–')
    >>> percent(-0.104, 1, signed=True), percent(0.021, signed=True), percent(-1e-9, signed=True)
    ('−10.4 %', '+2 %', '0 %')
    """
    if share is None or not math.isfinite(share):
        return "–"
    places = max(digits, 1) if abs(share) < 0.00995 else digits
    if round(100 * share, places) == 0:
        return "0 %" if share <= 0 or signed else "under 0.1 %"
    return _minus(f"{100 * share:{'+' if signed else ''}.{places}f} %")


def chance(share: float | None) -> str:
    """A probability in per cent; never "0 %" or "100 %", which nobody can promise.

    >>> chance(0.314), chance(0.0), chance(0.997), chance(float("nan"))
    ('31 %', 'under 1 %', 'over 99 %', '–')
    """
    if share is None or not math.isfinite(share):
        return "–"
    if share < 0.01:
        return "under 1 %"
    return "over 99 %" if share > 0.99 else f"{100 * share:.0f} %"


def more_or_less(share: float) -> str:
    """How a gain reads.

    >>> more_or_less(0.05), more_or_less(-0.05), more_or_less(1e-5)
    ('5.0 % lower error', '5.0 % higher error', 'the same error')
    """
    if round(100 * share, 1) == 0:
        return "the same error"
    return f"{percent(abs(share), 1)} {'lower' if share > 0 else 'higher'} error"


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Sequence[str], most: int = 6, *, quoted: bool = False) -> str:
    """Names in a row; of a long list, the rest is counted.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], most=2), listed(["a", "b"], quoted=True)
    ('a, b and c', 'a, b and 1 more', "'a' and 'b'")
    """
    shown = [repr(name) if quoted else name for name in names[:most]]
    if (hidden := len(names) - most) > 0:
        return f"{', '.join(shown)} and {hidden:,} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def duration(span: dt.timedelta) -> str:
    """A span in the largest unit that divides it, or that makes it easy to picture.

    >>> [duration(dt.timedelta(minutes=minutes)) for minutes in (30, 60, 125, 2160, 30720)]
    ['30 minutes', '1 hour', '2.1 hours', '36 hours', '21.3 days']
    """
    seconds = span.total_seconds()
    for unit, size in _UNITS.items():
        if seconds % size == 0 and 1 <= seconds / size <= _EASY[unit]:
            return counted(round(seconds / size), unit)
    unit = next((unit for unit, size in _UNITS.items() if seconds >= 2 * size), "second")
    return f"{seconds / _UNITS[unit]:.1f} {unit}s"


def elapsed(seconds: float) -> str:
    """The time that something took.

    >>> elapsed(0.034), elapsed(7.31), elapsed(150), elapsed(4560)
    ('0.03 s', '7.3 s', '2 min 30 s', '1 h 16 min')
    """
    if not math.isfinite(seconds):
        return "–"
    if seconds >= 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
    if seconds >= 120:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"


def capital(sentence: str) -> str:
    """The sentence with a capital letter, and otherwise as it is; so is the name of a file.

    >>> capital("last week's PM2.5"), capital("week2.csv lacks two sensors")
    ("Last week's PM2.5", 'week2.csv lacks two sensors')
    """
    first = sentence.split(" ", 1)[0].rstrip(".:;,")
    return sentence if {".", "/"} & {*first} else sentence[:1].upper() + sentence[1:]


def plain(value: float | None, digits: int | None = None) -> float | None:
    """A number for JSON, to so many significant digits; None where it is not finite.

    >>> plain(0.123456, digits=4), plain(float("nan"))
    (0.1235, None)
    """
    if value is None or not math.isfinite(value):
        return None
    return float(value) if digits is None else float(f"{value:.{digits}g}")


def name_options(
    text: str, form: Callable[[str, bool], str], names: Container[str] = OF_READING
) -> str:
    """Name the options in a message in another way than as Python's arguments.

    Args:
        text: Names them as in "use timezone= if this is wrong" or "add missing=-1".
        form: Takes an option's name and whether a value follows.
        names: Those that are options.

    >>> name_options("use time= here, or missing=-1", lambda name, value: f"{name}{' ' * value}")
    'use time here, or missing -1'
    >>> name_options("no sensor 'time=1,days=2'", lambda name, value: name)
    "no sensor 'time=1,days=2'"
    """

    def named(found: re.Match[str]) -> str:
        follows = bool(found[2].strip(".,;:)`"))
        return form(found[1], follows) if found[1] in names else found[0]

    return _OPTION.sub(named, text)


def _minus(text: str) -> str:
    return f"−{text[1:]}" if text.startswith("-") else text
