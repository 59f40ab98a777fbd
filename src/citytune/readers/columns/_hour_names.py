"""Names of columns that say a time of the day: "14:00", "2-3 PM", "6-7 Uhr", "6時"."""

from __future__ import annotations

import itertools
import re

from citytune.readers.columns._folded import Folded

FEWEST_HOURS_ACROSS = 6
"""Columns of times of a part of the day, such as that of a count by hand, that are unfolded."""
_CLOCK = re.compile(r"(?<!\d)(\d{1,2})[:.h](\d{2})(?::\d{2})?(?!\d)\s*([ap]m)?", re.IGNORECASE)
_HOUR = re.compile(
    r"^(\d{1,2})\s*(?:([ap]m)|h|uhr|[时時시点點])$|"
    r"^(?:(?:klo|kl\.?|h|hr|hour|hours|ore|ora)[\s_]*)?(\d{1,2})[시時时点點]?\s*[-–_~～〜]\s*(\d{1,2})"
    r"\s*(?:시(?:간대)?|uhr|h|hrs|[時时点點])?$",
    re.IGNORECASE,
)
_TWELVE = re.compile(r"mid(night)?|noon|midi|minuit", re.IGNORECASE)
_HALF_HOUR = re.compile(r"(\d{1,2})(?::00)?(?:\s*[ap]\.?m?\.?)?", re.IGNORECASE)
_AGAIN = re.compile(r" \(\d+\)$")
"""What is put behind a name that comes once more."""
_NUMBERED = re.compile(
    r"^(?:h|hr|hour|hours|hora|heure|ora|ore|stunde|std|uur|kl|klo)[\s_.]*0*(\d{1,2})$",
    re.IGNORECASE,
)


def span_of(name: str) -> tuple[int | None, int] | None:
    """Begin and end of a range, or None and the one time; in seconds since midnight.

    >>> span_of("6-7 Uhr"), span_of("14:15"), span_of("0014001")
    ((21600, 25200), (None, 51300), None)
    """
    if hour := _HOUR.match(name.strip()):
        begin = _seconds(hour[3], "0", None) if hour[3] else None
        end = _seconds(hour[1] or hour[4], "0", hour[2])
        return None if end is None else (begin, end)
    found = [] if re.search(r"\d{4}", name) else _CLOCK.findall(name)
    seconds = [_seconds(*one) for one in found]
    if not seconds or seconds[-1] is None:
        return None
    return seconds[0] if len(seconds) > 1 else None, seconds[-1]


def _seconds(hour: str, minute: str, half: str | None) -> int | None:
    if int(hour) > 24 or int(minute) > 59:
        return None
    hours = int(hour) % 12 + 12 * (half.lower() == "pm") if half else int(hour)
    return hours * 3600 + int(minute) * 60


def twice_twelve(names: tuple[str, ...]) -> Folded | None:
    """Columns of a day whose twelve hours come twice: Mid, 1:00 to 11:00, Noon, 1:00 (2) and so on.

    >>> found = twice_twelve(("day", "12", *map(str, range(1, 12)), "12 (2)",
    ...                       *(f"{h} (2)" for h in range(1, 12))))
    >>> found.seconds[-1] if found else None
    82800
    """
    found = {name: hour for name in names if (hour := _hour_of_half(name)) is not None}
    if [*found.values()] != [hour % 12 for hour in range(24)]:
        return None
    return Folded((*found,), tuple(3600 * hour for hour in range(24)), ends=False)


def _hour_of_half(name: str) -> int | None:
    """An hour of the twelve that a name says, 0 for 12."""
    bare = _AGAIN.sub("", name.strip())
    if _TWELVE.fullmatch(bare):
        return 0
    found = _HALF_HOUR.fullmatch(bare)
    return int(found[1]) % 12 if found and 0 < int(found[1]) <= 12 else None


def part_of_day(names: tuple[str, ...]) -> Folded | None:
    """Columns of consecutive times that fill a part of the day only, such as 6-7 to 21-22.

    >>> part_of_day(("day", *(f"{h}-{h + 1}" for h in range(6, 22)))).seconds[:2]
    (21600, 25200)
    """
    spans = {name: span for name in names if (span := span_of(name))}
    found = {n: begin for n, (begin, end) in spans.items() if begin is not None and begin < end}
    lengths = {spans[name][1] - begin for name, begin in found.items()}
    if not found:
        found, lengths = {name: end for name, (_, end) in spans.items()}, set()
    if not found:
        hours = {name: one for name in names if (one := _NUMBERED.match(name.strip()))}
        found = {name: 3600 * int(one[1]) for name, one in hours.items()}
        found = found if found and min(found.values()) > 3600 else {}
    steps = {b - a for a, b in itertools.pairwise(found.values())}
    if len(found) < FEWEST_HOURS_ACROSS or len(steps) != 1 or (lengths and lengths != steps):
        return None
    even = 0 < steps.pop() <= 3600 and max(found.values()) < 86_400
    return Folded((*found,), (*found.values(),), ends=False) if even else None
