"""The promise: where the clocks change, `citytune-base` goes by the clock on the wall."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import torch
from torch import Tensor

from citytune.backbones import Past
from citytune.backbones.city import SHIPPED, CityBackbone, read_network
from citytune.backbones.city import _adapter as city_module
from citytune.backbones.city._wall import Lot, straighten
from citytune.forecasting import fit_model
from citytune.frame import SensorFrame
from citytune.tuning.examples._lens_input import calendar_of
from citytune.windows import Examples, History

City = Callable[..., SensorFrame]

DAY = dt.timedelta(days=1)
OSLO, LORD_HOWE, HAVANA = "Europe/Oslo", "Australia/Lord_Howe", "America/Havana"
CHANGES = {
    (OSLO, "spring"): dt.datetime(2024, 3, 31, 1),  # 02:00 becomes 03:00, on Easter Sunday
    (OSLO, "autumn"): dt.datetime(2024, 10, 27, 1),  # 03:00 becomes 02:00
    (LORD_HOWE, "spring"): dt.datetime(2024, 10, 5, 15, 30),  # 02:00 becomes 02:30
    (LORD_HOWE, "autumn"): dt.datetime(2024, 4, 6, 15),  # 02:00 becomes 01:30
    (HAVANA, "spring"): dt.datetime(2024, 3, 10, 5),  # 00:00 becomes 01:00
    (HAVANA, "autumn"): dt.datetime(2024, 11, 3, 5),  # 01:00 becomes 00:00
}
"""Zone and season → the first moment, in UTC, by the new clock."""


class World(NamedTuple):
    """A series whose values number its steps, around a change of the clocks."""

    local: list[dt.datetime]  # wall time of every step
    change: int  # first step by the new clock
    day: int

    def past(self, origin: int, context: int, horizon: int) -> Past:
        """The window before a step, with its calendar; the day of the change is a holiday."""
        steps = range(origin - context, origin + horizon)
        when = [self.local[i] for i in steps]
        share = [(t - midnight(t)) / DAY for t in when]
        holiday = [float(t.date() == self.local[self.change].date()) for t in when]
        weekday = [float(t.weekday()) for t in when]
        calendar = torch.tensor([share, weekday, holiday]).T[None]
        values = torch.tensor(steps[:context], dtype=torch.float32)[None]
        return Past(values, torch.ones_like(values, dtype=torch.bool), calendar, self.day)


def midnight(when: dt.datetime) -> dt.datetime:
    return when.replace(hour=0, minute=0)


def world(zone: str, season: str, day: int, days: int = 5) -> World:
    """So many days on either side of a change, on a clock of `day` steps a day."""
    change = CHANGES[zone, season]
    count = days * day
    moments = [change + i * DAY / day for i in range(-count, count)]
    aware = [moment.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone)) for moment in moments]
    return World([moment.replace(tzinfo=None) for moment in aware], count, day)


def only(lots: list[Lot]) -> Lot:
    assert len(lots) == 1
    return lots[0]


def together(*parts: Past) -> Past:
    return Past(*(torch.cat(part) for part in list(zip(*parts, strict=True))[:3]), parts[0][3])


def same(one: Lot, other: Lot) -> None:
    for found, expected in zip(one.past[:3], other.past[:3], strict=True):
        assert torch.equal(found, expected)
    assert one.reach == other.reach
    assert (one.at is None) == (other.at is None)
    if one.at is not None and other.at is not None:
        assert torch.equal(one.at, other.at)


# --- what is shown --------------------------------------------------------------------------


CLOCKS = [
    *[(OSLO, day) for day in (24, 48, 96, 288)],
    (LORD_HOWE, 48),
    (LORD_HOWE, 144),
    (HAVANA, 96),
]


@pytest.mark.parametrize("season", ["spring", "autumn"])
@pytest.mark.parametrize(("zone", "day"), CLOCKS)
def test_a_row_ago_is_the_same_time_of_day(zone: str, day: int, season: str) -> None:
    """By a plain look-up of wall times, for origins long before, right at, and after a change."""
    made = world(zone, season, day)
    context, horizon, step = 3 * day, day + 5, DAY / day
    around = {-day, -2, -1, 0, 1, 2, *range(-day // 8, day // 8, max(1, day // 48)), day, 2 * day}
    for origin in (made.change + gap for gap in sorted(around)):
        past = made.past(origin, context, horizon)
        lot = only(straighten(past, horizon))
        assert lot.at is not None
        now, reach = made.local[origin], lot.reach
        times = [now + i * step for i in range(-context, reach)]
        last_at = {made.local[i]: float(i) for i in range(origin - context, origin)}
        expected = [last_at.get(time) for time in times[:context]]
        measured = torch.tensor([value is not None for value in expected])
        assert torch.equal(lot.past.measured[0], measured)
        values = torch.tensor([value for value in expected if value is not None])
        assert torch.equal(lot.past.values[0][measured], values)
        share = torch.tensor([(time - midnight(time)) / DAY for time in times])
        torch.testing.assert_close(lot.past.calendar[0, :, 0], share)
        weekday = torch.tensor([float(time.weekday()) for time in times])
        assert torch.equal(lot.past.calendar[0, :, 1], weekday)
        ahead = [(made.local[origin + i] - now) / step for i in range(horizon)]
        # Within an hour that comes twice, the second may lie before the origin on the wall.
        assert lot.at[0].tolist() == [max(0, round(place)) for place in ahead]
        assert horizon <= reach == max(horizon, round(max(ahead)) + 1)
        assert lot.past.calendar.shape == (1, context + reach, 3)


def test_in_spring_the_skipped_hour_was_not_measured_and_older_rows_are_shifted() -> None:
    made = world(OSLO, "spring", 24)
    lot = only(straighten(made.past(made.change + 10, 48, 24), 24))
    first = made.change - 38  # of the window
    hole = 48 - 10 - 1
    assert (~lot.past.measured[0]).nonzero().tolist() == [[hole]]
    assert lot.past.values[0, :hole].tolist() == list(range(first + 1, made.change))
    assert lot.past.values[0, hole + 1 :].tolist() == list(range(made.change, made.change + 10))
    assert lot.at is not None
    assert lot.at[0].tolist() == list(range(24))


def test_in_autumn_the_later_of_two_hours_counts() -> None:
    made = world(OSLO, "autumn", 24)
    lot = only(straighten(made.past(made.change + 10, 48, 24), 24))
    first = made.change - 38
    assert (~lot.past.measured[0]).nonzero().tolist() == [[0]]  # older than the window
    expected = [*range(first, made.change - 1), *range(made.change, made.change + 10)]
    assert lot.past.values[0, 1:].tolist() == expected


def test_what_was_not_measured_before_is_not_measured_after() -> None:
    made = world(OSLO, "autumn", 24)
    past = made.past(made.change + 10, 48, 24)
    past.measured[0, -10] = False  # the second time that the hour came
    lot = only(straighten(past, 24))
    assert (~lot.past.measured[0]).nonzero().tolist() == [[0], [48 - 10]]


@pytest.mark.parametrize("zone", [OSLO, HAVANA])
@pytest.mark.parametrize("season", ["spring", "autumn"])
@pytest.mark.parametrize("gap", [-12, 0, 12])
def test_a_holiday_has_no_holes(zone: str, season: str, gap: int) -> None:
    """The day of the change is one, from its midnight to the next."""
    made = world(zone, season, 24)
    lot = only(straighten(made.past(made.change + gap, 48, 48), 48))
    now = made.local[made.change + gap]
    times = [now + i * DAY / 24 for i in range(-48, lot.reach)]
    expected = [float(time.date() == made.local[made.change].date()) for time in times]
    assert lot.past.calendar[0, :, 2].tolist() == expected


# --- what stays as it is --------------------------------------------------------------------


def test_windows_without_a_change_are_left_as_they_are() -> None:
    made = world(OSLO, "spring", 24)
    for origin in (made.change - 30, made.change + 60):
        past = made.past(origin, 48, 24)
        lot = only(straighten(past, 24))
        assert lot.past is past
        assert (lot.at, lot.reach, lot.which.tolist()) == (None, 24, [0])


def test_a_change_beyond_the_horizon_asked_does_not_matter() -> None:
    made = world(OSLO, "spring", 24)
    past = made.past(made.change - 30, 48, 48)
    assert only(straighten(past, 24)).past is past
    assert only(straighten(past, 48)).past is not past


@pytest.mark.parametrize("known", [0, 3])
def test_where_nobody_knows_the_time_nothing_changes(known: int) -> None:
    """A calendar of zeros, and one that stands still before a history's start."""
    past = world(OSLO, "spring", 24).past(60, 48, 24)
    share = past.calendar[..., 0]
    share[:, : 48 + 24 - known] = share[:, 48 + 24 - known, None] if known else 0.0
    past.calendar[..., 1:] = 0
    assert only(straighten(past, 24)).past is past


@pytest.mark.parametrize("day", [1, 2, 3, 8, 12])
def test_on_clocks_coarser_than_an_hour_nothing_changes(day: int) -> None:
    made = world(OSLO, "spring", 24)
    past = made.past(made.change + 10, 48, 24)._replace(steps_per_day=day)
    assert only(straighten(past, 24)).past is past


def test_a_calendar_without_a_future_is_left_alone() -> None:
    made = world(OSLO, "spring", 24)
    past = made.past(made.change + 10, 48, 0)
    assert only(straighten(past, 24)).past is past


@pytest.mark.parametrize("phase", range(4))
@pytest.mark.parametrize("every", [2, 4])
def test_blocks_of_steps_may_start_at_any_part_of_an_hour(every: int, phase: int) -> None:
    """As a long horizon is asked for on a coarser clock: at half a block's phase, say."""
    made = world(OSLO, "spring", 96)
    fine = made.past(60 * every + phase, 48 * every, 24 * every)
    plain = Past(
        fine.values[:, ::every], fine.measured[:, ::every], fine.calendar[:, ::every], 96 // every
    )
    assert only(straighten(plain, 24)).past is plain
    fine = made.past(made.change + 12 * every + phase, 48 * every, 24 * every)
    moved = Past(
        fine.values[:, ::every], fine.measured[:, ::every], fine.calendar[:, ::every], 96 // every
    )
    lot = only(straighten(moved, 24))
    torch.testing.assert_close(lot.past.calendar[:, 48:], moved.calendar[:, 48:])
    assert int((~lot.past.measured).sum()) == 4 // every


# --- batches --------------------------------------------------------------------------------


def mixed() -> tuple[Past, list[Past]]:
    """Windows with a change before, at and ahead of the origin, of both kinds, and without one."""
    parts = [
        world(OSLO, season, 24).past(5 * 24 + gap, 48, 24)
        for gap in (-12, 60, 0, 12, -30, -1)
        for season in ("spring", "autumn")
    ]
    blind = parts[0]._replace(calendar=torch.zeros_like(parts[0].calendar))
    parts.insert(3, blind)
    return together(*parts), parts


def test_what_a_window_is_shown_does_not_depend_on_its_batch() -> None:
    whole, parts = mixed()
    lots = straighten(whole, 24)
    assert sorted(torch.cat([lot.which for lot in lots]).tolist()) == list(range(len(parts)))
    for lot in lots:
        for i, place in enumerate(lot.which.tolist()):
            alone = only(straighten(parts[place], 24))
            shown = Past(*(part[i : i + 1] for part in lot.past[:3]), 24)
            at = None if lot.at is None else lot.at[i : i + 1]
            same(Lot(lot.which[i : i + 1], shown, lot.reach, at), alone)


@pytest.fixture(scope="module")
def base() -> CityBackbone:
    return read_network(SHIPPED)


def test_forecasts_and_features_of_a_batch_are_those_of_its_windows(base: CityBackbone) -> None:
    whole, parts = mixed()
    wave = 10 + (whole.values * torch.pi / 12).sin()
    whole = whole._replace(values=wave)
    alone = [part._replace(values=wave[i : i + 1]) for i, part in enumerate(parts)]
    forecast = torch.cat([base.forecast(part, 24) for part in alone])
    torch.testing.assert_close(base.forecast(whole, 24), forecast, rtol=1e-4, atol=1e-4)
    features = torch.cat([base.features(part) for part in alone])
    torch.testing.assert_close(base.features(whole), features, rtol=1e-3, atol=1e-3)


# --- what is read ---------------------------------------------------------------------------


def uniform(past: Past, horizon: int) -> Past:
    """The same values by a clock that never changes, the same as before the origin."""
    day, context = past.steps_per_day, past.values.shape[1]
    when = torch.arange(context + horizon) + round(float(past.calendar[0, 0, 0]) * day)
    weekday = (past.calendar[0, 0, 1] + when.div(day, rounding_mode="floor")) % 7
    calendar = torch.stack([when % day / day, weekday, torch.zeros(len(when))], 1)[None]
    return past._replace(calendar=calendar)


@pytest.mark.parametrize("day", [24, 96, 288])
@pytest.mark.parametrize("season", ["spring", "autumn"])
def test_ahead_of_a_change_each_step_reads_the_forecast_of_its_time_of_day(
    base: CityBackbone, season: str, day: int
) -> None:
    """As if no clock would change, and then the hour is left out, or read twice."""
    made, hour = world(OSLO, season, day), day // 24
    context, horizon, gap = 3 * day, day, day // 4
    past = made.past(made.change - gap, context, horizon)
    past.calendar[..., 2] = 0
    past = past._replace(values=50 + 30 * (past.values * 2 * torch.pi / day).sin())
    reach = horizon + hour if season == "spring" else horizon
    plain = base.quantiles(uniform(past, reach), reach)
    on = [*range(gap + hour, horizon + hour)], [*range(gap - hour, horizon - hour)]
    places = [*range(gap), *on[season == "autumn"]]
    expected = plain[:, places]
    torch.testing.assert_close(base.quantiles(past, horizon), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("season", ["spring", "autumn"])
def test_a_calendar_shorter_than_the_horizon_is_carried_on(base: CityBackbone, season: str) -> None:
    made = world(OSLO, season, 24)
    for gap in (12, -12):
        past = made.past(made.change + gap, 48, 24)
        found = base.quantiles(past, 60)
        assert found.shape == (1, 60, 11)
        assert found.isfinite().all()


@pytest.mark.parametrize("season", ["spring", "autumn"])
def test_features_do_not_depend_on_the_horizon_asked(base: CityBackbone, season: str) -> None:
    made = world(OSLO, season, 24)
    for gap in (12, -12):
        near, far = (base.features(made.past(made.change + gap, 48, h)) for h in (24, 48))
        torch.testing.assert_close(near, far, rtol=1e-3, atol=1e-3)


# --- a city ---------------------------------------------------------------------------------


def days_after(city: City, season: str) -> tuple[SensorFrame, int]:
    """A clean city with a strong day, and the midnight after its clocks change."""
    start = CHANGES[OSLO, season] - dt.timedelta(days=42, hours=1)
    frame = city(1, 56, start=start, gaps=0.0, turn=0.0, noise=0.02, country=None)
    return frame, frame.clock.index(CHANGES[OSLO, season] + dt.timedelta(hours=23))


def errors(base: CityBackbone, frame: SensorFrame, origins: list[int]) -> float:
    """Mean absolute error of a day ahead from each origin, untouched."""
    history, context = History.of(frame, ahead=24), 28 * 24
    origin = torch.tensor(origins)
    when = origin[:, None] + torch.arange(-context, 24)
    values = history.raw[0][when]
    calendar = calendar_of(history, Examples(origin * 0, origin), context, 24)
    known = torch.ones(len(origins), context, dtype=torch.bool)
    found = base.forecast(Past(values[:, :context], known, calendar, 24), 24)
    return float((found - values[:, context:]).abs().mean())


@pytest.mark.parametrize("season", ["spring", "autumn"])
def test_after_the_change_a_city_is_forecast_as_well_as_before(
    base: CityBackbone, city: City, season: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, midnight_after = days_after(city, season)
    before = errors(base, frame, [midnight_after - 24 * day for day in range(3, 10)])
    across = errors(base, frame, [midnight_after - 24, midnight_after - 30])
    after = errors(base, frame, [midnight_after + 24 * day for day in range(7)])
    monkeypatch.setattr(city_module, "straighten", left_alone)
    unmended = errors(base, frame, [midnight_after + 24 * day for day in range(7)])
    print(f"{season}: {across / before:.2f} {after / before:.2f} {unmended / before:.2f}")
    assert across < 1.6 * before
    assert after < 1.4 * before
    assert unmended > 2 * after  # else this city would say nothing


def left_alone(past: Past, horizon: int) -> list[Lot]:
    return [Lot(torch.arange(len(past.values)), past, horizon, None)]


# --- before the start -----------------------------------------------------------------------


def calendar_before(frame: SensorFrame, context: int) -> Tensor:
    """(context + 1, 3) of the first step and those before it."""
    first = torch.tensor([0])
    return calendar_of(History.of(frame, ahead=1), Examples(first, first), context, 1)[0]


@pytest.mark.parametrize("day", [24, 96])
def test_before_a_history_starts_the_clock_runs_on_backwards(city: City, day: int) -> None:
    """Across midnights and weeks, at the same slots and weekdays as those of a longer history."""
    start = dt.datetime(2024, 6, 20, 9, 15)
    long = city(1, 20, start=start, steps_per_day=day)
    late = 12 * day + 5
    found = calendar_before(long.since(late), late)
    cal = long.calendar(0, late + 1)
    np.testing.assert_allclose(found[:, 0], cal.slot / day, rtol=1e-6)
    np.testing.assert_array_equal(found[:, 1], cal.weekday)


def test_before_a_history_starts_nobody_knows_of_holidays(city: City) -> None:
    easter = city(1, 3, start=dt.datetime(2024, 4, 1, 6))
    found = calendar_before(easter, 48)
    assert found[-1, 2] == 1
    assert not found[:-1, 2].any()


@pytest.mark.parametrize(("days", "ago"), [(1, 1), (7, 0), (30, 2)])
def test_before_a_history_of_days_or_weeks_starts_weekdays_go_back_in_its_own_steps(
    days: int, ago: int
) -> None:
    from citytune.frame import Clock, Quantity

    clock = Clock(dt.datetime(2024, 1, 4), dt.timedelta(days=days))  # a Thursday
    values = np.ones((20, 1), np.float32)
    found = calendar_before(SensorFrame(values, clock, ("a",), Quantity("load", "MW"), None), 8)
    assert found[:, 1].tolist() == [(3 - ago * i) % 7 for i in range(8, -1, -1)]


def test_a_history_that_starts_late_is_not_taken_for_one_across_a_change(city: City) -> None:
    frame = city(1, 3, start=dt.datetime(2024, 6, 20, 9), gaps=0.0)
    history, origin = History.of(frame, ahead=24), torch.tensor([30])
    calendar = calendar_of(history, Examples(origin * 0, origin), 672, 24)
    past = Past(torch.ones(1, 672), torch.ones(1, 672, dtype=torch.bool), calendar, 24)
    assert only(straighten(past, 24)).past is past


# --- from frame to forecast -----------------------------------------------------------------


@pytest.mark.parametrize("season", ["spring", "autumn"])
def test_a_model_forecasts_across_a_change(city: City, season: str) -> None:
    """The quiet night and the busy noon of the day after stay where they are."""
    frame, midnight_after = days_after(city, season)
    train = frame.until(midnight_after - 36)
    model = fit_model(train, horizon=72, backbone="citytune-base", strategy="zero-shot")
    found = model.forecast(train).mean
    actual = frame.values[midnight_after - 36 : midnight_after + 36]
    shifted = np.abs(np.roll(actual, 1, axis=0) - actual)[36:]
    assert np.abs(found - actual)[36:].mean() < shifted.mean() / 2
