"""Promise: pictures show the numbers they were given, say unit and zone, and need no browser."""

from __future__ import annotations

import builtins
import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_city

import citytune as ct
from citytune.forecasting import fit_model
from citytune.pictures import Chart


@pytest.fixture(scope="module")
def frame() -> ct.SensorFrame:
    return make_city(2, 40)


@pytest.fixture(scope="module")
def scores(frame: ct.SensorFrame) -> ct.Scores:
    model = fit_model(frame.until(24 * 33), horizon=6, backbone="lags", strategy="zero-shot")
    return ct.backtest(model, frame, against=["naive-day", "naive-week"], stride="7h")


def test_the_calendar_has_each_day_s_value_in_its_place(frame: ct.SensorFrame) -> None:
    figure = frame.plot_calendar("s1")
    local = frame.clock.local(0, len(frame)).astype("datetime64[D]")
    day = dt.date(2024, 3, 14)  # a Thursday, in the third row of March
    expected = np.nanmean(frame.values[local == np.datetime64(day), 1])
    march = figure.data[1]
    assert march.text[2][3] == "14"
    assert march.z[2][3] == pytest.approx(expected, rel=1e-5)
    assert "(local time, Europe/Oslo)" in figure.layout.title.text
    assert "daily mean, veh/h" in figure.layout.coloraxis.colorbar.title.text
    busiest = frame.plot_calendar(how="max")
    assert busiest.data[1].z[2][3] > march.z[2][3]
    assert busiest.layout.title.text.startswith("Mean of 2 sensors: daily max")


def test_the_variation_is_the_mean_of_each_hour(frame: ct.SensorFrame) -> None:
    figure = frame.plot_variation("s1")
    lines = [one for one in figure.data if one.name == "mean"]
    slot = frame.calendar().slot
    expected = [np.nanmean(frame.values[slot == hour, 1]) for hour in range(24)]
    np.testing.assert_allclose(lines[1].y, expected, rtol=1e-5)
    assert len(lines[0].y) == 168
    assert figure.layout.xaxis2.title.text == "hour (local time, Europe/Oslo)"
    assert figure.layout.yaxis.title.text == "veh/h"


def test_an_explanation_is_saved_like_every_picture(frame: ct.SensorFrame, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    model = fit_model(frame, horizon=6, backbone="lags", strategy="blend")
    figure = model.forecast(frame).explain("s1").plot()
    figure.save(tmp_path / "why.svg")
    drawn = (tmp_path / "why.svg").read_text("utf-8")
    assert drawn.count('<g id="patch') > len([x for trace in figure.data for x in trace.x])
    figure.save(tmp_path / "why.png")
    assert (tmp_path / "why.png").read_bytes()[:4] == b"\x89PNG"


def test_the_errors_by_lead_and_hour_are_means(scores: ct.Scores) -> None:
    figure = scores.plot_hours()
    detail = scores.detail
    error = np.abs(detail.points["tuned"] - detail.fair)
    lead = next(one for one in figure.data if one.name == "tuned" and one.showlegend)
    np.testing.assert_allclose(lead.y, np.nanmean(error, (0, 2)), rtol=1e-5)
    steps = detail.origin_index[:, None] + np.arange(6)
    slot = detail.frame.calendar(0, int(steps.max()) + 1).slot[steps]
    day = next(one for one in figure.data if one.name == "tuned" and not one.showlegend)
    assert day.y[5] == pytest.approx(np.nanmean(error[slot == 5]), rel=1e-5)


def test_the_picture_of_scores_is_the_leaderboard(scores: ct.Scores) -> None:
    board = scores.leaderboard()
    dots = scores.plot().data[0]
    assert list(dots.x) == [one.ratio for one in reversed(board.standings)]
    own = board.standings[-1]
    assert dots.error_x.array[0] == pytest.approx(own.ratio_high - own.ratio)
    assert list(board.plot().data[0].x) == list(dots.x)


def test_a_forecast_is_drawn_for_one_sensor_with_a_threshold(frame: ct.SensorFrame) -> None:
    model = fit_model(frame, horizon=6, backbone="lags", strategy="zero-shot")
    forecast = model.forecast(frame)
    figure = forecast.plot(frame, sensor="s1", threshold=150)
    assert [note.text for note in figure.layout.annotations] == ["s1"]
    assert any(shape.y0 == shape.y1 == 150 for shape in figure.layout.shapes)
    with pytest.raises(ct.UnknownName, match="Did you mean 's1'"):
        forecast.plot(sensor="s11")
    with pytest.raises(ct.InputError, match="a threshold is a number"):
        forecast.plot(threshold=float("nan"))


def test_names_are_escaped_in_a_picture(frame: ct.SensorFrame) -> None:
    evil = make_city(1, 20)
    object.__setattr__(evil, "sensors", ("<b>x</b>",))
    for figure in (evil.plot_calendar(), evil.plot_variation()):
        assert figure.layout.title.text.startswith("&lt;b&gt;x")


def test_what_cannot_be_drawn_is_said(frame: ct.SensorFrame) -> None:
    daily = make_city(1, 60, steps_per_day=1)
    with pytest.raises(ct.InputError, match="plot_calendar draws days"):
        daily.plot_variation()
    assert daily.plot_calendar().data
    with pytest.raises(ct.UnknownName, match="Did you mean 'mean'"):
        frame.plot_calendar(how="meen")
    with pytest.raises(ct.UnknownName, match="Did you mean 's1'"):
        frame.plot_variation("s11")
    silent = make_city(2, 20)
    silent.values[:, 1] = np.nan
    with pytest.raises(ct.InputError, match="nothing was measured by s1"):
        silent.plot_calendar("s1")


def test_a_picture_is_saved_by_its_ending(
    scores: ct.Scores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = scores.plot()
    figure.save(tmp_path / "a.html")
    assert "plotly" in (tmp_path / "a.html").read_text(encoding="utf-8")
    with pytest.raises(ct.InputError, match=r"saved as .png, .svg, .pdf or .html, got '.*a.bmp'"):
        figure.save(tmp_path / "a.bmp")
    for name in ("nowhere/a.png", "nowhere/a.html"):
        with pytest.raises(ct.InputError, match="there is no folder"):
            figure.save(tmp_path / name)
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ct.InputError, match=r"pip install 'citytune\[plot\]'"):
        figure.save(tmp_path / "a.png")


@pytest.mark.extras  # matplotlib
def test_every_picture_is_saved_without_a_browser(
    frame: ct.SensorFrame, scores: ct.Scores, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install matplotlib")
    model = fit_model(make_city(2, 20), horizon=6, backbone="lags", strategy="zero-shot")
    forecast = model.forecast(make_city(2, 20))
    figures = {
        "calendar": make_city(1, 40).plot_calendar(),
        "variation": make_city(1, 40).plot_variation(),
        "scores": scores.plot(),
        "hours": scores.plot_hours(),
        "forecast": forecast.plot(make_city(2, 20), threshold=100),
    }
    for name, figure in figures.items():
        figure.save(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        figure.save(tmp_path / f"{name}.svg")
        assert "<svg" in (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
        figure.save(tmp_path / f"{name}.pdf")
    other = Chart()
    other.add_bar(x=[1], y=[2])
    with pytest.raises(ct.InputError, match="of the kind 'bar' can be drawn in a browser only"):
        other.save(tmp_path / "bar.png")
