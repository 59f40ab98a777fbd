"""The promise: data that meet a model are made to fit it, with a word, or refused.

Sensors and weather may come and go: the others are forecast all the same, and each is named.
"""

from __future__ import annotations

import datetime as dt
import functools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import citytune as ct
from citytune._errors import InputError, RunError, UnknownName
from citytune.evaluation import backtest
from citytune.forecasting import TunedModel, admit, fit_model
from citytune.frame import Clock, Quantity, SensorFrame

City = Callable[..., SensorFrame]
LOAD = Quantity("load", "kW")
HORIZON = 24


@functools.cache
def weathered(city: City) -> tuple[TunedModel, SensorFrame]:
    """A load that follows a temperature, known a day ahead for each sensor."""
    frame = city(3, 40, gaps=0.0, noise=0.05, turn=0.0, quantity=LOAD)
    draw = np.random.default_rng(5)
    warm = 10 + 5 * np.repeat(draw.standard_normal((42, 1)), 24, axis=0)
    warm = warm[: len(frame) + HORIZON].astype(np.float32).repeat(3, axis=1)
    values = frame.values * (1 + 0.06 * (warm[: len(frame)] - 10))
    frame = replace(frame, values=values.astype(np.float32), covariates={"warm": warm})
    return fit_model(frame, horizon=HORIZON, backbone="lags"), frame


@pytest.fixture
def tuned(fit_once: Callable[..., Any]) -> Any:
    return fit_once(3, 30, horizon=HORIZON, strategy="zero-shot", quantity=LOAD, gaps=0.0)


@pytest.fixture(scope="module", autouse=True)
def forget() -> Iterator[None]:
    yield
    weathered.cache_clear()


def in_unit(frame: SensorFrame, unit: str, factor: float, name: str = "load") -> SensorFrame:
    values = (frame.values * factor).astype(np.float32)
    return replace(frame, values=values, quantity=Quantity(name, unit))


# Units and quantities


@pytest.mark.parametrize(("unit", "factor"), [("W", 1e3), ("MW", 1e-3), ("GW", 1e-6)])
def test_a_unit_that_can_be_converted_is_converted_and_said(
    model: TunedModel, frame: SensorFrame, unit: str, factor: float
) -> None:
    with pytest.warns(UserWarning, match=f"is in {unit}: converted to kW, the unit of the model"):
        found = model.forecast(in_unit(frame, unit, factor))
    expected = model.forecast(frame)
    assert found.quantity.unit == "kW"
    assert any("converted to kW" in note for note in found.notes)
    np.testing.assert_allclose(found.quantiles, expected.quantiles, rtol=1e-3)


def test_every_way_in_converts(model: TunedModel, frame: SensorFrame) -> None:
    watts = in_unit(frame, "W", 1e3)
    with pytest.warns(UserWarning, match="converted to kW"):
        found = model.predict(watts, [600]).mean
    np.testing.assert_allclose(found, model.predict(frame, [600]).mean, rtol=1e-3)
    scores = backtest(model, watts, days=4, against=["naive-day"])
    assert any("converted to kW" in note for note in scores.notes)
    assert scores.detail.frame.quantity.unit == "kW"
    assert scores.models["tuned"]["mae"] == pytest.approx(
        backtest(model, frame, days=4, against=["naive-day"]).models["tuned"]["mae"], rel=1e-2
    )


@pytest.mark.parametrize(
    ("quantity", "said"),
    [
        (Quantity("pm2.5", "µg/m³"), r"holds pm2.5 .* tuned on load \(kW\).*quantity='load'"),
        (Quantity("load", "kWh"), "is in kWh.*not known how to convert"),
        (Quantity("load", "°C"), "is in °C.*not known how to convert"),
    ],
)
def test_another_quantity_or_unit_is_refused_everywhere(
    model: TunedModel, frame: SensorFrame, quantity: Quantity, said: str
) -> None:
    other = replace(frame, quantity=quantity)
    for use in (model.forecast, model.update, lambda f: model.predict(f, [5])):
        with pytest.raises(RunError, match=said):
            use(other)
    with pytest.raises(RunError, match=said):
        backtest(model, other)


@pytest.mark.parametrize("quantity", [Quantity(), Quantity("Load", ""), Quantity("load", " kw")])
def test_what_is_not_named_is_taken_as_the_models(
    model: TunedModel, frame: SensorFrame, quantity: Quantity
) -> None:
    found = model.forecast(replace(frame, quantity=quantity))
    np.testing.assert_array_equal(found.mean, model.forecast(frame).mean)
    assert str(found.quantity) == "load (kW)"


def test_a_unit_that_the_size_of_the_values_speaks_against_is_refused(
    model: TunedModel, frame: SensorFrame
) -> None:
    with pytest.raises(RunError, match=r"was read as MW: its values would be up to .* kW"):
        model.forecast(in_unit(frame, "MW", 1.0))


# Clocks


def test_the_same_clock_with_and_without_a_zone_is_refused(
    model: TunedModel, frame: SensorFrame
) -> None:
    plain = replace(frame, clock=Clock(dt.datetime(2024, 2, 26), frame.clock.step))
    for use in (model.forecast, model.update, lambda f: backtest(model, f)):
        with pytest.raises(RunError, match=r"on another clock .*timezone='Europe/Oslo'"):
            use(plain)


def test_another_name_of_the_zone_changes_no_moment(model: TunedModel, frame: SensorFrame) -> None:
    other = replace(frame, clock=Clock(frame.clock.start, frame.clock.step, "UTC"))
    found, expected = model.forecast(other), model.forecast(frame)
    assert found.clock == expected.clock
    np.testing.assert_array_equal(found.mean, expected.mean)


def test_rows_at_other_minutes_are_refused(model: TunedModel, frame: SensorFrame) -> None:
    later = Clock(frame.clock.start + dt.timedelta(minutes=20), frame.clock.step, "Europe/Oslo")
    with pytest.raises(RunError, match="its rows begin at 2024-02-26 00:20, the model's at"):
        model.forecast(replace(frame, clock=later))


# Sensors come and go


def test_an_absent_sensor_is_named_and_the_others_are_forecast(
    model: TunedModel, frame: SensorFrame
) -> None:
    with pytest.warns(UserWarning, match="lacks 1 sensor of the model: 's1'"):
        found = model.forecast(frame.select(["s0", "s2"]))
    assert found.sensors == model.sensors
    assert found.quality[0].tolist() == ["model", "absent", "model"]
    assert np.isnan(found.quantiles[:, 1]).all()
    expected = model.forecast(frame)
    np.testing.assert_allclose(found.mean[:, [0, 2]], expected.mean[:, [0, 2]], rtol=1e-5)
    assert "absent: s1" in str(found)


def test_without_any_sensor_of_the_model_it_is_the_wrong_file(
    model: TunedModel, frame: SensorFrame
) -> None:
    with pytest.raises(RunError, match="has none of the model's 3 sensors: 's0', 's1', 's2'"):
        model.forecast(replace(frame, sensors=("a", "b", "c")))


@pytest.mark.parametrize("backbone", ["lags", "citytune-base"])
def test_a_new_sensor_is_forecast_by_the_untuned_model(city: City, backbone: str) -> None:
    whole = city(3, 21, gaps=0.0, noise=0.05, quantity=LOAD)
    model = fit_model(whole.select(["s0", "s1"]), horizon=12, backbone=backbone)
    with pytest.warns(UserWarning, match="has 1 sensor new to the model: 's2'; forecast by the"):
        found = model.forecast(whole)
    assert found.sensors == ("s0", "s1", "s2")
    assert set(found.quality[:, 2]) == {"new: untuned model"}
    assert np.isfinite(found.quantiles).all()
    assert (np.diff(found.quantiles[:, 2], axis=-1) >= 0).all()
    own = fit_model(whole.select(["s2"]), horizon=12, backbone=backbone, strategy="zero-shot")
    np.testing.assert_allclose(found.mean[:, 2], own.forecast(whole.select(["s2"])).mean[:, 0])
    known = model.forecast(whole.select(["s0", "s1"]))
    np.testing.assert_array_equal(found.mean[:, :2], known.mean)


def test_a_new_sensor_in_a_file_shorter_than_the_horizon_has_an_answer_too(
    model: TunedModel, frame: SensorFrame
) -> None:
    short = frame.since(len(frame) - 12)
    values = np.concatenate([short.values, short.values[:, :1]], 1)
    with pytest.warns(UserWarning, match="new to the model"):
        found = model.forecast(replace(short, values=values, sensors=(*frame.sensors, "new")))
    assert np.isfinite(found.quantiles).all()
    assert found.quality[0, 3] == "fallback: yesterday"


def test_some_sensors_can_be_asked_for_in_any_order(model: TunedModel, frame: SensorFrame) -> None:
    found, every = model.forecast(frame, sensors=["s2", "s0"]), model.forecast(frame)
    assert found.sensors == ("s2", "s0")
    np.testing.assert_allclose(found.quantiles, every.quantiles[:, [2, 0]], rtol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what was not asked for is not spoken of
        alone = model.forecast(frame.select(["s1"]), sensors=["s1"])
    np.testing.assert_allclose(alone.mean[:, 0], every.mean[:, 1], rtol=1e-5)
    with pytest.raises(UnknownName, match="no sensor is called 's9'"):
        model.forecast(frame, sensors=["s9"])


def test_a_silent_sensor_is_named_with_the_time_it_fell_silent(
    model: TunedModel, frame: SensorFrame
) -> None:
    values = frame.values.copy()
    values[-30:, 0], values[-24 * 28 :, 1] = np.nan, np.nan
    values[-5:, 2] = np.nan  # late, and not silent
    found = model.forecast(replace(frame, values=values))
    since = [frame.clock.text(len(frame) - back) for back in (30, 24 * 28)]
    assert found.quality[0].tolist() == [
        f"silent since {since[0]}",
        f"silent since {since[1]}; fallback: last day measured",
        "model",
    ]
    assert found.fallback == ("s1",)
    assert f"2 sensors are silent: 's0' since {since[0]}" in found.notes[0]
    assert np.isfinite(found.mean).all()


def test_predictions_of_absent_sensors_are_empty(model: TunedModel, frame: SensorFrame) -> None:
    with pytest.warns(UserWarning, match="lacks 1 sensor"):
        found = model.predict(frame.select(["s2", "s0"]), [500, 600])
    assert found.mean.shape == (2, HORIZON, 3)
    expected = model.predict(frame, [500, 600])
    np.testing.assert_allclose(found.mean[..., [0, 2]], expected.mean[..., [0, 2]], rtol=1e-5)
    assert np.isnan(found.quantiles[:, :, 1]).all()


@pytest.mark.parametrize("refit", [False, True])
def test_a_backtest_leaves_out_and_names_absent_and_new_sensors(city: City, refit: bool) -> None:
    whole = city(4, 34, gaps=0.0, quantity=LOAD)
    known = whole.select(["s0", "s1", "s2"])
    model = fit_model(known.until(24 * 30), horizon=24, backbone="lags", strategy="zero-shot")
    asked = {"days": 3, "refit": refit, "against": ["naive-day"]}
    found = backtest(model, whole.select(["s3", "s2", "s0"]), **asked)
    assert found.detail.frame.sensors == ("s0", "s2")
    assert any("lacks 1 sensor of the model: 's1'" in note for note in found.notes)
    assert any("1 sensor new to the model: 's3'; not scored" in note for note in found.notes)
    every = backtest(model, known, **asked)
    tuned_ones = every.detail.points["tuned"][..., [0, 2]]
    np.testing.assert_allclose(found.detail.points["tuned"], tuned_ones, rtol=0.05)


def test_an_update_goes_on_without_an_absent_sensor(city: City) -> None:
    whole = city(3, 40, gaps=0.0, quantity=LOAD)
    model = fit_model(whole.until(24 * 38), horizon=24, backbone="lags")
    with pytest.warns(UserWarning, match="lacks 1 sensor of the model: 's1'"):
        new = model.update(whole.select(["s0", "s2"]))
    assert new.trained_until > model.trained_until
    assert np.isfinite(new.forecast(whole).mean).all()


# What is known ahead


def ahead(frame: SensorFrame, change: Callable[[np.ndarray], object]) -> SensorFrame:
    """The frame after a change to what is known ahead (step, sensor)."""
    table = frame.covariates["warm"].copy()
    change(table[len(frame) :])
    return replace(frame, covariates={"warm": table})


def test_where_something_is_not_known_ahead_the_forecast_goes_without_it(city: City) -> None:
    model, frame = weathered(city)
    assert model.covariates == ("warm",)

    def forget(table: np.ndarray) -> None:
        table[10:, 1] = np.nan

    with pytest.warns(UserWarning, match=r"'warm' is not known for 14 of the 24 .* of 1 of 3 sen"):
        found = model.forecast(ahead(frame, forget))
    expected = model.forecast(frame)
    known = np.ones((HORIZON, 3), bool)
    known[10:, 1] = False
    np.testing.assert_allclose(found.mean[:, [0, 2]], expected.mean[:, [0, 2]], rtol=1e-6)
    assert set(found.quality[~known]) == {"model without warm"}
    assert set(found.quality[known]) == {"model"}
    blind = fit_model(replace(frame, covariates={}), horizon=24, backbone="lags")
    prior = blind.forecast(replace(frame, covariates={})).mean
    level = prior[10:, 1].mean()
    assert abs(found.mean[10:, 1].mean() / level - 1) < 0.15


def test_what_is_known_for_no_step_is_asked_for(city: City) -> None:
    model, frame = weathered(city)
    with pytest.raises(InputError, match="'warm' is missing in the future: it is known for none"):
        model.forecast(ahead(frame, lambda table: table.fill(np.nan)))
    past = {"warm": frame.covariates["warm"][: len(frame)]}
    with pytest.raises(InputError, match=r"none of the 24 steps ahead, from .* to .*; add rows"):
        model.forecast(replace(frame, covariates=past))
    with pytest.raises(InputError, match=r"needs 'warm' known ahead.*read without"):
        model.forecast(replace(frame, covariates={}))


@pytest.mark.parametrize("change", [lambda c: c * 1.8 + 32, lambda c: c + 273.15])
def test_weather_in_another_unit_is_refused_ahead_and_altogether(
    city: City, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    model, frame = weathered(city)

    def turned(table: np.ndarray) -> None:
        table[:] = change(table)

    with pytest.raises(InputError, match=r"'warm' is .* ahead, after .* in another unit"):
        model.forecast(ahead(frame, turned))
    every = replace(frame, covariates={"warm": change(frame.covariates["warm"])})
    for use in (model.forecast, model.update, lambda f: backtest(model, f)):
        with pytest.raises(InputError, match=r"'warm' was .* on average lately, but the model le"):
            use(every)


def test_a_value_that_cannot_be_is_unknown(city: City) -> None:
    model, frame = weathered(city)

    def broken(table: np.ndarray) -> None:
        table[3, 0] = -9999.0

    with pytest.warns(UserWarning, match="'warm'") as told:
        found = model.forecast(ahead(frame, broken))
    text = "; ".join(str(one.message) for one in told)
    assert "'warm' is -9999 ahead" in text
    assert "not known for 1 of the 24" in text
    assert (found.quality[3, 0], found.quality[4, 0]) == ("model without warm", "model")


def test_covariates_are_known_by_name_not_by_place(city: City) -> None:
    model, frame = weathered(city)
    noise = np.random.default_rng(1).standard_normal((len(frame) + 30, 1)).astype(np.float32)
    more = replace(frame, covariates={"noise": noise, **frame.covariates})
    np.testing.assert_array_equal(model.forecast(more).mean, model.forecast(frame).mean)


def test_the_ranges_learnt_from_are_saved(city: City, tmp_path: object) -> None:
    model, frame = weathered(city)
    low, high = model.learnt["warm"]
    assert (low, high) == (frame.covariates["warm"].min(), frame.covariates["warm"].max())
    again = ct.load(model.save(f"{tmp_path}/model"))
    assert again.learnt == model.learnt


# What is taken, and what a forecast may be


def test_every_way_in_takes_what_read_takes(
    model: TunedModel, frame: SensorFrame, tmp_path: object
) -> None:
    plain = replace(frame, clock=Clock(dt.datetime(2024, 2, 26), frame.clock.step))
    names = dict(zip(frame.sensors, frame.values.T, strict=True))
    table = pl.DataFrame({"time": plain.clock.local(0, len(frame)), **names})
    table.write_csv(path := f"{tmp_path}/load.csv")
    asked = {"horizon": 24, "backbone": "lags", "strategy": "zero-shot"}
    for source in (table, table.to_pandas(), table.to_arrow(), path):
        one = ct.tune(source, **asked)
        assert one.forecast(source).mean.shape == (24, 3)
    assert np.isfinite(one.predict(path, np.array([500])).mean).all()
    assert ct.backtest(one, path, against=["naive-day"]).models["tuned"]["mae"] > 0
    assert admit(one, table).frame.sensors == frame.sensors
    with pytest.warns(UserWarning, match="has no rows after"):
        one.update(path)


@pytest.mark.parametrize("origins", [[0], [-1], [], [5, 100_000], [1.5], ["a"], [[1, 2]], 3])
def test_origins_are_rows_with_one_before_them(
    model: TunedModel, frame: SensorFrame, origins: object
) -> None:
    with pytest.raises(InputError, match=r"forecasts start at a row of|a list of row numbers"):
        model.predict(frame, origins)  # type: ignore[arg-type]


def test_origins_may_be_an_array_and_begin_at_one(model: TunedModel, frame: SensorFrame) -> None:
    found = model.predict(frame, np.array([1, 400]))
    assert np.isfinite(found.quantiles).all()
    np.testing.assert_array_equal(found.mean[1], model.predict(frame, [400, 410]).mean[0])


@pytest.mark.parametrize(
    ("quantity", "shift", "low"),
    [
        (Quantity(), 0.0, 0.0),
        (Quantity("net load", "kW"), -20.0, None),
        (Quantity("air", "°C"), 0.0, None),
        (Quantity("temperature"), 0.0, None),
    ],
)
def test_nothing_is_forecast_below_zero_unless_it_ever_was(
    city: City, quantity: Quantity, shift: float, low: float | None
) -> None:
    frame = city(2, 30, gaps=0.0, quantity=quantity)
    values = np.where(frame.values < 12, 0, frame.values).astype(np.float32) + np.float32(shift)
    frame = replace(frame, values=values)
    model = fit_model(frame, horizon=24, backbone="lags", strategy="zero-shot")
    found = model.forecast(frame)
    assert model.quantity.low == found.quantity.low == low
    assert (found.quantiles.min() >= 0) == (low == 0)
    assert low is None or found.mean.min() >= 0


def test_a_limit_that_new_readings_break_no_longer_stands(city: City) -> None:
    frame = city(1, 40, gaps=0.0, quantity=Quantity())
    model = fit_model(frame.until(24 * 38), horizon=24, backbone="lags", strategy="zero-shot")
    values = frame.values.copy()
    values[-3:] = -5.0
    assert (model.quantity.low, model.update(frame).quantity.low) == (0.0, 0.0)
    updated = model.update(replace(frame, values=values))
    assert updated.below == ("s0",)
    assert updated.forecast(replace(frame, values=values)).quantity.low is None


def test_a_sensor_below_zero_takes_the_limit_of_no_other(city: City, tmp_path: Path) -> None:
    frame = city(3, 30, gaps=0.0, quantity=Quantity())
    values = np.where(frame.values < 12, 0, frame.values)
    values[:, 1] -= 20.0
    frame = replace(frame, values=values.astype(np.float32))
    model = fit_model(frame, horizon=24, backbone="lags", strategy="zero-shot")
    saved = ct.load(model.save(tmp_path / "model"))
    assert (saved.quantity.low, saved.below) == (0.0, (frame.sensors[1],))
    found = saved.forecast(frame)
    assert found.quantity.low is None
    assert (found.quantiles.min((0, 2)) >= 0).tolist() == [True, False, True]
    assert saved.forecast(frame, sensors=[frame.sensors[0]]).quantity.low == 0


def test_hours_never_measured_are_not_forecast(city: City) -> None:
    """A counter that is on from 8 to 18 on weekdays; gaps elsewhere do not look like that."""
    frame = city(2, 42, noise=0.05, gaps=0.3)
    local = frame.clock.local(0, len(frame) + 96)
    hour = local.astype("datetime64[h]").astype(int) % 24
    weekday = (local.astype("datetime64[D]").astype(int) + 3) % 7
    closed = (hour < 8) | (hour >= 18) | (weekday >= 5)
    values = frame.values.copy()
    filled = city(2, 42, noise=0.05, gaps=0.0).values
    values[:, 0] = np.where(closed[: len(frame)], np.nan, filled[:, 0])
    frame = replace(frame, values=values)
    model = fit_model(frame, horizon=96, backbone="lags", strategy="zero-shot")
    found = model.forecast(frame)
    np.testing.assert_array_equal(np.isnan(found.mean[:, 0]), closed[len(frame) :])
    assert set(found.quality[closed[len(frame) :], 0]) == {"never measured at this hour"}
    assert np.isfinite(found.mean[:, 1]).all()
    early = model.predict(frame, [24 * 10]).mean  # ten days cannot tell that from gaps
    assert np.isfinite(early).all()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("s0", "s1", "S-2"), ["'s2' may be 'S-2' under a new name; call it in"]),
        (("s0", "S_2", "S_1", "harbour", "quay"), ["'s1' may be 'S_1'", "'s2' may be 'S_2'"]),
    ],
)
def test_a_sensor_under_a_new_name_is_pointed_out(
    model: TunedModel, frame: SensorFrame, names: tuple[str, ...], said: list[str]
) -> None:
    values = np.concatenate([frame.values] * 2, 1)[:, : len(names)]
    with warnings.catch_warnings(action="ignore"):  # of absent and new ones, tested above
        found = model.forecast(replace(frame, values=values, sensors=names))
    told = next(note for note in found.notes if "under a new name" in note)
    assert all(one in told for one in said)


def test_a_sensor_that_reads_nothing_but_0_is_named(model: TunedModel, frame: SensorFrame) -> None:
    values = frame.values.copy()
    values[-40:, 0] = 0.0
    values[-100:-70, 1] = values[-40:, 1] = 0.0  # it does so now and then
    values[-20:, 2] = 0.0  # not yet a day
    found = model.forecast(replace(frame, values=values))
    first = frame.clock.text(len(frame) - 40)
    assert found.quality[0].tolist() == [f"model; reads 0 since {first}", "model", "model"]
    assert f"1 sensor reads nothing but 0: 's0' since {first}" in found.notes
    assert found.fallback == ()
