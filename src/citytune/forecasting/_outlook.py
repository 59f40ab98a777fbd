"""The next day of a forecast in a few numbers a sensor: the peak, the day, the chances."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune._text import duration
from citytune.forecasting._forecast import Forecast
from citytune.frame import amount_of

SLOW = 4
"""Steps a day below which a day is too few of them to look at, and a week is taken."""
DAY = np.timedelta64(1, "D")


class SensorOutlook(NamedTuple):
    """The next day of one sensor, in the unit of the data; NaN where there is no forecast."""

    sensor: str
    peak: float
    low: float
    """Lower edge of the 90 % interval at the peak …"""
    high: float
    """… and the upper one."""
    when: str
    """Wall time of the peak; empty without a forecast."""
    day: float
    """Total or mean of the stretch, see `Outlook.amount`."""
    chances: tuple[float, ...]
    """Of each alert, in its most likely step."""


@dataclass(frozen=True)
class Outlook:
    """The next day of every sensor, those that matter first."""

    title: str
    """The stretch in words: "Monday 2024-03-18", or "the 24 hours from 2024-03-17 14:00"."""
    steps: int
    """How many steps it has."""
    amount: str
    """What `day` is: "total" or "mean"."""
    unit: str
    """Its unit: kWh for the total of a load in kW."""
    alerts: tuple[str, ...]
    """Each alert in words."""
    levels: tuple[float, ...]
    """The chance at which each alert is raised."""
    rows: tuple[SensorOutlook, ...]
    """By the largest chance, then by the highest peak."""


def outlook(forecast: Forecast) -> Outlook:
    """The next day of a forecast: its first day of steps, or all if there are fewer.

    On a clock slower than six hours it is the next week.
    """
    a_day = forecast.clock.steps_per_day
    steps = min(len(forecast.mean), a_day if a_day >= SLOW else 7 * a_day)
    hours = forecast.clock.step.total_seconds() / 3600
    found = amount_of(forecast.quantity.unit, hours)
    chances = [_most(forecast.chance(watch)[:steps]) for watch in forecast.alerts]
    day = _day(forecast.mean[:steps], found[1] if found else None)
    rows = [
        _row(forecast, i, steps, float(day[i]), tuple(float(one[i]) for one in chances))
        for i in range(len(forecast.sensors))
    ]
    return Outlook(
        title=_title(forecast, steps),
        steps=steps,
        amount="total" if found else "mean",
        unit=found[0] if found else forecast.quantity.unit,
        alerts=tuple(watch.alert.words(forecast.quantity) for watch in forecast.alerts),
        levels=tuple(watch.alert.level for watch in forecast.alerts),
        rows=tuple(sorted(rows, key=_importance)),
    )


def _row(
    forecast: Forecast, column: int, steps: int, day: float, chances: tuple[float, ...]
) -> SensorOutlook:
    name, point = forecast.sensors[column], forecast.point[:steps, column]
    if not np.isfinite(point).any():
        return SensorOutlook(name, np.nan, np.nan, np.nan, "", np.nan, chances)
    at = int(np.nanargmax(point))
    low, high = forecast.quantiles[at, column, [0, -1]].tolist()
    return SensorOutlook(name, float(point[at]), low, high, forecast.clock.text(at), day, chances)


def _importance(row: SensorOutlook) -> tuple[float, float]:
    chance = max((one for one in row.chances if np.isfinite(one)), default=0.0)
    return -round(chance, 2), -row.peak if np.isfinite(row.peak) else np.inf


def _day(mean: NDArray[np.float32], factor: float | None) -> NDArray[np.float64]:
    """(sensor,) the total, or without a factor the mean, of the steps that have a forecast."""
    known = np.isfinite(mean)
    total = np.where(known, mean.astype(float), 0.0).sum(0)
    count = known.sum(0)
    found = total / np.maximum(count, 1) if factor is None else total * factor
    return np.where(count > 0, found, np.nan)


def _most(chance: NDArray[np.float32]) -> NDArray[np.float64]:
    """(sensor,) the largest over the steps; NaN where none is known."""
    most = np.where(np.isfinite(chance), chance.astype(float), -1.0).max(0)
    return np.where(most < 0, np.nan, most)


def _title(forecast: Forecast, steps: int) -> str:
    """A calendar day by its name, another stretch by its length and start."""
    clock = forecast.clock
    edges = clock.local(0, steps + 1)[[0, -1]]
    days = edges.astype("datetime64[D]")
    if (edges == days).all() and days[1] - days[0] == DAY:
        return f"{days[0].astype(dt.date):%A} {days[0]}"
    span = steps * clock.step
    said = "24 hours" if span == dt.timedelta(days=1) else duration(span)
    return f"the {said} from {clock.text(0)}"
