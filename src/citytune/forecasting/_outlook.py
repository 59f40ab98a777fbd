"""The next day of a forecast in a few numbers a sensor: the peak, the day, the chances."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from citytune._text import duration
from citytune.forecasting._pieces import first_steps
from citytune.forecasting._quality import is_dead
from citytune.frame import amount_of
from citytune.tuning import MEDIAN

if TYPE_CHECKING:
    from citytune.forecasting._forecast import Forecast

FEWEST_STEPS_A_DAY = 4
"""Steps a day below which a day is too few of them to look at, and a week is taken."""
DAY = np.timedelta64(1, "D")
_known: WeakKeyDictionary[Forecast, Outlook] = WeakKeyDictionary()
"""Forecasts that there are → theirs."""


class SensorOutlook(NamedTuple):
    """The next day of one sensor, in the unit of the data; NaN where there is no forecast."""

    sensor: str
    peak: float
    """Median of the largest value of the stretch; without a copula, the largest median."""
    low: float
    """Lower edge of its 90 % interval …"""
    high: float
    """… and the upper one."""
    when: str
    """Wall time at which the forecast is highest; empty without a forecast."""
    day: float
    """Total or mean of the stretch, see `Outlook.amount`."""
    chances: tuple[float, ...]
    """Of each alert, at least once in the stretch; without a copula, in its most likely step."""


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
    dead: Mapping[str, str] = field(default_factory=dict)
    """Sensors that measure nothing any more, and what their forecast is. They raise no alert: it
    would be made of what they repeat, or measured long ago."""

    def raised(self, row: SensorOutlook) -> tuple[bool, ...]:
        """Which alerts a sensor raises: those whose chance has reached its level."""
        return tuple(
            chance >= level and row.sensor not in self.dead
            for chance, level in zip(row.chances, self.levels, strict=True)
        )

    def then(self, *others: Outlook) -> Outlook:
        """With other sensors of the same forecast."""
        rows = [row for one in (self, *others) for row in one.rows]
        dead = {name: why for one in (self, *others) for name, why in one.dead.items()}
        return replace(self, rows=tuple(sorted(rows, key=_importance)), dead=dead)


def outlook(forecast: Forecast) -> Outlook:
    """The next day of a forecast: its first day of steps, or all if there are fewer.

    On a clock slower than six hours it is the next week. The same forecast is looked at once.
    """
    if (known := _known.get(forecast)) is None:
        known = _known[forecast] = _looked_at(forecast)
    return known


def _looked_at(forecast: Forecast) -> Outlook:
    a_day = forecast.clock.steps_per_day
    steps = min(len(forecast.mean), a_day if a_day >= FEWEST_STEPS_A_DAY else 7 * a_day)
    hours = forecast.clock.step.total_seconds() / 3600
    found = amount_of(forecast.quantity.unit, hours)
    part = first_steps(forecast, steps)
    peaks, chances = _extremes(part)
    day = _day(part.mean, found[1] if found else None)
    rows = [
        _row(part, i, peaks[i], float(day[i]), tuple(float(one[i]) for one in chances))
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
        dead={
            name: str(word)
            for name, word in zip(forecast.sensors, forecast.quality[0], strict=True)
            if is_dead(word)
        },
    )


def _extremes(part: Forecast) -> tuple[NDArray[np.float32], list[NDArray[np.float64]]]:
    """(sensor, 3) median and 90 % interval of the largest value, and each alert's (sensor,)."""
    if part.copula is None:
        point = np.where(np.isfinite(part.point), part.point, -np.inf)
        at = point.argmax(0), np.arange(len(part.sensors))
        return part.quantiles[at][:, [MEDIAN, 0, -1]], [_most(part.chance(w)) for w in part.alerts]
    span = len(part.mean) * part.clock.step
    largest = smallest = part.aggregate(span, "max")
    if not all(watch.alert.above for watch in part.alerts):
        smallest = part.aggregate(span, "min")
    chances = [
        _most((largest if watch.alert.above else smallest).chance(watch)) for watch in part.alerts
    ]
    return largest.quantiles[0][:, [MEDIAN, 0, -1]], chances


def _row(
    part: Forecast, column: int, peak: NDArray[np.float32], day: float, chances: tuple[float, ...]
) -> SensorOutlook:
    name, point = part.sensors[column], part.point[:, column]
    if not np.isfinite(point).any():
        return SensorOutlook(name, np.nan, np.nan, np.nan, "", np.nan, chances)
    when = part.clock.text(int(np.nanargmax(point)))
    middle, low, high = (float(one) for one in peak)
    return SensorOutlook(name, middle, low, high, when, day, chances)


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
