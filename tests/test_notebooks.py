"""Promise: a notebook shows tables, whatever names a city gives its sensors; reprs stay short."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import Fitted, make_city

import citytune as ct
from citytune.advice import Recommendation
from citytune.frame import Faults

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def tuned() -> Fitted:
    frame = make_city(2, 30)
    frame = replace(frame, sensors=(EVIL, "s1"))
    model = ct.Forecaster(horizon=6, backbone="lags", strategy="zero-shot").fit(frame).model_
    return Fitted(model, frame)


def shown(thing: Any) -> str:
    """What a notebook is given, after the checks that hold for all."""
    page = str(thing._repr_html_())
    assert "<script>" not in page
    assert page.count("<table") <= 1
    assert page.count("<tr>") == page.count("</tr>")
    assert len(repr(thing)) < 400
    return page


def test_a_frame_shows_its_sensors(frame: ct.SensorFrame) -> None:
    page = shown(frame)
    assert "&lt;script&gt;" in page
    assert "traffic_volume (veh/h), 2 sensors, 720 steps of 1h" in page
    empty = replace(frame, values=np.full_like(frame.values, np.nan))
    assert "0 %" in shown(empty)


def test_of_many_sensors_ten_are_shown() -> None:
    page = shown(make_city(14, 5))
    assert page.count("<tr>") == 11
    assert "and 4 more sensors" in page


def test_a_forecast_shows_peak_and_chance(model: ct.TunedModel, frame: ct.SensorFrame) -> None:
    forecast = model.forecast(frame).with_alerts([">150"])
    page = shown(forecast)
    assert "&lt;script&gt;" in page
    assert "total (veh)" in page
    assert "150" in page.split("total (veh)")[1].split("</tr>")[0]
    assert forecast["s1"].sensors == ("s1",)
    assert forecast.quantile(0.9).shape == (6, 2)


def test_scores_show_every_model(model: ct.TunedModel, frame: ct.SensorFrame) -> None:
    scores = ct.backtest(model, frame, against=["naive-day"])
    page = shown(scores)
    assert "naive-day" in page
    assert "zero-shot" in page


def test_a_recommendation_shows_the_ranking(fit_once: Callable[..., Fitted]) -> None:
    from citytune.advice._candidate import Choice
    from citytune.advice._relevance import Relevance

    model = fit_once(2, 30, strategy="zero-shot").model
    relevance = Relevance(*[0.0] * len(Relevance._fields))
    choice = Choice(model, None, relevance, f"because of {EVIL}")
    page = shown(Recommendation((choice,), model, {}))
    assert "Recommendation: lags with zero-shot" in page


def test_faults_are_a_tuple_that_shows_as_a_table() -> None:
    fault = ct.Fault("gaps", "warning", f"{EVIL} is missing", "nothing", sensor="north", count=3)
    faults = Faults([fault])
    assert "&lt;script&gt;" in shown(faults)
    assert repr(faults) == "<Faults: 1 warning; print(*faults, sep='\\n') for words>"
    assert faults == (fault,)
    assert pickle.loads(pickle.dumps(faults)) == faults
    frame = replace(make_city(1, 5), faults=(fault,))
    assert isinstance(frame.faults, Faults)
    assert "1 warning" in shown(frame)
    assert "0 findings" in shown(Faults())


def test_what_check_finds_is_shown_the_same_way() -> None:
    assert isinstance(ct.check(ct.sample("traffic")), Faults)
