"""A forecast leaves as a table that says when, in which zone, and how sure, and loses nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import citytune as ct
from citytune.forecasting import LEVELS, Forecast
from citytune.frame import Clock, Quantity

COLUMNS = ["sensor", "time", "mean", "q05", *(f"q{10 * i}" for i in range(1, 10)), "q95", "quality"]
HOUR = dt.timedelta(hours=1)
# 2024-10-27 00:00 in Oslo, three hours before the clocks go back.
AUTUMN = Clock(dt.datetime(2024, 10, 26, 22), HOUR, "Europe/Oslo")
SPRING = Clock(dt.datetime(2024, 3, 30, 23), HOUR, "Europe/Oslo")
PLAIN = Clock(dt.datetime(2024, 10, 27), HOUR)


def forecast(clock: Clock = AUTUMN, horizon: int = 6, scale: float = 1.0) -> Forecast:
    """Sensor b is ten times sensor a; every number in the table is another."""
    mean = scale * (1 + np.arange(horizon)[:, None]) * np.array([1.0, 10.0])
    quantiles = mean[..., None] * (0.5 + np.array(LEVELS))
    return Forecast(
        mean.astype(np.float32),
        quantiles.astype(np.float32),
        clock,
        ("a", "b"),
        Quantity("pm2.5", "µg/m³", low=0),
        quality=np.array(["model", "fallback: yesterday"], object),
    )


def zoned(clock: Clock, horizon: int) -> list[dt.datetime]:
    """The times of a forecast by Python's own calendar."""
    start = clock.start.replace(tzinfo=dt.UTC)
    return [(start + i * HOUR).astimezone(ZoneInfo("Europe/Oslo")) for i in range(horizon)]


def test_there_is_one_row_per_sensor_and_step_sensors_after_each_other() -> None:
    table = forecast().to_polars()
    assert table.columns == COLUMNS
    assert table["sensor"].to_list() == ["a"] * 6 + ["b"] * 6
    assert table["mean"].to_list() == [1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60]
    made = forecast()
    for row in table.iter_rows(named=True):
        step, sensor = round(row["mean"] / (1 if row["sensor"] == "a" else 10)) - 1, row["sensor"]
        expected = made.quantiles[step, made.sensors.index(sensor)]
        assert [row[name] for name in COLUMNS[3:-1]] == expected.tolist()


@pytest.mark.parametrize("clock", [AUTUMN, SPRING], ids=["autumn", "spring"])
def test_times_keep_their_moment_and_zone_where_the_clocks_change(clock: Clock) -> None:
    expected = 2 * zoned(clock, 6)
    table = forecast(clock).to_polars()
    assert table.schema["time"] == pl.Datetime("us", "Europe/Oslo")
    assert [time.isoformat() for time in table["time"]] == [time.isoformat() for time in expected]
    frame = forecast(clock).to_pandas()
    assert str(frame["time"].dt.tz) == "Europe/Oslo"
    assert [time.isoformat() for time in frame["time"]] == [time.isoformat() for time in expected]


def test_the_repeated_hour_of_autumn_is_written_with_two_offsets(tmp_path: Path) -> None:
    forecast().write_csv(tmp_path / "forecast.csv")
    lines = (tmp_path / "forecast.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    times = [line.split(",")[1] for line in lines[1:7]]
    assert times[2:4] == ["2024-10-27T02:00:00+02:00", "2024-10-27T02:00:00+01:00"]
    assert times == [time.isoformat() for time in zoned(AUTUMN, 6)]


def test_without_a_zone_times_are_written_as_they_were_read(tmp_path: Path) -> None:
    forecast(PLAIN).write_csv(tmp_path / "forecast.csv")
    lines = (tmp_path / "forecast.csv").read_text().splitlines()
    assert lines[1].split(",")[1] == "2024-10-27T00:00:00"
    assert forecast(PLAIN).to_polars().schema["time"] == pl.Datetime("us")
    assert forecast(PLAIN).to_pandas()["time"].dt.tz is None


@pytest.mark.parametrize("scale", [1e-7, 1 / 3, 1e9])
def test_the_file_keeps_every_digit_of_tiny_and_of_large_values(
    tmp_path: Path, scale: float
) -> None:
    made = forecast(scale=scale)
    made.write_csv(tmp_path / "forecast.csv")
    back = pl.read_csv(tmp_path / "forecast.csv")
    assert np.array_equal(back["mean"].to_numpy().astype(np.float32), made.mean.T.ravel())
    low = back["q05"].to_numpy().astype(np.float32)
    assert np.array_equal(low, made.quantiles[:, :, 0].T.ravel())


def test_pandas_and_polars_say_the_same() -> None:
    ours, theirs = forecast().to_polars(), forecast().to_pandas()
    assert list(theirs.columns) == ours.columns
    assert isinstance(theirs, pd.DataFrame)
    for name in [*COLUMNS[2:], "sensor"]:
        assert theirs[name].to_list() == ours[name].to_list()


def test_a_forecast_says_what_it_is_in_words() -> None:
    said = str(forecast())
    assert said.startswith("pm2.5 (µg/m³), 2 sensors, 6 steps of 1h from 2024-10-27 00:00")
    assert said.endswith("by the naive rule, for want of history: b")
    assert repr(forecast()) == f"Forecast({said})"


def test_shapes_that_do_not_fit_are_refused() -> None:
    made = forecast()
    with pytest.raises(ValueError, match=r"means of shape \(6, 2\) do not fit 1 sensors"):
        Forecast(made.mean, made.quantiles, AUTUMN, ("a",), made.quantity)
    with pytest.raises(ValueError, match="at 11 levels"):
        Forecast(made.mean, made.quantiles[..., :3], AUTUMN, ("a", "b"), made.quantity)


def test_what_each_value_is_stands_beside_it(tmp_path: Path) -> None:
    table = forecast().to_polars()
    assert table["quality"].to_list() == ["model"] * 6 + ["fallback: yesterday"] * 6
    plain = Forecast(forecast().mean, forecast().quantiles, PLAIN, ("a", "b"), Quantity())
    assert set(plain.to_polars()["quality"]) == {"model"}


def test_the_point_is_the_median_and_a_column_only_where_it_was_moved() -> None:
    made = forecast()
    np.testing.assert_array_equal(made.point, made.quantiles[..., LEVELS.index(0.5)])
    moved = replace(made, moved=made.point + 7)
    table = moved.to_polars()
    assert table.columns == [*COLUMNS, "point"]
    assert moved.to_pandas().columns.tolist() == [*COLUMNS, "point"]
    assert table["point"].to_list() == [value + 7 for value in table["q50"]]


@pytest.mark.parametrize("kind", [pd.DataFrame, pa.Table, pl.DataFrame])
def test_a_forecast_comes_as_the_kind_of_table_that_was_given(kind: type) -> None:
    first = dt.datetime(2024, 1, 1)
    times = pl.datetime_range(first, first + 671 * HOUR, HOUR, eager=True)
    flow = 100 + 50 * np.sin(np.arange(672) * np.pi / 12)
    given = pl.DataFrame({"time": times, "flow (veh/h)": flow})
    table = {pd.DataFrame: given.to_pandas, pa.Table: given.to_arrow}.get(kind, lambda: given)()
    model = ct.tune(table, horizon=6, backbone="lags")
    made = model.forecast(table)
    assert isinstance(made.to_native(), kind)
    assert isinstance(made.aggregate("6h", "mean").to_native(), kind)
    assert pl.DataFrame(made.to_native())["mean"].to_list() == made.to_polars()["mean"].to_list()
