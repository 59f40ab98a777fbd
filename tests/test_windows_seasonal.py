"""The promise: seasonal rules are the plain means they say, of the past alone, in local time."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from citytune.frame import Clock, SensorFrame
from citytune.windows import SEASONAL, Examples, History, Seasonal, all_sensors

City = Callable[..., SensorFrame]
DAY = dt.timedelta(days=1)


class Plain:
    """The rules once more, in plain Python, from a table of local times."""

    def __init__(self, frame: SensorFrame, sensor: int, origin: int, horizon: int) -> None:
        cal = frame.calendar(0, len(frame) + horizon)
        self.time = frame.clock.local(0, len(frame) + horizon).tolist()
        self.kind = {}
        self.holiday = {}
        for row, time in enumerate(self.time):
            weekday, holiday = int(cal.weekday[row]), bool(cal.holiday[row])
            self.kind[time.date()] = 2 if holiday else max(weekday - 4, 0)
            self.holiday[time.date()] = holiday
        self.row = [float(value) for value in frame.values[:origin, sensor]]
        self.value = {  # of an hour that daylight saving doubles, the second
            time: value
            for time, value in zip(self.time[:origin], self.row, strict=False)
            if not math.isnan(value)
        }
        for before, after in pairwise(self.time[:origin]):
            if after in self.value and after - before > max(frame.clock.step, DAY / 24):
                self.value[before + DAY / 24] = self.value[after]  # an hour that it skips
        self.origin, self.last = origin, self.time[origin - 1]
        self.steps = frame.clock.steps_per_day

    def at(self, times: list[dt.datetime]) -> list[float]:
        return [self.value[time] for time in times if time in self.value]

    def mean(self, found: list[float]) -> float:
        return sum(found) / len(found) if found else math.nan

    def days(self, time: dt.datetime, back: int) -> float:
        return self.mean(self.at([time - (back + k) * DAY for k in range(7)]))

    def like(self, time: dt.datetime, back: int) -> float:
        sources = [time - (back + k) * DAY for k in range(28)]
        kind = self.kind[time.date()]
        found = self.at([s for s in sources if self.kind.get(s.date()) == kind])[:5]
        return self.mean(found) if found else self.days(time, back)

    def weeks(self, time: dt.datetime, weeks: int) -> float:
        to_sunday = (time.weekday() + 1) % 7 if self.holiday[time.date()] else 0
        sources = [time - (7 * (weeks + k) + to_sunday) * DAY for k in range(6)]
        return self.mean(self.at([s for s in sources if not self.holiday.get(s.date())])[:4])

    def profile(self, time: dt.datetime, weeks: int) -> float:
        found = self.weeks(time, weeks)
        return self.days(time, 1) if math.isnan(found) else found

    def back(self, time: dt.datetime, days: int) -> int:
        found = 0
        while time - found * days * DAY > self.last:
            found += 1
        return found

    def level(self, rule: Callable[[dt.datetime, int], float]) -> float:
        off = self.errors(rule, max(self.steps, 3))
        return self.mean([error for error in off if not math.isnan(error)])

    def errors(self, rule: Callable[[dt.datetime, int], float], count: int) -> list[float]:
        rows = range(self.origin - count, self.origin)
        return [self.row[row] - rule(self.time[row], 1) for row in rows]

    def fading(self, rule: Callable[[dt.datetime, int], float], step: int) -> float:
        off = self.errors(rule, 14 * self.steps)
        pairs = [(a, b) for a, b in pairwise(off) if not math.isnan(a + b)]
        rho = sum(a * b for a, b in pairs) / sum(a * a for a, _ in pairs)
        last = self.mean([error for error in off[-3:] if not math.isnan(error)])
        return (0.0 if math.isnan(last) else last) * min(max(rho, 0.0), 0.995) ** (step + 1)

    def ahead(self, step: int) -> dict[str, float]:
        time = self.time[self.origin + step]
        back, weeks = self.back(time, 1), self.back(time, 7)
        days, like, week = self.days(time, back), self.like(time, back), self.weeks(time, weeks)
        week = like if math.isnan(week) else week
        same = self.at([time - 7 * (weeks + k) * DAY for k in range(4)])
        return {
            "yesterday": self.at([time - (back + k) * DAY for k in range(28)])[0],
            "last-week": same[0] if same else like,
            "days": days,
            "day-kind": like,
            "weeks": week,
            "days+level": days + self.level(self.days),
            "day-kind+level": like + self.level(self.like),
            "weeks+level": week + self.level(self.profile),
            "weeks+fading": week + self.fading(self.profile, step),
            "day-kind+fading": like + self.fading(self.like, step),
        }


def history_of(frame: SensorFrame, horizon: int) -> Seasonal:
    return Seasonal(History.of(frame, ahead=horizon))


def forecasts(frame: SensorFrame, origin: int, horizon: int) -> Mapping[str, torch.Tensor]:
    examples = all_sensors(History.of(frame, ahead=horizon), torch.tensor([origin]))
    return history_of(frame, horizon).ahead(examples, horizon)


def check(frame: SensorFrame, origin: int, horizon: int, *, every: int = 5) -> None:
    found = forecasts(frame, origin, horizon)
    assert set(found) == set(SEASONAL)
    for sensor in range(len(frame.sensors)):
        plain = Plain(frame, sensor, origin, horizon)
        for step in range(0, horizon, every):
            if not plain.at([plain.time[origin + step] - 7 * k * DAY for k in range(2, 7)]):
                continue  # nothing is ever measured at this hour
            expected = plain.ahead(step)
            for name in SEASONAL:
                got = float(found[name][sensor, step])
                assert got == pytest.approx(expected[name], rel=1e-3, abs=1e-3), (name, step)


@pytest.mark.parametrize("gaps", [0.0, 0.25, 0.6])
@pytest.mark.parametrize("origin", [24 * 80, 24 * 83 + 7])
def test_rules_are_the_plain_means_they_say(city: City, gaps: float, origin: int) -> None:
    frame = city(2, 90, timezone=None, country="NO", gaps=gaps)
    check(frame, origin, 60)


def test_beyond_a_week_rules_look_two_weeks_back(city: City) -> None:
    check(city(2, 80, timezone=None, country=None, gaps=0.1), 24 * 62 + 3, 24 * 16)


@pytest.mark.parametrize(
    "start",
    [dt.datetime(2024, 1, 31, 23), dt.datetime(2024, 8, 29, 22)],
    ids=["clocks go forward", "clocks go back"],
)
@pytest.mark.parametrize("origin", [24 * 58 - 3, 24 * 59 + 8, 24 * 60 + 1])
def test_rules_keep_the_local_hour_on_both_sides_of_a_clock_change(
    city: City, start: dt.datetime, origin: int
) -> None:
    """In spring, two in the morning is read at three; in autumn, at the second of the two."""
    frame = city(1, 66, start=start, gaps=0.1)
    local = frame.clock.local(0, len(frame))
    hours = (local[-1] - local[0]) / np.timedelta64(1, "h") + 1
    assert hours != len(frame)  # the clocks do change within
    check(frame, origin, 72, every=1)


@pytest.mark.parametrize("steps_per_day", [48, 1])
def test_rules_hold_on_other_clocks(city: City, steps_per_day: int) -> None:
    frame = city(2, 80, steps_per_day=steps_per_day, timezone=None, country="NO", gaps=0.1)
    check(frame, 64 * steps_per_day, 2 * max(steps_per_day, 7))


def ascension() -> tuple[SensorFrame, int]:
    """Norway until Thursday 9 May 2024, Ascension Day: 100 a workday, 60 a Saturday, 10 a Sunday.

    Holidays before it are absurd, so that whoever looks at one is found out.
    """
    clock = Clock(dt.datetime(2024, 4, 8), dt.timedelta(hours=1))
    count = 24 * 40
    frame = SensorFrame(np.zeros((count, 1), np.float32), clock, ("E6",), country="NO")
    cal = frame.calendar()
    values = np.where(cal.weekday < 5, 100.0, np.where(cal.weekday == 5, 60.0, 10.0))
    values = np.where(cal.holiday & (cal.weekday < 6), 5_000.0, values)
    origin = clock.index(dt.datetime(2024, 5, 9))
    return replace(frame, values=values[:, None].astype(np.float32)), origin


def test_a_holiday_on_a_thursday_takes_the_profile_of_sundays() -> None:
    frame, origin = ascension()
    found = forecasts(frame, origin, 48)
    assert found["weeks"][0, :24].tolist() == [10.0] * 24
    assert found["weeks"][0, 24:].tolist() == [100.0] * 24
    assert found["day-kind"][0, 24:].tolist() == [100.0] * 24


def test_a_holiday_learns_from_holidays_and_sundays_alone() -> None:
    frame, origin = ascension()
    sundays = replace(frame, values=frame.values.clip(max=100))
    sundays.values[frame.values[:, 0] == 5_000] = 10
    assert forecasts(sundays, origin, 24)["day-kind"][0].tolist() == [10.0] * 24


def test_no_ordinary_day_takes_anything_from_a_holiday() -> None:
    """The week after: 1, 9 and 17 May are holidays."""
    frame, _ = ascension()
    for day in (10, 11, 13, 15, 16):
        origin = frame.clock.index(dt.datetime(2024, 5, day))
        found = forecasts(frame, origin, 24)
        assert found["weeks"].max() <= 100
        assert found["day-kind"].max() <= 100


def test_where_no_holiday_calendar_is_known_a_holiday_is_a_day_like_others() -> None:
    frame, origin = ascension()
    found = forecasts(replace(frame, country=None, values=frame.values.clip(max=100)), origin, 24)
    assert found["weeks"][0].tolist() == [100.0] * 24


WORLDS = {
    "hours": {"days": 60},
    "gaps": {"days": 60, "gaps": 0.4},
    "clocks go back": {"days": 66, "start": dt.datetime(2024, 8, 29, 22)},
    "quarters, clocks go back": {
        "days": 20,
        "steps_per_day": 96,
        "start": dt.datetime(2024, 10, 12, 22),
    },
    "first fortnight": {"days": 16, "gaps": 0.0},
    "days": {"days": 90, "steps_per_day": 1, "timezone": None},
}


@pytest.mark.parametrize("world", WORLDS)
def test_no_rule_looks_ahead(city: City, world: str) -> None:
    """Whatever comes after the origin, in the same history, is the same to every rule."""
    frame = city(2, **WORLDS[world])
    steps = frame.clock.steps_per_day
    if world == "clocks go back":
        origins = list(range(24 * 58 - 2, 24 * 59 + 4))
    elif world == "quarters, clocks go back":
        origins = list(range(96 * 14 + 4, 96 * 14 + 20))
    else:
        origins = list(
            range(steps + 1, len(frame) - 1, max(1, 7 * steps + 5) // (1 + (steps == 1)))
        )
    horizon = 16 if steps == 1 else min(4 * steps, 200)
    for origin in origins:
        examples = Examples(torch.tensor([0, 1]), torch.tensor([origin, origin]))
        values = frame.values.copy()
        values[origin:] = 9_999.0
        expected = history_of(frame, horizon).ahead(examples, horizon)
        found = history_of(replace(frame, values=values), horizon).ahead(examples, horizon)
        for name in SEASONAL:
            torch.testing.assert_close(
                found[name], expected[name], rtol=1e-5, atol=1e-4,
                msg=f"{name} at {frame.clock.text(origin)}, row {origin}",
            )  # fmt: skip


def test_no_rule_is_ever_without_an_answer(city: City) -> None:
    """A sensor that died, one that was just born, one with a single value."""
    frame = city(4, 60, gaps=0.0)
    frame.values[24 * 20 :, 0] = np.nan
    frame.values[:-5, 1] = np.nan
    frame.values[:, 2] = np.nan
    frame.values[700, 2] = 7.0
    for name, values in forecasts(frame, len(frame), 24 * 9).items():
        assert values.isfinite().all(), name


def test_before_its_first_value_a_sensor_has_no_last_value(city: City) -> None:
    frame = city(2, 20, gaps=0.0)
    frame.values[: 24 * 10, 1] = np.nan
    at = Seasonal(History.of(frame, ahead=0)).every_sensor(torch.tensor([24 * 10]), 24)
    assert at.last_day[0, 0].isfinite().all()
    assert at.weeks[0, 1].isnan().all()


def test_a_time_of_day_never_measured_is_forecast_by_the_last_value(city: City) -> None:
    frame = city(1, 30, gaps=0.0, timezone=None)
    frame.values[5::24] = np.nan
    at = Seasonal(History.of(frame, ahead=24)).every_sensor(torch.tensor([24 * 30]), 24)
    assert at.last_day[0, 0, 5] == at.weeks[0, 0, 5] == frame.values[-1, 0]


@pytest.mark.parametrize("world", WORLDS)
def test_a_sensor_alone_is_forecast_as_among_all(city: City, world: str) -> None:
    frame = city(3, **WORLDS[world])
    horizon = 2 * frame.clock.steps_per_day
    seasonal, origin = Seasonal(History.of(frame, ahead=horizon)), len(frame) - 1
    every = seasonal.every_sensor(torch.tensor([origin - 1, origin]), horizon)
    for sensor in range(3):
        one = Examples(torch.tensor([sensor]), torch.tensor([origin]))
        at = seasonal.at(one, origin + torch.arange(horizon)[None])
        for rule in ("last_day", "last_week", "days", "kind", "weeks"):
            assert torch.equal(getattr(at, rule)[0], getattr(every, rule)[1, sensor])


def test_rules_that_nobody_asks_for_are_not_made(city: City) -> None:
    frame = city(2, 40)
    found = forecasts(frame, len(frame) - 24, 24)
    assert found["yesterday"].shape == (2, 24)
    assert not {"days", "kind", "weeks"} & vars(found.at).keys()  # type: ignore[attr-defined]
    assert list(found) == list(SEASONAL)


@pytest.mark.parametrize("at_once", [1, 300, 10**6])
def test_days_that_are_looked_at_together_change_no_digit(
    city: City, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    frame = city(3, 50, gaps=0.2)
    history = History.of(frame, ahead=6)
    examples = all_sensors(history, torch.tensor([300, history.length]))
    expected = dict(Seasonal(history).ahead(examples, 6))
    monkeypatch.setattr("citytune.windows._lookback.VALUES_AT_ONCE", at_once)
    for name, rule in Seasonal(history).ahead(examples, 6).items():
        assert torch.equal(rule, expected[name]), name


def test_rules_that_begin_late_are_those_of_all(city: City) -> None:
    history, since = History.of(city(3, 50, gaps=0.2), ahead=6), 700
    whole, late = Seasonal(history), Seasonal(history, since)
    for name in ("days", "kind", "profile"):
        rule = getattr(late, name)
        assert rule[:, :since].isnan().all()
        assert torch.equal(rule[:, since:], getattr(whole, name)[:, since:])
