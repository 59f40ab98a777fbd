"""The record of a run: every forecast it wrote, and what came, as far as it is known by now.

One table a forecast, named by its first step, in the folder `record`. It is written with the
forecast and filled in when what it forecast has been measured; nothing is ever taken away, until
the run is made anew.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from citytune._errors import RunError
from citytune.runs._changes import kept_readings
from citytune.runs._folder import RECORD, own_file

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from citytune.forecasting import Forecast
    from citytune.frame import SensorFrame

READINGS = "readings.parquet"
"""What was read last, to notice if it is another the next time."""
READ_DAYS = 28
_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}\.parquet")


class Verified(NamedTuple):
    """How forecasts of the past did, on the values measured by now."""

    first: str
    """Wall time of the first of these values …"""
    last: str
    """… and of the last one."""
    values: int
    mae: float
    """Mean absolute error, in the unit of the data."""
    naive: float
    """That of yesterday's values."""
    coverage: float
    """Share of the values in the 90 % interval."""
    alerts: dict[str, tuple[float, float]]
    """Column of an alert → mean chance, and share of the values that passed."""


def note_forecast(folder: Path, forecast: Forecast, frame: SensorFrame) -> None:
    """Put a forecast into the record in `folder`, with the naive one that it is compared with."""
    place = folder / RECORD
    place.mkdir(exist_ok=True)
    first = str(forecast.clock.moments(0, 1)[0].astype("datetime64[s]")).replace(":", "")
    table = _table(forecast, frame)
    table.write_parquet(place / f"{first}.parquet", compression="zstd")


def note_readings(folder: Path, frame: SensorFrame) -> None:
    """Keep the last weeks of what was read."""
    place = folder / RECORD
    place.mkdir(exist_ok=True)
    recent = frame.since(max(0, len(frame) - READ_DAYS * frame.clock.steps_per_day))
    kept_readings(recent).write_parquet(place / READINGS, compression="zstd")


def last_readings(folder: Path) -> pl.DataFrame | None:
    """What was kept of the last readings: `time` and a column a sensor; None if nothing was."""
    if not (folder / RECORD / READINGS).exists():
        return None
    return _read(folder, READINGS)


def names_of_record(folder: Path) -> list[str]:
    """The tables of a record, the oldest first."""
    place = folder / RECORD
    if not place.is_dir() or place.is_symlink():
        return []
    return sorted(path.name for path in place.iterdir() if _NAME.fullmatch(path.name))


def read_record(folder: Path) -> pl.DataFrame:
    """All forecasts of a record, one row a sensor and step, with `issued` and `actual`.

    Raises:
        RunError: a table is damaged, or a link.
    """
    import polars as pl

    tables = [_read(folder, name) for name in names_of_record(folder)]
    return pl.concat(tables, how="diagonal_relaxed") if tables else pl.DataFrame()


def filled_record(folder: Path, frame: SensorFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The record with what a frame measured, and the rows of it that were not known before."""
    import polars as pl

    before = read_record(folder)
    if before.is_empty():
        return before, before
    after = _filled(before, frame)
    fresh = before["actual"].is_nan() & after["actual"].is_not_nan()
    return after, after.filter(pl.Series(fresh))


def fill(folder: Path, draft: Path, frame: SensorFrame) -> None:
    """Copy a record into a draft, with what has been measured by now."""
    (draft / RECORD).mkdir(exist_ok=True)
    for path in sorted((folder / RECORD).iterdir()) if (folder / RECORD).is_dir() else ():
        if _NAME.fullmatch(path.name):
            table = _filled(_read(folder, path.name), frame)
            table.write_parquet(draft / RECORD / path.name, compression="zstd")
        elif path.name != READINGS and path.is_file() and not path.is_symlink():
            shutil.copy2(path, draft / RECORD / path.name)


def verified(table: pl.DataFrame) -> Verified | None:
    """How the forecasts of a record, or of a part of it, did; None if nothing was measured yet."""
    import polars as pl

    if table.is_empty():
        return None
    known = table.filter(pl.col("actual").is_not_nan() & pl.col("point").is_not_nan())
    if known.is_empty():
        return None
    actual, point = known["actual"], known["point"]
    inside = (actual >= known["q05"]) & (actual <= known["q95"])
    chances = [name for name in known.columns if name.startswith("p_")]
    return Verified(
        first=_text(known["time"].min()),
        last=_text(known["time"].max()),
        values=len(known),
        mae=_mean((actual - point).abs()),
        naive=_mean((actual - known["naive"]).abs()),
        coverage=_mean(inside.cast(pl.Float64)),
        alerts={name: _chance(known, name) for name in chances},
    )


def by_week(table: pl.DataFrame) -> dict[str, Verified]:
    """Monday → how the forecasts of that week did."""
    import polars as pl

    if table.is_empty():
        return {}
    weeks = table.with_columns(week=pl.col("time").dt.truncate("1w").dt.strftime("%Y-%m-%d"))
    parts = {str(key[0]): part for key, part in weeks.group_by("week", maintain_order=True)}
    found = {week: verified(part.drop("week")) for week, part in sorted(parts.items())}
    return {week: one for week, one in found.items() if one is not None}


def _chance(known: pl.DataFrame, name: str) -> tuple[float, float]:
    import polars as pl

    part = known.filter(pl.col(name).is_not_nan() & pl.col(f"limit_{name}").is_not_nan())
    limit, actual = part[f"limit_{name}"], part["actual"]
    above = name.startswith(("p_above", "p_top"))
    passed = actual > limit if above else actual < limit
    return _mean(part[name]), _mean(passed.cast(pl.Float64))


def _table(forecast: Forecast, frame: SensorFrame) -> pl.DataFrame:
    """Times are wall times, as the readings have them."""
    import numpy as np
    import polars as pl

    horizon, sensors = forecast.mean.shape
    local = forecast.clock.local(0, horizon)
    table = pl.DataFrame(
        {
            "issued": np.repeat(local[:1], horizon * sensors),
            "sensor": [name for name in forecast.sensors for _ in range(horizon)],
            "step": np.tile(np.arange(horizon, dtype=np.int32), sensors),
            "time": np.tile(local, sensors),
            "moment": np.tile(forecast.clock.moments(0, horizon), sensors),
            "actual": np.full(horizon * sensors, np.nan, np.float32),
            "point": forecast.point.T.reshape(-1),
            "mean": forecast.mean.T.reshape(-1),
            "naive": _naive(forecast, frame).T.reshape(-1),
        }
    )
    own = forecast.to_polars()
    kept = [n for n in own.columns if re.fullmatch(r"q\d\d|quality|p_.*", n)]
    limits = {
        f"limit_{watch.alert.column}": np.repeat(np.array(watch.thresholds, np.float32), horizon)
        for watch in forecast.alerts
    }
    return table.with_columns(own[kept]).with_columns(pl.DataFrame(limits))


def _naive(forecast: Forecast, frame: SensorFrame) -> NDArray[np.float32]:
    """(horizon, sensor) the last day measured, again and again."""
    import numpy as np

    a_day = min(frame.clock.steps_per_day, len(frame))
    day = frame.values[len(frame) - a_day :]
    where = {name: i for i, name in enumerate(frame.sensors)}
    wide = np.concatenate([day, np.full((a_day, 1), np.nan, np.float32)], axis=1)
    columns = [where.get(name, len(frame.sensors)) for name in forecast.sensors]
    return wide[np.arange(len(forecast.mean)) % a_day][:, columns]


def _filled(table: pl.DataFrame, frame: SensorFrame) -> pl.DataFrame:
    """With what a frame measured, where nothing was known."""
    import numpy as np
    import polars as pl

    where = {name: i for i, name in enumerate(frame.sensors)}
    moments = table["moment"].to_numpy().astype("datetime64[us]")
    start, step = np.datetime64(frame.clock.start, "us"), np.timedelta64(frame.clock.step, "us")
    row = (moments - start) // step
    column = np.array([where.get(name, -1) for name in table["sensor"].to_list()])
    there = (row >= 0) & (row < len(frame)) & (column >= 0)
    found = np.where(
        there, frame.values[row.clip(0, len(frame) - 1), column.clip(0)], np.float32(np.nan)
    )
    known = table["actual"].to_numpy()
    return table.with_columns(pl.Series("actual", np.where(np.isnan(known), found, known)))


def _read(folder: Path, name: str) -> pl.DataFrame:
    import polars as pl

    path = own_file(folder, f"{RECORD}/{name}")
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise RunError(f"{path} is damaged ({error}); restore it from a copy") from error


def _mean(values: pl.Series) -> float:
    found = values.fill_nan(None).mean()
    return float(found) if isinstance(found, int | float) else float("nan")


def _text(moment: object) -> str:
    return str(moment)[:16]
