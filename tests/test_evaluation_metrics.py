"""Every metric is what an independent plain computation says; what is missing does not count."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, root_mean_squared_error

import citytune.evaluation
from citytune.evaluation import coverage, day_scale, mae, mase, rmse, width, wql

LEVELS = (0.1, 0.5, 0.9)


@pytest.fixture(params=[0.0, 0.3])
def cube(request):
    """Actual and forecast (origin, horizon, sensor), a share of the actual missing."""
    rng = np.random.default_rng(5)
    actual = rng.normal(20, 9, size=(5, 7, 3)).astype(np.float32)
    actual[rng.random(actual.shape) < request.param] = np.nan
    return actual, rng.normal(20, 9, size=actual.shape).astype(np.float32)


def pairs(actual, forecast):
    both = zip(actual.ravel().tolist(), forecast.ravel().tolist(), strict=True)
    return [(y, f) for y, f in both if not math.isnan(y)]


def test_every_public_name_is_listed_in_order():
    assert citytune.evaluation.__all__ == sorted(citytune.evaluation.__all__)
    assert all(hasattr(citytune.evaluation, name) for name in citytune.evaluation.__all__)


def test_mae_is_the_mean_of_absolute_errors(cube):
    known = pairs(*cube)
    by_hand = sum(abs(y - f) for y, f in known) / len(known)
    assert mae(*cube) == pytest.approx(by_hand, rel=1e-6)
    assert mae(*cube) == pytest.approx(mean_absolute_error(*zip(*known, strict=True)), rel=1e-6)


def test_rmse_is_the_root_of_the_mean_square(cube):
    known = pairs(*cube)
    by_hand = math.sqrt(sum((y - f) ** 2 for y, f in known) / len(known))
    assert rmse(*cube) == pytest.approx(by_hand, rel=1e-6)
    assert rmse(*cube) == pytest.approx(root_mean_squared_error(*zip(*known, strict=True)))


def test_wql_is_twice_the_pinball_loss_over_the_summed_size(cube):
    actual, mean = cube
    quantiles = mean[..., None] + np.array([-8, 0, 8], np.float32)
    by_level = []
    for i, level in enumerate(LEVELS):
        known = pairs(actual, quantiles[..., i])
        truth, forecast = zip(*known, strict=True)
        loss = mean_pinball_loss(truth, forecast, alpha=level) * len(known)
        by_level.append(2 * loss / sum(abs(y) for y in truth))
    assert wql(actual, quantiles, LEVELS) == pytest.approx(sum(by_level) / 3, rel=1e-6)


def test_coverage_is_the_share_inside_and_its_ends_count(cube):
    actual, mean = cube
    low, high = mean - 5, mean + 5
    known = [(y, f) for y, f in pairs(actual, mean)]
    by_hand = sum(f - 5 <= y <= f + 5 for y, f in known) / len(known)
    assert coverage(actual, low, high) == pytest.approx(by_hand)
    one = np.ones((1, 1, 1), np.float32)
    assert coverage(one, one, one + 1) == coverage(one, one - 1, one) == 1


def test_width_is_measured_where_something_was_measured():
    actual = np.array([1.0, np.nan, 3.0], np.float32)
    low, high = np.zeros(3, np.float32), np.array([2.0, 100.0, 4.0], np.float32)
    assert width(actual, low, high) == 3


def test_the_day_scale_is_each_sensors_mean_change_from_a_day_ago():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 3)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    for sensor, found in enumerate(day_scale(values, 6)):
        row = values[:, sensor].tolist()
        changes = [abs(b - a) for a, b in zip(row, row[6:], strict=False)]
        changes = [change for change in changes if not math.isnan(change)]
        assert found == pytest.approx(sum(changes) / len(changes), rel=1e-6)


def test_mase_lets_a_quiet_street_count_as_much_as_a_busy_one():
    actual = np.zeros((1, 4, 2), np.float32)
    mean = np.broadcast_to(np.array([2.0, 600.0], np.float32), actual.shape)
    assert mase(actual, mean, np.array([1.0, 200.0])) == pytest.approx((2 / 1 + 600 / 200) / 2)


def test_mase_of_yesterdays_values_on_the_training_rows_themselves_is_one():
    values = np.random.default_rng(1).normal(size=(240, 2)).astype(np.float32)
    scale = day_scale(values, 24)
    assert mase(values[None, 24:], values[None, :-24], scale) == pytest.approx(1, rel=1e-5)


def test_a_sensor_that_never_changed_in_training_is_left_out_of_mase():
    actual, mean = np.zeros((1, 3, 3), np.float32), np.ones((1, 3, 3), np.float32)
    assert mase(actual, mean, np.array([2.0, 0.0, np.nan])) == 0.5


def test_training_shorter_than_a_day_has_no_scale():
    assert np.isnan(day_scale(np.zeros((24, 2), np.float32), 24)).all()


@pytest.mark.parametrize("shape", [(2, 3, 2), (0, 3, 2)])
def test_nothing_measured_is_nan_and_no_warning(shape):
    nothing = np.full(shape, np.nan, np.float32)
    mean = np.zeros(shape, np.float32)
    found = [
        mae(nothing, mean),
        rmse(nothing, mean),
        mase(nothing, mean, np.ones(2)),
        wql(nothing, np.zeros((*shape, 3), np.float32), LEVELS),
        coverage(nothing, mean, mean),
        width(nothing, mean, mean),
    ]
    assert all(math.isnan(value) for value in found)


def test_an_actual_of_zero_everywhere_has_no_wql_and_no_warning():
    zero = np.zeros((1, 2, 1), np.float32)
    assert math.isnan(wql(zero, np.ones((1, 2, 1, 3), np.float32), LEVELS))


@settings(max_examples=50, deadline=None)
@given(factor=st.floats(0.125, 64), seed=st.integers(0, 99))
def test_metrics_follow_the_unit_of_the_data(factor, seed):
    rng = np.random.default_rng(seed)
    actual, mean, train = (rng.normal(9, 2, size=s).astype(np.float32) for s in [(2, 3, 2)] * 3)
    quantiles = mean[..., None] + np.array([-1, 0, 1], np.float32)
    train = train.reshape(-1, 2)
    times = np.float32(factor)
    for metric in (mae, rmse):
        assert metric(times * actual, times * mean) == pytest.approx(
            factor * metric(actual, mean), rel=1e-3
        )
    assert mase(times * actual, times * mean, day_scale(times * train, 2)) == pytest.approx(
        mase(actual, mean, day_scale(train, 2)), rel=1e-3
    )
    assert wql(times * actual, times * quantiles, LEVELS) == pytest.approx(
        wql(actual, quantiles, LEVELS), rel=1e-3
    )


def test_float32_does_not_lose_the_sum_of_many_errors():
    actual = np.full(3_000_000, 16_777_216, np.float32)
    assert mae(actual, actual - 2) == pytest.approx(2, rel=1e-9)
