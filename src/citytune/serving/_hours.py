"""Hours in which nothing is begun or told, and the zone in which they count."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from citytune._errors import InputError

_QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


def after_quiet(moment: dt.datetime, quiet: str | None, timezone: str) -> dt.datetime:
    """The same moment, or the end of the quiet hours it falls into.

    Example:
        >>> after_quiet(dt.datetime(2024, 1, 1, 23, tzinfo=dt.UTC), "22:00-06:00", "UTC")
        datetime.datetime(2024, 1, 2, 6, 0, tzinfo=datetime.timezone.utc)
    """
    if quiet is None:
        return moment
    begin, end = quiet_hours(quiet)
    local = moment.astimezone(zone_of(timezone))
    now = local.timetz().replace(tzinfo=None)
    inside = begin <= now < end if begin < end else now >= begin or now < end
    if not inside:
        return moment
    day = local.date() + dt.timedelta(days=1 if begin > end and now >= begin else 0)
    return dt.datetime.combine(day, end, local.tzinfo).astimezone(dt.UTC)


def quiet_hours(quiet: str) -> tuple[dt.time, dt.time]:
    """Begin and end of quiet hours such as 22:00-06:00."""
    match = _QUIET.fullmatch(quiet)
    if match is None or quiet[:5] == quiet[6:]:
        raise InputError(
            f"quiet hours are two times of the day, such as 22:00-06:00, got {quiet!r}"
        )
    return dt.time.fromisoformat(quiet[:5]), dt.time.fromisoformat(quiet[6:])


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its IANA name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(f"no time zone is called {name!r}; as in Europe/Oslo, or UTC") from None
