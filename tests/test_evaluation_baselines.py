"""Baselines get their best chance and never look ahead: whatever the clock, gaps or horizon."""

import datetime as dt
import functools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from citytune._errors import InputError, UnknownName
from citytune.evaluation import _baselines, _boosting, _ridge, baselines
from citytune.evaluation._baselines import choose
from citytune.evaluation._features import Inputs
from citytune.frame import Clock, Quantity, SensorFrame
from citytune.windows import History, Seasonal, all_sensors

MINUTE = dt.timedelta(minutes=1)
NAIVE = ("naive-day", "naive-week", "naive-weeks4")
SPRING, AUTUMN = dt.datetime(2024, 3, 4), dt.datetime(2024, 9, 30)  # the clocks change on day 27


def town(days, *, minutes=60, sensors=3, gaps=0.1, start=SPRING, timezone="Europe/Oslo", seed=0):
    """A town with a day, a week and noise; the last sensor begins after a third of the time."""
    rng = np.random.default_rng(seed)
    clock = Clock(start, minutes * MINUTE, timezone)
    local = clock.local(0, round(days * 1440 / minutes))
    hour = (local - local.astype("datetime64[D]")) / np.timedelta64(1, "h")
    weekend = (local.astype("datetime64[D]").astype(int) + 3) % 7 > 4
    shape = 100 + 60 * np.sin(hour[:, None] / 24 * 2 * np.pi + np.arange(sensors))
    values = shape * np.where(weekend, 0.6, 1.0)[:, None] + rng.normal(0, 4, (len(local), sensors))
    values = values.astype(np.float32)
    values[rng.random(values.shape) < gaps] = np.nan
    if sensors > 1:
        values[: len(local) // 3, -1] = np.nan
    return SensorFrame(values, clock, tuple(f"s{i}" for i in range(sensors)), country="NO")


CASES = {
    "hourly, spring": (town(40), [600, 648, 700], 24),
    "hourly, autumn": (town(40, start=AUTUMN), [600, 648, 700], 30),
    "one step": (town(30), [500, 501, 640], 1),
    "two weeks": (town(60), [900, 1000], 336),
    "quarters, autumn": (town(32, minutes=15, start=AUTUMN), [2560, 2600, 2688], 96),
    "five minutes": (town(29, minutes=5, sensors=2), [7500, 7776, 7800], 300),
    "daily": (town(150, minutes=1440), [100, 101, 120], 14),
    "hourly, no zone": (town(50, timezone=None), [850, 1000], 48),
    "daily, no zone": (town(80, minutes=1440, timezone=None), [60, 70], 7),
    "weekly": (town(7 * 60, minutes=7 * 1440), [40, 50], 4),
    "every seven hours": (town(60, minutes=420), [120, 150], 5),
    "many gaps": (town(40, gaps=0.7), [600, 700], 48),
    "no gaps, one sensor": (town(35, sensors=1, gaps=0), [500, 600], 24),
    "three days": (town(3), [48], 12),
    "two rows": (town(0.1, timezone=None), [2], 3),
}


@pytest.fixture(scope="module", autouse=True)
def little_learnt():
    """What holds whatever was learnt is seen with a few trees, and few weights and windows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_boosting, "MOST_WINDOWS", 400)
        patch.setattr(_boosting, "BOOSTING_ROUNDS", 8)
        patch.setattr(_ridge, "MOST_RIDGE_WINDOWS", 400)
        patch.setattr(_ridge, "GROUPS", 8)
        yield


@pytest.fixture
def much_learnt(monkeypatch):
    monkeypatch.setattr(_boosting, "MOST_WINDOWS", 1500)
    monkeypatch.setattr(_boosting, "BOOSTING_ROUNDS", 25)
    monkeypatch.setattr(_ridge, "MOST_RIDGE_WINDOWS", 1500)


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@functools.cache
def _answer(name, key):
    frame, origins, horizon = CASES[key]
    return baselines[name](frame, origins, horizon, origins[0])


@pytest.fixture
def answer(name, request):
    """What a baseline forecasts from all cutoffs of the case, which several tests look at."""
    return _answer(name, request.node.callspec.params["case"])


# --- promises of every baseline ---------------------------------------------------------------


@pytest.mark.parametrize("name", baselines)
def test_whatever_happens_next_changes_no_forecast(name, case, answer):
    frame, origins, horizon = case
    for i, origin in enumerate(origins):
        values = frame.values.copy()
        values[origin:] = np.nan if i == 1 else 9999.0
        other = SensorFrame(values, frame.clock, frame.sensors, country=frame.country)
        found = baselines[name](other, origins, horizon, origins[0])
        np.testing.assert_array_equal(found[i], answer[i])


@pytest.mark.parametrize("name", baselines)
def test_a_forecast_is_the_same_asked_alone_or_among_others(name, case, answer):
    frame, origins, horizon = case
    for i in {0, len(origins) - 1}:
        alone = baselines[name](frame, [origins[i]], horizon, origins[0])
        np.testing.assert_allclose(alone[0], answer[i], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", baselines)
def test_the_end_of_the_file_may_be_the_origin(name, case):
    frame, origins, horizon = case
    end = len(frame)
    at_the_end = baselines[name](frame, [end], horizon, origins[0])
    longer = np.concatenate([frame.values, np.ones((horizon, len(frame.sensors)), np.float32)])
    same = SensorFrame(longer, frame.clock, frame.sensors, country=frame.country)
    np.testing.assert_allclose(at_the_end, baselines[name](same, [end], horizon, origins[0]))


@pytest.mark.parametrize("name", baselines)
def test_every_sensor_with_a_past_gets_a_forecast(name, case, answer):
    frame, origins, horizon = case
    found = answer
    assert found.shape == (len(origins), horizon, len(frame.sensors))
    assert found.dtype == np.float32
    for i, origin in enumerate(origins):
        past = np.isfinite(frame.values[:origin]).any(0)
        assert np.isfinite(found[i][:, past]).all()
        assert np.isnan(found[i][:, ~past]).all()


@pytest.mark.parametrize("name", baselines)
def test_a_dead_a_constant_and_a_new_sensor_harm_nobody(name):
    frame = town(40, sensors=5, gaps=0.05)
    values = frame.values.copy()
    values[:, 1] = np.nan
    values[:, 2] = 7
    values[:650, 3] = np.nan  # begins after the training rows
    frame = SensorFrame(values, frame.clock, frame.sensors, country="NO")
    found = baselines[name](frame, [700], 24, 600)[0]
    assert np.isnan(found[:, 1]).all()
    np.testing.assert_allclose(found[:, 2], 7, atol=0.2)
    assert np.nanmax(np.abs(found - values[700:724])) < 80


@pytest.mark.parametrize("name", baselines)
def test_covariates_may_be_shared_or_own_and_end_early(name):
    frame = town(40, sensors=2)
    rng = np.random.default_rng(3)
    wind = rng.normal(size=(len(frame) + 5, 1)).astype(np.float32)
    rain = rng.normal(size=(len(frame), 2)).astype(np.float32)
    rain[30:90] = np.nan
    told = SensorFrame(
        frame.values, frame.clock, frame.sensors, covariates={"wind": wind, "rain": rain}
    )
    found = baselines[name](told, [700, len(frame)], 24, 650)
    assert np.isfinite(found).all()


@pytest.mark.usefixtures("much_learnt")
@pytest.mark.parametrize("name", ["lag-ridge", "boosting"])
def test_what_is_known_ahead_helps_the_learned_ones(name):
    frame = town(60, sensors=2, gaps=0)
    wind = np.random.default_rng(3).normal(size=(len(frame), 1)).astype(np.float32)
    driven = SensorFrame(frame.values + 40 * wind, frame.clock, frame.sensors)
    told = SensorFrame(driven.values, frame.clock, frame.sensors, covariates={"wind": wind})
    actual = driven.values[1200:1224]
    blind, seeing = (np.abs(baselines[name](f, [1200], 24, 1200)[0] - actual).mean()
                     for f in (driven, told))  # fmt: skip
    assert seeing < 0.7 * blind


@pytest.mark.parametrize("name", baselines)
def test_a_forecast_keeps_to_the_legal_range(name):
    frame = town(40)
    legal = Quantity("share", "%", low=95.0, high=105.0)
    values = np.clip(frame.values, 95, 105)
    frame = SensorFrame(values, frame.clock, frame.sensors, legal)
    found = baselines[name](frame, [700, 800], 48, 700)
    assert found.min() >= 95
    assert found.max() <= 105


@pytest.mark.parametrize("name", ["naive-day", "naive-week", "naive-weeks4", "historical-average"])
@settings(max_examples=10, deadline=None)
@given(exponent=st.integers(-6, 6))
def test_twice_the_traffic_gives_twice_the_forecast(name, exponent):
    frame, factor = town(40), np.float32(2.0**exponent)
    scaled = SensorFrame(factor * frame.values, frame.clock, frame.sensors, country="NO")
    one, other = (baselines[name](f, [700], 24, 700) for f in (frame, scaled))
    np.testing.assert_allclose(factor * one, other, rtol=1e-6)


@pytest.mark.usefixtures("much_learnt")
@pytest.mark.parametrize("name", ["lag-ridge", "boosting"])
def test_the_learned_ones_beat_every_naive_one_where_there_is_something_to_learn(name):
    frame = town(70, sensors=4, gaps=0)
    rng = np.random.default_rng(1)
    level = np.zeros(len(frame))
    for i in range(1, len(level)):  # an hour's surplus carries over to the next
        level[i] = 0.97 * level[i - 1] + rng.normal(0, 6)
    values = frame.values + level[:, None].astype(np.float32)
    frame = SensorFrame(values, frame.clock, frame.sensors)
    origins, truth = list(range(1400, 1650, 13)), []
    truth = np.stack([values[o : o + 6] for o in origins])
    error = {n: np.nanmean(np.abs(baselines[n](frame, origins, 6, 1400) - truth))
             for n in (name, *NAIVE)}  # fmt: skip
    assert error[name] < 0.9 * min(error[n] for n in NAIVE)


# --- each against the stack, or plain code ----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expert"),
    [("naive-day", "yesterday"), ("naive-week", "last-week"), ("naive-weeks4", "weeks")],
)
def test_the_same_words_are_the_same_numbers_in_the_report_and_in_the_stack(name, expert, case):
    """ "The mean of the last four weeks" is one rule: test_windows_seasonal says which."""
    frame, origins, horizon = case
    found = baselines[name](frame, origins, horizon, origins[0])
    history = History.of(frame, ahead=horizon)
    examples = all_sensors(history, torch.tensor(origins))
    stack = Seasonal(history).ahead(examples, horizon)[expert].numpy()
    stack = stack.reshape(len(origins), -1, horizon).swapaxes(1, 2)
    np.testing.assert_array_equal(np.where(np.isnan(found), 0, found), stack)


@pytest.mark.parametrize("start", [SPRING, AUTUMN])
def test_the_rush_hour_stays_at_its_wall_time_when_the_clocks_change(start):
    frame = town(40, gaps=0, sensors=1, start=start)
    wall = frame.clock.local(0, len(frame))
    rush = ((wall - wall.astype("datetime64[D]")) == np.timedelta64(8, "h")).astype(np.float32)
    frame = SensorFrame(rush[:, None], frame.clock, ("rush",))
    origins = list(range(24 * 29, 24 * 39))
    for name in (*NAIVE, "historical-average"):
        found = baselines[name](frame, origins, 24, 24 * 29)
        for i, origin in enumerate(origins):
            np.testing.assert_allclose(found[i, :, 0], rush[origin : origin + 24], atol=1e-6)


def test_the_historical_average_is_the_mean_of_like_hours():
    frame = town(40, gaps=0.2, start=dt.datetime(2024, 4, 20))  # with the holidays of May
    end, origin = 700, 800
    found = baselines["historical-average"](frame, [origin], 48, end)[0]
    wall = frame.clock.local(0, len(frame)).astype("datetime64[s]").astype(object)
    holiday = frame.calendar().holiday
    day = [6 if h else moment.weekday() for moment, h in zip(wall, holiday, strict=True)]
    assert holiday[:end].any()
    for step in range(48):
        for sensor in range(3):
            alike = [
                float(frame.values[s, sensor])
                for s in range(end)
                if wall[s].hour == wall[origin + step].hour and day[s] == day[origin + step]
            ]
            alike = [value for value in alike if not math.isnan(value)]
            if alike:
                assert found[step, sensor] == pytest.approx(sum(alike) / len(alike), rel=1e-5)


def test_the_historical_average_steps_back_to_rarer_knowledge():
    values = np.full((24 * 9, 1), np.nan, np.float32)
    values[:24, 0] = np.arange(24)  # one Monday is all there is
    frame = SensorFrame(values, Clock(SPRING, 60 * MINUTE), ("loop",))
    found = baselines["historical-average"](frame, [24 * 5], 48, 24 * 5)[0, :, 0]
    np.testing.assert_array_equal(found, np.tile(np.arange(24), 2))  # Saturday and Sunday


def test_the_ridge_is_the_one_of_scikit_learn():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(400, 5)).astype(np.float32)
    table[:, -1] = 1  # the constant
    target = (table[:, 0] - 2 * table[:, 3] + 7 + rng.normal(size=400)).astype(np.float32)
    target[rng.random(400) < 0.3] = np.nan
    known = np.isfinite(target)
    found = _ridge.ridge(table, target)
    for head, penalty in zip(found, _ridge.RIDGE_PENALTIES, strict=True):
        theirs = Ridge(alpha=penalty * known.sum()).fit(table[known, :4], target[known])
        np.testing.assert_allclose(head[:4], theirs.coef_, rtol=1e-3, atol=1e-4)
        assert head[4] == pytest.approx(theirs.intercept_, rel=1e-3)


def test_the_ridge_chooses_its_penalty_on_windows_that_do_not_overlap_the_others():
    inputs = Inputs.of(town(40), until=900, train_end=800)
    drawn = inputs.draw_training(2000, 24, 800)
    early, late = _ridge.early_and_late(drawn.origin, 24)
    assert early.sum() > 200
    assert late.any()
    assert drawn.origin[early].max() + 24 <= drawn.origin[late].min()
    assert drawn.origin.max() + 24 <= 800


def test_with_few_windows_the_ridge_takes_the_largest_penalty():
    early, late = _ridge.early_and_late(np.arange(100), 24)
    assert early.any()
    assert not late.any()


# --- the shelf --------------------------------------------------------------------------------


def test_without_lightgbm_the_rest_runs_and_boosting_says_what_to_install(monkeypatch):
    for module in (_baselines, _boosting):
        monkeypatch.setattr(module, "lightgbm_here", lambda: False)
    names, notes = choose(None)
    assert "boosting" not in names
    assert "pip install 'citytune[boost]'" in notes[0]
    with pytest.raises(InputError, match="LightGBM"):
        choose(["boosting"])
    with pytest.raises(InputError, match="LightGBM"):
        baselines["boosting"](town(10), [200], 4, 200)


def test_an_unknown_baseline_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'naive-week'"):
        choose(["naive-wek"])


def test_baselines_run_in_one_order_whatever_was_asked():
    assert choose(["lag-ridge", "naive-day", "zero-shot"]) == (["naive-day", "lag-ridge"], [])


def test_boosting_is_the_same_at_every_call():
    frame = town(30)
    first, again = (baselines["boosting"](frame, [600], 24, 600) for _ in range(2))
    np.testing.assert_array_equal(first, again)
