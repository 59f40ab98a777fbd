"""Promise: a horizon is understood as people write it, and the test period is cut by one rule."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from citytune._errors import InputError
from citytune.evaluation import held_out
from citytune.frame import Clock, SensorFrame
from citytune.runs._job import rows_before_test
from citytune.settings import Settings, steps_of


def clock(minutes: int) -> Clock:
    return Clock(dt.datetime(2024, 1, 1), dt.timedelta(minutes=minutes))


def frame(rows: int, minutes: int = 60) -> SensorFrame:
    return SensorFrame(np.ones((rows, 1), np.float32), clock(minutes), ("north",), source="x.csv")


@pytest.mark.parametrize(
    ("text", "minutes", "expected"),
    [
        ("24", 60, 24),
        ("24", 5, 24),
        ("24h", 60, 24),
        ("24h", 5, 288),
        ("7d", 60, 168),
        ("90min", 30, 3),
        ("1w", 1440, 7),
        (" 2 D ", 60, 48),
    ],
)
def test_a_horizon_is_steps_or_a_time(text: str, minutes: int, expected: int) -> None:
    assert steps_of(Settings(horizon=text).horizon, clock(minutes)) == expected


@pytest.mark.parametrize("text", ["0", "-3", "0h", "-1d"])
def test_a_horizon_is_at_least_one_step(text: str) -> None:
    with pytest.raises(InputError, match=f"at least one step ahead, got {text}"):
        Settings(horizon=text)


@pytest.mark.parametrize("text", ["soon", "1.5", "24 hours", "", "1e3", "24x"])
def test_what_is_no_horizon_is_said_to_be_none(text: str) -> None:
    with pytest.raises(InputError, match="not a valid horizon; give a number of steps"):
        Settings(horizon=text)


def test_a_time_must_fit_the_clock() -> None:
    with pytest.raises(InputError, match=r"is not a whole number of steps: .* every 1h"):
        steps_of("90min", clock(60))


@pytest.mark.parametrize(
    ("rows", "horizon", "expected"),
    [
        (4000, 24, 336),  # at most two weeks
        (800, 24, 200),  # a quarter
        (80, 24, 24),  # at least a horizon
        (60, 24, 0),  # nothing, if what lies before would be too short
    ],
)
def test_the_last_part_is_held_out(rows: int, horizon: int, expected: int) -> None:
    assert rows - rows_before_test(frame(rows), horizon) == expected
    assert held_out(frame(rows), horizon) == (expected or horizon)
