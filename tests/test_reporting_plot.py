"""A chart of a forecast shows the numbers it was given, at the times a person reads off a wall."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from citytune import _errors as errors
from citytune.forecasting import LEVELS, Forecast, plot_forecast
from citytune.frame import Clock, Quantity, SensorFrame

HOUR = dt.timedelta(hours=1)
PAST, AHEAD = 240, 48
CLOCK = Clock(dt.datetime(2024, 6, 3), HOUR)


def made(horizon: int = AHEAD, clock: Clock | None = None, count: int = 2) -> Forecast:
    mean = 100 + np.arange(horizon)[:, None] + 1000.0 * np.arange(count)
    quantiles = mean[..., None] + 10 * (np.array(LEVELS) - 0.5)
    sensors = tuple(["Ring road", "Harbour <b>", *(f"s{i}" for i in range(2, count))][:count])
    clock = CLOCK.shifted(PAST) if clock is None else clock
    quantity = Quantity("traffic_volume", "veh/h", low=0)
    return Forecast(mean.astype(np.float32), quantiles.astype(np.float32), clock, sensors, quantity)


def measured(rows: int = PAST, clock: Clock = CLOCK) -> SensorFrame:
    values = np.arange(rows, dtype=np.float32)[:, None] + np.array([0, 5000], np.float32)
    return SensorFrame(values, clock, ("Ring road", "Harbour <b>"))


def trace(figure: Any, name: str) -> Any:
    return next(one for one in figure.data if one.name == name)


def edges(figure: Any, name: str) -> tuple[list[float], list[float]]:
    """Lower and upper edge of a band drawn as one closed outline."""
    outline = [y for y in trace(figure, name).y if y is not None]
    half = len(outline) // 2
    return outline[:half], outline[half:][::-1]


def test_the_lines_are_the_forecast_and_what_was_measured() -> None:
    figure = plot_forecast(made(), measured(), ["Ring road"])
    line, past = trace(figure, "forecast"), trace(figure, "measured")
    assert list(line.y) == (100 + np.arange(AHEAD)).tolist()
    assert line.x[0] == "2024-06-13T00:00:00"
    assert past.x[-1] == "2024-06-12T23:00:00"
    assert list(past.y) == np.arange(PAST - 72, PAST).tolist()  # three days are enough to compare


def test_the_bands_are_the_quantiles_that_hold_half_and_nine_tenths() -> None:
    figure = made().plot(sensors=["Ring road"])
    high, low = edges(figure, "90 % interval")
    assert low == pytest.approx(made().quantiles[:, 0, 0].tolist())
    assert high == pytest.approx(made().quantiles[:, 0, -1].tolist())
    # No level is 0.25 or 0.75; these quantiles are linear in the level, so halfway is exact.
    high, low = edges(figure, "50 % interval")
    assert low == pytest.approx((made().mean[:, 0] - 2.5).tolist())
    assert high == pytest.approx((made().mean[:, 0] + 2.5).tolist())


def test_the_method_draws_what_the_function_draws() -> None:
    ours, theirs = made().plot(measured()), plot_forecast(made(), measured())
    assert ours.to_json() == theirs.to_json()


def test_a_line_starts_anew_where_autumn_repeats_an_hour() -> None:
    minutes = dt.timedelta(minutes=15)
    clock = Clock(dt.datetime(2024, 10, 27, 0), minutes, "Europe/Oslo")  # 02:00 summer time
    line = trace(made(16, clock).plot(), "forecast")
    broken = [i for i, y in enumerate(line.y) if y is None]
    assert broken == [4]
    assert line.x[3] == "2024-10-27T02:45:00"
    assert line.x[5] == "2024-10-27T02:00:00"
    assert [y for y in line.y if y is not None] == (100 + np.arange(16)).tolist()
    first, second = line.x[:4], line.x[5:]
    assert list(first) == sorted(first)
    assert list(second) == sorted(second)


def test_spring_skips_an_hour_and_no_value() -> None:
    clock = Clock(dt.datetime(2024, 3, 31, 0), HOUR, "Europe/Oslo")  # 01:00 winter time
    line = trace(made(3, clock).plot(), "forecast")
    assert [time[11:16] for time in line.x] == ["01:00", "03:00", "04:00"]
    assert list(line.y) == [100, 101, 102]


def test_many_steps_are_drawn_as_means_of_blocks() -> None:
    minutes = dt.timedelta(minutes=5)
    clock = Clock(dt.datetime(2024, 6, 3), minutes)
    past = 20 * 288
    figure = plot_forecast(made(4032, clock.shifted(past)), measured(past, clock), ["Ring road"])
    size = figure.layout.meta["steps"]
    line, before = trace(figure, "forecast"), trace(figure, "measured")
    assert size == 11
    assert len(line.y) == math.ceil(4032 / size)
    assert line.y[0] == pytest.approx(np.mean(100 + np.arange(size)))
    assert line.y[-1] == pytest.approx(np.mean(100 + np.arange(4032 // size * size, 4032)))
    assert before.y[-1] == pytest.approx(np.mean(np.arange(past - size, past)))
    assert len(line.y) + len(before.y) <= 802


def test_what_is_missing_is_a_gap() -> None:
    frame = measured()
    frame.values[-3, 0] = np.nan
    assert trace(plot_forecast(made(), frame, ["Ring road"]), "measured").y[-3] is None


def test_tiny_values_keep_their_digits() -> None:
    one = made()
    small = Forecast(one.mean * 1e-9, one.quantiles * 1e-9, one.clock, one.sensors, one.quantity)
    line = trace(small.plot(), "forecast")
    assert line.y[0] == pytest.approx(1e-7)
    assert line.customdata[0][0] == pytest.approx(95.5e-9)


def test_every_panel_has_its_name_and_the_legend_each_kind_of_line_once() -> None:
    figure = plot_forecast(made(count=3), measured(), ["s2", "Harbour <b>", "Ring road"])
    assert [title.text for title in figure.layout.annotations] == [
        "s2",
        "Harbour &lt;b&gt;",
        "Ring road",
    ]
    told = [one.name for one in figure.data if one.showlegend]
    assert sorted(told) == ["50 % interval", "90 % interval", "forecast", "measured"]


def test_six_panels_are_drawn_when_nobody_says_which() -> None:
    assert sum(one.name == "forecast" for one in made(count=40).plot().data) == 6


def test_an_unknown_sensor_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(errors.UnknownName, match="Did you mean 'Ring road'"):
        made().plot(sensors=["Ringroad"])


def test_measurements_on_another_clock_are_refused() -> None:
    daily = measured(30, Clock(CLOCK.start, 24 * HOUR))
    with pytest.raises(errors.InputError, match=r"a row every 1D.*a row every 1h"):
        made().plot(daily)
    with pytest.raises(errors.InputError, match="Europe/Oslo"):
        made().plot(measured(clock=Clock(CLOCK.start, HOUR, "Europe/Oslo")))


def test_measurements_far_from_the_forecast_leave_its_chart_alone() -> None:
    late = measured(clock=CLOCK.shifted(10 * PAST))
    figure = plot_forecast(made(), late, ["Ring road"])
    assert len(trace(figure, "measured").y) == 0
    assert figure.layout.shapes == ()


def test_one_sensor_has_its_name_above_and_the_zone_below() -> None:
    figure = made(clock=Clock(CLOCK.start, HOUR, "Europe/Oslo")).plot(sensors=["Ring road"])
    assert [title.text for title in figure.layout.annotations] == ["Ring road"]
    assert figure.layout.xaxis.title.text == "local time, Europe/Oslo"


def test_no_way_of_showing_a_chart_offers_to_upload_it(tmp_path: Path) -> None:
    figure = made().plot()
    figure.write_html(tmp_path / "chart.html")
    bundle = figure._repr_mimebundle_()
    assert list(bundle) == ["text/html"]
    for page in (
        figure.to_html(),
        (tmp_path / "chart.html").read_text("utf-8"),
        bundle["text/html"],
    ):
        config = json.loads(re.findall(r'\{"showSendToCloud": [^}]*\}', page)[-1])
        assert config["showSendToCloud"] is False
        assert config["displaylogo"] is False
        assert not re.search(r"<script[^>]*\bsrc=", page)
    assert list(figure.layout.modebar.remove) == ["sendChartToCloud"]
