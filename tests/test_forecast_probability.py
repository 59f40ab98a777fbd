"""A chance of passing a threshold agrees with the quantiles and is honest beyond them."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytune._errors import InputError, UnknownName
from citytune.forecasting import LEVELS, Forecast
from citytune.frame import Clock, Quantity
from citytune.tuning import chance_above, mean_of

HOUR = dt.timedelta(hours=1)
PM = Quantity("pm2.5", "µg/m³", low=0)
SOME = st.floats(-50, 1000, width=32)


def forecast(*sensors: list[float], quantity: Quantity = PM) -> Forecast:
    """One step ahead; each sensor's quantiles as given, one a level."""
    quantiles = np.array([sensors], np.float32)
    return Forecast(
        quantiles[..., 5], quantiles, Clock(dt.datetime(2024, 1, 1), HOUR),
        tuple("abcdef"[: len(sensors)]), quantity,
    )  # fmt: skip


def exponential(scale: float = 10.0) -> list[float]:
    return [-scale * math.log(1 - level) for level in LEVELS]


def above(made: Forecast, threshold: float) -> float:
    return float(made.probability_above(threshold)[0, 0])


def below(made: Forecast, threshold: float) -> float:
    return float(made.probability_below(threshold)[0, 0])


def test_at_a_quantile_the_chance_is_what_the_quantile_promises() -> None:
    made = forecast(exponential())
    for level, quantile in zip(LEVELS, made.quantiles[0, 0], strict=True):
        assert above(made, float(quantile)) == pytest.approx(1 - level, abs=1e-6)
        assert below(made, float(quantile)) == pytest.approx(level, abs=1e-6)


def test_between_quantiles_it_is_a_straight_line() -> None:
    made = forecast([10.0 * i for i in range(11)])
    assert above(made, 55) == pytest.approx(0.45)
    assert above(made, 2.5) == pytest.approx(0.95 - 0.25 * 0.05)


def test_the_tail_of_an_exponential_is_found_again() -> None:
    made = forecast(exponential(10))
    for threshold in (30, 40, 60, 100):
        assert above(made, threshold) == pytest.approx(math.exp(-threshold / 10), rel=1e-3)


def test_the_tail_below_mirrors_the_one_above() -> None:
    free = Quantity("net load", "kW")
    up, down = exponential(), [-value for value in reversed(exponential())]
    for threshold in (-5, 0, 3, 20, 35, 80):
        expected = above(forecast(up, quantity=free), threshold)
        assert below(forecast(down, quantity=free), -threshold) == pytest.approx(expected, abs=1e-6)


@given(st.lists(SOME, min_size=11, max_size=11), SOME, SOME, st.sampled_from([None, 0.0]))
def test_it_is_a_chance_and_never_rises_with_the_threshold(
    values: list[float], one: float, other: float, low: float | None
) -> None:
    legal = sorted(max(value, -math.inf if low is None else low) for value in values)
    made = forecast(legal, quantity=Quantity("x", low=low))
    few, many = (above(made, threshold) for threshold in sorted((one, other), reverse=True))
    assert 0 <= few <= many <= 1
    assert above(made, one) + below(made, one) <= 1 + 1e-6


def test_nothing_lies_below_the_legal_minimum_or_above_the_maximum() -> None:
    made = forecast(exponential(), quantity=Quantity("share", "%", low=0, high=100))
    assert (above(made, -0.01), below(made, -0.01), below(made, 0)) == (1, 0, 0)
    assert 0 < above(made, 0) < 1  # some of the tail lies on the edge itself
    assert (above(made, 100), above(made, 101), below(made, 101)) == (0, 0, 1)


def test_equal_quantiles_are_a_chance_of_just_that_value() -> None:
    road = forecast([0, 0, 0, 0, 2, 4, 6, 8, 10, 12, 14])  # empty with 30 %
    assert above(road, 0) == pytest.approx(0.7)
    assert below(road, 0) == 0
    top = forecast([0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8])
    assert above(top, 8) == pytest.approx(0.05)
    assert 0 < above(top, 9) < 0.05  # the rate is that up to the first smaller quantile
    assert below(top, 8) == pytest.approx(0.8)


def test_a_forecast_without_spread_is_sure() -> None:
    made = forecast([5] * 11)
    assert [above(made, t) for t in (4.9, 5, 5.1)] == [1, 0, 0]
    assert [below(made, t) for t in (4.9, 5, 5.1)] == [0, 0, 1]


def test_every_sensor_may_have_a_threshold_of_its_own() -> None:
    made = forecast(exponential(10), exponential(1000))
    found = made.probability_above({"b": 1000, "a": 10})
    assert (found.shape, found.dtype) == ((1, 2), np.float32)
    assert found[0, 0] == pytest.approx(found[0, 1], abs=1e-6)
    assert (made.probability_above(10)[0] == [above(made, 10), found[0, 0]]).tolist() == [
        True,
        False,
    ]


def test_a_sensor_without_a_forecast_has_no_chance_either() -> None:
    made = forecast([math.nan] * 11, exponential())
    assert np.isnan(made.probability_above(5)[0]).tolist() == [True, False]
    assert np.isnan(made.probability_below(5)[0]).tolist() == [True, False]


def test_infinite_thresholds_are_never_and_always_passed() -> None:
    made = forecast(exponential())
    assert (above(made, math.inf), above(made, -math.inf)) == (0, 1)


def test_what_is_no_threshold_is_refused_in_words() -> None:
    made = forecast(exponential(), exponential())
    with pytest.raises(UnknownName, match="no sensor of this forecast is called 'A'"):
        made.probability_above({"A": 1, "b": 2})
    with pytest.raises(InputError, match="no threshold for 1 of 2 sensors, the first 'b'"):
        made.probability_above({"a": 1})
    for wrong in (math.nan, "high", None, [1, 2]):
        with pytest.raises(InputError, match="a threshold is a number in the unit"):
            made.probability_above(wrong)  # type: ignore[arg-type]


def drawn(made: list[float], low: float | None, high: float | None) -> float:
    """The mean by adding up the chance of passing each of many thresholds."""
    at = np.linspace(-3000, 3000, 600_001)
    chance = chance_above(np.array(made, np.float32), at.astype(np.float32), low=low, high=high)
    return float(at[0] + np.trapezoid(chance.astype(float), at))


@pytest.mark.parametrize(("low", "high"), [(None, None), (0.0, None), (None, 60.0), (-2.0, 55.0)])
@pytest.mark.parametrize(
    "values",
    [
        pytest.param(exponential(), id="skewed"),
        pytest.param([10.0 * i for i in range(11)], id="even"),
        pytest.param([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3], id="mostly none"),
        pytest.param([5.0] * 11, id="sure"),
    ],
)
def test_the_mean_is_that_of_the_chances(
    values: list[float], low: float | None, high: float | None
) -> None:
    legal = np.clip(values, low, high).astype(np.float32).tolist()
    found = float(mean_of(np.array(legal, np.float32), low=low, high=high))
    assert found == pytest.approx(drawn(legal, low, high), abs=0.02)


def test_means_add_up_where_medians_do_not() -> None:
    """Twenty sensors of an exponential distribution: their sum has twenty times the mean."""
    each = np.tile(np.array(exponential(10.0), np.float32), (20, 1))
    assert float(mean_of(each, low=0).sum()) == pytest.approx(200, rel=0.01)
    assert float(each[:, 5].sum()) == pytest.approx(20 * 10 * math.log(2), rel=1e-5)


def test_a_mean_of_nothing_is_nothing() -> None:
    assert np.isnan(mean_of(np.full((2, 11), np.nan, np.float32))).all()
