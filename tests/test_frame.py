"""Promise: a frame is checked once, keeps its own time, and cuts itself without losing anything."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from citytune import frame as door
from citytune._errors import InputError, UnknownName
from citytune.frame import (
    Clock,
    Fault,
    Quantity,
    SensorFrame,
    calendar,
    check_country,
    convert,
    same_unit,
    spell,
)

HOUR = dt.timedelta(hours=1)
START = dt.datetime(2024, 3, 30)


def frame(rows: int = 48, sensors: int = 2, ahead: int = 6) -> SensorFrame:
    names = tuple(f"s{i}" for i in range(sensors))
    return SensorFrame(
        values=np.arange(rows * sensors, dtype=np.float32).reshape(rows, sensors),
        clock=Clock(START, HOUR),
        sensors=names,
        covariates={
            "rain": np.arange(rows + ahead, dtype=np.float32)[:, None],
            "wind": np.zeros((rows + ahead, sensors), np.float32) + np.arange(sensors),
        },
        places=np.arange(2.0 * sensors).reshape(sensors, 2),
    )


def test_the_door_lists_its_names_in_order() -> None:
    assert door.__all__ == sorted(door.__all__)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (dt.timedelta(seconds=90), "90s"),
        (dt.timedelta(minutes=5), "5min"),
        (dt.timedelta(minutes=90), "90min"),
        (dt.timedelta(hours=6), "6h"),
        (dt.timedelta(days=7), "7D"),
    ],
)
def test_a_step_is_spelt_in_its_largest_unit(step: dt.timedelta, text: str) -> None:
    assert spell(step) == text


def test_a_clock_counts_its_steps() -> None:
    clock = Clock(START, dt.timedelta(minutes=5))
    assert (clock.steps_per_day, clock.steps_per_week, clock.freq) == (288, 2016, "5min")
    assert (Clock(START, 7 * 24 * HOUR).steps_per_day) == 1
    assert clock.moments(3, 2).tolist() == [
        START + dt.timedelta(minutes=15),
        START + dt.timedelta(minutes=20),
    ]


def test_index_and_moment_are_inverse() -> None:
    clock = Clock(START, dt.timedelta(minutes=15), "Europe/Oslo")
    for step in (-3, 0, 1, 77):
        assert clock.index(clock.moments(step, 1)[0]) == step
    assert clock.index(START + dt.timedelta(minutes=29)) == 1
    assert clock.shifted(5).moments(0, 1) == clock.moments(5, 1)


@pytest.mark.parametrize("zone", ["Europe/Oslo", "America/New_York", "Australia/Adelaide", "UTC"])
def test_local_time_is_that_of_the_zone(zone: str) -> None:
    clock = Clock(dt.datetime(2024, 1, 1), dt.timedelta(minutes=30), zone)
    count = 48 * 366
    utc = [dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + i * clock.step for i in range(count)]
    expected = [moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for moment in utc]
    assert clock.local(0, count).tolist() == expected


def test_a_clock_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        Clock(START, dt.timedelta(0))
    with pytest.raises(ValueError, match="naive"):
        Clock(START.replace(tzinfo=dt.UTC), HOUR)


def test_the_calendar_is_that_of_the_wall() -> None:
    clock = Clock(dt.datetime(2024, 3, 30), HOUR, "Europe/Oslo")
    found = calendar(clock, 0, 96, "NO")
    local = clock.local(0, 96).tolist()
    assert found.slot.tolist() == [moment.hour for moment in local]
    assert found.weekday.tolist() == [moment.weekday() for moment in local]
    easter = {dt.date(2024, 3, 31), dt.date(2024, 4, 1)}
    assert found.holiday.tolist() == [moment.date() in easter for moment in local]


def test_a_daily_clock_has_one_slot() -> None:
    found = calendar(Clock(START, 24 * HOUR), 0, 10)
    assert found.slot.tolist() == [0] * 10
    assert np.diff(found.day).tolist() == [1] * 9


@pytest.mark.parametrize("minutes", [7 * 60, 5 * 60, 50, 11 * 60, 60, 17 * 60])
def test_a_slot_is_a_part_of_the_day_also_of_a_clock_that_does_not_divide_it(minutes: int) -> None:
    clock = Clock(dt.datetime(2024, 3, 28), minutes * dt.timedelta(minutes=1), "Europe/Oslo")
    found, local = calendar(clock, 0, 200).slot, clock.local(0, 200)
    share = (local - local.astype("datetime64[D]")) / np.timedelta64(1, "D")
    expected = np.floor(share * clock.steps_per_day + 1e-9)
    np.testing.assert_array_equal(found, expected)
    assert set(found.tolist()) == set(range(clock.steps_per_day))


def days_in_season(country: str | None, start: dt.date, count: int) -> list[dt.date]:
    clock = Clock(dt.datetime.combine(start, dt.time()), dt.timedelta(days=1))
    season = calendar(clock, 0, count, country).season
    return [start + dt.timedelta(days=i) for i in np.flatnonzero(season).tolist()]


def test_a_holiday_season_lasts_from_the_first_eve_to_the_last_holiday() -> None:
    found = days_in_season("NO", dt.date(2022, 12, 15), 30)
    assert found == [dt.date(2022, 12, 24) + dt.timedelta(days=i) for i in range(9)]


def test_a_season_is_known_though_its_end_lies_beyond_what_is_asked() -> None:
    assert days_in_season("US", dt.date(2014, 12, 27), 2) == [
        dt.date(2014, 12, 27),
        dt.date(2014, 12, 28),
    ]


def test_a_single_holiday_makes_no_season() -> None:
    assert not days_in_season("US", dt.date(2024, 7, 1), 14)
    assert not days_in_season(None, dt.date(2022, 12, 15), 30)


def test_without_a_country_no_day_is_a_holiday() -> None:
    assert not calendar(Clock(dt.datetime(2024, 12, 24), HOUR), 0, 240).holiday.any()


def test_an_unknown_country_is_answered_with_the_nearest() -> None:
    check_country("NO")
    check_country("US-MN")
    with pytest.raises(InputError, match=r"Did you mean 'NO'\?"):
        check_country("Norway!")
    with pytest.raises(UnknownName, match="subdivision of US"):
        check_country("US-XX")


def test_a_range_that_holds_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        Quantity(low=1, high=1)
    assert str(Quantity("speed", "km/h")) == "speed (km/h)"
    assert str(Quantity("speed")) == "speed"


def test_a_fault_reads_as_one_sentence() -> None:
    fault = Fault(
        "negative", "warning", "3 values below 0", "made missing", "a", 3, "2024-01-01 00:00"
    )
    assert str(fault) == "sensor 'a': 3 values below 0 (first 2024-01-01 00:00); made missing"
    assert str(Fault("x", "note", "guessed", "fine")) == "guessed; fine"


@pytest.mark.parametrize(
    "change",
    [
        {"sensors": ("a",)},
        {"sensors": ("a", "a")},
        {"covariates": {"rain": np.zeros((3, 1), np.float32)}},
        {"covariates": {"rain": np.zeros((60, 3), np.float32)}},
        {"values": np.zeros(48, np.float32)},
    ],
)
def test_parts_that_do_not_fit_are_refused(change: dict[str, object]) -> None:
    whole = frame()
    parts = {"values": whole.values, "clock": whole.clock, "sensors": whole.sensors} | change
    with pytest.raises(ValueError, match=r"fit|same name"):
        SensorFrame(**parts)  # type: ignore[arg-type]


def test_cutting_the_end_keeps_what_is_known_ahead() -> None:
    cut = frame().until(30)
    assert len(cut) == 30
    assert cut.ahead == 48 + 6 - 30
    assert cut.clock == frame().clock


def test_cutting_the_start_moves_clock_and_covariates_along() -> None:
    cut = frame().since(10)
    assert cut.clock.moments(0, 1) == frame().clock.moments(10, 1)
    np.testing.assert_array_equal(cut.values, frame().values[10:])
    assert cut.covariates["rain"][0, 0] == 10
    assert cut.ahead == 6


def test_selecting_sensors_takes_their_places_and_covariates_along() -> None:
    cut = frame(sensors=3).select(["s2", "s0"])
    assert cut.sensors == ("s2", "s0")
    np.testing.assert_array_equal(cut.values, frame(sensors=3).values[:, [2, 0]])
    np.testing.assert_array_equal(cut.covariates["wind"][0], [2, 0])
    assert cut.covariates["rain"].shape == (54, 1)
    assert cut.places is not None
    assert cut.places.tolist() == [[4, 5], [0, 1]]
    with pytest.raises(UnknownName, match="Did you mean 's2'"):
        frame(sensors=3).select(["s22"])


def test_without_covariates_nothing_is_known_ahead() -> None:
    bare = SensorFrame(np.zeros((5, 1), np.float32), Clock(START, HOUR), ("a",))
    assert bare.ahead == 0
    assert (
        repr(bare)
        == "SensorFrame(value, 1 sensor, 5 steps of 1h from 2024-03-30 00:00, 0 % missing)"
    )


@pytest.mark.parametrize(
    ("value", "unit", "into", "expected"),
    [
        (1500, "W", "kW", 1.5),
        (2, "MW", "kw", 2000),
        (2, "GWh", "MWh", 2000),
        (3.6, "MJ", "kWh", 1),
        (-40, "°C", "°F", -40),
        (68, "F", "celsius", 20),
        (0, "°C", "K", 273.15),
        (36, "km/h", "m/s", 10),
        (10, "mph", "kmh", 16.09344),
        (1, "kn", "km/h", 1.852),
        (1013, "hPa", "Pa", 101300),
        (2, "mg/m3", "µg/m³", 2000),
        (5, "veh/h", "vph", 5),
    ],
)
def test_units_of_one_thing_are_converted(value, unit, into, expected):
    found = convert(np.array([value, np.nan], np.float32), unit, into)
    assert found[0] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(found[1])
    back = convert(found, into, unit)
    assert back[0] == pytest.approx(value, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(
    ("unit", "into"), [("kW", "kWh"), ("°C", "m/s"), ("frogs", "kW"), ("", "W")]
)
def test_units_of_other_things_are_not(unit, into):
    assert convert(np.ones(1, np.float32), unit, into) is None


def test_spellings_of_one_unit_are_one():
    assert same_unit("ug/m3", "µg/m³")
    assert same_unit("frogs ", "Frogs")
    assert not same_unit("kW", "MW")
