"""Promise: what is known ahead for the city gives by groups the numbers of all sensors at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from test_groups import CLOSE, READING, assert_is, by_some, table_of, written

import citytune as ct
from citytune.engines import opened
from citytune.evaluation import BY_GROUPS
from citytune.forecasting import fit_model
from citytune.frame import SensorFrame
from citytune.runs import Reading
from citytune.runs._record import last_readings
from citytune.runs.groups import grouped

pytestmark = pytest.mark.usefixtures("plain_report")

DAY, WEEK, SENSORS, GROUP = 24, 7 * 24, 3, 2
OPTIONS: dict[str, Any] = {"horizon": DAY, "backbone": "lags", "strategy": "head"}


@pytest.fixture(scope="module")
def frame(city: Callable[..., SensorFrame]) -> SensorFrame:
    """Flows that follow a temperature, which is known for two days more."""
    made = city(SENSORS, 35, noise=0.05, turn=0.0)
    warm = np.repeat(np.random.default_rng(5).standard_normal(37), DAY).astype(np.float32)[:, None]
    values = made.values * (1 + 0.3 * warm[: len(made)])
    values[-3 * DAY :, 1] = np.nan  # a silent sensor
    return replace(made, values=values.astype(np.float32), covariates={"warm": warm})


def weather_of(frame: SensorFrame) -> pl.DataFrame:
    """A row for each time."""
    warm = frame.covariates["warm"][:, 0]
    time = pl.Series(frame.clock.moments(0, len(warm)))
    return pl.DataFrame({"time": time.dt.replace_time_zone("UTC"), "warm": warm})


def with_column(frame: SensorFrame, folder: Path) -> Path:
    """The temperature in each row; only one sensor has rows of the days to come."""
    by_some(frame, folder)
    weather = weather_of(frame)
    for path in folder.glob("*.parquet"):
        pl.read_parquet(path).join(weather, on="time").write_parquet(path)
    ahead = weather[len(frame) :].with_columns(
        sensor=pl.lit(frame.sensors[-1]), traffic_volume=pl.lit(None, pl.Float32)
    )
    ahead.select("time", "sensor", "traffic_volume", "warm").write_parquet(folder / "z.parquet")
    return folder


def with_file(frame: SensorFrame, place: Path) -> tuple[Path, Path]:
    """A folder of readings, and a file of the temperature."""
    by_some(frame, place / "loops")
    weather_of(frame).write_parquet(place / "weather.parquet")
    return place / "loops", place / "weather.parquet"


def until(frame: SensorFrame, rows: int) -> SensorFrame:
    """The first rows, and what was known then for a day more."""
    known = {name: table[: rows + DAY] for name, table in frame.covariates.items()}
    return replace(frame.until(rows), covariates=known)


def rows_of(folder: Path) -> pl.DataFrame:
    return pl.concat(map(pl.read_parquet, sorted(folder.glob("*.parquet"))), how="diagonal")


def test_the_groups_know_ahead_what_the_whole_knows(frame: SensorFrame, tmp_path: Path) -> None:
    column = with_column(frame, tmp_path / "column"), ["warm"]
    file = with_file(frame, tmp_path)
    for source, covariates in (column, file):
        reading = Reading(**READING, covariates=covariates)
        with opened("local") as engine:
            found = grouped(str(source), reading, engine, GROUP).whole(engine)
        whole = ct.read(rows_of(source), **READING, covariates=covariates)
        assert found.sensors == whole.sensors
        assert found.ahead == whole.ahead == 2 * DAY
        assert found.origin.beside == whole.origin.beside
        np.testing.assert_array_equal(found.covariates["warm"], whole.covariates["warm"])
        np.testing.assert_array_equal(found.values, whole.values)


def test_a_forecast_by_groups_knows_the_weather_of_all(frame: SensorFrame, tmp_path: Path) -> None:
    model = fit_model(until(frame, len(frame) - WEEK), **OPTIONS)
    model.save(tmp_path / "run")
    run, expected = ct.open_run(tmp_path / "run"), model.forecast(frame)
    cold = replace(frame, covariates={"warm": np.zeros_like(frame.covariates["warm"])})
    assert np.abs(model.forecast(cold).mean / expected.mean - 1).max() > 0.05
    loops, weather = with_file(frame, tmp_path)
    column = with_column(frame, tmp_path / "column")
    for number, (source, covariates) in enumerate(
        ((column, "warm"), (loops, weather), (frame, ()))
    ):
        reading = {} if source is frame else READING | {"covariates": covariates}
        out = tmp_path / f"out{number}"
        found = run.forecast_into(source, out, group=GROUP, **reading)
        assert found.bad == {}
        assert_is(written(out, frame.sensors), expected)


def test_a_run_by_groups_with_weather_is_that_of_all(
    frame: SensorFrame, tmp_path: Path, run: Callable[..., Any]
) -> None:
    groups, whole = tmp_path / "groups", tmp_path / "whole"
    now = until(frame, len(frame) - 2 * WEEK)
    loops, weather = with_file(now, tmp_path / "first")
    options = [f"--{name}={value}" for name, value in (OPTIONS | READING).items()]
    answer = run("tune", loops, *options, "--covariates", weather, "--engine", "local",
                 "--group", GROUP, "--out", groups)  # fmt: skip
    assert answer.code == 0, answer.err
    ct.run(rows_of(loops), out=whole, covariates=weather, **OPTIONS, **READING)
    assert_same(groups, whole)

    loops, weather = with_file(until(frame, len(frame) - WEEK), tmp_path / "second")
    assert "which is only read if it is named again" in run("refresh", groups, loops).err
    answer = run("refresh", groups, loops, "--update", "--covariates", weather)
    assert answer.code == 0, answer.err
    ct.open_run(whole).refresh(rows_of(loops), by="update", covariates=weather, **READING)
    assert_same(groups, whole)

    loops, weather = with_file(frame, tmp_path / "third")
    found = ct.open_run(groups).score_groups(loops, covariates=weather)
    assert any("taken as it came true" in note for note in found.notes)
    later = ct.read(rows_of(loops), covariates=weather, **READING)
    scores = ct.backtest(ct.open_run(whole).model, later, refit=False, against=BY_GROUPS)
    assert found.models["tuned"] == pytest.approx(scores.models["tuned"], rel=1e-6)


def assert_same(groups: Path, whole: Path) -> None:
    one, other = ct.open_run(groups), ct.open_run(whole)
    np.testing.assert_allclose(one.forecast().mean, other.forecast().mean, **CLOSE)
    np.testing.assert_allclose(one.forecast().quantiles, other.forecast().quantiles, **CLOSE)
    assert one.scores is not None
    assert other.scores is not None
    tuned = [scores["models"]["tuned"] for scores in (one.scores, other.scores)]
    assert tuned[0] == pytest.approx(tuned[1], rel=1e-6)


def test_rows_that_begin_late_are_joined_to_what_each_group_kept(
    frame: SensorFrame, tmp_path: Path
) -> None:
    now = until(frame, len(frame) - 3 * DAY)
    options = OPTIONS | {"strategy": "zero-shot"}
    run = ct.run(now, out=tmp_path / "run", engine="local", group=GROUP, **options)
    kept = last_readings(run.path)
    assert kept is not None
    assert [name for name in kept.columns if "warm" in name] == ["\0warm\x000"]
    late = until(frame, len(frame)).since(len(frame) - 4 * DAY)
    said = run.refresh(late, by="update").changes
    assert any("are those that the run has kept" in sentence for sentence in said)


@pytest.mark.parametrize("where", ["in a file", "between files", "in a second file", "in a frame"])
def test_what_is_known_ahead_for_each_sensor_is_refused(
    where: str, frame: SensorFrame, tmp_path: Path
) -> None:
    fit_model(replace(frame, covariates={}), horizon=DAY, backbone="lags",
              strategy="zero-shot").save(tmp_path / "run")  # fmt: skip
    own = table_of(frame, frame.sensors).with_columns(
        warm=pl.col("time").dt.hour().cast(pl.Float64) + (pl.col("sensor") == "s1")
    )
    source, covariates = tmp_path / "loops", "warm"
    source.mkdir()
    group = 1 if where == "between files" else SENSORS
    own.write_parquet(source / "all.parquet")
    if where == "in a second file":
        covariates = tmp_path / "weather.parquet"
        own.drop("traffic_volume").write_parquet(covariates)
    elif where == "in a frame":
        source = ct.read(own, **READING, covariates=["warm"])
    reading = {} if where == "in a frame" else READING | {"covariates": covariates}
    with pytest.raises(ct.InputError, match=r"covariate 'warm' .* that of the whole city"):
        ct.open_run(tmp_path / "run").forecast_into(
            source, tmp_path / "out", group=group, **reading
        )


def test_a_file_without_what_is_known_ahead_is_named(frame: SensorFrame, tmp_path: Path) -> None:
    column = with_column(frame, tmp_path / "column")
    for number, (name, said) in enumerate((("part-1", "no column 'warm'"), ("part-2", "String"))):
        table = pl.read_parquet(column / f"{name}.parquet")
        words = table.drop("warm") if number == 0 else table.with_columns(warm=pl.lit("mild"))
        words.write_parquet(column / f"{name}.parquet")
        with opened("local") as engine:
            laid = grouped(str(column), Reading(**READING, covariates="warm"), engine, GROUP)
        assert said in laid.bad[str(column / f"{name}.parquet")]
    with opened("local") as engine, pytest.raises(ct.UnknownName, match=r"column of .*'wram'"):
        grouped(str(column), Reading(**READING, covariates="wram"), engine, GROUP)
