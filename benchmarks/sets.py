"""The sets that the benchmarks run on, and how each is read: as a user would, by its columns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

import citytune as ct
from citytune.frame import SensorFrame

DATA = Path(os.environ.get("CITYTUNE_DATA", Path(__file__).parents[2] / "shared" / "data"))
MOST_SENSORS = 24
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class City:
    """One file and the options of `citytune.read` for it."""

    name: str
    domain: str
    country: str | None
    file: str = ""
    """In the folder of its domain; by default the name and `.parquet`."""
    target: str | tuple[str, ...] | None = None
    sensor: str | None = None
    covariates: tuple[str, ...] = ()
    """Columns that a weather forecast would give, taken as they came true."""
    prefix: str = ""
    """Take all columns that begin so."""
    quantity: str | None = None
    timezone: str | None = None
    utc: bool = False
    """The times of the file are UTC, and not those of `timezone`."""


CITIES = (
    City(name="norway_hourly_volume", domain="traffic", country="NO", timezone="Europe/Oslo"),
    City(
        name="metro_interstate_94",
        domain="traffic",
        country="US-MN",
        target="traffic_volume",
        covariates=("temp", "rain_1h", "snow_1h", "clouds_all"),
    ),
    City(name="aarhus_count", domain="traffic", country="DK"),
    City(name="melbourne_pedestrian_55", domain="traffic", country="AU-VIC"),
    City(name="bangkok_bus_link_times", domain="traffic", country="TH", quantity="travel_time"),
    City(name="nyc_taxi_30min", domain="traffic", country="US-NY"),
    City(name="pjm_hourly_regions", domain="energy", country="US", quantity="load"),
    City(
        name="gefcom2012_load",
        domain="energy",
        country="US-NC",
        prefix="zone_",
        covariates=tuple(f"temp_{i}" for i in range(1, 12)),
    ),
    City(name="uk_national_grid_demand", domain="energy", country="GB", target=("ND",)),
    City(name="citylearn2022_fontana_homes", domain="energy", country="US-CA"),
    City(
        name="household_power_15min",
        domain="energy",
        country="FR",
        target=("Global_active_power",),
    ),
    City(name="beijing_multisite_pm25", domain="air", country="CN", quantity="pm2.5"),
    City(
        name="beijing_multisite",
        domain="air",
        country="CN",
        sensor="station",
        target="PM2.5",
        covariates=("TEMP", "PRES", "DEWP", "RAIN", "WSPM"),
    ),
    City(name="ontario_pm25", domain="air", country="CA-ON", quantity="pm2.5"),
    City(
        name="london_marylebone_1998_2016",
        domain="air",
        country="GB",
        target=("no2", "nox"),
        covariates=("ws", "wd", "air_temp"),
    ),
    City(
        name="italy_airquality_uci",
        domain="air",
        country="IT",
        target=("CO(GT)", "C6H6(GT)", "NOx(GT)", "NO2(GT)"),
        covariates=("T", "RH", "AH"),
    ),
)


def need_data() -> None:
    """Stop unless the sets are here."""
    if not DATA.is_dir():
        raise SystemExit(f"the sets are not at {DATA}; name their folder in CITYTUNE_DATA")


@lru_cache(maxsize=1)
def read(city: City, *, known_ahead: bool) -> SensorFrame:
    """The set as a frame of at most `MOST_SENSORS` sensors, evenly chosen."""
    path = DATA / city.domain / (city.file or f"{city.name}.parquet")
    frame = ct.read(
        _in_utc(path) if city.utc else path,
        target=_targets(city, path),
        sensor=city.sensor,
        covariates=city.covariates if known_ahead else (),
        country=city.country,
        quantity=city.quantity,
        timezone=city.timezone,
    )
    measured = np.isfinite(frame.values).mean(0) > 0.2
    names = [name for name, kept in zip(frame.sensors, measured, strict=True) if kept]
    return replace(frame.select(evenly(names, MOST_SENSORS)), source=city.name)


def evenly(things: Sequence[T], most: int) -> list[T]:
    """At most so many of them, evenly spread from the first to the last."""
    if len(things) <= most:
        return list(things)
    return [things[i] for i in np.linspace(0, len(things) - 1, most).round().astype(int)]


def _in_utc(path: Path) -> pl.DataFrame:
    """The table of a file whose times are UTC and do not say so."""
    return pl.read_parquet(path).with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))


def _targets(city: City, path: Path) -> str | list[str] | None:
    if city.prefix:
        return [name for name in pl.read_parquet_schema(path) if name.startswith(city.prefix)]
    return list(city.target) if isinstance(city.target, tuple) else city.target


def past_days(frame: SensorFrame, days: int, context: int, count: int | None) -> list[int]:
    """Rows that play today: evenly spread, with history before them and a week after.

    Single series, of which one week tells little, are tried from more of them.
    """
    day = frame.clock.steps_per_day
    count = count or (12 if len(frame.sensors) <= 2 else 8 if len(frame.sensors) <= 8 else 6)
    first, last = context + days * day, len(frame) - 7 * day
    if last <= first:
        return []
    known = np.isfinite(frame.values).mean(1)
    tried = np.unique(np.linspace(first, last, 4 * count).round().astype(int))
    usable = [
        int(today)
        for today in tried
        if known[today - days * day : today].mean() > 0.3
        and known[today : today + 7 * day].mean() > 0.3
    ]
    return evenly(usable, count)
