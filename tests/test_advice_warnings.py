"""Promise: what makes measured errors lie is said before anyone trusts them, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from citytune.advice._warnings import constant, doubled, shifted, unlike, warnings_of
from citytune.frame import SensorFrame

City = Callable[..., SensorFrame]


@pytest.mark.parametrize("seed", range(5))
def test_a_calm_city_is_not_warned_of(city: City, seed: int) -> None:
    assert warnings_of(city(4, 90, seed=seed)) == ()


def test_sensors_that_tell_the_same_are_named(city: City) -> None:
    frame = city(4, 60)
    values = frame.values.copy()
    values[:, 2] = 3 * values[:, 0] + 1
    said = doubled(replace(frame, values=values))
    assert "'s0' and 's2'" in said
    assert "'s1'" not in said


def test_a_sensor_that_stopped_moving_is_named(city: City) -> None:
    frame = city(3, 60)
    values = frame.values.copy()
    values[-20 * 24 :, 1] = 7.0
    said = constant(replace(frame, values=values))
    assert "'s1'" in said
    assert "'s0'" not in said


def test_a_shifted_level_is_named_with_both_levels(city: City) -> None:
    frame = city(3, 90)
    values = frame.values.copy()
    values[-14 * 24 :, 0] *= 2.0
    said = shifted(replace(frame, values=values))
    assert "'s0'" in said
    assert "'s1'" not in said
    assert "→" in said


def test_weeks_unlike_all_before_are_told(city: City) -> None:
    frame = city(3, 90)
    values = frame.values.copy()
    values[-14 * 24 :] = np.nanmean(values, 0)  # the daily swing is gone, the level is not
    assert "unlike" in unlike(replace(frame, values=values))


@pytest.mark.parametrize("days", [1, 10, 30])
def test_little_or_nothing_measured_is_no_reason_to_crash(city: City, days: int) -> None:
    frame = city(2, days)
    nothing = replace(frame, values=np.full_like(frame.values, np.nan))
    assert warnings_of(nothing) == ()
    warnings_of(frame)
