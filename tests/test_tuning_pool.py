"""The promise: a sensor that is noise, dead, doubled or broken does not spoil the others."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import citytune as ct
from citytune._sample import sample
from citytune.forecasting import TunedModel, fit_model, task_of
from citytune.frame import SensorFrame
from citytune.tuning.stacking._pool import Pool, PoolWindows

HORIZON, DAY = 24, 24
MOST = 0.005
"""Mean absolute change of a sensor's forecast, in its mean level."""
CASES = [
    ("lags", "blend", True),
    ("lags", "head", False),
    ("citytune-base", "blend", True),
    ("citytune-base", "blend", False),
]
City = Callable[..., SensorFrame]


def noise(values: NDArray[np.float32], draw: np.random.Generator) -> NDArray[np.floating]:
    return np.nanmean(values) * (1 + 0.5 * draw.standard_normal(len(values)))


def dead(values: NDArray[np.float32], draw: np.random.Generator) -> NDArray[np.floating]:
    return np.full(len(values), 3.0)


def doubled(values: NDArray[np.float32], draw: np.random.Generator) -> NDArray[np.floating]:
    return 2.0 * values[:, 0]


def broken(values: NDArray[np.float32], draw: np.random.Generator) -> NDArray[np.floating]:
    """As the last sensor, with noise around 0 for five days."""
    found = values[:, -1].astype(np.float64)
    first = int(0.6 * len(found))
    size = 0.05 * np.nanmean(found)
    found[first : first + 5 * DAY] = size * draw.standard_normal(5 * DAY)
    return found


ADDED = (noise, dead, doubled, broken)


def marked(cases: Iterable[tuple[Any, ...]]) -> list[Any]:
    """The cases, those of a network marked as heavy."""
    heavy = pytest.mark.extras
    return [pytest.param(*case, marks=() if case[0] == "lags" else heavy) for case in cases]


TRIED = marked(
    (*case, kind) for case in CASES for kind in (ADDED if case[0] == "lags" else ADDED[:1])
)


def with_weather(frame: SensorFrame) -> SensorFrame:
    """The frame under a weather that moves it, and is known ahead."""
    steps = np.random.default_rng(3).standard_normal(len(frame) + HORIZON + 11)
    warmth = np.convolve(steps, np.ones(12), "valid").astype(np.float32) / 12**0.5
    values = frame.values * np.exp(0.3 * warmth[: len(frame), None])
    table = np.repeat(warmth[:, None], len(frame.sensors), 1)
    return replace(frame, values=values.astype(np.float32), covariates={"temperature": table})


def and_one_more(frame: SensorFrame, kind: Callable[..., NDArray[np.floating]]) -> SensorFrame:
    new = kind(frame.values, np.random.default_rng(7)).astype(np.float32)
    return replace(
        frame,
        values=np.concatenate([frame.values, new[:, None]], 1),
        sensors=(*frame.sensors, "added"),
        covariates={n: np.concatenate([t, t[:, :1]], 1) for n, t in frame.covariates.items()},
    )


@functools.cache
def fitted(
    city: City, backbone: str, strategy: str, weather: bool
) -> tuple[SensorFrame, TunedModel]:
    """A city in which experts gain, and the model of it; each is fitted once."""
    frame = city(3, 35, turn=1.0, noise=0.1)
    frame = with_weather(frame) if weather else frame
    return frame, fit_model(frame, horizon=HORIZON, backbone=backbone, strategy=strategy)


def change(frame: SensorFrame, before: TunedModel, after: TunedModel, more: SensorFrame) -> float:
    """The largest mean absolute change of a sensor's forecast, in its mean level."""
    rows = [len(frame) - HORIZON - 5 * i for i in range(8)] + [len(frame)]
    old, new = before.predict(frame, rows).mean, after.predict(more, rows).mean
    moved = np.abs(np.asarray(old) - np.asarray(new)[..., : len(frame.sensors)]).mean((0, 1))
    return float((moved / np.nanmean(frame.values, 0)).max())


@pytest.mark.parametrize(("backbone", "strategy", "weather", "kind"), TRIED)
def test_a_bad_sensor_moves_no_other(
    backbone: str,
    strategy: str,
    *,
    weather: bool,
    kind: Callable[..., NDArray[np.floating]],
    city: City,
) -> None:
    frame, before = fitted(city, backbone, strategy, weather)
    more = and_one_more(frame, kind)
    after = fit_model(more, horizon=HORIZON, backbone=backbone, strategy=strategy)
    assert change(frame, before, after, more) < MOST


@pytest.mark.parametrize(("backbone", "strategy", "weather"), marked(CASES))
def test_the_city_is_one_in_which_there_is_something_to_spoil(
    backbone: str, strategy: str, *, weather: bool, city: City
) -> None:
    _, model = fitted(city, backbone, strategy, weather)
    assert (model.tuned.mixture.trust > 0).all()
    assert not weather or model.weights["0-6"]["known-ahead"] > 0.1
    assert strategy != "head" or model.weights["6-24"]["head"] > 0.1


def test_a_sensor_of_noise_moves_no_other_of_the_bundled_sample() -> None:
    frame = ct.read(sample("energy"))
    frame = frame.since(len(frame) - 42 * DAY)
    more = and_one_more(frame, noise)
    before, after = (fit_model(one, horizon=HORIZON, backbone="lags") for one in (frame, more))
    assert change(frame, before, after, more) < MOST


def test_the_last_digits_do_not_decide(city: City) -> None:
    """As they come out otherwise on another processor, or with another number of threads."""
    frame, before = fitted(city, "lags", "blend", True)
    draw = np.random.default_rng(0)
    digits = 1 + 1e-6 * draw.standard_normal(frame.values.shape)
    near = replace(frame, values=(frame.values * digits).astype(np.float32))
    after = fit_model(near, horizon=HORIZON, backbone="lags")
    assert change(frame, before, after, near) < 5e-4  # measured: up to 0.0001


def pool(errors: Tensor, actual: Tensor | None = None, *, sensors: int) -> Pool:
    """Of windows a day and sensor, with experts off by errors (sensor · day, horizon, expert)."""
    days = len(errors) // sensors
    if actual is None:
        actual = 10 * torch.randn(errors.shape[:2], generator=torch.Generator().manual_seed(1))
    sensor = torch.arange(sensors).repeat_interleave(days)
    origin = torch.arange(days).repeat(sensors) * errors.shape[1]
    return Pool.of(actual[..., None] + errors, actual, PoolWindows(sensor, origin, sensors))


def drawn(sensors: int, days: int = 30, experts: int = 5) -> Tensor:
    """Errors (sensor · day, horizon, expert) of sensors whose experts rank alike."""
    draw = torch.Generator().manual_seed(0)
    found = torch.randn(sensors * days, 12, experts, generator=draw)
    return found * torch.linspace(1, 2, experts)


def test_sensors_that_are_alike_count_alike() -> None:
    found = pool(drawn(4), sensors=4)
    assert found.voice.min() > 0.9
    torch.testing.assert_close(found.weight.mean(), found.voice.mean(), atol=0.05, rtol=0)


def test_a_sensor_that_nothing_forecasts_counts_next_to_nothing() -> None:
    errors = drawn(4)
    errors[-30:] *= 12
    voice = pool(errors, sensors=4).voice
    assert voice[3] < 0.01
    assert voice[:3].min() > 0.9


def test_where_nothing_can_be_forecast_all_count_alike() -> None:
    voice = pool(20 * drawn(3), sensors=3).voice
    assert voice.max() < 1.5 * voice.min()


def test_a_sensor_whose_experts_rank_otherwise_counts_less() -> None:
    errors = drawn(4)
    errors[-30:] = errors[-30:].flip(-1)
    voice = pool(errors, sensors=4).voice
    assert voice[3] < 0.3 * voice[:3].min()


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_of_copies_the_first_counts(factor: float) -> None:
    actual = 10 * torch.randn(120, 12, generator=torch.Generator().manual_seed(1))
    actual[90:] = factor * actual[:30]
    actual[100:110] = 0.1  # even where one of them was broken for days
    voice = pool(drawn(4), actual, sensors=4).voice
    assert voice[0] > 0.9
    assert voice[3] < 1e-3


def test_a_sensor_that_never_changes_counts_for_nothing() -> None:
    actual = 10 * torch.randn(120, 12, generator=torch.Generator().manual_seed(1))
    actual[90:] = 3.0
    errors = drawn(4)
    errors[90:] = 0.0
    assert pool(errors, actual, sensors=4).voice[3] < 1e-3


def test_days_on_which_a_sensor_is_broken_count_less() -> None:
    errors = drawn(4)
    errors[100:104] *= 10
    weight = pool(errors, sensors=4).weight
    assert weight[100:104].max() < 0.05
    assert weight[90:100].min() > 0.5


def test_missing_values_do_not_matter(city: City) -> None:
    frame = city(3, 35)
    frame.values[:, 2] = np.nan
    found = task_of(frame, horizon=HORIZON, backbone="lags").pool
    assert found.voice.isfinite().all()
    assert found.weight.isfinite().all()
    assert found.voice[:2].min() > 0.9
