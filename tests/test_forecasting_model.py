"""The promise: every tuned model is of one type, forecasts what fits it, and says what does not."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from citytune._errors import InputError, RunError, UnknownName
from citytune.backbones import at_hand, missing
from citytune.forecasting import TunedModel, fit_model
from citytune.frame import Clock, SensorFrame

City = Callable[..., SensorFrame]
HORIZON = 24


@pytest.fixture
def tuned(fit_once: Callable[..., Any]) -> Any:
    return fit_once(3, 30)


def holding(frame: SensorFrame, values: np.ndarray[Any, Any]) -> SensorFrame:
    return replace(frame, values=values.astype(np.float32))


def test_auto_stands_for_blend(city: City, model: TunedModel) -> None:
    frame = city(1, 12)
    assert fit_model(frame, horizon=6, backbone="lags").strategy == model.strategy == "blend"


def test_it_tells_what_it_was_tuned_on(model: TunedModel, frame: SensorFrame) -> None:
    assert model.spec.horizon == HORIZON
    assert model.sensors == frame.sensors
    assert model.clock == frame.clock
    assert model.country == "NO"
    assert model.trained_until == frame.clock.moments(len(frame) - 1, 1)[0]
    assert model.seconds["fit"] > 0
    assert model.tuned.windows > 100
    assert 0.3 < model.fold_error < 1.1


def test_weights_are_shares_that_a_person_can_read(city: City) -> None:
    model = fit_model(city(3, 30), horizon=HORIZON, backbone="lags", caution=0.0)
    assert list(model.weights) == ["0-6", "6-24"]
    for shares in model.weights.values():
        assert 0.95 < sum(shares.values()) <= 1.001
        assert list(shares.values()) == sorted(shares.values(), reverse=True)
        assert set(shares) <= set(model.experts)
    words = model.words()
    assert words[0].startswith("Up to 6 hours ahead: ")
    assert words[-1].startswith("Up to 1 day ahead: ")
    for sentence, shares in zip(words, model.weights.values(), strict=True):
        assert model.experts[next(iter(shares))] in sentence


def test_stretches_ahead_that_say_the_same_are_said_once(fit_once: Callable[..., Any]) -> None:
    model = fit_once(3, 30, strategy="zero-shot").model
    assert len(model.words()) == 1
    assert model.words()[0].startswith("Up to 1 day ahead: 100 % ")


def test_progress_grows_from_nothing_to_all(city: City) -> None:
    told: list[tuple[str, float]] = []
    fit_model(
        city(2, 20),
        horizon=24,
        backbone="lags",
        progress=lambda stage, share: told.append((stage, share)),
    )
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] == 1
    assert all(stage for stage, _ in told)


# What does not fit


@pytest.mark.parametrize(
    ("horizon", "said"),
    [
        (0, "at least 1, .*; got 0"),
        (-3, "at least 1, .*; got -3"),
        (2.5, r"whole number of at least 1, .*; got 2\.5"),
        (True, "got True"),
        ("24q", "'24q' is not a valid horizon"),
        (24 * 28 + 1, r"28\.04 days \(673 .* at most 28 days \(672 steps\)"),
        (10**9, r"at most 28 days \(672 steps\)"),
        (300, "has 240 rows, and a horizon of 300 steps needs more"),
        (240, "has 240 rows"),
    ],
)
def test_a_foolish_horizon_is_refused(city: City, horizon: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        fit_model(city(1, 10), horizon=horizon, backbone="lags")


@pytest.mark.parametrize("caution", [-0.1, math.nan, math.inf])
def test_a_foolish_caution_is_refused(city: City, caution: float) -> None:
    with pytest.raises(InputError, match="caution must be a number of at least 0; "):
        fit_model(city(1, 10), horizon=24, backbone="lags", caution=caution)


def test_an_unknown_backbone_gets_the_near_name(city: City) -> None:
    with pytest.raises(UnknownName, match=r"no backbone is called 'ttm-r22'.*mean 'ttm-r2'"):
        fit_model(city(1, 10), horizon=24, backbone="ttm-r22")


def test_an_unknown_strategy_gets_the_near_name(city: City) -> None:
    with pytest.raises(UnknownName, match=r"no strategy is called 'blnd'.*mean 'blend'"):
        fit_model(city(1, 10), horizon=24, backbone="lags", strategy="blnd")


def test_another_clock_is_refused(model: TunedModel, city: City) -> None:
    with pytest.raises(RunError, match=r"a row every 30min, but the model was tuned on 1h"):
        model.forecast(city(3, 10, steps_per_day=48))


# What fits nevertheless


def test_sensors_are_known_by_name_not_by_place(model: TunedModel, frame: SensorFrame) -> None:
    expected, found = model.forecast(frame), model.forecast(frame.select(["s2", "s0", "s1"]))
    assert found.sensors == expected.sensors
    np.testing.assert_array_equal(found.mean, expected.mean)
    np.testing.assert_array_equal(found.quantiles, expected.quantiles)


def test_a_newer_file_is_forecast_from_its_own_end(model: TunedModel, city: City) -> None:
    newer = city(3, 44).since(24 * 9)
    forecast = model.forecast(newer)
    assert forecast.clock.moments(0, 1)[0] == newer.clock.moments(len(newer), 1)[0]
    assert np.isfinite(forecast.quantiles).all()


@pytest.mark.parametrize("rows", [49, 24 * 4, 24 * 12])
def test_a_short_newer_file_is_enough(model: TunedModel, city: City, rows: int) -> None:
    whole = city(3, 30, gaps=0.0)
    forecast = model.forecast(whole.since(len(whole) - rows))
    size = whole.values[-24 * 7 :].mean(0)
    assert (np.abs(forecast.mean.mean(0) / size - 1) < 0.6).all()


def test_the_frame_is_left_as_it_was(model: TunedModel, frame: SensorFrame) -> None:
    before = frame.values.copy()
    model.forecast(frame)
    model.predict(frame, [300, 500])
    np.testing.assert_array_equal(frame.values, before)


def test_rows_long_past_change_nothing(model: TunedModel, city: City) -> None:
    long = city(3, 240)
    old = holding(long, np.where(np.arange(len(long))[:, None] < 24 * 60, 1e6, long.values))
    np.testing.assert_array_equal(model.forecast(old).mean, model.forecast(long).mean)


def test_a_year_is_tuned_on_its_last_part(city: City) -> None:
    """And so costs no more than half of it."""
    long = city(1, 400)
    short = long.since(24 * 190)
    one = fit_model(long, horizon=24, backbone="lags", strategy="zero-shot")
    other = fit_model(short, horizon=24, backbone="lags", strategy="zero-shot")
    np.testing.assert_allclose(one.forecast(long).mean, other.forecast(short).mean, rtol=1e-5)


# Sensors with next to no history


def sparse(city: City) -> SensorFrame:
    """Well measured; thirty hours old; never measured; dead for three weeks; a single value."""
    frame = city(5, 40, gaps=0.0, timezone=None, noise=0.05)
    frame.values[:-30, 1] = np.nan
    frame.values[:, 2] = np.nan
    frame.values[-24 * 28 :, 3] = np.nan
    frame.values[:, 4] = np.nan
    frame.values[-3, 4] = 42.0
    return frame


@pytest.mark.parametrize("strategy", ["zero-shot", "blend", "head"])
def test_sensors_with_too_little_history_are_forecast_by_the_naive_rule_and_named(
    city: City, strategy: str
) -> None:
    frame = sparse(city)
    model = fit_model(frame, horizon=48, backbone="lags", strategy=strategy)
    forecast = model.forecast(frame)
    assert model.fallback == forecast.fallback == ("s1", "s2", "s3", "s4")
    assert "for want of history: s1, s2, s3, s4" in str(forecast)
    mean = forecast.point
    np.testing.assert_allclose(mean[:24, 1], frame.values[-24:, 1])  # yesterday again
    np.testing.assert_allclose(mean[24:, 1], frame.values[-24:, 1])
    assert np.isnan(mean[:, 2]).all()
    last_day = frame.values[-24 * 29 : -24 * 28, 3]
    np.testing.assert_allclose(mean[:, 3], np.tile(last_day, 2))
    np.testing.assert_allclose(mean[:, 4], 42.0)
    known = [0, 1, 3, 4]
    assert np.isfinite(forecast.quantiles[:, known]).all()
    assert np.isnan(forecast.quantiles[:, 2]).all()
    width = forecast.quantiles[..., -1] - forecast.quantiles[..., 0]
    assert (width[:, known] > 0).all()


def test_empty_sensors_do_not_spoil_the_others(city: City) -> None:
    frame = sparse(city).select(["s0", "s2"])
    alone = frame.select(["s0"])
    for strategy, options in (("zero-shot", {}), ("head", {"stack": False})):
        asked = {"horizon": 24, "backbone": "lags", "strategy": strategy, "options": options}
        both = fit_model(frame, **asked).forecast(frame)
        own = fit_model(alone, **asked).forecast(alone)
        np.testing.assert_allclose(both.mean[:, 0], own.mean[:, 0], rtol=1e-4)


def test_a_sensor_that_comes_back_is_forecast_as_the_others_again(city: City) -> None:
    frame = city(2, 40, gaps=0.0)
    dead = frame.values.copy()
    dead[24 * 12 :, 1] = np.nan
    model = fit_model(holding(frame, dead), horizon=24, backbone="lags", strategy="blend")
    assert model.fallback == ("s1",)
    assert model.forecast(frame).fallback == ()


def test_a_city_of_dead_sensors_is_still_answered(city: City) -> None:
    frame = city(2, 20)
    frame.values[:] = np.nan
    forecast = fit_model(frame, horizon=24, backbone="lags").forecast(frame)
    assert np.isnan(forecast.mean).all()
    assert forecast.fallback == frame.sensors


def test_one_row_more_than_the_horizon_is_enough_for_an_answer(city: City) -> None:
    frame = city(2, 2, gaps=0.0).until(25)
    model = fit_model(frame, horizon=24, backbone="lags")
    forecast = model.forecast(frame)
    assert np.isfinite(forecast.quantiles).all()
    assert forecast.fallback == frame.sensors
    assert model.words()


@pytest.mark.parametrize("strategy", ["zero-shot", "blend", "head"])
def test_a_constant_sensor_is_forecast_constant(city: City, strategy: str) -> None:
    frame = city(2, 30, gaps=0.0)
    frame.values[:, 0] = 5.0
    forecast = fit_model(frame, horizon=24, backbone="lags", strategy=strategy).forecast(frame)
    np.testing.assert_allclose(forecast.mean[:, 0], 5.0, atol=0.2)
    assert np.isfinite(forecast.quantiles).all()


def test_a_small_sensor_beside_a_huge_one_keeps_intervals_of_its_own_size(city: City) -> None:
    frame = city(2, 21, gaps=0.0)
    huge = frame.values * np.array([1.0, 1e5])
    widths = []
    for values in (frame.values, huge):
        own = holding(frame, values)
        forecast = fit_model(own, horizon=24, backbone="lags", strategy="zero-shot").forecast(own)
        widths.append((forecast.quantiles[:, 0, -1] - forecast.quantiles[:, 0, 0]).mean())
    assert widths[1] == pytest.approx(widths[0], rel=0.2)


def test_intervals_of_fresh_days_hold_nine_values_in_ten(city: City) -> None:
    frame = city(4, 60, turn=0.0, seed=3)
    model = fit_model(frame.until(24 * 32), horizon=24, backbone="lags", strategy="blend")
    origins = range(24 * 32, 24 * 59, 12)
    found = model.predict(frame, list(origins)).quantiles
    actual = np.stack([frame.values[origin : origin + 24] for origin in origins])
    known = np.isfinite(actual)
    inside = (actual >= found[..., 0]) & (actual <= found[..., -1])
    assert 0.86 < inside[known].mean() < 0.94
    for sensor in range(4):
        assert 0.8 < inside[..., sensor][known[..., sensor]].mean() < 0.97


@pytest.mark.parametrize("size", [1e-9, 1e12])
def test_the_unit_may_be_any(city: City, size: float) -> None:
    frame = city(2, 30)
    once = fit_model(frame, horizon=24, backbone="lags", strategy="head").forecast(frame)
    other = holding(frame, frame.values * size)
    found = fit_model(other, horizon=24, backbone="lags", strategy="head").forecast(other)
    np.testing.assert_allclose(found.mean / size, once.mean, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("strategy", ["zero-shot", "blend", "head", "head-sgd"])
def test_an_absurd_value_is_survived(city: City, strategy: str) -> None:
    frame = city(2, 28)
    frame.values[100, 0], frame.values[300, 1] = 1e30, -1e20
    forecast = fit_model(frame, horizon=24, backbone="lags", strategy=strategy).forecast(frame)
    assert np.isfinite(forecast.quantiles).all()


@pytest.mark.parametrize(
    ("step", "rows", "horizon"),
    [
        pytest.param(dt.timedelta(minutes=1), 5000, 60, id="minutes"),
        pytest.param(dt.timedelta(minutes=7), 3000, 40, id="seven minutes"),
        pytest.param(dt.timedelta(hours=7), 300, 10, id="seven hours"),
        pytest.param(dt.timedelta(hours=12), 200, 8, id="half days"),
        pytest.param(dt.timedelta(days=7), 120, 4, id="weeks"),
        pytest.param(dt.timedelta(days=30), 60, 3, id="thirty days"),
    ],
)
def test_odd_clocks_are_forecast_too(
    city: City, step: dt.timedelta, rows: int, horizon: int
) -> None:
    frame = city(1, rows // 24 + 1, noise=0.02, gaps=0.0, turn=0.0).until(rows)
    frame = replace(frame, clock=Clock(dt.datetime(2024, 1, 1), step))
    for strategy in ("blend", "head"):
        model = fit_model(frame, horizon=horizon, backbone="lags", strategy=strategy)
        forecast = model.forecast(frame)
        assert np.isfinite(forecast.quantiles).all()
        low, high = frame.values.min(), frame.values.max()
        assert forecast.mean.min() > low - 0.3 * (high - low)
        assert forecast.mean.max() < high + 0.3 * (high - low)


# Early origins in a longer frame


def test_in_the_first_day_of_a_fine_clock_nothing_is_known_ahead(city: City, weights: None) -> None:
    """Windows begin before the file does, and must not be filled with what comes later."""
    if "ttm-r2" not in at_hand():
        pytest.skip(missing()["ttm-r2"])
    frame = city(1, 6, steps_per_day=288, gaps=0.0)
    model = fit_model(frame, horizon=12, backbone="ttm-r2", strategy="zero-shot")
    for origin in (60, 100, 280, 300, 600):
        values = frame.values.copy()
        values[origin:] = 9_999.0
        found = model.predict(holding(frame, values), [origin, len(frame)]).mean[0]
        expected = model.predict(frame, [origin, len(frame)]).mean[0]
        np.testing.assert_allclose(found, expected, rtol=1e-4, err_msg=str(origin))


# What is known ahead


def weathered(city: City, ahead: int) -> SensorFrame:
    """A load that follows a temperature known ahead."""
    frame = city(2, 40, gaps=0.0, noise=0.05, turn=0.0)
    draw = np.random.default_rng(5)
    warm = np.repeat(draw.standard_normal((42, 1)), 24, axis=0).astype(np.float32)
    values = frame.values * (1 + 0.3 * warm[: len(frame)])
    return replace(holding(frame, values), covariates={"warm": warm[: len(frame) + ahead]})


def test_what_is_known_ahead_is_used_where_it_helps(city: City) -> None:
    whole = weathered(city, 48)
    rows = len(whole) - 24 * 7
    frame = replace(whole.until(rows), covariates={"warm": whole.covariates["warm"]})
    model = fit_model(frame, horizon=24, backbone="lags")
    blind = replace(frame, covariates={})
    plain = fit_model(blind, horizon=24, backbone="lags")
    assert model.covariates == ("warm",)
    assert plain.covariates == ()
    origins = list(range(rows, len(whole) - 23, 24))
    actual = np.stack([whole.values[origin : origin + 24] for origin in origins])
    errors = [
        np.abs(one.predict(of, origins).point - actual).mean()
        for one, of in ((model, whole), (plain, replace(whole, covariates={})))
    ]
    assert errors[0] < 0.9 * errors[1]


@pytest.mark.parametrize("timezone", ["Europe/Oslo", None])
def test_local_time_tells_the_hours_not_the_zone(city: City, timezone: str | None) -> None:
    """The rush hour stays the rush hour, in winter and in summer."""
    frame = city(1, 45, timezone=timezone, start=dt.datetime(2024, 2, 25), noise=0.02, gaps=0.0)
    forecast = fit_model(frame, horizon=24, backbone="lags", strategy="blend").forecast(frame)
    hours = forecast.clock.local(0, 24).astype("datetime64[h]").astype(int) % 24
    assert hours[forecast.mean[:, 0].argmin()] in (23, 0, 1)
    assert hours[forecast.mean[:, 0].argmax()] in (11, 12, 13)


def test_intervals_are_wider_in_a_holiday_season(city: City) -> None:
    """Easter 2024: 28 March to 1 April; the week before is an ordinary one."""
    frame = city(2, 40, gaps=0.0, noise=0.05)
    model = fit_model(frame.until(24 * 24), horizon=24, backbone="lags")
    ordinary, easter = (frame.clock.index(dt.datetime(2024, 3, day, 23)) for day in (20, 29))
    assert frame.calendar(easter, 24).season.all()
    assert not frame.calendar(ordinary, 24).season.any()
    spread = model.predict(frame, [ordinary, easter]).quantiles[..., [0, -1]]
    width = np.diff(spread, axis=-1)[..., 0].mean((1, 2))
    assert width[1] / width[0] == pytest.approx(1.5, rel=0.02)
