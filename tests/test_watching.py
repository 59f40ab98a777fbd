"""The promise: what breaks is noticed, named and dated; what does not raises few alarms."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from citytune import InputError
from citytune.evaluation import verified
from citytune.forecasting import LEVELS, Forecast
from citytune.frame import Clock, Quantity, SensorFrame
from citytune.watching import (
    KINDS,
    Watch,
    WatchSettings,
    WatchState,
    _sensor,
    _watch,
    calibrate,
    follow,
    safe_forecast,
    watch,
)
from citytune.watching._day import days_of
from citytune.watching._detector import Detector, grown
from citytune.watching._fitting import Fit
from citytune.watching._statistics import ALL, is_stuck
from citytune.watching._tail import FEWEST, WINDOW, Ordinary, Tail, e_value
from citytune.watching._verification import verified_days

DAYS, LEARNT = 150, 120
START = dt.datetime(2024, 1, 1)
FIRST = (START + dt.timedelta(days=LEARNT)).date()
"""The first day watched."""
BREAK = LEARNT + 5
"""The day on which sensors break, at midnight."""
BROKEN = str((START + dt.timedelta(days=BREAK)).date())


def series(days: int = DAYS, *, seed: int = 0, sensors: int = 1) -> SensorFrame:
    """A day and a week, with levels that wander and noise."""
    draw = np.random.default_rng(seed)
    hour, day = np.arange(days * 24) % 24, np.arange(days * 24) // 24
    shape = (2 + np.sin(2 * np.pi * (hour - 9) / 24)) * np.where(day % 7 < 5, 1.0, 0.6)
    wander = np.zeros((days, sensors))
    for i in range(1, days):
        wander[i] = 0.6 * wander[i - 1] + 0.04 * draw.standard_normal(sensors)
    noise = 0.05 * draw.standard_normal((days * 24, sensors))
    values = 100 * shape[:, None] * np.exp(wander[day] + noise)
    names = tuple(f"s{i}" for i in range(sensors))
    clock = Clock(START, dt.timedelta(hours=1))
    return SensorFrame(values.astype(np.float32), clock, names, Quantity("load", "MW"))


def broken(frame: SensorFrame, fault: str, day: int = BREAK) -> SensorFrame:
    values, row = frame.values.copy(), day * 24
    rest = values[row:]
    faults = {
        "frozen": lambda: np.broadcast_to(values[row - 1], rest.shape),
        "unit change": lambda: rest / 1000,
        "doubled": lambda: rest * 2,
        "level shift": lambda: rest * 0.7,
        "near zero": lambda: rest * 0.003,
        "silent": lambda: np.full_like(rest, np.nan),
        "clock shifted": lambda: values[row - 1 : -1],
        "noise": lambda: rest * np.random.default_rng(0).uniform(0.3, 1.7, rest.shape),
    }
    values[row:] = faults[fault]()
    return replace(frame, values=values)


def record(frame: SensorFrame, *, error: float = 0.05, wrong_from: int = DAYS) -> pl.DataFrame:
    """Forecasts of known error, three times as large from a day on."""
    draw = np.random.default_rng(1)
    local, actual = frame.clock.local(0, len(frame)), frame.values[:, 0].astype(float)
    size = error * np.where(np.arange(len(frame)) // 24 >= wrong_from, 3, 1)
    point = actual * np.exp(size * draw.standard_normal(len(frame)))
    return pl.DataFrame(
        {
            "sensor": frame.sensors[0],
            "time": local,
            "issued": local.astype("datetime64[D]").astype("datetime64[us]"),
            "actual": actual,
            "point": point,
            "naive": actual * np.exp(2 * error * draw.standard_normal(len(frame))),
            "q05": point * (1 - 1.7 * error),
            "q95": point * (1 + 1.7 * error),
        }
    )


NOTHING = pl.DataFrame()


def found_in(frame: SensorFrame, table: pl.DataFrame = NOTHING) -> Watch:
    return watch(table, frame, since=FIRST)


@pytest.mark.parametrize(
    "fault",
    ["frozen", "unit change", "doubled", "level shift", "near zero", "silent", "clock shifted"],
)
def test_a_fault_is_noticed_named_and_dated(fault: str) -> None:
    found = found_in(broken(series(), fault))
    (alarm,) = found.alarms + found.ended
    assert (alarm.kind, alarm.sensor) == (fault, "s0")
    days = (dt.date.fromisoformat(alarm.since) - dt.date.fromisoformat(BROKEN)).days
    assert -2 <= days <= 2
    assert alarm.raised <= str(dt.date.fromisoformat(BROKEN) + dt.timedelta(days=7))
    assert alarm.sensor in alarm.sentence
    assert alarm.since in alarm.sentence
    assert found.in_words()[0].startswith(alarm.sentence)


def test_a_value_that_does_not_end_is_told_on_its_first_day() -> None:
    frame = series()
    row = BREAK * 24 + 14
    frame.values[row:] = frame.values[row - 1]
    (alarm,) = found_in(frame.until(row + 10)).alarms
    assert (alarm.kind, alarm.since, alarm.raised) == ("frozen", BROKEN, BROKEN)
    found = found_in(frame.until(row + 34))
    (alarm,) = found.alarms
    assert (alarm.kind, alarm.since, alarm.raised) == ("frozen", BROKEN, BROKEN)
    assert "by chance" not in alarm.sentence
    assert found.table["evidence"].to_list() == [None]
    old = json.loads(found.state.to_json())
    for day in old["sensors"]["s0"]["days"]:
        del day["still"]  # as saved before it was kept
    again = follow(WatchState.from_json(json.dumps(old)), NOTHING, frame.until(row + 58))
    assert [one.kind for one in again.alarms] == ["frozen"]


def test_a_value_that_has_ended_or_comes_often_is_not_stuck() -> None:
    frame, row = series(), (BREAK + 1) * 24

    def stuck() -> bool:
        days = days_of(frame.until(row + 24))["s0"]
        return is_stuck(days[BREAK], days[:BREAK])

    assert not stuck()
    frame.values[row - 8 : row - 1] = 50.0
    assert not stuck()
    frame.values[row - 1] = 50.0
    assert stuck()
    for hour in 1, 2, 3:
        frame.values[hour : row - 24 : 24] = 7.0
    assert not stuck()


def test_noise_is_noticed() -> None:
    found = found_in(broken(series(), "noise"))
    assert {one.kind for one in found.alarms + found.ended} <= {"noise", "range"}
    assert found.health == {"s0": "alarm"}


def test_nothing_is_said_where_nothing_is_wrong() -> None:
    frame = series()
    found = found_in(frame, record(frame))
    assert (found.alarms, found.ended, found.fallback) == ((), (), {})
    assert found.table["mae"][0] == pytest.approx(found.table["usual_mae"][0], rel=0.2)
    assert found.table["coverage"][0] == pytest.approx(0.9, abs=0.05)


def test_a_model_that_has_become_worse_is_noticed_and_falls_back() -> None:
    frame = series()
    found = found_in(frame, record(frame, wrong_from=BREAK))
    (alarm,) = found.alarms
    assert alarm.kind in {"error", "worse than naive", "coverage"}
    assert alarm.since == BROKEN
    assert alarm.evidence["naive"] > 1.2
    assert found.fallback == {"s0": alarm}


@pytest.mark.parametrize(("times", "falls"), [(1.3, False), (5.0, True)])
def test_a_new_maximum_takes_the_model_away_only_if_it_is_far_from_the_usual(
    times: float, falls: bool
) -> None:
    frame = series()
    values = frame.values.copy()
    for day in values[BREAK * 24 :].reshape(-1, 24):
        day[day.argmax()] *= times
    found = found_in(replace(frame, values=values))
    (alarm,) = found.alarms
    assert alarm.kind == ("noise" if falls else "range")
    assert bool(found.fallback) is falls


def test_an_alarm_ends_when_days_are_ordinary_again() -> None:
    frame = series()
    values = broken(frame, "doubled").values.copy()
    values[(BREAK + 6) * 24 :] = frame.values[(BREAK + 6) * 24 :]
    found = found_in(replace(frame, values=values))
    (alarm,) = found.ended
    assert alarm.end == "ordinary again"
    assert alarm.ended is not None
    assert alarm.ended >= str(dt.date.fromisoformat(BROKEN) + dt.timedelta(days=8))
    assert found.health == {"s0": "ok"}


def test_what_stays_is_taken_as_the_new_normal() -> None:
    frame = broken(series(DAYS + 20), "level shift")
    (alarm,) = found_in(frame).ended
    assert alarm.end == "taken as the new normal"


def test_days_may_be_fed_one_by_one_and_the_state_saved_as_json() -> None:
    frame = broken(series(), "doubled")
    table = record(frame)
    whole = found_in(frame, table)
    state = calibrate(table, frame, before=FIRST)
    for day in range(LEARNT, DAYS):
        text = state.to_json()
        state = WatchState.from_json(text)
        assert state.to_json() == text
        today = table.filter(pl.col("time").dt.date() == (START + dt.timedelta(days=day)).date())
        state = follow(state, today, frame.until((day + 1) * 24).since((day - 1) * 24)).state
    once, (daily,) = whole.state.sensors["s0"], state.sensors.values()
    assert once.alarm is not None
    assert daily.alarm is not None
    assert replace(once.alarm, evidence={}) == replace(daily.alarm, evidence={})
    assert once.alarm.evidence == pytest.approx(daily.alarm.evidence)
    assert (once.last, once.fallback) == (daily.last, daily.fallback)
    assert once.before == pytest.approx(daily.before)
    assert [day.date for day in once.days] == [day.date for day in daily.days]


def fit_of(values: list[float], name: str) -> Fit:
    """Of one statistic, day after day."""
    how = ALL[name]
    found = Ordinary.of(values, both_sides=how.both_sides, resolution=how.resolution)
    one = replace(found, centre=float(np.median(values[:WINDOW])))
    evidence, most, before = 0.0, 0.0, None
    for value in values:
        evidence = grown(evidence, e_value(one.p_fresh(value, before)))
        one.track(value)
        most, before = max(most, evidence), value
    return Fit(found, most)


def numbers_of(found: Any) -> list[Any]:
    """What is in a saved watch, in order."""
    if isinstance(found, dict):
        return [part for name, one in found.items() for part in [name, *numbers_of(one)]]
    if isinstance(found, list):
        return [part for one in found for part in numbers_of(one)]
    return [pytest.approx(found, rel=1e-12, abs=1e-12) if isinstance(found, float) else found]


@pytest.mark.parametrize("seed", range(4))
def test_all_sensors_at_once_are_told_as_one_by_one(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(seed)
    frame = replace(series(seed=seed, sensors=8), country="DE")
    frame = broken(frame, ["doubled", "noise", "silent", "frozen"][seed])
    values = frame.values + np.float32(np.where(np.arange(8) % 2, 0, -250))
    values[draw.random(values.shape) < draw.choice([0, 1e-3, 0.02, 0.4], 8)] = np.nan
    values[: 20 * 24, 3], values[LEARNT * 24 :, :2] = np.nan, series(seed=seed).values[-1]
    frame = replace(frame, values=values, quantity=Quantity("level"))
    table = record(frame.select([frame.sensors[5]]), wrong_from=BREAK)
    together = found_in(frame, table).state
    monkeypatch.setattr(_watch, "statistics_together", lambda *_: {})
    monkeypatch.setattr(
        _sensor,
        "fits_of",
        lambda learning: [
            {name: fit_of(of, name) for name, of in one.items() if len(of) >= FEWEST}
            for one in learning
        ],
    )
    alone = found_in(frame, table).state
    assert any(one.alarm for one in alone.sensors.values())
    for name, one in alone.sensors.items():
        other = together.sensors[name]
        assert list(one.ordinary) == list(other.ordinary)
    assert numbers_of(json.loads(together.to_json())) == numbers_of(json.loads(alone.to_json()))


def test_following_leaves_the_state_as_it_is() -> None:
    frame = broken(series(), "doubled")
    state = calibrate(NOTHING, frame, before=FIRST)
    text = state.to_json()
    follow(state, NOTHING, frame)
    assert state.to_json() == text


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99}', "null", '{"format": 1}'])
def test_what_is_no_saved_watch_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        WatchState.from_json(text)


def test_the_saved_watch_is_plain_json() -> None:
    frame = series()
    state = calibrate(record(frame), frame, before=FIRST)
    assert json.loads(state.to_json())["format"] == 1


def test_larger_faults_are_noticed_no_later() -> None:
    frame, days = series(), []
    for factor in (0.8, 0.6, 0.4, 0.2):
        values = frame.values.copy()
        values[BREAK * 24 :] *= factor
        found = found_in(replace(frame, values=values))
        days.append(min(one.raised for one in found.alarms + found.ended))
    assert days == sorted(days, reverse=True)


def test_fewer_false_alarms_mean_no_earlier_ones() -> None:
    frame, days = broken(series(), "level shift"), []
    for rate in (5.0, 0.5, 0.05):
        found = watch(NOTHING, frame, WatchSettings(false_alarms=rate), since=FIRST)
        days.append(min(one.raised for one in found.alarms + found.ended))
    assert days == sorted(days)


def test_false_alarms_come_no_more_often_than_the_dial_says() -> None:
    draw = np.random.default_rng(3)
    rate, kinds, days, sensors = 4.0, 6, 730, 60
    alarms = 0
    for _ in range(sensors):
        detectors = [Detector() for _ in range(kinds)]
        for day, row in enumerate(draw.random((days, kinds))):
            for one, p in zip(detectors, row, strict=True):
                one.add(float(p), day)
            if np.mean([one.evidence for one in detectors]) >= 365 / rate:
                alarms += 1
                detectors = [Detector() for _ in range(kinds)]
    expected = rate * sensors * days / 365
    assert 0 < alarms <= expected + 3 * expected**0.5


def test_p_values_are_spread_evenly_on_ordinary_days() -> None:
    draw = np.random.default_rng(4)
    tail = Tail.of(draw.standard_normal(2000).tolist(), 0.01)
    found = np.array([tail.p_value(x) for x in draw.standard_normal(4000)])
    for level in (0.5, 0.1, 0.01):
        assert (found <= level).mean() == pytest.approx(level, abs=4 * (level / 2000) ** 0.5)


def test_p_values_fall_with_the_score() -> None:
    tail = Tail.of(np.random.default_rng(5).standard_normal(60).tolist(), 0.01)
    found = [tail.p_value(x) for x in np.linspace(-5, 50, 500)]
    assert found == sorted(found, reverse=True)
    assert all(0 < p <= 1 for p in found)


def test_a_value_that_never_varied_is_ordinary() -> None:
    same = Ordinary.of([0.0] * 60, both_sides=False, resolution=0.05)
    assert same.p_value(0.0) == 1
    assert same.p_value(1.0) < 1e-3


def test_a_bet_is_fair() -> None:
    p = (np.arange(200_000) + 0.5) / 200_000
    assert np.mean([e_value(float(one)) for one in p]) <= 1.0


def test_a_new_sensor_is_learnt_and_named() -> None:
    frame = series(sensors=2)
    old = calibrate(NOTHING, frame.select(["s0"]), before=FIRST)
    found = follow(old, NOTHING, frame.since((LEARNT - 1) * 24))
    assert found.health == {"s0": "ok", "s1": "watch"}
    assert any("'s1' is new" in sentence for sentence in found.in_words())


def test_a_sensor_is_new_once() -> None:
    frame = series(sensors=2)
    old = calibrate(NOTHING, frame.select(["s0"]), before=FIRST)
    found = follow(old, NOTHING, frame.since((LEARNT - 1) * 24).until(3 * 24))
    assert list(found.state.new) == ["s1"]
    again = follow(found.state, NOTHING, frame.since((LEARNT + 1) * 24))
    assert not any("is new" in sentence for sentence in again.in_words())


@pytest.mark.parametrize("offset", [0.0, -200.0])
def test_a_sensor_that_joined_is_tested_after_the_days_it_learns(offset: float) -> None:
    """Also one of values about zero, and as well fed day by day as at once."""
    frame = series(days=LEARNT + 80, sensors=2)
    frame = replace(frame, values=frame.values + np.float32(offset), quantity=Quantity("level"))
    frame = broken(frame, "doubled", day=LEARNT + 70)
    old = calibrate(NOTHING, frame.select(["s0"]), before=FIRST)
    found = follow(old, NOTHING, frame.since((LEARNT - 1) * 24))
    assert [one.sensor for one in found.alarms] == ["s0", "s1"]
    joined = found.state.sensors["s1"]
    assert joined.signed == (offset < 0)
    assert not joined.learning or max(map(len, joined.learning.values())) < 56
    state = old
    for day in range(LEARNT, LEARNT + 80):
        state = follow(state, NOTHING, frame.since((day - 1) * 24).until(48)).state
    assert state.to_json() == replace(found.state, new={}).to_json()


def test_a_sensor_that_left_the_table_is_silent() -> None:
    frame = series(sensors=2)
    old = calibrate(NOTHING, frame, before=FIRST)
    found = follow(old, NOTHING, frame.select(["s0"]))
    assert [(one.sensor, one.kind) for one in found.alarms] == [("s1", "silent")]


def test_a_stale_source_is_told() -> None:
    frame = series()
    end = START + dt.timedelta(days=DAYS)
    assert watch(NOTHING, frame, since=FIRST, now=end).alarms == ()
    found = watch(NOTHING, frame, since=FIRST, now=end + dt.timedelta(days=3))
    assert [one.kind for one in found.alarms] == ["stale"]


def test_an_alarm_of_most_sensors_is_one_of_the_source() -> None:
    found = found_in(broken(series(sensors=4), "unit change"))
    assert len(found.alarms) == 4
    assert found.in_words()[0].startswith("4 sensors of 4: unit change since ")


def test_the_safe_forecast_is_served_for_sensors_that_fell_back() -> None:
    frame = broken(series(sensors=2), "doubled")
    values = frame.values.copy()
    values[:, 1] = series(sensors=2).values[:, 1]
    frame = replace(frame, values=values)
    quantiles = np.full((24, 2, len(LEVELS)), 7, np.float32)
    said = Forecast(quantiles[..., 0], quantiles, frame.clock.shifted(len(frame)), frame.sensors,
                    frame.quantity)  # fmt: skip
    safe = safe_forecast(said, frame, found_in(frame))
    assert (safe.mean[:, 0] == frame.values[-7 * 24 : -6 * 24, 0]).all()
    assert str(safe.quality[0, 0]).startswith(f"fallback: last week (doubled since {BROKEN[:8]}")
    assert safe.fallback == ("s0",)
    assert (safe.mean[:, 1] == 7).all()
    assert safe.quality[0, 1] == "model"
    assert (np.diff(safe.quantiles, axis=-1) >= 0).all()
    with pytest.raises(InputError, match="after the end of the readings"):
        safe_forecast(said, frame.until(len(frame) - 24), found_in(frame))


def test_a_frozen_sensor_gets_its_last_good_week_however_long_it_is_stuck() -> None:
    frame = broken(series(), "frozen")
    quantiles = np.full((24, 1, len(LEVELS)), 7, np.float32)
    said = Forecast(quantiles[..., 0], quantiles, frame.clock.shifted(len(frame)), frame.sensors,
                    frame.quantity)  # fmt: skip
    found = found_in(frame)
    assert [one.kind for one in found.alarms] == ["frozen"]
    safe = safe_forecast(said, frame, found)
    since = frame.clock.index(dt.datetime.fromisoformat(found.alarms[0].since))
    assert len(frame) - since > 7 * 24
    stuck = frame.values[-1, 0]
    assert (np.abs(safe.mean[:, 0] - stuck) > 1e-3).mean() > 0.8
    assert str(safe.quality[0, 0]).startswith("fallback: last good ")
    assert set(safe.mean[:, 0]) <= set(frame.values[:since, 0])


def test_the_last_good_day_of_a_silent_sensor_is_found_after_months() -> None:
    frame = broken(series(BREAK + 45), "silent")
    quantiles = np.full((24, 1, len(LEVELS)), 7, np.float32)
    said = Forecast(quantiles[..., 0], quantiles, frame.clock.shifted(len(frame)), frame.sensors,
                    frame.quantity)  # fmt: skip
    safe = safe_forecast(said, frame, found_in(frame))
    assert str(safe.quality[0, 0]).startswith("fallback: last good week (silent since ")
    same = next(row for row in range(BREAK * 24 - 7 * 24, BREAK * 24, 24)
                if (len(frame) - row) % (7 * 24) == 0)  # fmt: skip
    assert (safe.mean[:, 0] == frame.values[same : same + 24, 0]).all()


def test_what_was_served_by_a_fallback_is_not_held_against_the_model() -> None:
    frame = series()
    good = record(frame)
    served = pl.col("time") >= START + dt.timedelta(days=BREAK)
    table = good.with_columns(
        model=pl.when(served).then("point"),
        quality=pl.when(served).then(pl.lit("fallback: yesterday")).otherwise(pl.lit("model")),
        point=pl.when(served).then(0.0).otherwise("point"),
    )
    assert found_in(frame, table).alarms == ()
    assert found_in(frame, table.drop("model")).alarms == ()
    assert found_in(frame, table.drop("model", "quality")).alarms != ()


def test_of_several_forecasts_of_a_value_the_newest_counts_everywhere() -> None:
    last = record(series())
    first = last.with_columns(pl.col("issued") - dt.timedelta(days=1), point=pl.lit(1e6))
    both = pl.concat([last, first])
    whole = verified(both)
    assert whole is not None
    assert whole == verified(last)
    days = verified_days(both)["s0"]
    mean = np.average([one.mae for one in days], weights=[one.values for one in days])
    assert (whole.values, whole.mae) == (sum(one.values for one in days), pytest.approx(mean))


def test_a_record_without_a_column_is_refused() -> None:
    frame = series()
    with pytest.raises(InputError, match="no column 'naive'"):
        found_in(frame, record(frame).drop("naive"))


@pytest.mark.parametrize(
    "wrong", [{"false_alarms": 0}, {"learn_days": 3}, {"adopt_days": 1}, {"stale_days": 0}]
)
def test_foolish_dials_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        WatchSettings(**wrong)  # type: ignore[arg-type]


def test_every_kind_says_what_to_do() -> None:
    assert all(kind.sentence and kind.advice.endswith(".") for kind in KINDS.values())
