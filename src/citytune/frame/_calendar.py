"""What kind of moment a step is: slot of the day, weekday, holiday."""

from __future__ import annotations

import datetime as dt
import difflib
import functools
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError, UnknownName
from citytune.frame._clock import Clock

DAY_US = 86_400_000_000
"""Microseconds of a day."""
SEASON = 8
"""Public holidays at most so many days apart make a season of all days from the first one's eve to
the last: Christmas to New Year, Easter, Golden Week. Few days of a year are like it."""


class Calendar(NamedTuple):
    """The calendar of a run of steps, in local wall time; every array is (time,)."""

    slot: NDArray[np.int32]  # part of the day, 0 … steps_per_day - 1
    weekday: NDArray[np.int8]  # Monday 0 … Sunday 6
    holiday: NDArray[np.bool_]  # public holiday in the frame's country
    day: NDArray[np.int64]  # local days since 1970-01-01
    season: NDArray[np.bool_]  # in a holiday season, see `SEASON`


def calendar(clock: Clock, first: int, count: int, country: str | None = None) -> Calendar:
    """Read the calendar off a clock for `count` steps from step `first` on.

    `country` is an ISO code ("NO"), with an optional subdivision ("US-MN"); None knows no holidays.
    """
    local = clock.local(first, count)
    days = local.astype("datetime64[D]")
    since_midnight = (local - days).astype("timedelta64[us]").astype(np.int64)
    day = days.astype(np.int64)
    return Calendar(
        # Not whole steps since midnight: on a 7-hour clock they would be 0 to 3, of 3 a day.
        slot=(since_midnight * clock.steps_per_day // DAY_US).astype(np.int32),
        weekday=((day + 3) % 7).astype(np.int8),  # 1970-01-01 was a Thursday
        holiday=_holidays(days, country),
        day=day,
        season=_season(days, country),
    )


def check_country(country: str) -> None:
    """Raise `InputError` if no public-holiday calendar exists for `country`."""
    import holidays

    supported = holidays.list_supported_countries()
    code, _, region = country.partition("-")
    if code not in supported:
        raise InputError(
            f"no country with a holiday calendar is called {country!r}.{_meant(country)} A country "
            'is its code of two or three letters, such as "NO", with a part of it as in "US-MN"'
        )
    if region and region not in supported[code]:
        raise UnknownName(f"subdivision of {code}", region, supported[code])


def _meant(country: str) -> str:
    """The code of a country that is called by its name."""
    from holidays.registry import COUNTRIES

    codes = {name: code for name, (_, code, *_) in COUNTRIES.items()}
    asked = country.strip().lower().replace(" ", "_")
    close = difflib.get_close_matches(asked, codes, n=1, cutoff=0.8)
    return f" Did you mean {codes[close[0]]!r}?" if close else ""


def _holidays(days: NDArray[np.datetime64], country: str | None) -> NDArray[np.bool_]:
    if country is None or not len(days):
        return np.zeros(len(days), bool)
    first, last = (day.astype(dt.date).year for day in (days[0], days[-1]))
    return np.isin(days, _dates(country, first, last))


@functools.lru_cache(maxsize=64)
def _dates(country: str, first: int, last: int) -> NDArray[np.datetime64]:
    """(day,) the public holidays of the years `first` to `last`; to look them up takes a while."""
    import holidays

    code, _, region = country.partition("-")
    years = range(first, last + 1)
    dates = holidays.country_holidays(code, subdiv=region or None, years=years)
    found = np.array(sorted(dates), "datetime64[D]")
    found.flags.writeable = False  # who asks next is given the same
    return found


def _season(days: NDArray[np.datetime64], country: str | None) -> NDArray[np.bool_]:
    """Whether each day lies in a holiday season, whose holidays may lie outside of `days`."""
    if country is None or not len(days):
        return np.zeros(len(days), bool)
    reach = np.timedelta64(SEASON + 1, "D")
    around = np.arange(days.min() - reach, days.max() + reach + 1)
    holiday = around[_holidays(around, country)]
    found = np.zeros(len(days), bool)
    for first, last in pairwise(holiday):
        if last - first <= np.timedelta64(SEASON, "D"):
            found |= (days >= first - 1) & (days <= last)
    return found
