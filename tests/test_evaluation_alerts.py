"""Alerts and rare values are counted by plain means, and what nobody can know is said in words."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from citytune._errors import InputError
from citytune.evaluation import Alert, AlertScore, Detail, Scores, backtest
from citytune.evaluation._alerts import climatology, score_alert, twcrps
from citytune.evaluation._rare import REGIONS, region_of, regions
from citytune.evaluation._rare_words import alert_said
from citytune.evaluation._scores import METRICS
from citytune.forecasting import LEVELS, alerts_of, chance_above, fit_model
from citytune.frame import Clock, Quantity, SensorFrame
from citytune.windows import density

PM = Quantity("pm2.5", "µg/m³", low=0)
HOUR = dt.timedelta(hours=1)
HORIZON = 6
NAN = math.nan


def frame_of(values: np.ndarray, quantity: Quantity = PM, step: dt.timedelta = HOUR) -> SensorFrame:
    names = tuple(f"s{i}" for i in range(values.shape[1]))
    return SensorFrame(
        values.astype(np.float32), Clock(dt.datetime(2024, 1, 1), step), names, quantity
    )


def detail_of(
    frame: SensorFrame, origins: Sequence[int], mean: np.ndarray, spread: float = 10.0
) -> Detail:
    """Forecasts (time, sensor) as seen from every origin, with normal-looking quantiles."""
    when = np.array(origins)[:, None] + np.arange(HORIZON)
    forecast = mean[when].astype(np.float32)
    quantiles = forecast[..., None] + spread * (np.array(LEVELS, np.float32) - np.float32(0.5))
    rival = np.roll(mean, 24, axis=0)[when].astype(np.float32)
    means = {"tuned": forecast, "naive-day": rival}
    return Detail(frame.values[when], means, quantiles, np.array(origins), frame)


@pytest.fixture
def world() -> Detail:
    """Two sensors of 20 days, noisy forecasts, gaps, the last five days scored."""
    draw = np.random.default_rng(3)
    hour = np.arange(480)[:, None]
    truth = (
        100 + 60 * np.sin(hour / 24 * 2 * np.pi + np.array([0, 1])) + draw.normal(0, 25, (480, 2))
    )
    guess = truth + draw.normal(0, 20, truth.shape)
    truth[draw.random(truth.shape) < 0.1] = NAN
    mended = np.where(np.isnan(guess), 100, guess)
    return detail_of(frame_of(truth), range(360, 475, HORIZON), mended)


# --- what may be asked for ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "alert"),
    [
        ("pm2.5>150", Alert(150.0)),
        (" PM25 > 150 µg/m³ ", Alert(150.0)),
        (">150", Alert(150.0)),
        ("<-3.5", Alert(-3.5, above=False)),
        ("> 1e3", Alert(1000.0)),
        ("top 5%", Alert(rarest=0.05)),
        ("Top 2.5 per cent", Alert(rarest=0.025)),
        ("bottom 10 %", Alert(rarest=0.1, above=False)),
    ],
)
def test_an_alert_is_read_as_a_person_writes_it(text: str, alert: Alert) -> None:
    assert Alert.parse(text, PM) == alert


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pm10>150", "speaks of 'pm10', but the readings are 'pm2.5'; write 'pm2.5>150'"),
        (">150 kW", "is in 'kW', but the readings are in 'µg/m³'"),
        ("150", "cannot be read; write it as 'pm2.5>150'"),
        ("pm2.5=150", "cannot be read"),
        (">", "cannot be read"),
        (">=150", "cannot be read"),
        ("pm2.5>1.2.3", "has no number that can be read"),
        ("top 60%", "less than 50 % of all, got 60 %"),
        ("top 0%", "more than 0 %"),
        ("top five", "cannot be read"),
        ("", "cannot be read"),
    ],
)
def test_what_cannot_be_an_alert_is_refused_with_the_way_out(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        Alert.parse(text, PM)
    assert said in str(caught.value)


def test_an_alert_made_in_python_is_checked_too() -> None:
    for wrong in (
        Alert,
        lambda: Alert(5, rarest=0.1),
        lambda: Alert(NAN),
        lambda: Alert(5, level=1),
    ):
        with pytest.raises(InputError):
            wrong()


def test_without_a_wish_it_is_the_top_five_per_cent_and_nothing_is_counted_twice() -> None:
    assert alerts_of(None, PM) == (Alert(rarest=0.05),)
    assert alerts_of([], PM) == ()
    assert alerts_of([">5", Alert(5.0), "pm2.5 > 5"], PM) == (Alert(5.0),)


def test_a_share_is_of_each_sensors_own_history(world: Detail) -> None:
    score = score_alert(Alert(rarest=0.05), world)
    for i, name in enumerate(world.frame.sensors):
        past = world.frame.values[:360, i]
        past = past[np.isfinite(past)]
        assert (past > score.thresholds[name]).mean() == pytest.approx(0.05, abs=0.005)


def test_the_scored_rows_do_not_move_the_threshold(world: Detail) -> None:
    values = world.frame.values.copy()
    values[360:] *= 10
    other = replace(world, frame=replace(world.frame, values=values))
    assert score_alert(Alert(rarest=0.05), other).thresholds == (
        score_alert(Alert(rarest=0.05), world).thresholds
    )


# --- counts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("above", [True, False])
def test_alerts_are_counted_as_one_would_by_hand(world: Detail, above: bool) -> None:
    score = score_alert(Alert(120.0, above=above), world)
    chance = chance_above(world.quantiles, np.float32(120), low=0)
    values = events = raised = right = 0
    squares = 0.0
    for place in np.ndindex(world.actual.shape):
        if math.isnan(world.actual[place]):
            continue
        event = bool((world.actual[place] > 120) == above)
        likely = float(chance[place]) if above else 1 - float(chance[place])
        values, events = values + 1, events + event
        up = likely >= 0.3
        raised, right = raised + up, right + (event and up)
        squares += (likely - event) ** 2
    found = score.models["tuned"]
    assert (score.values, score.events, found["raised"]) == (values, events, raised)
    assert found["precision"] == pytest.approx(right / raised)
    assert found["recall"] == pytest.approx(right / events)
    precision, recall = right / raised, right / events
    assert found["f1"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert score.brier == pytest.approx(squares / values, rel=1e-5)
    assert score.base_rate == pytest.approx(events / values)


def test_a_rival_warns_where_its_forecast_passes(world: Detail) -> None:
    found = score_alert(Alert(120.0), world).models["naive-day"]
    known = np.isfinite(world.actual)
    up, event = world.points["naive-day"] > 120, world.actual > 120
    assert found["recall"] == pytest.approx((up & event)[known].sum() / event[known].sum())


def test_of_a_sensor_that_always_shows_the_same_nothing_is_rare() -> None:
    history = np.array([[0, 0], [0, 1], [0, 2], [NAN, 3]], np.float32)
    dead, alive = Alert(rarest=0.05).thresholds(history)
    assert math.isnan(dead)
    assert 2 < alive < 3


def test_a_lower_level_warns_more(world: Detail) -> None:
    often = score_alert(Alert(120.0, level=0.1), world).models["tuned"]
    seldom = score_alert(Alert(120.0, level=0.9), world).models["tuned"]
    assert often["raised"] > seldom["raised"]
    assert often["recall"] >= seldom["recall"]


def test_the_truth_has_all_the_skill_there_is(world: Detail) -> None:
    truth = np.nan_to_num(world.frame.values, nan=100)
    sure = detail_of(world.frame, world.origin_index, truth, spread=0.0)
    score = score_alert(Alert(120.0), sure)
    assert (score.brier, score.brier_skill) == (0, 1)
    assert {score.models["tuned"][m] for m in ("precision", "recall", "f1")} == {1}
    assert score_alert(Alert(120.0), world).brier_skill < 1


def test_the_climatology_is_the_share_at_that_hour_of_that_kind_of_day(world: Detail) -> None:
    alert, limits = Alert(120.0), np.full(2, 120, np.float32)
    found = climatology(alert, limits, world)
    past = world.frame.values[:360, 1]
    row = 360 + 8  # 16 January 2024 at 08:00, a Tuesday
    same = [i for i in range(360) if i % 24 == 8 and i // 24 % 7 < 5 and np.isfinite(past[i])]
    whole = (past[np.isfinite(past)] > 120).mean()
    expected = ((past[same] > 120).sum() + 7 * whole) / (len(same) + 7)
    place = np.argwhere(world.origin_index[:, None] + np.arange(HORIZON) == row)[0]
    assert found[(*place, 1)] == pytest.approx(expected, rel=1e-5)
    event = world.actual > 120
    known = np.isfinite(world.actual)
    score = score_alert(alert, world)
    usual = np.square(found - event)[known].mean()
    assert score.brier_skill == pytest.approx(1 - score.brier / usual, rel=1e-4)


# --- episodes -----------------------------------------------------------------------------------


def spikes(*at: int, gaps: Sequence[int] = (), rows: int = 60) -> np.ndarray:
    values = np.full((rows, 1), 10.0)
    values[list(at)] = 200
    values[list(gaps)] = NAN
    return values


def warned(truth: np.ndarray, guess: np.ndarray, origins: Sequence[int]) -> AlertScore:
    return score_alert(Alert(150.0), detail_of(frame_of(truth), origins, guess))


def test_the_lead_is_from_the_forecast_to_the_onset() -> None:
    truth = spikes(33, 34, 35)
    score = warned(truth, truth, [30, 36, 42])
    found = score.models["tuned"]
    assert (score.episodes, found["caught"], found["lead_hours"]) == (1, 1, 4)  # 30 is 1 h ahead


def test_the_earliest_of_several_forecasts_counts() -> None:
    truth = spikes(33)
    assert warned(truth, truth, [28, 30, 32]).models["tuned"]["lead_hours"] == 6


def test_an_episode_under_way_is_no_feat_to_foretell() -> None:
    truth = spikes(29, 30, 31)
    score = warned(truth, truth, [30, 36])
    assert (score.episodes, score.models["tuned"]["caught"]) == (0, 0)
    assert score.models["tuned"]["recall"] == 1
    assert math.isnan(score.models["tuned"]["lead_hours"])


def test_a_gap_does_not_end_an_episode() -> None:
    truth = spikes(32, 34, gaps=[33])
    assert warned(truth, truth, [30, 36]).episodes == 1
    assert warned(spikes(32, 34), spikes(32, 34), [30, 36]).episodes == 2


def test_a_warning_for_later_in_an_episode_is_a_warning_still() -> None:
    found = warned(spikes(31, 32, 33), spikes(33), [30, 36]).models["tuned"]
    assert (found["caught"], found["lead_hours"]) == (1, 2)


def test_a_lead_is_in_hours_whatever_the_step() -> None:
    truth = spikes(33)
    frame = frame_of(truth, step=dt.timedelta(minutes=15))
    score = score_alert(Alert(150.0), detail_of(frame, [30, 36], truth))
    assert score.models["tuned"]["lead_hours"] == 1


# --- the threshold-weighted score ---------------------------------------------------------------


def test_far_below_everything_it_is_the_plain_crps() -> None:
    draw = np.random.default_rng(0)
    actual = draw.normal(0, 1, (4000, 1)).astype(np.float32)
    normal = [-1.645, -1.2816, -0.8416, -0.5244, -0.2533, 0, 0.2533, 0.5244, 0.8416, 1.2816, 1.645]
    quantiles = np.broadcast_to(np.array(normal, np.float32), (4000, 1, 11))
    found = twcrps(actual, quantiles, np.array([-99], np.float32))
    assert found == pytest.approx(1 / math.sqrt(math.pi), rel=0.03)  # of a normal, exactly


def test_beyond_everything_it_is_nothing_and_between_only_the_far_side_counts() -> None:
    actual, point = np.array([[5.0], [20.0]], np.float32), np.array([[[9.0]], [[12.0]]], np.float32)
    assert twcrps(actual, point, np.array([99], np.float32)) == 0
    assert twcrps(actual, point, np.array([10], np.float32)) == pytest.approx((0 + 8) / 2)
    below = twcrps(actual, point, np.array([10], np.float32), above=False)
    assert below == pytest.approx((4 + 0) / 2)


# --- nothing came -------------------------------------------------------------------------------


def scores_of(detail: Detail, *alerts: Alert) -> Scores:
    models = {name: dict.fromkeys(METRICS, 1.0) for name in detail.points}
    found = tuple(score_alert(alert, detail) for alert in alerts)
    return Scores(models, "a", "b", 2, detail, regions=regions(detail), alerts=found)


def test_a_threshold_no_value_ever_passed_is_said_plainly(world: Detail) -> None:
    scores = scores_of(world, Alert(900.0))
    (said,) = scores.alert_sentences()
    assert said.startswith("pm2.5 > 900 µg/m³: none of the ")
    highest = np.nanmax(world.actual)
    assert f"(the highest was {highest:.1f}" in said
    assert "and none in the history before, so this test cannot tell how well" in said
    assert "The tuned model gave no warning either." in said
    assert said in str(scores)
    assert "nan" not in str(scores).lower()
    (found,) = json.loads(json.dumps(scores.summary(), allow_nan=False))["alerts"]
    assert (found["events"], found["brier_skill"], found["models"]["tuned"]["recall"]) == (
        0,
        None,
        None,
    )


def test_alerts_raised_in_vain_are_counted_in_words() -> None:
    (said,) = scores_of(
        detail_of(frame_of(spikes()), [30, 36], spikes(33, 38)), Alert(150.0)
    ).alert_sentences()
    assert "The tuned model gave 2 false warnings." in said


def test_what_came_before_but_not_now_is_said() -> None:
    score = warned(spikes(3), spikes(), [30, 36])
    assert "and 1 value in the history before" in alert_said(score, None, str, "")


def test_nothing_measured_is_said_and_warns_of_nothing() -> None:
    truth = spikes()
    truth[30:] = NAN
    score = warned(truth, spikes(), [30, 36])
    assert math.isnan(score.base_rate)
    assert alert_said(score, None, str, "") == (
        "pm2.5 > 150 µg/m³: nothing was measured that could be scored."
    )


def test_a_sensor_without_a_history_has_no_share_of_it_and_is_left_out() -> None:
    truth = np.hstack([spikes(33), spikes(33)])
    truth[:30, 1] = NAN
    truth[0, 0] = 9.0
    score = score_alert(
        Alert(rarest=0.05), detail_of(frame_of(truth), [30, 36], np.nan_to_num(truth))
    )
    assert math.isnan(score.thresholds["s1"])
    assert score.values == 12
    assert score.summary()["thresholds"] == {"s0": 10.0, "s1": None}


# --- regions ------------------------------------------------------------------------------------


def test_the_regions_hold_the_shares_they_promise() -> None:
    history = np.random.default_rng(1).gamma(2, 30, 4000).astype(np.float32)
    which = region_of(history, history)
    assert np.bincount(which) / 4000 == pytest.approx([0.1, 0.3, 0.6], abs=0.03)
    few, many = history[which == 0], history[which == 2]
    assert np.median(few) > many.max()
    assert region_of(np.array([1e4, -50, NAN]), history).tolist() == [0, 0, -1]


def test_the_smoothed_density_keeps_every_value() -> None:
    known = np.random.default_rng(1).exponential(10, 2000)
    edges, heights = density(known)
    assert heights.sum() == pytest.approx(0.99 * 2000, rel=0.01)
    assert heights[:10].mean() > heights[50:60].mean() > heights[-10:].mean()
    assert len(edges) == len(heights) + 1


def test_one_odd_value_does_not_make_all_others_alike() -> None:
    history = np.append(np.random.default_rng(1).normal(100, 10, 1000), 1e6)
    assert region_of(np.array([100.0, 135.0]), history).tolist() == [2, 0]


def test_a_sensor_that_never_changes_is_usual_where_it_stands() -> None:
    assert region_of(np.array([7.0, 8.0]), np.full(100, 7.0)).tolist() == [2, 0]


def test_too_short_a_history_tells_nothing_apart() -> None:
    assert region_of(np.array([7.0]), np.arange(20.0)).tolist() == [-1]
    found = regions(detail_of(frame_of(spikes()), [30, 36], spikes()))
    assert [r.values for r in found] == [0, 0, 0]
    scores = scores_of(detail_of(frame_of(spikes()), [30, 36], spikes()))
    assert (
        scores.rare_sentence() == "Too little was measured to tell rare values from typical ones."
    )
    assert scores.rare_lines() == []


def test_the_errors_of_the_regions_add_up_to_the_error_of_all(world: Detail) -> None:
    found = regions(world)
    assert [r.name for r in found] == list(REGIONS)
    known = np.isfinite(world.actual)
    for name, mean in world.points.items():
        total = sum(r.values * r.errors[name] for r in found)
        whole = np.abs(mean - world.actual)[known].mean()
        assert total / sum(r.values for r in found) == pytest.approx(whole, rel=1e-4)


def test_the_gain_and_its_price_stand_in_one_sentence(world: Detail) -> None:
    said = scores_of(world).rare_sentence()
    assert said.startswith("The tuned model has ")
    assert "error than yesterday's values for the rarest values; " in said
    assert said.endswith(" for typical values.")


# --- in a backtest ------------------------------------------------------------------------------


def test_a_backtest_reports_regions_and_the_alerts_asked_for() -> None:
    draw = np.random.default_rng(0)
    hour = np.arange(24 * 42)[:, None]
    values = 100 + 60 * np.sin(hour / 24 * 2 * np.pi + np.arange(2)) + draw.normal(0, 8, (1008, 2))
    frame = frame_of(values)
    model = fit_model(frame.until(28 * 24), horizon=24, backbone="lags")
    scores = backtest(model, frame, against=["naive-day"], alerts=["pm2.5 > 140", "top 5%"])
    assert [score.name for score in scores.alerts] == ["pm2.5 > 140 µg/m³", "top 5 % of pm2.5"]
    passing, rarest = scores.alerts
    assert passing.models["tuned"]["f1"] > 0.7
    assert 0 < passing.brier_skill < 1
    assert set(passing.models) == set(scores.models)
    assert 0.02 < rarest.base_rate < 0.1
    assert sum(r.values for r in scores.regions) == passing.values
    assert "pm2.5 > 140 µg/m³" in str(scores)
    usual = backtest(model, frame, against=[])
    assert [score.name for score in usual.alerts] == ["top 5 % of pm2.5"]
    with pytest.raises(InputError, match="speaks of 'no2'"):
        backtest(model, frame, alerts=["no2>5"])
