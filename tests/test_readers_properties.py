"""Promise: reading does not depend on the order of rows, the layout or the container."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from citytune.frame import SensorFrame
from citytune.readers import read

MINUTES = (5, 10, 15, 30, 60, 180, 1440)
relaxed = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    """Wide tables of positive readings with random gaps; the first and last rows are whole."""
    seed = draw(st.integers(0, 2**32 - 1))
    count = draw(st.integers(40, 200))
    width = draw(st.integers(1, 4))
    step = dt.timedelta(minutes=draw(st.sampled_from(MINUTES)))
    start = dt.datetime(2020, 1, 1) + dt.timedelta(hours=draw(st.integers(0, 30_000)))
    rng = np.random.default_rng(seed)
    values = np.round(rng.uniform(10, 500, (count, width)), draw(st.sampled_from((0, 1, 3))))
    values[rng.random(values.shape) < draw(st.sampled_from((0.0, 0.1)))] = np.nan
    values[[0, -1]] = 20.0
    times = [start + i * step for i in range(count)]
    columns = {f"s{i}": values[:, i] for i in range(width)}
    return pl.DataFrame({"time": times} | columns).fill_nan(None)


def long(table: pl.DataFrame) -> pl.DataFrame:
    return table.unpivot(index="time", variable_name="sensor", value_name="flow")


def same(one: SensorFrame, other: SensorFrame) -> None:
    assert one.sensors == other.sensors
    assert one.clock == other.clock
    np.testing.assert_array_equal(one.values, other.values)


@given(tables())
@relaxed
def test_a_wide_table_is_read_as_it_is(table: pl.DataFrame) -> None:
    frame = read(table)
    np.testing.assert_array_equal(frame.values, table.drop("time").to_numpy().astype(np.float32))
    assert frame.clock.moments(0, len(frame)).tolist() == table["time"].to_list()


@given(tables())
@relaxed
def test_long_and_wide_are_the_same_frame(table: pl.DataFrame) -> None:
    same(read(long(table), sensor="sensor"), read(table))


@given(tables(), st.integers(0, 1000))
@relaxed
def test_the_order_of_rows_does_not_matter(table: pl.DataFrame, seed: int) -> None:
    same(read(table.sample(fraction=1, shuffle=True, seed=seed)), read(table))
    shuffled = long(table).sample(fraction=1, shuffle=True, seed=seed)
    same(read(shuffled, sensor="sensor"), read(table))


@given(tables(), st.sampled_from((",", ";", "\t")), st.booleans())
@relaxed
def test_csv_and_parquet_are_the_same_frame(
    table: pl.DataFrame, separator: str, comma: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table.write_parquet(folder / "a.parquet")
        table.write_csv(
            folder / "a.csv",
            separator=separator,
            decimal_comma=comma and separator != ",",
            datetime_format="%d.%m.%Y %H:%M",
            null_value="NA",
        )
        same(read(folder / "a.csv"), read(folder / "a.parquet"))


@given(tables(), st.integers(1, 30), st.integers(0, 1000))
@relaxed
def test_repeated_rows_change_nothing(table: pl.DataFrame, count: int, seed: int) -> None:
    again = pl.concat([table, table.sample(count, with_replacement=True, seed=seed)])
    same(read(again), read(table))


@given(st.integers(0, 364 * 24), st.sampled_from(("Europe/Oslo", "America/New_York", "Asia/Tokyo")))
@relaxed
def test_wall_times_and_a_zone_give_back_the_true_moments(first: int, zone: str) -> None:
    start = dt.datetime(2023, 1, 1) + dt.timedelta(hours=first)
    times = pl.datetime_range(start, start + dt.timedelta(hours=199), "1h", eager=True)
    wall = times.dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    frame = read(pl.DataFrame({"time": wall, "flow": np.arange(200.0)}), timezone=zone)
    assert frame.clock.start == start
    np.testing.assert_array_equal(frame.values[:, 0], np.arange(200.0))
