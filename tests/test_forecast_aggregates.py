"""Promise: means, maxima and totals have intervals of their own, and not sums of quantiles."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import citytune as ct
from citytune.forecasting import LEVELS, Copula, Forecast, fit_model, learn_copula
from citytune.forecasting._copula import GAP, MEMBERS, UNIT_LEVEL
from citytune.frame import Clock, Quantity, SensorFrame
from citytune.tuning import values_at

HOUR = dt.timedelta(hours=1)
Z = np.array([-1.645, -1.282, -0.842, -0.524, -0.253, 0, 0.253, 0.524, 0.842, 1.282, 1.645])
FREE = Quantity("net load", "kW")


def normal(horizon: int = 24, sensors: int = 2, scale: float = 1.0) -> np.ndarray:
    """Quantiles (horizon, sensor, level) of a normal distribution around 100."""
    return np.broadcast_to(100 + scale * Z, (horizon, sensors, 11)).astype(np.float32)


def copula(errors: np.ndarray) -> Copula:
    """Of errors (date, horizon, sensor) in standard deviations."""
    level = torch.special.ndtr(torch.from_numpy(errors.astype(float)))
    return Copula((level * UNIT_LEVEL).round().to(torch.int16).permute(0, 2, 1).contiguous())


def errors(kind: str, dates: int = 400, horizon: int = 24, sensors: int = 2) -> np.ndarray:
    draw = np.random.default_rng(7)
    alone = draw.standard_normal((dates, horizon, sensors))
    if kind == "together":
        return np.broadcast_to(alone[:, :1, :1], alone.shape)
    if kind == "by day":
        return np.broadcast_to(alone[:, :1], alone.shape)
    if kind == "against":
        return np.broadcast_to(alone[:, :1, :1], alone.shape) * np.array([1.0, -1.0])
    return alone


def forecast(kind: str, quantity: Quantity = FREE, **size: int) -> Forecast:
    quantiles = normal(size.get("horizon", 24), size.get("sensors", 2))
    made = errors(kind, **size)
    clock = Clock(dt.datetime(2024, 3, 17, 23), HOUR, "Europe/Oslo")
    names = tuple(f"s{i}" for i in range(quantiles.shape[1]))
    return Forecast(
        quantiles[..., 5], quantiles, clock, names, quantity, copula=copula(made)
    )  # fmt: skip


def width(made: Forecast, sensor: int = 0) -> float:
    return float(made.quantiles[0, sensor, -1] - made.quantiles[0, sensor, 0])


ONE = 2 * 1.645
"""Width of the 90 % interval of one value."""


@pytest.mark.parametrize(
    ("kind", "expected"), [("together", ONE), ("by day", ONE), ("alone", ONE / 24**0.5)]
)
def test_a_mean_is_as_sure_as_its_hours_are_independent(kind: str, expected: float) -> None:
    mean = forecast(kind).aggregate("24h", "mean")
    assert mean.mean.shape == (1, 2)
    assert mean.mean[0, 0] == pytest.approx(100, abs=1e-4)
    assert width(mean) == pytest.approx(expected, rel=0.12)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("together", 2 * ONE), ("by day", 2**0.5 * ONE), ("against", 0.0)],
)
def test_a_total_is_as_sure_as_its_sensors_are_independent(kind: str, expected: float) -> None:
    total = forecast(kind).total()
    assert (total.sensors, total.mean.shape) == (("total",), (24, 1))
    assert total.mean[:, 0].tolist() == [200] * 24
    assert width(total) == pytest.approx(expected, rel=0.12, abs=0.15)


def test_the_largest_of_independent_hours_is_beyond_each() -> None:
    draw = np.random.default_rng(1).standard_normal((200_000, 24)).max(1)
    largest = forecast("alone").aggregate("24h", "max")
    for level in (0.1, 0.5, 0.9):
        expected = 100 + np.quantile(draw, level)
        assert largest.quantiles[0, 0, LEVELS.index(level)] == pytest.approx(expected, abs=0.25)
    same = forecast("together").aggregate("24h", "max")
    np.testing.assert_allclose(same.quantiles[0, 0], normal()[0, 0], atol=0.06)


def test_the_chance_of_passing_at_least_once_is_that_of_the_largest() -> None:
    chance = forecast("alone").aggregate("24h", "max").probability_above(102)[0, 0]
    assert chance == pytest.approx(1 - 0.97725**24, abs=0.06)
    together = forecast("together").aggregate("24h", "max").probability_above(101)[0, 0]
    assert together == pytest.approx(0.1587, abs=0.03)


def test_a_total_of_days_is_the_days_of_the_total() -> None:
    made = forecast("by day", horizon=48)
    one = made.aggregate("24h", "sum").total()
    other = made.total().aggregate("24h", "sum")
    np.testing.assert_allclose(one.mean, other.mean, rtol=1e-5)
    np.testing.assert_allclose(one.quantiles, other.quantiles, rtol=3e-3)
    assert one.clock == other.clock


def test_running_means_are_those_that_end_in_the_stretch() -> None:
    made = forecast("together", horizon=48)
    shifted = made.quantiles + np.arange(48, dtype=np.float32)[:, None, None]
    made = replace(made, mean=shifted[..., 5], quantiles=shifted)
    found = made.aggregate("24h", "max", running="8h")
    middle = found.quantiles[:, 0, 5]
    np.testing.assert_allclose(middle, [100 + 23 - 3.5, 100 + 47 - 3.5], atol=0.05)
    assert "running means over 8 hours" in found.notes[0]


def test_stretches_may_begin_at_midnight() -> None:
    made = replace(forecast("together", horizon=48), clock=forecast("alone").clock.shifted(9))
    assert made.aggregate("24h", "mean").clock.text(0) == "2024-03-18 09:00"
    found = made.aggregate("24h", "mean", align="midnight")
    assert (found.clock.text(0), found.clock.freq, len(found.mean)) == ("2024-03-19 00:00", "1D", 1)
    with pytest.raises(ct.InputError, match="holds no 48h from the first midnight on"):
        made.aggregate("48h", "mean", align="midnight")


@pytest.mark.parametrize(
    ("unit", "minutes", "sum_unit", "factor"),
    [("kW", 15, "kWh", 0.25), ("kWh", 15, "kWh", 1), ("veh/h", 60, "veh", 1), ("", 60, "", 1)],
)
def test_the_sum_of_a_rate_is_an_amount(
    unit: str, minutes: int, sum_unit: str, factor: float
) -> None:
    made = forecast("together", Quantity("x", unit, low=0))
    clock = Clock(dt.datetime(2024, 3, 18), dt.timedelta(minutes=minutes))
    found = replace(made, clock=clock).aggregate(f"{4 * minutes}min", "sum")
    assert (found.quantity.unit, found.quantity.low) == (sum_unit, 0)
    assert found.mean[0, 0] == pytest.approx(400 * factor, rel=1e-4)


def test_what_an_aggregate_cannot_be_is_said() -> None:
    made = forecast("alone")
    for wrong, said in (
        (("90min", "mean"), "cannot be cut out of a forecast with a step every 1h"),
        (("7d", "mean"), "the forecast is for 1 day, which holds no 7d"),
        (("24h", "median"), "no aggregate is called 'median'. Did you mean 'mean'"),
        ((24, "mean"), "a span is a time, such as '24h'"),
    ):
        with pytest.raises(ct.InputError, match=said):
            made.aggregate(*wrong)  # type: ignore[arg-type]
    with pytest.raises(ct.InputError, match="no way to align is called 'noon'"):
        made.aggregate("24h", "mean", align="noon")  # type: ignore[arg-type]
    with pytest.raises(ct.UnknownName, match="no sensor of this forecast is called 's9'"):
        made.total(["s9"])
    with pytest.raises(ct.InputError, match="does not know how errors"):
        replace(made, copula=None).aggregate("24h", "mean")


def test_a_sensor_without_a_forecast_is_left_out_of_a_total_and_named() -> None:
    made = forecast("alone")
    mean, quantiles = made.mean.copy(), made.quantiles.copy()
    mean[:, 1], quantiles[:, 1] = np.nan, np.nan
    quality = np.array(["model", "absent"], object)
    made = replace(made, mean=mean, quantiles=quantiles, quality=quality)
    total = made.total()
    assert total.mean[0, 0] == 100
    assert (
        total.notes[0] == "each value is the total of 1 sensor; without s1, which have no forecast"
    )
    day = made.aggregate("24h", "max")
    assert np.isnan(day.quantiles[0, 1]).all()
    assert np.isnan(day.mean[0, 1])
    assert day.quality.tolist() == [["model", "absent"]]
    with pytest.raises(ct.InputError, match="no total of them"):
        made.total(["s1"])


def test_members_have_exactly_the_distributions_of_the_forecast() -> None:
    quantiles = normal(horizon=3, sensors=2)
    drawn = copula(errors("alone", horizon=3)).members(quantiles)
    assert drawn.shape == (MEMBERS, 3, 2)
    expected = values_at((np.arange(MEMBERS) + 0.5) / MEMBERS, quantiles)
    np.testing.assert_array_equal(np.sort(drawn, axis=0), expected)
    legal = copula(errors("alone", horizon=3)).members(quantiles, low=99.0, high=101.0)
    assert (legal.min(), legal.max()) == (99, 101)


def test_few_dates_and_gaps_are_enough_for_members() -> None:
    levels = copula(errors("by day", dates=8, horizon=4)).levels.clone()
    levels[0, 0, 1:3] = GAP
    levels[3, 1] = GAP  # a sensor's whole date
    drawn = Copula(levels).members(normal(horizon=4))
    assert np.isfinite(drawn).all()
    unknown = Copula(levels).take([0, None]).members(normal(horizon=4))
    assert abs(np.corrcoef(unknown[:, 0, 0], unknown[:, 0, 1])[0, 1]) < 0.75


def test_where_measurements_lay_is_what_is_kept() -> None:
    quantiles = np.broadcast_to(normal(horizon=1, sensors=1), (3, 1, 1, 11))
    actual = np.array([100, 101.282, np.nan], np.float32).reshape(3, 1, 1)
    assert Copula.of(quantiles, actual).levels.flatten().tolist() == [5000, 9000, GAP]
    empty = np.zeros((1, 1, 1, 11), np.float32)  # a road that is always empty
    assert Copula.of(empty, np.zeros((1, 1, 1), np.float32)).levels.item() == 5000


@pytest.fixture(scope="module")
def city() -> SensorFrame:
    from conftest import make_city

    return make_city(sensors=2, days=40)


def test_a_tuned_model_keeps_what_it_learnt_of_its_errors(
    city: SensorFrame, tmp_path: Path
) -> None:
    model = ct.tune(city, horizon=24, backbone="lags", strategy="zero-shot")
    assert model.copula is not None
    assert model.copula.levels.shape == (26, 2, 24)
    model.save(tmp_path / "model")
    again = ct.load(tmp_path / "model")
    assert again.copula is not None
    assert torch.equal(again.copula.levels, model.copula.levels)
    one = model.forecast(city, sensors=["s1"]).aggregate("24h", "mean")
    both = again.forecast(city).aggregate("24h", "mean")
    np.testing.assert_allclose(one.quantiles[:, 0], both.quantiles[:, 1], rtol=1e-4)


def test_an_update_adds_the_days_that_were_new(city: SensorFrame) -> None:
    before = city.until(24 * 36)
    model = fit_model(before, horizon=24, backbone="lags", strategy="zero-shot")
    model = replace(model, copula=learn_copula(model, before))
    assert model.copula is not None
    updated = model.update(city)
    assert updated.copula is not None
    assert len(updated.copula) == len(model.copula) + 4
    assert torch.equal(updated.copula.levels[: len(model.copula)], model.copula.levels)


def test_too_short_a_history_gives_none(city: SensorFrame) -> None:
    short = city.until(24 * 17)
    model = fit_model(short, horizon=24, backbone="lags", strategy="zero-shot")
    assert learn_copula(model, short) is None


def test_a_run_learns_it_on_days_its_model_has_not_seen(
    city: SensorFrame, tmp_path: Path, run: Callable[..., object]
) -> None:
    made = ct.run(
        city, horizon=24, backbone="lags", strategy="zero-shot", out=tmp_path / "run",
        alerts=[">50"],
    )  # fmt: skip
    copula = made.model.copula
    assert copula is not None
    detail = made.made_from.scores.detail  # type: ignore[union-attr]
    low = made.model.quantity.low
    seen = Copula.of(detail.quantiles, detail.actual, low=low)
    assert torch.equal(copula.levels[-len(seen) :], seen.levels)
    assert made.forecast().aggregate("24h", "max").mean.shape == (1, 2)


def test_sensors_below_zero_keep_how_their_errors_go_together() -> None:
    drawn = np.random.default_rng(0).standard_normal((200, 24)).astype(np.float32)
    actual = np.stack([100 + drawn, drawn - 100], -1)  # (date, horizon, sensor)
    spread = torch.special.ndtri(torch.tensor(LEVELS)).numpy().astype(np.float32)
    centre = np.array([100, -100], np.float32)
    quantiles = np.broadcast_to(centre[:, None] + spread, (200, 24, 2, len(LEVELS)))
    found = Copula.of(quantiles, actual, low=np.array([0, -np.inf], np.float32)).levels.double()
    assert torch.corrcoef(found.movedim(1, 0).flatten(1))[0, 1] > 0.99
