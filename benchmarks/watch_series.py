"""Real series for `watch.py`, faults to put into them, and forecasts of both, kept in a folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sets import City, read

import citytune as ct
from citytune.forecasting import LEVELS
from citytune.frame import SensorFrame

Floats = NDArray[np.float32]
YEAR, TEST, FAULT, AFTER = 365, 56, 28, 14
"""Days that are watched, of the test period before them, of a fault, and watched after it."""
HORIZON = 24
LOW, HIGH, MIDDLE = LEVELS.index(0.05), LEVELS.index(0.95), LEVELS.index(0.5)


@dataclass(frozen=True)
class Half:
    """Series of one set."""

    city: City
    sensors: tuple[str, ...] | int
    """Names, or how many from the first on."""


TUNED = (
    Half(City(name="norway_hourly_volume", domain="traffic", country="NO",
              timezone="Europe/Oslo"), 5),
    Half(City(name="sf_traffic_one_series", domain="traffic", country="US-CA"), 1),
    Half(City(name="melbourne_pedestrian_4", domain="traffic", country="AU-VIC"),
         ("Southern Cross Station",)),
    Half(City(name="beijing_multisite_pm25", domain="air", country="CN", quantity="pm2.5"), 4),
    Half(City(name="gefcom2012_load", domain="energy", country="US-NC", prefix="zone_"), 5),
    Half(City(name="us_eia_hourly", domain="energy", country="US", quantity="load"),
         ("us48_demand", "cal_Pacific Gas and Electric", "cal_San Diego Gas and Electric",
          "cal_Southern California Edison")),
)  # fmt: skip
"""Twenty series on which the method was chosen."""
REPORTED = (
    Half(City(name="melbourne_pedestrian_55", domain="traffic", country="AU-VIC"), 5),
    Half(City(name="metro_interstate_94", domain="traffic", country="US-MN",
              target="traffic_volume"), 1),
    Half(City(name="seattle_bike_ped", domain="traffic", country="US-WA"),
         ("Fremont Bridge East Sidewalk", "Fremont Bridge West Sidewalk")),
    Half(City(name="ontario_pm25", domain="air", country="CA-ON", quantity="pm2.5"), 4),
    Half(City(name="london_marylebone_1998_2016", domain="air", country="GB",
              target=("no2", "nox")), ("no2",)),
    Half(City(name="pjm_hourly_regions", domain="energy", country="US", quantity="load"),
         ("AEP", "COMED", "DAYTON", "DEOK", "DOM")),
    Half(City(name="uk_national_grid_demand", domain="energy", country="GB",
              target=("ND",)), 1),
    Half(City(name="household_power_15min", domain="energy", country="FR",
              target=("Global_active_power",)), 1),
)  # fmt: skip
"""Twenty others, of other sets."""


def times_2(values: Floats, start: int, rng: np.random.Generator) -> Floats:
    """Everything counted twice."""
    return values[start:] * 2


def level(values: Floats, start: int, rng: np.random.Generator) -> Floats:
    """Two fifths are lost."""
    return values[start:] * np.float32(0.6)


def unit(values: Floats, start: int, rng: np.random.Generator) -> Floats:
    """Another unit: a factor of 1000."""
    return values[start:] * 1000


def frozen(values: Floats, start: int, rng: np.random.Generator) -> Floats:
    """The last value again and again."""
    last = values[max(0, start - 200) : start]
    held = [column[np.isfinite(column)][-1:] for column in last.T]
    one = [float(known[0]) if len(known) else 0.0 for known in held]
    return np.broadcast_to(np.array(one, np.float32), values[start:].shape)


def noise(values: Floats, start: int, rng: np.random.Generator) -> Floats:
    """Noise as large as the spread of the last four weeks; never below zero."""
    spread = np.nanstd(values[max(0, start - 672) : start], axis=0)
    found = values[start:]
    return np.maximum(0, found + rng.normal(size=found.shape) * spread).astype(np.float32)


def clock(values: Floats, start: int, rng: np.random.Generator) -> Floats:
    """An hour late; the table is hourly."""
    return values[start - 1 : -1]


FAULTS: dict[str, Callable[[Floats, int, np.random.Generator], Floats]] = {
    "level shift": level,
    "frozen": frozen,
    "unit change": unit,
    "doubled": times_2,
    "noise": noise,
    "clock shifted": clock,
}


def two_years(half: Half) -> SensorFrame:
    """The last two years of the series, hourly."""
    frame = hourly(read(half.city, known_ahead=False))
    names = frame.sensors[: half.sensors] if isinstance(half.sensors, int) else half.sensors
    frame = frame.select(names)
    known = np.flatnonzero(np.isfinite(frame.values).any(1))
    end = int(known[-1]) + 1
    return frame.until(end).since(max(0, end - 2 * YEAR * 24))


def hourly(frame: SensorFrame) -> SensorFrame:
    """Means of hours."""
    steps = frame.clock.steps_per_day // 24
    if steps == 1:
        return frame
    whole = frame.values[: len(frame) // steps * steps].reshape(-1, steps, len(frame.sensors))
    with warnings.catch_warnings(action="ignore"):  # an hour without a value is none
        values = np.nanmean(whole, 1).astype(np.float32)
    return replace(frame, values=values, clock=replace(frame.clock, step=frame.clock.step * steps))


def broken(frame: SensorFrame, fault: str, start: int) -> SensorFrame:
    """The frame with a fault in every sensor from a row on, for `FAULT` days."""
    values = frame.values.copy()
    rng = np.random.default_rng(start)
    rows = slice(start, start + FAULT * 24)
    values[rows] = FAULTS[fault](frame.values[: rows.stop], start, rng)
    return replace(frame, values=np.where(np.isfinite(frame.values), values, np.nan))


def starts(frame: SensorFrame, name: str) -> dict[str, int]:
    """Where each fault begins: at any hour of any day of the watched year that leaves room."""
    rng = np.random.default_rng(sum(map(ord, name)))
    first, last = len(frame) - (YEAR - 14) * 24, len(frame) - (FAULT + AFTER + 2) * 24
    return {fault: int(rng.integers(first, last)) for fault in FAULTS}


def midnights(frame: SensorFrame, first: int, last: int) -> list[int]:
    """Rows at which a day begins by the clock on the wall."""
    calendar = frame.calendar()
    new = np.flatnonzero(np.diff(calendar.day, prepend=calendar.day[0] - 1))
    return [int(row) for row in new if max(first, 1) <= row < last - HORIZON]


class Forecaster:
    """Forecasts of one set by `citytune-base` without fine-tuning, kept in a folder."""

    def __init__(self, half: Half, cache: Path) -> None:
        self.half, self.cache, self.frame = half, cache, two_years(half)
        self.model: ct.TunedModel | None = None
        self.starts = starts(self.frame, half.city.name)

    def clean(self) -> tuple[list[int], Floats]:
        """Of the test period and the watched year."""
        rows = midnights(self.frame, len(self.frame) - (YEAR + TEST) * 24, len(self.frame))
        return rows, self._forecasts("clean", self.frame, rows)

    def faulty(self, fault: str) -> tuple[SensorFrame, list[int], Floats]:
        """From the day of the fault until `AFTER` days after it."""
        start = self.starts[fault]
        frame = broken(self.frame, fault, start)
        rows = midnights(frame, start + 1, min(start + (FAULT + AFTER) * 24, len(frame)))
        return frame, rows, self._forecasts(fault, frame, rows)

    def _forecasts(self, name: str, frame: SensorFrame, rows: Sequence[int]) -> Floats:
        """(origin, horizon, sensor, 3): point, q05 and q95."""
        path = self.cache / f"{self.half.city.name}-{name.replace(' ', '-')}.npy"
        if not path.exists():
            said = self._fitted().predict(frame, rows).quantiles
            self.cache.mkdir(parents=True, exist_ok=True)
            np.save(path, said[..., [MIDDLE, LOW, HIGH]].astype(np.float32))
        return np.load(path)

    def _fitted(self) -> ct.TunedModel:
        if self.model is None:
            seen = self.frame.until(len(self.frame) - (YEAR + TEST) * 24)
            with warnings.catch_warnings(action="ignore"):
                self.model = ct.tune(
                    seen, horizon=HORIZON, backbone="citytune-base", strategy="zero-shot"
                )
        return self.model
