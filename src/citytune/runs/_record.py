"""The record of a run: every forecast it wrote, and what came, as far as it is known by now.

One table a forecast, named by its first step, in the folder `record`; a run by groups has one for
each group. It is written with the forecast and filled in when what it forecast has been measured;
nothing is ever taken away, until the run is made anew.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from citytune._errors import RunError
from citytune.runs._changes import KNOWN, MOMENT, kept_readings
from citytune.runs._folder import RECORD, groups_of, own_file

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from citytune.evaluation import Scores
    from citytune.forecasting import Forecast, TunedModel
    from citytune.frame import SensorFrame
    from citytune.runs._safe import Served

READINGS = "readings.parquet"
"""What was read last, to notice if it is another the next time."""
READ_DAYS = 28
"""… at least."""
TEST = "test.safetensors"
"""The scores of the test period, which a report goes on showing."""
KEYS = ("moment", "sensor", "actual")
"""What every row of a forecast in a record has."""
_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}\.parquet")


def note_forecast(folder: Path, served: Served, frame: SensorFrame) -> None:
    """Put a forecast into the record in `folder`, with the naive one that it is compared with."""
    place = folder / RECORD
    place.mkdir(exist_ok=True)
    forecast, own = served.forecast, served.own
    first = str(forecast.clock.moments(0, 1)[0].astype("datetime64[s]")).replace(":", "")
    table = _table(forecast, frame)
    if own is not forecast:  # what the model says of sensors that get a safe forecast
        table = table.with_columns(model=own.point.T.reshape(-1))
    table.write_parquet(place / f"{first}.parquet", compression="zstd")


def note_readings(folder: Path, model: TunedModel, frame: SensorFrame) -> None:
    """Keep the last weeks of what was read, as many as the model needs to go on learning."""
    place = folder / RECORD
    place.mkdir(exist_ok=True)
    needed = max(READ_DAYS * frame.clock.steps_per_day, model.reach + model.spec.horizon)
    recent = frame.since(max(0, len(frame) - needed))
    kept_readings(recent).write_parquet(place / READINGS, compression="zstd")


def note_test(folder: Path, scores: Scores) -> None:
    """Keep the scores of the test period, in place of earlier ones."""
    from citytune.evaluation import keep_scores

    place = folder / RECORD
    place.mkdir(exist_ok=True)
    keep_scores(scores, place / TEST)


def test_of(folder: Path) -> Scores | None:
    """The scores of the test period; None without one."""
    from citytune.evaluation import kept_scores

    if not (folder / RECORD / TEST).exists():
        return None
    return kept_scores(own_file(folder, f"{RECORD}/{TEST}"))


def last_readings(folder: Path) -> pl.DataFrame | None:
    """What was kept of the last readings: `time` and a column a sensor; None if nothing was."""
    import polars as pl

    if groups := groups_of(folder):
        tables = [one for one in map(last_readings, groups) if one is not None]
        first, *others = sorted(tables, key=lambda one: one[MOMENT][-1], reverse=True)
        same = [
            one.select(name for name in one.columns if not name.startswith(KNOWN))
            for one in others
            if one[MOMENT].equals(first[MOMENT])
        ]  # what is known ahead is that of the city, and in each
        return pl.concat([first, *same], how="horizontal")
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
    tables += [table for group in groups_of(folder) if len(table := read_record(group))]
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


def read_filled(folder: Path, frame: SensorFrame) -> pl.DataFrame:
    """A record with what a frame measured; the folder stays as it is."""
    return filled_record(folder, frame)[0]


def measured(
    frame: SensorFrame, moments: NDArray[np.datetime64], sensors: Sequence[str]
) -> NDArray[np.float32]:
    """(row,) what a frame holds of each moment (UTC) and sensor; NaN where it holds nothing."""
    import numpy as np

    where = {name: i for i, name in enumerate(frame.sensors)}
    start, step = np.datetime64(frame.clock.start, "us"), np.timedelta64(frame.clock.step, "us")
    row = (moments.astype("datetime64[us]") - start) // step
    column = np.array([where.get(name, -1) for name in sensors])
    there = (row >= 0) & (row < len(frame)) & (column >= 0)
    return np.where(
        there, frame.values[row.clip(0, len(frame) - 1), column.clip(0)], np.float32(np.nan)
    )


def fill(folder: Path, draft: Path, frame: SensorFrame) -> None:
    """Copy a record into a draft, with what has been measured by now.

    Tables of which nothing new is known stay the files that they are.
    """
    (draft / RECORD).mkdir(exist_ok=True)
    for path in sorted((folder / RECORD).iterdir()) if (folder / RECORD).is_dir() else ():
        if _NAME.fullmatch(path.name):
            _fill_table(folder, draft, path.name, frame)
        elif path.name != READINGS and path.is_file() and not path.is_symlink():
            shutil.copy2(path, draft / RECORD / path.name)


def _fill_table(folder: Path, draft: Path, name: str, frame: SensorFrame) -> None:
    before = _read(folder, name, KEYS)
    actual = _filled(before, frame)["actual"]
    if actual.is_nan().sum() == before["actual"].is_nan().sum():
        shutil.copy2(own_file(folder, f"{RECORD}/{name}"), draft / RECORD / name)
        return
    table = _read(folder, name).with_columns(actual)
    table.write_parquet(draft / RECORD / name, compression="zstd")


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

    found = measured(frame, table["moment"].to_numpy(), table["sensor"].to_list())
    known = table["actual"].to_numpy()
    return table.with_columns(pl.Series("actual", np.where(np.isnan(known), found, known)))


def _read(folder: Path, name: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
    import polars as pl

    path = own_file(folder, f"{RECORD}/{name}")
    try:
        table = pl.read_parquet(path, columns=columns if columns is None else list(columns))
        table.select(*((MOMENT,) if name == READINGS else columns or KEYS))
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise RunError(f"{path} is damaged ({reason}); restore it from a copy") from error
    return table
