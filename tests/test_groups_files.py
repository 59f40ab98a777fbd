"""Promise: one strange file among many is named, whichever it is, and harms no other sensor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import citytune as ct
from citytune.engines import opened
from citytune.frame import SensorFrame
from citytune.runs._reading import Reading
from citytune.runs.groups import Grouped, grouped

SENSORS = 5


@pytest.fixture(scope="module")
def frame(city: Callable[..., SensorFrame]) -> SensorFrame:
    return city(SENSORS, 10)


@pytest.fixture
def folder(frame: SensorFrame, tmp_path: Path) -> Path:
    """A folder for each sensor, as Hive has it, with a file each."""
    times = pl.Series(frame.clock.moments(0, len(frame))).dt.replace_time_zone("UTC")
    for i, name in enumerate(frame.sensors):
        (tmp_path / f"sensor={name}").mkdir()
        table = pl.DataFrame({"time": times, "flow": frame.values[:, i].astype(np.float64)})
        table.write_parquet(tmp_path / f"sensor={name}" / "a.parquet")
    return tmp_path


def change(folder: Path, name: str, *columns: pl.Expr, without: tuple[str, ...] = ()) -> None:
    """Write the file of a sensor anew."""
    path = folder / f"sensor={name}" / "a.parquet"
    pl.read_parquet(path).with_columns(*columns).drop(*without).write_parquet(path)


def read(folder: Path, **options: Any) -> tuple[Grouped, SensorFrame]:
    with opened("local") as engine:
        laid = grouped(folder, Reading(quantity="traffic_volume", **options), engine, 2)
        return laid, laid.whole(engine)


@pytest.mark.parametrize("bad", ["s0", "s1", "s3"])
def test_a_file_without_the_column_is_named_wherever_it_stands(
    folder: Path, frame: SensorFrame, bad: str
) -> None:
    change(folder, bad, without=("flow",))
    laid, found = read(folder)
    assert [*laid.bad.values()] == ["it has no column 'flow'"]
    others = [name for name in frame.sensors if name != bad]
    assert found.sensors == tuple(others)
    np.testing.assert_array_equal(found.values, frame.select(others).values)


@pytest.mark.parametrize("bad", ["s0", "s1", "s4"])
def test_a_file_whose_times_are_of_another_kind_leaves_the_others_alone(
    folder: Path, frame: SensorFrame, bad: str
) -> None:
    local = pl.col("time").dt.convert_time_zone("Asia/Tokyo").dt.replace_time_zone(None)
    change(folder, bad, local)
    laid, found = read(folder)
    assert [*laid.bad] == [str(folder / f"sensor={bad}" / "a.parquet")]
    assert "its times are wall times without a zone, and those of most files UTC" in str(laid.bad)
    others = [name for name in frame.sensors if name != bad]
    assert found.sensors == tuple(others)
    assert found.clock.moments(0, 1) == frame.clock.moments(0, 1)
    assert len(found) == len(frame)


def test_files_of_which_each_half_has_other_times_are_asked_about(
    folder: Path, frame: SensorFrame
) -> None:
    local = pl.col("time").dt.replace_time_zone(None)
    (folder / "sensor=s4" / "a.parquet").unlink()
    for name in ("s0", "s3"):
        change(folder, name, local)
    with pytest.raises(ct.InputError, match="half of them each") as refused:
        read(folder)
    assert "s0" in str(refused.value)


def test_a_folder_and_a_column_that_name_two_sensors_are_refused(
    folder: Path, frame: SensorFrame
) -> None:
    change(folder, "s1", pl.lit("s1").alias("sensor"))
    change(folder, "s2", pl.lit("s9").alias("sensor"))
    laid, found = read(folder)
    assert [*laid.bad.values()] == [
        "its folder says sensor=s2, and its column 'sensor' 's9'; take one of the two away"
    ]
    assert found.sensors == ("s0", "s1", "s3", "s4")


def test_the_folder_of_no_value_is_no_sensor(folder: Path) -> None:
    (folder / "sensor=s2").rename(folder / "sensor=__HIVE_DEFAULT_PARTITION__")
    laid, found = read(folder)
    assert "without the name of a sensor" in str(laid.bad)
    assert found.sensors == ("s0", "s1", "s3", "s4")


def test_ids_are_one_sensor_however_a_file_holds_them(frame: SensorFrame, tmp_path: Path) -> None:
    """What pandas makes of whole numbers with gaps are floats."""
    times = pl.Series(frame.clock.moments(0, len(frame))).dt.replace_time_zone("UTC")
    kinds = (pl.Int64, pl.Float64, pl.String)
    for part, (kind, rows) in enumerate(zip(kinds, np.split(np.arange(240), 3), strict=True)):
        tables = [
            pl.DataFrame({
                "time": times[rows.tolist()],
                "sensor": pl.Series([7 + i] * len(rows)).cast(kind),
                "flow": frame.values[rows, i].astype(np.float64),
            })
            for i in range(SENSORS)
        ]  # fmt: skip
        table = pl.concat(tables)
        if kind == pl.String:
            table = table.with_columns(sensor=" " + pl.col("sensor"))
        table.write_parquet(tmp_path / f"{part}.parquet")
    laid, found = read(tmp_path)
    assert not laid.bad
    assert found.sensors == ("7", "8", "9", "10", "11")
    np.testing.assert_array_equal(found.values, frame.values[:240])
