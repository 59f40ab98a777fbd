"""Promise: whoever asks to be warned finds the chance in every table, and tomorrow at a glance."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import citytune as ct
from citytune.cli._tomorrow import tomorrow
from citytune.forecasting import LEVELS, Alert, Forecast, Watch, outlook
from citytune.frame import Clock, Quantity, SensorFrame

HOUR = dt.timedelta(hours=1)
PM = Quantity("pm2.5", "µg/m³", low=0)
MIDNIGHT = Clock(dt.datetime(2024, 3, 17, 23), HOUR, "Europe/Oslo")


def forecast(
    horizon: int = 24,
    clock: Clock = MIDNIGHT,
    quantity: Quantity = PM,
    sensors: tuple[str, ...] = ("calm", "busy", "gone"),
) -> Forecast:
    """Calm is about 10, busy 40 with a peak of 60 at step 8, gone has no forecast."""
    middle = np.tile(np.array([10.0, 40.0, np.nan][: len(sensors)]), (horizon, 1))
    middle[8 % horizon, 1] = 60
    quantiles = middle[..., None] * (0.5 + np.array(LEVELS))
    return Forecast(
        middle.astype(np.float32), quantiles.astype(np.float32), clock, sensors, quantity
    )


def history() -> SensorFrame:
    values = np.tile(np.arange(100.0, dtype=np.float32)[:, None], (1, 2))
    return SensorFrame(values, Clock(dt.datetime(2024, 1, 1), HOUR), ("calm", "busy"), PM)


def test_a_table_has_a_column_of_chances_for_each_alert(tmp_path: Path) -> None:
    made = forecast().with_alerts([">50", "pm2.5<30", "top 5%", ">50"], history())
    table = made.to_polars()
    assert table.columns[-4:] == ["quality", "p_above_50", "p_below_30", "p_top_5"]
    expected = made.probability_above(50).T.reshape(-1)
    assert 0 < expected.min() < 1e-20
    np.testing.assert_array_equal(table["p_above_50"].to_numpy(), expected.round(6))
    own = {"calm": 94.05, "busy": 94.05, "gone": 1.0}
    rare = made.probability_above(own)[:, :2].T.reshape(-1)
    np.testing.assert_allclose(table["p_top_5"].to_numpy()[:48], rare, atol=1e-6)
    assert made.to_pandas().columns.tolist() == table.columns
    made.write_csv(tmp_path / "f.csv")
    assert pl.read_csv(tmp_path / "f.csv").columns == table.columns


def test_without_alerts_there_is_no_such_column() -> None:
    assert not [name for name in forecast().to_polars().columns if name.startswith("p_")]


def test_one_sensor_is_a_forecast_of_its_own() -> None:
    made = forecast().with_alerts([">50", "top 5%"], history())
    busy = made["busy"]
    assert busy.sensors == ("busy",)
    own = made.to_polars().filter(pl.col("sensor") == "busy")
    assert busy.to_polars().equals(own)
    with pytest.raises(ct.UnknownName, match=r"no sensor of this forecast is called 'Busy'\. Did"):
        made["Busy"]


def test_any_quantile_can_be_had() -> None:
    made = forecast()
    np.testing.assert_allclose(made.quantile(0.9), made.quantiles[..., 9])
    between = (made.quantiles[..., 2] + made.quantiles[..., 3]) / 2
    np.testing.assert_allclose(made.quantile(0.25), between, rtol=1e-6)
    beyond = made.quantile(0.99)
    assert (beyond[:, 0] > made.quantiles[:, 0, -1]).all()
    np.testing.assert_allclose(
        made.probability_above({"calm": float(beyond[0, 0]), "busy": 1, "gone": 1})[0, 0],
        0.01, rtol=1e-3,
    )  # fmt: skip
    for wrong in (0, 1, "0.9", None):
        with pytest.raises(ct.InputError, match="level is between 0 and 1"):
            made.quantile(wrong)  # type: ignore[arg-type]


def test_an_alert_that_does_not_fit_is_refused_in_words() -> None:
    with pytest.raises(ct.InputError, match="speaks of 'no2', but the readings are"):
        forecast().with_alerts(["no2>40"])
    with pytest.raises(ct.InputError, match="is in 'mg/m³'"):
        forecast().with_alerts(["pm2.5>0.05 mg/m³"])
    with pytest.raises(ct.InputError, match="only its history tells; give that, too"):
        forecast().with_alerts(["top 5%"])


@pytest.mark.parametrize("alert", [Alert(50.0, level=0.5), Alert(rarest=0.05, above=False)])
def test_an_alert_survives_being_kept(alert: Alert) -> None:
    sensors = ("calm", "busy")
    watch = Watch.of(alert, sensors, history())
    assert Watch.of_kept(watch.kept(sensors), sensors) == watch


def test_the_day_that_matters_most_stands_first() -> None:
    found = outlook(forecast().with_alerts([">50"]))
    assert (found.title, found.steps, found.amount) == ("Monday 2024-03-18", 24, "mean")
    assert [row.sensor for row in found.rows] == ["busy", "calm", "gone"]
    busy, calm, gone = found.rows
    assert (busy.peak, busy.when) == (60, "2024-03-18 08:00")
    assert busy.day == pytest.approx((23 * 40 + 60) / 24)
    assert busy.chances[0] > 0.5 > calm.chances[0]
    assert np.isnan([gone.peak, gone.day, *gone.chances]).all()


@pytest.mark.parametrize(
    ("clock", "horizon", "title", "steps"),
    [
        (MIDNIGHT.shifted(9), 24, "the 24 hours from 2024-03-18 09:00", 24),
        (MIDNIGHT, 72, "Monday 2024-03-18", 24),
        (MIDNIGHT, 6, "the 6 hours from 2024-03-18 00:00", 6),
        (Clock(dt.datetime(2024, 3, 18), 24 * HOUR), 14, "the 7 days from 2024-03-18 00:00", 7),
        # The day on which the clocks go forward has 23 hours.
        (Clock(dt.datetime(2024, 3, 30, 23), HOUR, "Europe/Oslo"), 24,
         "the 24 hours from 2024-03-31 00:00", 24),
    ],
)  # fmt: skip
def test_the_stretch_is_called_what_it_is(
    clock: Clock, horizon: int, title: str, steps: int
) -> None:
    found = outlook(forecast(horizon, clock))
    assert (found.title, found.steps) == (title, steps)


@pytest.mark.parametrize(
    ("unit", "minutes", "amount", "expected"),
    [("kW", 15, "kWh", 2.5), ("kWh", 15, "kWh", 10), ("veh/h", 60, "veh", 10)],
)
def test_what_adds_up_is_a_total_in_its_own_unit(
    unit: str, minutes: int, amount: str, expected: float
) -> None:
    clock = Clock(dt.datetime(2024, 3, 18), dt.timedelta(minutes=minutes))
    found = outlook(forecast(8, clock, Quantity("load", unit)))
    assert (found.amount, found.unit) == ("total", amount)
    calm = next(row for row in found.rows if row.sensor == "calm")
    assert calm.day == pytest.approx(8 * expected)


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    names = tuple(f"a sensor with quite a long name, number {i}" for i in range(3))
    made = forecast(sensors=names).with_alerts([">50", ">80", "<5"])
    tomorrow(made)
    out = capsys.readouterr().out
    assert all(len(line) <= width for line in out.splitlines())
    assert "Monday 2024-03-18, pm2.5 in µg/m³:" in out
    assert "03-18 08:00" in out
    assert ("90 % interval" in out) == (width == 120)
    assert " !" in out  # past its level


def test_of_many_sensors_the_rest_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    one = forecast(sensors=("calm", "busy"))
    many = Forecast(
        np.tile(one.mean, (1, 15)), np.tile(one.quantiles, (1, 15, 1)), MIDNIGHT,
        tuple(f"s{i}" for i in range(30)), PM,
    )  # fmt: skip
    tomorrow(many)
    assert "… and 10 more sensors" in capsys.readouterr().out


@pytest.fixture(scope="module")
def air(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that was asked to warn, and newer readings."""
    folder = tmp_path_factory.mktemp("air")
    draw = np.random.default_rng(3)
    rows = 24 * 22
    day = 20 + 12 * np.sin(2 * np.pi * np.arange(rows) / 24)
    times = np.datetime64("2024-01-01T00", "us") + np.arange(rows) * np.timedelta64(1, "h")
    values = np.round(np.maximum(day + draw.normal(0, 3, rows), 0), 1)
    table = pl.DataFrame({"time": times, "pm25": values})
    table.write_csv(folder / "newer.csv")
    table[: 24 * 20].write_csv(folder / "air.csv")
    settings = {"backbone": "lags", "strategy": "zero-shot", "horizon": 24}
    ct.run(folder / "air.csv", alerts=[">30", "top 5%"], out=folder / "run", **settings)
    return folder


def test_a_run_remembers_its_alerts(air: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    opened = ct.open_run(air / "run")
    written = pl.read_csv(air / "run" / "forecast.csv")
    assert written.columns[-2:] == ["p_above_30", "p_top_5"]
    assert opened.forecast().to_polars().columns == written.columns
    later = opened.forecast(air / "newer.csv")
    assert later.to_polars().columns == written.columns
    assert later.alerts == opened.forecast().alerts  # the thresholds are those of the run
    code, out, _ = run("forecast", air / "run", air / "newer.csv", "--out", tmp_path / "f.csv")
    assert (code, pl.read_csv(tmp_path / "f.csv").columns) == (0, written.columns)
    assert "Tuesday 2024-01-23, pm2.5 in µg/m³:" in out
    assert "chance of" in out


def test_other_alerts_may_be_asked_for(air: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    words = ("forecast", air / "run", "--alert", ">25", "--out", tmp_path / "f.csv")
    assert run(*words)[0] == 0
    assert pl.read_csv(tmp_path / "f.csv").columns[-1] == "p_above_25"
    code, _, err = run("forecast", air / "run", "--alert", "no2>5", "--out", tmp_path / "g.csv")
    assert (code, (tmp_path / "g.csv").exists()) == (2, False)
    assert "speaks of 'no2'" in err


def test_an_update_keeps_the_alerts(air: Path) -> None:
    opened = ct.open_run(air / "run")
    opened.update(air / "newer.csv")
    assert pl.read_csv(air / "run" / "forecast.csv").columns[-2:] == ["p_above_30", "p_top_5"]
    assert [watch.alert for watch in ct.open_run(air / "run").watches(("pm25",))] == [
        Alert(30.0), Alert(rarest=0.05),
    ]  # fmt: skip
