"""Windows to learn a network's weights from: of all the history, apart from what is held back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from citytune.forecasting import task_of
from citytune.frame import SensorFrame
from citytune.tuning.examples import _training_windows as training_windows
from citytune.tuning.examples._choice import WINDOW_DAYS
from citytune.tuning.examples._training_windows import Span

City = Callable[..., SensorFrame]
HORIZON, DAY, DAYS = 24, 24, 800


def test_they_reach_back_to_the_first_days(city: City) -> None:
    task = task_of(city(2, DAYS), horizon=HORIZON)
    found = task.training(600)
    age = (task.history.length - found.origin) / DAY
    assert 500 < len(found) < 700
    assert float(age.max()) > 750
    assert float(task.age.max()) <= WINDOW_DAYS + 1
    by_month = torch.bincount((age / 30).long(), minlength=27)[:26]
    assert int(by_month.min()) > 8
    assert by_month[0] > 1.5 * by_month[6]  # recent ones more often
    assert by_month[12] > 1.2 * by_month[6]  # and those of this season
    assert torch.bincount(found.origin % DAY, minlength=DAY).min() > 10  # at all hours


def test_no_target_lies_in_what_is_held_back(city: City) -> None:
    task = task_of(city(2, 200), horizon=HORIZON)
    span = Span(task.history.end - 60 * DAY, task.history.end - 30 * DAY)
    origin = task.training(2000, but=[span]).origin + task.history.first
    assert not bool(((origin + HORIZON > span.first) & (origin < span.last)).any())
    assert bool((origin >= span.last).any())


def test_a_hole_of_months_leaves_the_rest(city: City) -> None:
    frame = city(2, 400)
    values = frame.values.copy()
    values[100 * DAY : 250 * DAY] = np.nan
    task = task_of(replace(frame, values=values), horizon=HORIZON)
    origin = task.training(1000).origin
    hole = (origin > 100 * DAY) & (origin <= 250 * DAY - HORIZON)
    assert not bool(hole.any())
    assert bool((origin < 90 * DAY).any())
    assert 700 < len(origin) < 1300


def test_the_evidence_of_a_long_history_is_that_of_its_last_months(city: City) -> None:
    frame = city(2, 500)
    whole = task_of(frame, horizon=HORIZON)
    last = task_of(frame.since(len(frame) - whole.recent.length), horizon=HORIZON)
    torch.testing.assert_close(whole.windows.origin, last.windows.origin, rtol=0, atol=0)
    torch.testing.assert_close(whole.actual, last.actual, rtol=0, atol=0, equal_nan=True)


def test_of_many_sensors_fewer_starts_are_looked_at_at_every_hour(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_windows, "MOST_STARTS", 10_000)
    task = task_of(city(3, 300), horizon=HORIZON)
    found = task.training(2000)
    assert 1200 < len(found) <= 2500
    assert torch.bincount(found.origin % DAY, minlength=DAY).min() > 20
