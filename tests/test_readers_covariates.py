"""Promise: what is known ahead lies on the frame's clock, reaches into the future, and fits."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from citytune._errors import InputError, TableError, UnknownName
from citytune.forecasting import check_known_ahead
from citytune.readers import check, read

START = dt.datetime(2024, 1, 1)


def hours(count: int, step: float = 1, start: dt.datetime = START) -> list[dt.datetime]:
    return [start + dt.timedelta(hours=step * i) for i in range(count)]


def table(count: int = 240, ahead: int = 0) -> pl.DataFrame:
    flow = [100.0 + i % 24 for i in range(count)] + [None] * ahead
    rain = [float(i % 7) for i in range(count + ahead)]
    return pl.DataFrame({"time": hours(count + ahead), "flow": flow, "rain": rain})


def two_sensors(count: int = 240, ahead: int = 0) -> pl.DataFrame:
    parts = [
        table(count, ahead).with_columns(sensor=pl.lit(name), wind=pl.col("rain") + k)
        for k, name in enumerate("ab")
    ]
    return pl.concat(parts)


def test_a_column_of_the_same_table_reaches_into_the_future() -> None:
    frame = read(table(240, ahead=24), target="flow", covariates=["rain"])
    assert len(frame) == 240
    assert frame.ahead == 24
    np.testing.assert_array_equal(frame.covariates["rain"][:, 0], np.arange(264) % 7)


def test_one_name_needs_no_list() -> None:
    assert list(read(table(), target="flow", covariates="rain").covariates) == ["rain"]


def test_a_column_that_is_the_same_everywhere_is_kept_once() -> None:
    frame = read(two_sensors(ahead=12), target="flow", covariates=["rain", "wind"])
    assert frame.covariates["rain"].shape == (252, 1)
    assert frame.covariates["wind"].shape == (252, 2)
    np.testing.assert_array_equal(frame.covariates["wind"][:, 1], np.arange(252) % 7 + 1)


def test_yes_and_no_are_one_and_zero() -> None:
    source = table().with_columns(closed=pl.col("rain") > 3)
    frame = read(source, target="flow", covariates=["closed"])
    np.testing.assert_array_equal(frame.covariates["closed"][:, 0], np.arange(240) % 7 > 3)


def test_a_second_file_may_bring_the_weather(tmp_path: Path) -> None:
    weather = pl.DataFrame({"time": hours(300), "temp": np.arange(300.0), "rain": np.ones(300)})
    weather.write_csv(tmp_path / "weather.csv")
    frame = read(table().drop("rain"), covariates=[tmp_path / "weather.csv"])
    assert set(frame.covariates) == {"temp", "rain"}
    assert frame.ahead == 60
    np.testing.assert_array_equal(frame.covariates["temp"][:, 0], np.arange(300.0))
    same = read(table().drop("rain"), covariates=weather)
    np.testing.assert_array_equal(same.covariates["temp"], frame.covariates["temp"])


def test_coarser_values_are_held_for_their_step_and_no_longer() -> None:
    times = [time for i, time in enumerate(hours(80, 3)) if i != 5]
    weather = pl.DataFrame({"time": times, "temp": [float(time.hour) for time in times]})
    frame = read(table().drop("rain"), covariates=[weather])
    expected = np.array([hour % 24 // 3 * 3 for hour in range(240)], float)
    expected[15:18] = np.nan
    np.testing.assert_array_equal(frame.covariates["temp"][:, 0], expected)
    kinds = {fault.kind: fault for fault in frame.faults}
    assert "repeated for 3h" in kinds["covariate-resampled"].remedy
    assert kinds["covariate-gaps"].count == 3


def test_finer_values_are_averaged() -> None:
    weather = pl.DataFrame({"time": hours(960, 0.25), "temp": np.arange(960.0)})
    frame = read(table().drop("rain"), covariates=[weather])
    np.testing.assert_allclose(
        frame.covariates["temp"][:, 0], np.arange(960.0).reshape(240, 4).mean(1)
    )


def test_a_second_file_may_tell_sensors_apart() -> None:
    parts = [
        pl.DataFrame({"time": hours(240), "temp": np.arange(240.0) + 10 * k}).with_columns(
            sensor=pl.lit(name)
        )
        for k, name in enumerate("cba")
    ]
    frame = read(two_sensors().drop("rain", "wind"), covariates=[pl.concat(parts)])
    np.testing.assert_array_equal(frame.covariates["temp"][0], [20, 10])


@pytest.mark.parametrize("station", [False, True])
def test_a_second_file_may_hold_several_quantities(*, station: bool) -> None:
    """All of them are known ahead: none has to be picked as a single table's readings have to."""
    weather = pl.DataFrame({
        "time": hours(264),
        "wind": [0.45 + i % 50 * 9 for i in range(264)],
        "temperature": [float(i % 22 - 10) for i in range(264)],
        "no2": [30 + i % 7 / 2 for i in range(264)],
    })  # fmt: skip
    if station:
        weather = weather.with_columns(station=pl.lit("airport"))
    found = read(table().drop("rain"), covariates=[weather]).covariates
    assert list(found) == ["wind", "temperature", "no2"]
    np.testing.assert_array_equal(found["temperature"][:, 0], np.arange(264) % 22 - 10)


def test_a_second_file_in_utc_fits_readings_in_wall_time() -> None:
    flow = table().drop("rain")
    utc = pl.Series(hours(240)).dt.replace_time_zone("UTC")
    weather = pl.DataFrame({"time": utc, "temp": np.arange(240.0)})
    frame = read(flow, timezone="Europe/Oslo", covariates=[weather])
    assert np.isnan(frame.covariates["temp"][0, 0])  # midnight in Oslo is 23:00 in London
    np.testing.assert_array_equal(frame.covariates["temp"][1:240, 0], np.arange(239.0))


def test_a_zone_on_one_side_only_is_refused() -> None:
    utc = pl.Series(hours(240)).dt.replace_time_zone("UTC")
    with pytest.raises(TableError, match="add timezone="):
        read(table(), target="flow", covariates=[pl.DataFrame({"time": utc, "temp": range(240)})])


def test_words_are_no_covariate() -> None:
    source = table().with_columns(weather=pl.lit("Clouds"))
    with pytest.raises(InputError, match=r"'weather' does not hold numbers \(it holds 'Clouds'\)"):
        read(source, target="flow", covariates=["weather"])


def test_an_unknown_covariate_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'rain'"):
        read(table(), target="flow", covariates=["rains"])


def test_a_file_that_is_not_there_is_said_to_be_so() -> None:
    with pytest.raises(InputError, match="there is no file"):
        read(table(), target="flow", covariates=["weather.csv"])


def test_a_second_file_of_another_time_is_refused() -> None:
    weather = pl.DataFrame({"time": hours(99, start=dt.datetime(1999, 1, 1)), "temp": range(99)})
    with pytest.raises(InputError, match="no values in the period of the readings"):
        read(table(), target="flow", covariates=[weather])


def test_faults_of_a_second_file_are_said_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "weather.csv").write_text("a,b\n1,2\n3,4\n")
    options = {"target": "flow", "covariates": [tmp_path / "weather.csv"]}
    with pytest.raises(TableError, match=r"weather\.csv"):
        read(table(), **options)
    assert any("weather.csv" in str(fault) for fault in check(table(), **options))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rain": pl.lit("wet")}, "no column holds numbers"),
        ({"time": pl.lit("soon")}, "column 'time': 240 cells cannot be read as time"),
        ({"time": pl.col("time") + dt.timedelta(days=700)}, "covariate 'rain' has no value"),
        (
            {"rain": pl.when(pl.int_range(pl.len()) == 5).then(float("inf")).otherwise("rain")},
            "covariate 'rain': 1 infinite value",
        ),
    ],
)
def test_what_is_wrong_in_a_second_file_is_not_said_of_the_readings(
    changed: dict[str, pl.Expr], said: str, tmp_path: Path
) -> None:
    table().drop("rain").write_csv(tmp_path / "flow.csv")
    weather = tmp_path / "weather.csv"
    table().select("time", "rain").with_columns(**changed).write_csv(weather)
    with pytest.raises(TableError) as found:
        read(tmp_path / "flow.csv", covariates=weather)
    assert found.value.source == str(weather)
    assert said in str(found.value)
    assert ("target=" in str(found.value)) == ("change this file itself" in str(found.value))
    fault = check(tmp_path / "flow.csv", covariates=weather)[0]
    assert fault.severity == "error"
    assert str(fault).startswith(f"{weather}: ")


def test_a_second_file_that_ends_too_early_is_named(tmp_path: Path) -> None:
    weather = tmp_path / "weather.csv"
    table(230).select("time", "rain").write_csv(weather)
    frame = read(table().drop("rain"), covariates=weather)
    fault = next(fault for fault in frame.faults if fault.kind == "covariate-gaps")
    assert fault.message.startswith(f"{weather}: covariate 'rain' is missing")
    with pytest.raises(InputError, match=r"^[^ ]*weather\.csv: 'rain' is missing in the future"):
        check_known_ahead(frame, 24, ["rain"])


def test_gaps_of_a_covariate_stay_and_are_said() -> None:
    source = table().with_columns(rain=pl.when(pl.col("time").dt.day() != 3).then("rain"))
    frame = read(source, target="flow", covariates="rain")
    assert np.isnan(frame.covariates["rain"][:, 0]).sum() == 24
    fault = next(fault for fault in frame.faults if fault.kind == "covariate-gaps")
    assert (fault.count, fault.first) == (24, "2024-01-03 00:00")


def test_markers_for_no_data_in_a_covariate_are_missing() -> None:
    source = table().with_columns(
        temp=pl.when(pl.col("time").dt.day() == 3).then(-9999.0).otherwise("rain"),
        snow=pl.when(pl.col("time").dt.day() == 4).then(-7.0).otherwise("rain"),
    )
    frame = read(source, target="flow", covariates=["temp", "snow"], missing=-7)
    for name, day in (("temp", 3), ("snow", 4)):
        gone = np.isnan(frame.covariates[name][:, 0])
        assert gone.tolist() == [time.day == day for time in hours(240)]


def test_infinite_covariates_are_refused() -> None:
    source = table().with_columns(temp=pl.lit(np.inf))
    with pytest.raises(TableError, match="'temp': 240 infinite values"):
        read(source, target="flow", covariates=["temp"])


def test_the_order_of_dates_counts_for_a_second_source_too(tmp_path: Path) -> None:
    flow = table(240).with_columns(time=pl.col("time").dt.offset_by("90d"))  # from 31 March
    path = tmp_path / "weather.csv"
    lines = [f"03/04/2024 {i:02d}:00,{i % 7}.5" for i in range(24)]
    path.write_text("\n".join(["time,wind", *lines]))
    source = flow.select("time", "flow")
    with pytest.raises(InputError, match="date_order='day'"):
        read(source, covariates=path)
    wind = read(source, covariates=path, date_order="day").covariates["wind"][:, 0]
    assert list(np.flatnonzero(~np.isnan(wind))[:24]) == [*range(72, 96)]
    told = [f"04/{day:02d}/2024 {i:02d}:00,{i % 7}.5" for day in (3, 13) for i in range(24)]
    path.write_text("\n".join(["time,wind", *told]))  # which can only be month first
    wind = read(source, covariates=path, date_order="day").covariates["wind"][:, 0]
    assert list(np.flatnonzero(~np.isnan(wind))[:24]) == [*range(72, 96)]
