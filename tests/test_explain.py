"""Promise: what an explanation names is what moves the forecast."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import make_city

import citytune as ct
from citytune._text import number
from citytune.forecasting import TunedModel
from citytune.forecasting._explain import stretches
from citytune.frame import SensorFrame

DRAWS = 12


@pytest.fixture(scope="module")
def city() -> SensorFrame:
    return make_city(3, 40)


@pytest.fixture(scope="module")
def model(city: SensorFrame) -> TunedModel:
    """A mixture in which many experts count, each differently on every sensor."""
    found = ct.tune(city, horizon=24, backbone="lags", strategy="blend")
    mixture = found.tuned.mixture
    shape = (len(mixture.weights), 3, len(mixture.experts))
    shares = torch.rand(shape, generator=torch.Generator().manual_seed(0)) + 0.1
    weights = shares / shares.sum(-1, keepdim=True)
    mixed = replace(mixture, weights=weights, trust=torch.tensor([0.5, 0.8, 1.0]))
    return replace(found, tuned=replace(found.tuned, mixture=mixed))


def test_what_experts_moved_adds_up_to_the_forecast(city: SensorFrame, model: TunedModel) -> None:
    forecast = model.forecast(city)
    for i, sensor in enumerate(city.sensors):
        found = forecast.explain(sensor)
        total = found.home + sum(one.moved for one in found.experts)
        np.testing.assert_allclose(total, found.mixed, rtol=1e-5)
        np.testing.assert_allclose(found.mixed, forecast.point[:, i], rtol=1e-4)
        np.testing.assert_allclose(found.forecast, forecast.point[:, i], rtol=1e-4)


def test_the_part_of_the_past_that_it_names_matters_more_than_the_one_it_names_last(
    city: SensorFrame, model: TunedModel
) -> None:
    """The deletion test: the same noise in either part, which the explanation has not seen."""
    draw, sensor = np.random.default_rng(0), "s2"
    column, first, last = city.sensors.index(sensor), [], []
    for back in range(DRAWS):
        frame = city.until(len(city) - 11 * back)
        forecast = model.forecast(frame)
        parts = stretches(frame.clock, len(frame))
        named = [one.name for one in forecast.explain(sensor).past]
        for name, found in ((named[0], first), (named[-1], last)):
            values, rows = frame.values.copy(), parts[name]
            noise = np.exp(0.5 * draw.standard_normal(len(values[rows])))
            values[rows, column] *= noise.astype(np.float32)
            other = model.forecast(replace(frame, values=values))
            found.append(np.abs(other.point - forecast.point)[:, column].mean())
    assert np.mean(first) > 1.5 * np.mean(last)
    assert np.mean(np.array(first) > np.array(last)) > 0.6


def test_on_real_data_too_the_part_that_it_names_matters_most() -> None:
    """The deletion test on the bundled traffic counts; the explanation has not seen the noise."""
    draw, frame = np.random.default_rng(0), ct.read(ct.sample("traffic"), target="traffic_volume")
    frame = frame.since(len(frame) - 60 * 24)
    asked: dict[str, Any] = {"backbone": "citytune-base", "strategy": "zero-shot"}
    model = ct.tune(frame.until(len(frame) - 20 * 24), horizon=24, **asked)
    found: dict[bool, list[float]] = {True: [], False: []}
    for back in range(4):
        now = frame.until(len(frame) - 29 * back)
        forecast, parts = model.forecast(now), stretches(now.clock, len(now))
        named = [one.name for one in forecast.explain(now.sensors[0]).past]
        for name in (named[0], named[-1]):
            values = now.values.copy()
            noise = np.exp(0.5 * draw.standard_normal(values[parts[name]].shape))
            values[parts[name]] *= noise.astype(np.float32)
            other = model.forecast(replace(now, values=values))
            found[name == named[0]].append(float(np.abs(other.point - forecast.point).mean()))
    assert np.mean(found[True]) > 1.5 * np.mean(found[False])


def test_the_weather_that_matters_is_named_before_the_one_that_does_not() -> None:
    city = make_city(2, 60, noise=0.02, gaps=0.0, turn=0.0)
    draw = np.random.default_rng(3)
    rows = len(city) + 24
    # Weather that keeps for a day, so that it is not as usual at that hour.
    rain, cloud = (np.repeat(draw.standard_normal(rows // 24 + 1), 24)[:rows] for _ in range(2))
    table = {"rain": rain[:, None].astype(np.float32), "cloud": cloud[:, None].astype(np.float32)}
    values = city.values * np.exp(0.3 * table["rain"][: len(city)])
    frame = replace(city, values=values.astype(np.float32), covariates=table)
    model = ct.tune(frame, horizon=24, backbone="lags", strategy="blend")
    found = model.forecast(frame).explain("s1")
    sizes = {one.name: one.size for one in found.covariates}
    assert sizes["rain"] > 3 * sizes["cloud"]
    assert any(sentence.startswith("rain ahead") for sentence in found.words())


def test_it_is_said_in_words_and_drawn(city: SensorFrame, model: TunedModel) -> None:
    found = model.forecast(city).explain("s1")
    words = str(found)
    assert words.startswith("s1: ")
    assert "on average over the next day" in words
    assert "As pretrained it would be" in words or "It is made of" in words
    assert "What was measured in the last 6 hours" in words
    assert {trace.name for trace in found.plot().data} == {
        "a part of the model",
        "what was measured",
    }


def test_it_says_which_figure_is_the_median_and_which_the_mean(
    city: SensorFrame, model: TunedModel
) -> None:
    """Where rare values are high, the two are far apart, and the report shows both."""
    skewed = replace(city, values=(city.values**6 / np.nanmean(city.values**5)).astype(np.float32))
    forecast = model.forecast(skewed)
    found = forecast.explain("s1")
    point, mean = (number(float(one[:, 1].mean())) for one in (forecast.point, forecast.mean))
    assert point != mean
    assert f"the point forecast, which is explained here, is {point} " in found.words()[0]
    assert f"the mean, in which rare values count in full, is {mean} " in found.words()[0]
    same = replace(found, average=found.forecast)
    assert same.words()[0].startswith(f"s1: {point} ")


def test_a_sensor_without_history_repeats_the_last_day(
    city: SensorFrame, model: TunedModel
) -> None:
    values = city.values.copy()
    values[-28 * 24 :, 0] = np.nan
    found = model.forecast(replace(city, values=values)).explain("s0")
    assert not found.experts
    assert "repeats the last day measured" in str(found)


def test_what_cannot_be_explained_is_refused(
    city: SensorFrame, model: TunedModel, tmp_path: object
) -> None:
    forecast = model.forecast(city)
    with pytest.raises(ct.UnknownName, match="Did you mean"):
        forecast.explain("s9")
    with pytest.raises(ct.InputError, match="read from a table"):
        replace(forecast, explainer=None).explain("s0")
    more = replace(
        city, values=np.c_[city.values, city.values[:, :1]], sensors=(*city.sensors, "new")
    )
    with pytest.warns(UserWarning, match="new to the model"):
        forecast = model.forecast(more)
    with pytest.raises(ct.InputError, match="'new' is not one that the model learnt from"):
        forecast.explain("new")


def test_parts_of_the_past_are_apart_and_all_of_it(city: SensorFrame) -> None:
    rows = np.zeros(len(city), int)
    for part in stretches(city.clock, len(city)).values():
        rows[part] += 1
    assert (rows == 1).all()


def test_a_safe_forecast_is_not_explained_as_the_model_s() -> None:
    city = make_city(2, 30)
    found = ct.tune(city, horizon=6, backbone="lags", strategy="zero-shot").forecast(city)
    quality = found.quality.copy()
    quality[:, 0] = "fallback: last week (frozen since 2024-03-01)"
    served = replace(found, quality=quality)
    with pytest.raises(ct.InputError, match=r"'s0' is not the model's \(fallback: last week"):
        served.explain("s0")
