"""The promise: the newest errors correct the first steps, and nothing further ahead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from citytune.backbones import load_backbone
from citytune.forecasting import task_of
from citytune.frame import SensorFrame
from citytune.tuning import Batch, Candidate, LastHour, Task, near_bands
from citytune.tuning.experts._last_hour import (
    LARGEST_SIGNAL,
    SEEN,
    SIGNALS,
    _in_spreads,
    signals_of,
)
from citytune.windows import Examples, History, Seasonal, WindowSpec

DAY, HORIZON = 24, 12
City = Callable[..., SensorFrame]


def drifting(city: City, days: int, *, last: float = 0.95, sensors: int = 3) -> SensorFrame:
    """A city that is busier or quieter for hours on end, which no calendar tells.

    Of three sensors windows start every three hours: they are fewer than of two.
    """
    frame = city(sensors, days, noise=0.02, turn=0.0, gaps=0.01)
    draw, drift = np.random.default_rng(1), np.zeros(len(frame))
    for step in range(1, len(frame)):
        drift[step] = last * drift[step - 1] + 0.12 * draw.standard_normal()
    return replace(frame, values=(frame.values * np.exp(drift)[:, None]).astype(np.float32))


@pytest.fixture(scope="module")
def task(city: City) -> Task:
    """The fit of a city that drifts, whose forecasts are asked once for the tests of this file."""
    return task_of(drifting(city, 60), horizon=HORIZON, backbone="citytune-base")


def test_the_first_steps_gain_and_the_others_stay_as_they_are(task: Task) -> None:
    (found,) = LastHour.fit(task)
    prior = task.forecast_of(task.prior)
    before, after = (((one - task.actual) / task.scale).abs() for one in (prior, found.out_of_fold))
    assert after[:, :1].nanmean() < 0.97 * before[:, :1].nanmean()
    assert torch.equal(found.out_of_fold[:, 6:], prior[:, 6:])
    assert found.expert.share.shape == (len(near_bands(HORIZON)),)


def test_nothing_is_corrected_where_it_does_not_pay(city: City) -> None:
    """The last value of independent noise tells nothing of the next one."""
    task = task_of(city(3, 40), horizon=HORIZON, backbone="citytune-base")
    prior = task.forecast_of(task.prior)
    for found in LastHour.fit(task):
        before, after = ((one - task.actual).abs() for one in (prior, found.out_of_fold))
        assert after.nanmean() <= before.nanmean()


def test_what_misses_the_first_steps_least_is_corrected(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    better = torch.lerp(task.forecast_of(task.prior), task.actual.nan_to_num(1.0), 0.5)
    known = SimpleNamespace(out_of_fold=better)
    monkeypatch.setitem(task.answers.fitted, "half-known", cast("Candidate", known))
    for found in LastHour.fit(task):
        assert found.expert.needs[:2] == (task.prior, "half-known")
        assert torch.equal(found.out_of_fold[:, 6:], better[:, 6:])


def test_a_model_that_cannot_forecast_has_no_last_hour(city: City) -> None:
    assert not list(LastHour.fit(task_of(city(2, 40), horizon=HORIZON, backbone="lags")))


def test_signals_are_bounded_and_hold_nothing_of_the_future(city: City) -> None:
    history = History.of(drifting(city, 40), ahead=HORIZON)
    later, today = replace(history, raw=history.raw.clone()), 35 * DAY
    later.raw[:, today:] = 1e6
    found = []
    for one in (history, later):
        examples = Examples(torch.tensor([0, 1, 0]), torch.tensor([today, today, 5]))
        spec, network = (
            WindowSpec(context=28 * DAY, horizon=HORIZON),
            load_backbone("citytune-base"),
        )
        batch = Batch(network, Seasonal(one), examples, spec)
        rules = [batch.rules[name] for name in SEEN]
        found.append(signals_of(batch, rules[0], rules))
    assert found[0].shape == (3, 6, SIGNALS - 1)
    assert found[0].isfinite().all()
    seen = _in_spreads(found[0], torch.zeros(3, HORIZON), torch.full((3, 1), 1e-3))
    assert seen.shape == (3, 6, SIGNALS)
    assert seen.abs().max() <= LARGEST_SIGNAL
    assert not found[0][2].any()  # of a sensor's first day nothing is known
    torch.testing.assert_close(found[0], found[1])


def test_it_is_saved_loaded_and_fitted_again_with_new_days(city: City) -> None:
    from citytune.forecasting import fit_model

    frame = drifting(city, 37).select(("s0",))
    old = fit_model(frame.until(35 * DAY), horizon=HORIZON, backbone="citytune-base")
    assert "last-hour" in old.tuned.mixture.names
    new, full = old.update(frame), fit_model(frame, horizon=HORIZON, backbone="citytune-base")
    np.testing.assert_allclose(new.forecast(frame).mean, full.forecast(frame).mean, rtol=1e-3)
