"""The promise: new rows are learnt from without the old ones, as if all were fitted together."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from citytune._errors import InputError, RunError
from citytune.backbones import at_hand, missing
from citytune.forecasting import TunedModel, fit_model, load, task_of, update
from citytune.forecasting._memory_file import pack_memory, unpack_memory
from citytune.frame import Clock, SensorFrame
from citytune.tuning import FineTuned
from citytune.tuning.strategies import _last_layer
from citytune.tuning.task import _task

DAY, HORIZON = 6, 12
"""Few steps a day, so that weeks are quick to fit; where hours matter a test asks for 24."""
LAST_DIGITS = 2e-3
"""What the last digits of sums move a forecast by at most, in a sensor's spread: an update adds up
in another order than a fit, and every processor in its own. Measured: up to 6e-4."""
City = Callable[..., SensorFrame]


@pytest.fixture(scope="module")
def city(city: City) -> City:
    return functools.partial(city, steps_per_day=DAY)


def fitted(
    frame: SensorFrame, backbone: str = "lags", strategy: str = "blend", **options: bool
) -> TunedModel:
    return fit_model(frame, horizon=HORIZON, backbone=backbone, strategy=strategy, options=options)


def equal(one: TunedModel, other: TunedModel, frame: SensorFrame) -> None:
    """The same but for the last digits, and in all that is said of them."""
    spread = np.nanstd(frame.values[-49 * 24 :], 0)
    found, expected = one.forecast(frame), other.forecast(frame)
    assert (np.abs(found.mean - expected.mean) < LAST_DIGITS * spread).all()
    assert (np.abs(found.quantiles - expected.quantiles) < LAST_DIGITS * spread[:, None]).all()
    assert one.tuned.windows == other.tuned.windows
    assert one.fold_error == pytest.approx(other.fold_error, abs=LAST_DIGITS)
    for name in ("trained_until", "sensors", "covariates", "fallback", "settings", "notes"):
        assert getattr(one, name) == getattr(other, name), name


class Known(NamedTuple):
    """A model that several tests share, and one day more than it was fitted to."""

    model: TunedModel
    frame: SensorFrame


@pytest.fixture(scope="module")
def known(city: City) -> Known:
    frame = city(2, 41)
    return Known(fitted(frame.until(40 * DAY)), frame)


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A head takes a fifth of its gradient steps: the same ones in a fit and in an update."""
    genuine = _last_layer.minimise

    def shortened(weights: Any, loss: Any, examples: int, loop: Any, **named: Any) -> Any:
        return genuine(weights, loss, examples, replace(loop, epochs=20), **named)

    monkeypatch.setattr(_last_layer, "minimise", shortened)


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize(
    ("backbone", "strategy", "days", "steps_per_day"),
    [
        ("lags", "zero-shot", 70, DAY),
        ("lags", "blend", 40, 24),
        ("lags", "head", 45, DAY),
        ("lags", "head-sgd", 30, DAY),
        ("citytune-base", "zero-shot", 40, DAY),
        ("citytune-base", "blend", 35, DAY),
        pytest.param("ttm-r2", "blend", 45, 24, marks=pytest.mark.extras),
    ],
)
def test_an_update_is_as_good_as_a_fit_to_everything(
    backbone: str, strategy: str, days: int, steps_per_day: int, weights: None, city: City
) -> None:
    if backbone not in at_hand():
        pytest.skip(missing()[backbone])
    frame = city(2, days + 1, steps_per_day=steps_per_day, turn=1.0, noise=0.1)
    old = fitted(frame.until(days * steps_per_day), backbone, strategy)
    equal(old.update(frame), fitted(frame, backbone, strategy), frame)


RARES = (None, "top 5%", "density", ">150", "7-9h,16-18h", "density,in fit", "top 5%,in fit")
CLOSED = ("zero-shot", "blend", "head")
SETTINGS = [
    pytest.param(
        rare, CLOSED[(i + j) % 3], 20.0 if (i + j) % 2 else None, (i + j) % 4 > 1,
        marks=pytest.mark.extras if j else (),
    )
    for i, rare in enumerate(RARES)
    for j in range(2)
]  # fmt: skip
"""Each kind of rare values once with a strategy, and in the extras with another."""


@pytest.mark.parametrize(("rare", "strategy", "forget", "wind"), SETTINGS)
def test_an_update_equals_a_refit_under_every_setting(
    city: City, rare: str | None, strategy: str, forget: float | None, *, wind: bool
) -> None:
    """What is rare is told from all that was measured, not from the rows that are new."""
    frame = grown(city, wind=wind)
    asked = {"backbone": "lags", "strategy": strategy, "rare": rare, "forget": forget}
    old = fit_model(frame.until(147 * DAY), horizon=HORIZON, **asked)
    new, full = old.update(frame.since(40 * DAY)), fit_model(frame, horizon=HORIZON, **asked)
    equal(new, full, frame)
    tilt, expected = new.tuned.tilt, full.tuned.tilt
    assert (tilt is None) == (expected is None)
    if tilt is not None and expected is not None:
        assert tilt.power == expected.power
        assert torch.equal(tilt.rarity.edges, expected.rarity.edges)
        assert torch.equal(tilt.rarity.odds, expected.rarity.odds)


def grown(city: City, *, wind: bool = False) -> SensorFrame:
    """A city that is busier than it was: what is rare lately was never seen before."""
    frame = city(2, 150, turn=1.0, noise=0.1)
    blow = np.random.default_rng(3).standard_normal((len(frame) + HORIZON, 1)).astype(np.float32)
    growth = np.linspace(0.5, 2.0, len(frame))[:, None] * np.exp(0.3 * wind * blow[: len(frame)])
    frame = replace(frame, values=(frame.values * growth).astype(np.float32))
    return replace(frame, covariates={"wind": blow}) if wind else frame


def test_levels_and_spreads_are_those_of_the_last_weeks_however_long_the_history(
    city: City,
) -> None:
    """So Balanced MSE is around the same level after an update as in a refit."""
    frame = grown(city)
    whole, short = (
        task_of(part, horizon=HORIZON, backbone="lags")
        for part in (frame, frame.since(len(frame) - 60 * DAY))
    )
    torch.testing.assert_close(whole.spread, short.spread)
    torch.testing.assert_close(whole.level[-1], short.level[-1])


def test_rows_that_a_fit_no_longer_looks_at_are_forgotten(city: City) -> None:
    """A refit sees some two hundred days; so does the memory, however often it is updated."""
    frame = city(2, 260, turn=0.5)
    frame = replace(frame, values=frame.values * np.linspace(4, 1, len(frame))[:, None])
    asked = {"horizon": HORIZON, "backbone": "lags", "strategy": "zero-shot", "rare": "top 5%"}
    model = fit_model(frame.until(230 * DAY), **asked)
    for days in (240, 260):
        model = model.update(frame.until(days * DAY).since((days - 130) * DAY))
    equal(model, fit_model(frame, **asked), frame)


def test_progress_is_told(known: Known) -> None:
    told: list[tuple[str, float]] = []
    known.model.update(known.frame, progress=lambda what, share: told.append((what, share)))
    assert told
    assert all(0 <= share <= 1 for _, share in told)


def test_more_windows_than_are_learnt_from_are_thinned_alike(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_task, "MOST_VALUES", 500 * HORIZON)
    frame = city(8, 131, gaps=0.1)
    old = fitted(frame.until(130 * DAY))
    assert 400 < old.tuned.windows < 8 * 120 * 2
    equal(old.update(frame.since(10 * DAY)), fitted(frame), frame)


def test_several_updates_are_as_good_as_one_fit(city: City) -> None:
    """With a day, hours, a week and the clocks going forward between them."""
    frame = city(2, 31, steps_per_day=24, start=dt.datetime(2024, 3, 8, 23))
    model = fitted(frame.until(21 * 24))
    for rows in (22 * 24, 22 * 24 + 5, 28 * 24 + 7, 31 * 24):
        model = model.update(frame.until(rows))
    equal(model, fitted(frame), frame)


def test_long_gaps_and_a_sensor_that_begins_late_change_nothing(city: City) -> None:
    frame = city(4, 58)
    values = frame.values.copy()
    values[: 30 * DAY, 1] = np.nan
    values[10 * DAY : 35 * DAY, 2] = np.nan
    values[50 * DAY : 56 * DAY] = np.nan
    values[:, 3] = np.nan
    frame = replace(frame, values=values)
    model = fitted(frame.until(52 * DAY))
    for days in (54, 58):
        model = model.update(frame.until(days * DAY))
    found, expected = model.forecast(frame), fitted(frame).forecast(frame)
    np.testing.assert_allclose(found.mean[:, :3], expected.mean[:, :3], rtol=1e-3)
    assert np.isnan(found.mean[:, 3]).all()


def test_what_is_known_ahead_is_remembered(city: City) -> None:
    frame = city(2, 50, noise=0.05, turn=0.0)
    wind = np.random.default_rng(3).standard_normal((len(frame) + HORIZON, 1)).astype(np.float32)
    values = frame.values * np.exp(0.4 * wind[: len(frame)])
    frame = replace(frame, values=values, covariates={"wind": wind})
    old = fitted(frame.until(49 * DAY))
    assert old.covariates == ("wind",)
    equal(old.update(frame), fitted(frame), frame)
    with pytest.raises(InputError, match=r"known ahead.*covariates=\['wind'\]"):
        old.update(replace(frame, covariates={}))


def test_a_loaded_model_goes_on_learning(tmp_path: Path, known: Known) -> None:
    model, frame = known
    loaded = load(model.save(tmp_path / "model"))
    once = loaded.update(frame.until(40 * DAY + 2))
    again = load(once.save(tmp_path / "model")).update(frame)
    equal(again, fitted(frame), frame)


def test_a_memory_comes_back_bit_by_bit(known: Known) -> None:
    memory = known.model.recall()
    again = unpack_memory(pack_memory(memory), {})
    assert (again.since, again.until) == (memory.since, memory.until)
    assert set(again.forecasts) == set(memory.forecasts)
    assert pack_memory(again) == pack_memory(memory)


def test_a_model_without_memory_forecasts_and_says_why_it_cannot_learn(
    tmp_path: Path, known: Known
) -> None:
    old, frame = known
    bare = load(old.save(tmp_path / "bare", memory=False))
    equal(bare, old, frame)
    with pytest.raises(RunError, match=r"without a memory.*tune anew"):
        bare.update(frame)
    lost = load(old.save(tmp_path / "lost"))
    (tmp_path / "lost" / "memory.safetensors").unlink()
    equal(load(tmp_path / "lost"), old, frame)
    with pytest.raises(RunError, match="is not there"):
        lost.update(frame)
    other = load(old.save(tmp_path / "other"))
    (tmp_path / "other" / "memory.safetensors").write_bytes(b"something else")
    with pytest.raises(RunError, match="not the file that was written"):
        other.update(frame)


def test_without_new_rows_the_model_is_left_as_it_is(known: Known) -> None:
    model, frame = known.model, known.frame.until(40 * DAY)
    with pytest.warns(UserWarning, match="no rows after 2024-04-0"):
        assert model.update(frame) is model
    found = update(model, frame)
    assert not found.learned
    assert "left as it is" in found.why


def test_a_frame_that_does_not_reach_back_is_refused_with_the_day_it_must(city: City) -> None:
    frame = city(2, 150)
    old = fitted(frame.until(149 * DAY))
    with pytest.raises(InputError, match=r"must reach back to 2024-0\d-\d\d \d\d:00"):
        old.update(frame.since(120 * DAY))
    elsewhere = replace(frame, clock=Clock(frame.clock.start, frame.clock.step, None))
    with pytest.raises(RunError, match="another clock"):
        old.update(elsewhere)


def test_sensors_may_come_in_another_order(city: City) -> None:
    frame = city(3, 36)
    old = fitted(frame.until(35 * DAY))
    expected = old.update(frame)
    equal(old.update(frame.select(("s2", "s0", "s1"))), expected, frame)


@pytest.mark.parametrize("wrong", [0, -3, float("nan"), float("inf")])
def test_a_foolish_half_life_is_refused(wrong: float, city: City) -> None:
    frame = city(2, 20)
    with pytest.raises(InputError, match="half-life in days"):
        fit_model(frame, horizon=HORIZON, backbone="lags", forget=wrong)


def drifting(city: City, days: int = 130, turns: int = 100) -> SensorFrame:
    """A busy day is followed by another one, until it is followed by a quiet one instead."""
    draw = np.random.default_rng(0)
    calm = {"noise": 0.05, "gaps": 0.0, "turn": 0.0}
    frame = city(6, days, steps_per_day=24, country=None, timezone=None, **calm)
    wave = np.zeros((days + 1, 6))
    for day in range(1, days + 1):
        sign = 1 if day < turns else -1
        wave[day] = 0.9 * sign * wave[day - 1] + draw.standard_normal(6)
    day = (np.arange(len(frame)) + frame.clock.start.hour) // 24
    values = frame.values * np.exp(0.25 * wave[day])
    return replace(frame, values=values.astype(np.float32))


def test_forgetting_makes_a_city_that_drifts_better(city: City) -> None:
    frame = drifting(city)
    train, origins = frame.until(122 * 24), list(range(122 * 24, 129 * 24, 24))
    size = np.nanmean(frame.values, 0)
    actual = np.stack([frame.values[o : o + HORIZON] for o in origins]) / size

    def error(model: TunedModel) -> float:
        return float(np.abs(model.predict(frame, origins).mean / size - actual).mean())

    old = fitted(frame.until(120 * 24), strategy="head", stack=False)
    kept, faded = old.update(train), old.update(train, forget=10.0)
    assert faded.settings.forget == 10.0
    assert error(faded) < 0.9 * error(kept)
    asked = {"backbone": "lags", "strategy": "head", "options": {"stack": False}}
    full = fit_model(train, horizon=HORIZON, forget=10.0, **asked)
    equal(faded, full, train)
    assert faded.update(frame).settings.forget == 10.0


def test_weights_that_were_moved_stay_and_are_asked_of_the_new_days(
    city: City, tmp_path: Path
) -> None:
    frame = city(1, 36, steps_per_day=12, turn=1.0, noise=0.1)
    quick = {"epochs": 1, "windows": 48, "folds": 2, "rate": 1e-3, "interpolate": False}
    model = fit_model(
        frame.until(33 * 12),
        horizon=HORIZON,
        backbone="citytune-base",
        strategy="bias",
        options=quick,
    )
    again = load(model.save(tmp_path / "model")).update(frame)
    (part,) = [one for one in model.tuned.mixture.experts if isinstance(one, FineTuned)]
    (kept,) = [one for one in again.tuned.mixture.experts if isinstance(one, FineTuned)]
    assert all((kept.values[name] == value).all() for name, value in part.values.items())
    assert again.tuned.windows > model.tuned.windows
    assert again.trained_until > model.trained_until
    spread = np.nanstd(frame.values, 0)
    apart = np.abs(again.forecast(frame).mean - model.forecast(frame).mean)
    assert (apart < 0.5 * spread).all()
    assert apart.max() > 0
