"""Windows: cut without looking ahead, split without leaking, scale and come back."""

import datetime as dt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import citytune.windows
from citytune._errors import InputError
from citytune.frame import Clock, SensorFrame
from citytune.windows import (
    Examples,
    History,
    Scale,
    WindowSpec,
    all_sensors,
    candidates,
    cut_future,
    cut_measured,
    cut_past,
    fill_causally,
    first_known,
    needed,
    purged_folds,
    split_by_time,
    stride_of,
    thin,
)

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def frame_of(values, *, step=HOUR, start=dt.datetime(2024, 3, 1), timezone=None, **more):
    values = np.asarray(values, np.float32)
    values = values[:, None] if values.ndim == 1 else values
    names = tuple(f"s{i}" for i in range(values.shape[1]))
    return SensorFrame(values, Clock(start, step, timezone), names, **more)


def history_of(values, ahead=0, **more):
    return History.of(frame_of(values, **more), ahead=ahead)


def test_every_public_name_is_listed_in_order():
    assert citytune.windows.__all__ == sorted(citytune.windows.__all__)


# --- splits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("test", [0.25, 24, dt.timedelta(days=1)])
def test_a_share_a_number_of_steps_and_a_time_can_ask_for_the_same_split(test):
    frame = frame_of(np.arange(96))
    train, later = split_by_time(frame, test=test)
    assert train.values[:, 0].tolist() == list(range(72))
    assert later.values[:, 0].tolist() == list(range(72, 96))
    assert later.clock.text(0) == frame.clock.text(72)


@pytest.mark.parametrize("test", [0, 1.0, 1.5, -3, 96, dt.timedelta(days=4), float("nan")])
def test_a_split_that_leaves_a_part_empty_is_refused_in_words(test):
    with pytest.raises(InputError, match="of the 96 rows"):
        split_by_time(frame_of(np.arange(96)), test=test)


def test_the_earlier_part_keeps_what_is_known_ahead():
    weather = {"wind": np.arange(100, dtype=np.float32)[:, None]}
    train, later = split_by_time(frame_of(np.arange(96), covariates=weather), test=10)
    assert train.ahead == 14
    assert later.covariates["wind"][0, 0] == 86


@settings(max_examples=200, deadline=None)
@given(
    origins=st.lists(st.integers(0, 400), min_size=1, max_size=60),
    horizon=st.integers(1, 90),
    folds=st.integers(2, 7),
)
def test_no_fold_is_fitted_on_what_it_is_tested_on(origins, horizon, folds):
    for fold in purged_folds(torch.tensor(origins), horizon=horizon, folds=folds):
        for i in fold.train.tolist():
            targets = set(range(origins[i], origins[i] + horizon))
            for j in fold.test.tolist():
                assert targets.isdisjoint(range(origins[j], origins[j] + horizon))


@settings(max_examples=100, deadline=None)
@given(
    origins=st.lists(st.integers(0, 400), min_size=1, max_size=60),
    horizon=st.integers(1, 20),
    folds=st.integers(2, 7),
)
def test_a_fold_leaves_out_no_more_than_it_must(origins, horizon, folds):
    for fold in purged_folds(torch.tensor(origins), horizon=horizon, folds=folds):
        train, test = set(fold.train.tolist()), [origins[j] for j in fold.test.tolist()]
        for i, origin in enumerate(origins):
            near = min(test) - horizon < origin < max(test) + horizon
            assert (i in train) == (not near)


def test_the_tests_of_all_folds_are_every_window_once():
    origins = torch.arange(0, 480, 3).repeat_interleave(4)[torch.randperm(640)]
    folds = purged_folds(origins, horizon=24, folds=5)
    tested = torch.cat([fold.test for fold in folds])
    assert len(folds) == 5
    assert torch.equal(tested.sort().values, torch.arange(640))


def test_windows_that_share_an_origin_are_tested_together():
    origins = torch.tensor([0, 0, 0, 50, 50, 100])
    found = [fold.test.tolist() for fold in purged_folds(origins, horizon=10, folds=3)]
    assert found == [[0, 1, 2], [3, 4], [5]]


def test_folds_that_leave_nothing_to_fit_on_are_left_out():
    assert purged_folds(torch.arange(20), horizon=100) == []
    assert purged_folds(torch.tensor([7, 7, 7]), horizon=1) == []
    assert purged_folds(torch.empty(0, dtype=torch.long), horizon=1) == []


@pytest.mark.parametrize("wrong", [{"folds": 1}, {"horizon": 0}])
def test_foolish_folds_are_refused(wrong):
    with pytest.raises(ValueError, match="must be at least"):
        purged_folds(torch.arange(9), **{"horizon": 1, **wrong})


# --- scale ----------------------------------------------------------------------------------


def test_a_scaled_window_has_mean_zero_and_spread_one():
    past = torch.randn(50, 200).exp() * torch.logspace(-3, 5, 50)[:, None]
    scaled = Scale.of(past).do(past)
    torch.testing.assert_close(scaled.mean(1), torch.zeros(50), atol=1e-4, rtol=0)
    torch.testing.assert_close(scaled.std(1, correction=0), torch.ones(50), atol=1e-3, rtol=0)


@settings(max_examples=100, deadline=None)
@given(
    level=st.floats(-1e4, 1e4, width=32),
    spread=st.one_of(st.just(0.0), st.floats(0.0625, 1e4, width=32)),
    seed=st.integers(0, 999),
)
def test_scaling_there_and_back_changes_nothing(level, spread, seed):
    values = level + spread * torch.randn(3, 40, generator=torch.Generator().manual_seed(seed))
    scale = Scale.of(values[:, :30])
    back = scale.undo(scale.do(values))
    torch.testing.assert_close(back, values, rtol=1e-4, atol=1e-5 * (abs(level) + spread + 1))


@pytest.mark.parametrize("value", [0.0, 5.0, -1e-6, 3e6])
def test_a_flat_window_is_scaled_to_zero_and_its_forecast_stays_near(value):
    scale = Scale.of(torch.full((1, 24), value))
    assert scale.do(torch.full((1, 24), value)).abs().max() < 1e-3
    assert scale.spread.item() > 0
    torch.testing.assert_close(scale.undo(torch.zeros(1, 3)), torch.full((1, 3), value))


def test_what_was_not_measured_does_not_move_the_scale():
    past = torch.tensor([[1.0, 3.0, 999.0, torch.nan]])
    measured = torch.tensor([[True, True, False, True]])
    level, spread = Scale.of(past, measured)
    assert (level.item(), spread.item()) == (2.0, 1.0)


def test_a_window_without_a_single_value_has_a_harmless_scale():
    assert Scale.of(torch.full((1, 5), torch.nan)) == (torch.zeros(1, 1), torch.ones(1, 1))


def test_twice_the_traffic_is_scaled_alike():
    past = torch.rand(8, 48)
    torch.testing.assert_close(Scale.of(past).do(past), Scale.of(2 * past).do(2 * past))


# --- history --------------------------------------------------------------------------------


def fill_plainly(row, day):
    known = [i for i, value in enumerate(row) if not np.isnan(value)]
    if not known:
        return [0.0] * len(row)
    done = []
    for i, value in enumerate(row):
        if not np.isnan(value):
            done.append(value)
        elif i < known[0]:
            done.append(None)
        elif i - day >= known[0]:
            done.append(done[i - day])
        else:
            done.append(done[i - 1])
    for i in reversed(range(known[0])):  # before the first value, its first day comes back
        done[i] = done[i + min(day, len(row) - known[0])]
    return done


gappy = st.lists(st.one_of(st.just(np.nan), st.integers(0, 99).map(float)), min_size=1, max_size=40)


@settings(max_examples=200, deadline=None)
@given(row=gappy, day=st.integers(1, 8))
def test_a_gap_is_filled_from_the_day_before_as_by_hand(row, day):
    found = fill_causally(np.array([row], np.float32), day)
    np.testing.assert_array_equal(found[0], fill_plainly(row, day))


@settings(max_examples=200, deadline=None)
@given(row=gappy, day=st.integers(1, 8), data=st.data())
def test_filling_never_looks_ahead_once_a_sensor_has_begun(row, day, data):
    first = next((i for i, value in enumerate(row) if not np.isnan(value)), len(row))
    today = data.draw(st.integers(min(first + 1, len(row)), len(row)))
    disturbed = [*row[:today], *([9999.0] * (len(row) - today))]
    found, other = (
        fill_causally(np.array([r], np.float32), day)[0, :today] for r in (row, disturbed)
    )
    np.testing.assert_array_equal(found[first:], other[first:])


def test_filled_values_are_never_targets():
    values = np.arange(72.0)
    values[30:40] = np.nan
    history = history_of(values)
    one = Examples(torch.tensor([0]), torch.tensor([30]))
    assert cut_future(history.raw, one, 12).isnan().sum() == 10
    assert cut_past(history.filled, Examples(one.sensor, one.origin + 10), 10).isfinite().all()


@pytest.mark.parametrize("night", [dt.datetime(2024, 3, 31), dt.datetime(2024, 10, 27)])
@pytest.mark.parametrize("minutes", [60, 15])
def test_days_before_has_the_same_wall_time_across_daylight_saving(night, minutes):
    step = dt.timedelta(minutes=minutes)
    day = DAY // step
    start = night - 5 * DAY
    frame = frame_of(np.zeros(10 * day), step=step, start=start, timezone="Europe/Oslo")
    history = History.of(frame, ahead=day)
    wall = frame.clock.local(0, 11 * day)
    changes = {str(day_) for day_ in wall.astype("datetime64[D]") if str(day_) == str(night.date())}
    assert changes, "the night of the change is in the frame"
    for days in (1, 2, 3):
        for when in range(3 * day + 12, 11 * day):
            earlier = int(history.days_before(torch.tensor([when]), days))
            wanted = wall[when] - np.timedelta64(days, "D")
            if wanted in wall:
                assert (
                    earlier == np.flatnonzero(wall == wanted)[-1]
                )  # of a doubled hour, the second
            else:  # the hour that was skipped is read as late after the change
                assert wall[earlier] == wanted + np.timedelta64(1, "h")


def test_a_weekly_clock_never_looks_ahead_for_the_day_before():
    history = history_of(np.arange(20), step=dt.timedelta(days=7))
    assert history.days_before(torch.arange(1, 20), 1).tolist() == list(range(19))


def test_a_daily_clock_in_a_zone_counts_every_day_once():
    start = dt.datetime(2024, 10, 19, 22)  # midnight in Oslo, in summer time
    history = history_of(np.arange(20), step=DAY, start=start, timezone="Europe/Oslo")
    assert history.days_before(torch.arange(7, 20), 7).tolist() == list(range(13))


def test_covariates_reach_ahead_and_are_unknown_beyond_their_end():
    shared = np.arange(30, dtype=np.float32)[:, None]
    own = np.stack([shared[:, 0], -shared[:, 0]], axis=1)[:24]
    frame = frame_of(np.zeros((24, 2)), covariates={"wind": shared, "rain": own})
    known = History.of(frame, ahead=8).covariates
    assert known.shape == (2, 2, 32)
    assert known[0, :, 29].tolist() == [29.0, 29.0]
    assert known[1, :, 23].tolist() == [23.0, -23.0]
    assert known[0, :, 30:].isnan().all()
    assert known[1, :, 24:].isnan().all()


def test_the_kind_of_a_day_is_workday_saturday_or_sunday_and_holiday():
    start = dt.datetime(2024, 5, 6)
    history = history_of(
        np.zeros(12), step=DAY, start=start, country="NO"
    )  # 9 May is Ascension Day
    assert history.kind_of_day.tolist() == [0, 0, 0, 2, 0, 1, 2, 0, 0, 0, 0, 2]


def test_a_part_of_a_history_is_filled_as_in_the_whole():
    values = np.random.default_rng(0).random((72, 3))
    values[np.random.default_rng(1).random(values.shape) < 0.4] = np.nan
    history, some = history_of(values), torch.tensor([2, 0])
    assert torch.equal(history.part(some).filled, history.filled[some])


def test_a_history_owns_its_values():
    frame = frame_of(np.arange(48))
    history = History.of(frame, ahead=0)
    history.raw[0, 0] = 99
    assert frame.values[0, 0] == 0


# --- examples -------------------------------------------------------------------------------

SPEC = WindowSpec(context=48, horizon=24)


def choose_examples(history, spec, *, limit, stride=None):
    """As fitting chooses its windows: those measured enough, thinned to about `limit`."""
    stride = stride or stride_of(history)
    found, covered = candidates(history, spec, days=120, stride=stride)
    found = found.pick(covered >= needed(first_known(history), history.end, spec)[found.sensor])
    start = found.origin + history.first
    return found.pick(thin(found.sensor, start, stride, limit, len(history.raw)))


def test_windows_are_cut_as_plain_slices():
    values = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    history = history_of(values)
    examples = choose_examples(history, SPEC, limit=1000)
    past, future = cut_past(history.raw, examples, 48), cut_future(history.raw, examples, 24)
    for i, (sensor, origin) in enumerate(zip(*map(torch.Tensor.tolist, examples), strict=True)):
        if origin >= 48:
            np.testing.assert_array_equal(past[i], values[origin - 48 : origin, sensor])
        np.testing.assert_array_equal(future[i], values[origin : origin + 24, sensor])


def test_what_lies_before_the_first_step_repeats_it_and_beyond_the_last_is_missing():
    series = torch.arange(1.0, 6.0)[None]
    first = Examples(torch.tensor([0]), torch.tensor([2]))
    assert cut_past(series, first, 4).tolist() == [[1.0, 1.0, 1.0, 2.0]]
    last = Examples(torch.tensor([0]), torch.tensor([4]))
    assert cut_future(series, last, 2)[0, 0] == 5
    assert cut_future(series, last, 2)[0, 1].isnan()
    beyond = Examples(torch.tensor([0]), torch.tensor([5]))
    assert cut_future(series, beyond, 2).isnan().all()
    assert cut_past(series, beyond, 2).tolist() == [[4.0, 5.0]]


def test_what_lies_before_the_first_step_was_not_measured():
    """However it is filled: the repeated first day is shown, and known to be made up."""
    known = torch.tensor([[True, False, True, True, True], [True] * 5])
    examples = Examples(torch.tensor([0, 1, 0, 1, 0]), torch.tensor([3, 3, 5, 0, 1]))
    assert cut_measured(known, examples, 4).tolist() == [
        [False, True, False, True],
        [False, True, True, True],
        [False, True, True, True],
        [False] * 4,
        [False, False, False, True],
    ]


def test_measured_tells_the_values_of_a_window_from_its_filled_ones():
    values = np.random.default_rng(2).normal(size=(90, 2))
    values[np.random.default_rng(3).random(values.shape) < 0.3] = np.nan
    history = history_of(values)
    examples = all_sensors(history, torch.tensor([10, 48, 90]))
    measured = cut_measured(~history.raw.isnan(), examples, 48)
    assert measured.shape == (6, 48)
    for i, (sensor, origin) in enumerate(zip(*map(torch.Tensor.tolist, examples), strict=True)):
        expected = [t >= 0 and not np.isnan(values[t, sensor]) for t in range(origin - 48, origin)]
        assert measured[i].tolist() == expected


def test_a_disturbed_future_changes_no_past():
    history, today = torch.rand(2, 100), 60
    disturbed = history.clone()
    disturbed[:, today:] = 9999
    examples = all_sensors(history_of(history.T.numpy()), torch.tensor([today]))
    assert torch.equal(cut_past(history, examples, 48), cut_past(disturbed, examples, 48))


def test_all_sensors_come_origin_by_origin():
    found = all_sensors(history_of(np.zeros((10, 3))), torch.tensor([4, 7]))
    assert found.sensor.tolist() == [0, 1, 2, 0, 1, 2]
    assert found.origin.tolist() == [4, 4, 4, 7, 7, 7]


def test_no_target_lies_beyond_the_file():
    examples = choose_examples(history_of(np.zeros((300, 2))), SPEC, limit=10_000)
    assert int(examples.origin.max()) == 300 - 24
    assert int(examples.origin.min()) >= 1


@pytest.mark.parametrize("sensors", [1, 2, 8, 24, 89, 168])
@pytest.mark.parametrize("limit", [50, 500, 1000])
def test_a_limit_is_kept_and_no_sensor_hour_or_week_is_left_out(sensors, limit):
    history = history_of(np.zeros((28 * 24, sensors)))
    everything = choose_examples(history, SPEC, limit=10**9, stride=3)
    chosen = choose_examples(history, SPEC, limit=limit, stride=3)
    most = min(limit, len(everything))
    assert 0.9 * most <= len(chosen) <= 1.01 * most + 2
    for part in (chosen.sensor, chosen.origin % 24 // 3, chosen.origin // 168):
        counts = part.unique(return_counts=True)[1].float()
        share = len(chosen) / len(everything)
        if share * len(everything) / part.max() > 20:
            assert counts.max() <= 2 * counts.median() + 2
    per_sensor = torch.bincount(chosen.sensor, minlength=sensors)
    assert per_sensor.max() - per_sensor.min() <= 2 + 0.5 * per_sensor.float().mean()


def test_the_choice_is_the_same_at_every_call():
    history = history_of(np.zeros((700, 5)))
    first, again = (choose_examples(history, SPEC, limit=99) for _ in range(2))
    assert torch.equal(first.origin, again.origin)
    assert torch.equal(first.sensor, again.sensor)


def test_a_window_with_too_little_measured_is_left_out():
    values = np.ones((480, 3))
    values[:240, 1] = np.nan  # begins late
    values[:, 2] = np.nan
    examples = choose_examples(history_of(values), SPEC, limit=10**9, stride=1)
    late = examples.origin[examples.sensor == 1]
    assert int(late.min()) == 240 + 29  # 60 % of 48
    assert int(examples.origin[examples.sensor == 0].min()) == 29
    assert not (examples.sensor == 2).any()


def test_a_sensor_that_sleeps_at_night_is_judged_by_its_own_habit():
    values = np.ones((480, 1))
    values[np.arange(480) % 24 < 14] = np.nan  # measured for ten hours of 24
    assert len(choose_examples(history_of(values), SPEC, limit=10**9)) > 100


def test_a_window_without_a_target_is_left_out():
    values = np.ones((480, 1))
    values[300:340] = np.nan
    origins = choose_examples(history_of(values), SPEC, limit=10**9, stride=1).origin
    assert not ((origins >= 300) & (origins <= 316)).any()


def test_a_file_too_short_for_one_window_gives_none():
    assert len(choose_examples(history_of(np.ones((20, 1))), SPEC, limit=10)) == 0
    assert len(choose_examples(history_of(np.ones((24, 1))), SPEC, limit=10)) == 0


def test_choosing_copies_no_windows():
    """A window is two numbers; a frame of 40 million window values is chosen from without them."""
    history = history_of(np.zeros((2000, 50), np.float32))
    examples = choose_examples(history, WindowSpec(context=512, horizon=96), limit=6000)
    assert examples.origin.nbytes + examples.sensor.nbytes == 16 * len(examples)
    some = examples.pick(torch.arange(10))
    assert cut_past(history.filled, some, 512).shape == (10, 512)


@pytest.mark.parametrize("wrong", [{"context": 0}, {"horizon": 0}, {"horizon": -5}])
def test_a_window_of_no_steps_is_refused(wrong):
    with pytest.raises(ValueError, match="at least 1 step"):
        WindowSpec(**{"context": 1, "horizon": 1, **wrong})
