"""What kind of moment a step is: slot of the day, weekday, holiday."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune._errors import UnknownName
from citytune.frame._clock import Clock


class Calendar(NamedTuple):
    """The calendar of a run of steps, in local wall time; every array is (time,)."""

    slot: NDArray[np.int32]  # step of the day, 0 … steps_per_day - 1
    weekday: NDArray[np.int8]  # Monday 0 … Sunday 6
    holiday: NDArray[np.bool_]  # public holiday in the frame's country
    day: NDArray[np.int64]  # local days since 1970-01-01


def calendar(clock: Clock, first: int, count: int, country: str | None = None) -> Calendar:
    """Read the calendar off a clock for `count` steps from step `first` on.

    `country` is an ISO code ("NO"), with an optional subdivision ("US-MN"); None knows no holidays.
    """
    local = clock.local(first, count)
    days = local.astype("datetime64[D]")
    within = (
        (local - days) // np.timedelta64(clock.step, "us")
        if clock.steps_per_day > 1
        else np.zeros(count)
    )
    day = days.astype(np.int64)
    return Calendar(
        slot=within.astype(np.int32),
        weekday=((day + 3) % 7).astype(np.int8),  # 1970-01-01 was a Thursday
        holiday=_holidays(days, country),
        day=day,
    )


def check_country(country: str) -> None:
    """Raise `UnknownName` if no public-holiday calendar exists for `country`."""
    import holidays

    supported = holidays.list_supported_countries()
    code, _, region = country.partition("-")
    if code not in supported:
        raise UnknownName("country with a holiday calendar", country, supported)
    if region and region not in supported[code]:
        raise UnknownName(f"subdivision of {code}", region, supported[code])


def _holidays(days: NDArray[np.datetime64], country: str | None) -> NDArray[np.bool_]:
    if country is None or not len(days):
        return np.zeros(len(days), bool)
    import holidays

    code, _, region = country.partition("-")
    years = range(days[0].astype(dt.date).year, days[-1].astype(dt.date).year + 1)
    dates = holidays.country_holidays(code, subdiv=region or None, years=years)
    return np.isin(days, np.array(sorted(dates), "datetime64[D]"))
