"""The promise: seasonal rules are the plain means they say, of the past alone, in local time."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from citytune.frame import Clock, SensorFrame
from citytune.tuning import Seasonal
from citytune.tuning._seasonal import SEASONAL
from citytune.windows import Examples, History, all_sensors

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
        self.value = {
            time: float(value)
            for time, value in zip(self.time[:origin], frame.values[:origin, sensor], strict=False)
            if not math.isnan(value)
        }
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

    def back(self, time: dt.datetime, days: int) -> int:
        found = 0
        while time - found * days * DAY > self.last:
            found += 1
        return found

    def level(self, rule: Callable[[dt.datetime, int], float]) -> float:
        last = self.time[self.origin - max(self.steps, 3) : self.origin]
        off = [self.value.get(time, math.nan) - rule(time, 1) for time in last]
        return self.mean([error for error in off if not math.isnan(error)])

    def fading(self, rule: Callable[[dt.datetime, int], float], step: int) -> float:
        recent = self.time[self.origin - 14 * self.steps : self.origin]
        off = [self.value.get(time, math.nan) - rule(time, 1) for time in recent]
        pairs = [(a, b) for a, b in pairwise(off) if not math.isnan(a + b)]
        rho = sum(a * b for a, b in pairs) / sum(a * a for a, _ in pairs)
        last = self.mean([error for error in off[-3:] if not math.isnan(error)])
        return (0.0 if math.isnan(last) else last) * min(max(rho, 0.0), 0.995) ** (step + 1)

    def ahead(self, step: int) -> dict[str, float]:
        time = self.time[self.origin + step]
        back, weeks = self.back(time, 1), self.back(time, 7)
        days, like, week = self.days(time, back), self.like(time, back), self.weeks(time, weeks)
        same = self.at([time - 7 * (weeks + k) * DAY for k in range(4)])
        return {
            "yesterday": self.at([time - (back + k) * DAY for k in range(7)])[0],
            "last-week": same[0] if same else like,
            "days": days,
            "day-kind": like,
            "weeks": week,
            "days+level": days + self.level(self.days),
            "day-kind+level": like + self.level(self.like),
            "weeks+level": week + self.level(self.weeks),
            "weeks+fading": week + self.fading(self.weeks, step),
            "day-kind+fading": like + self.fading(self.like, step),
        }


def history_of(frame: SensorFrame, horizon: int) -> Seasonal:
    return Seasonal(History.of(frame, ahead=horizon))


def told(frame: SensorFrame, origin: int, horizon: int) -> dict[str, torch.Tensor]:
    examples = all_sensors(History.of(frame, ahead=horizon), torch.tensor([origin]))
    return history_of(frame, horizon).ahead(examples, horizon)


def check(frame: SensorFrame, origin: int, horizon: int) -> None:
    found = told(frame, origin, horizon)
    assert set(found) == set(SEASONAL)
    for sensor in range(len(frame.sensors)):
        plain = Plain(frame, sensor, origin, horizon)
        for step in range(0, horizon, 5):
            if not plain.at([plain.time[origin + step] - 7 * k * DAY for k in range(2, 7)]):
                continue  # nothing is ever measured at this hour
            expected = plain.ahead(step)
            for name in SEASONAL:
                got = float(found[name][sensor, step])
                assert got == pytest.approx(expected[name], rel=1e-3, abs=1e-3), (name, step)


@pytest.mark.parametrize("gaps", [0.0, 0.25])
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
    """The sensor sleeps from two to three, an hour that is missing or doubled on that day."""
    frame = city(1, 66, start=start, gaps=0.1)
    local = frame.clock.local(0, len(frame))
    hours = (local[-1] - local[0]) / np.timedelta64(1, "h") + 1
    assert hours != len(frame)  # the clocks do change within
    frame.values[local.astype("datetime64[h]").astype(int) % 24 == 2] = np.nan
    check(frame, origin, 72)


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
    found = told(frame, origin, 48)
    assert found["weeks"][0, :24].tolist() == [10.0] * 24
    assert found["weeks"][0, 24:].tolist() == [100.0] * 24
    assert found["day-kind"][0, 24:].tolist() == [100.0] * 24


def test_a_holiday_learns_from_holidays_and_sundays_alone() -> None:
    frame, origin = ascension()
    sundays = replace(frame, values=frame.values.clip(max=100))
    sundays.values[frame.values[:, 0] == 5_000] = 10
    assert told(sundays, origin, 24)["day-kind"][0].tolist() == [10.0] * 24


def test_no_ordinary_day_takes_anything_from_a_holiday() -> None:
    """The week after: 1, 9 and 17 May are holidays."""
    frame, _ = ascension()
    for day in (10, 11, 13, 15, 16):
        origin = frame.clock.index(dt.datetime(2024, 5, day))
        found = told(frame, origin, 24)
        assert found["weeks"].max() <= 100
        assert found["day-kind"].max() <= 100


def test_where_no_holiday_calendar_is_known_a_holiday_is_a_day_like_others() -> None:
    frame, origin = ascension()
    found = told(replace(frame, country=None, values=frame.values.clip(max=100)), origin, 24)
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
    for name, values in told(frame, len(frame), 24 * 9).items():
        assert values.isfinite().all(), name


def test_the_kind_of_a_day_is_workday_saturday_or_sunday_and_holiday() -> None:
    frame, _ = ascension()
    seasonal = history_of(frame, 0)
    by_date = {str(frame.clock.local(i, 1)[0])[:10]: i for i in range(0, len(frame), 24)}
    kinds = {date: int(seasonal.kind_of_day[i]) for date, i in by_date.items()}
    assert kinds["2024-05-06"] == kinds["2024-05-10"] == 0
    assert kinds["2024-05-11"] == 1
    assert kinds["2024-05-12"] == kinds["2024-05-09"] == kinds["2024-05-17"] == 2
