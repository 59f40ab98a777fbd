"""Intervals start from what the model says of itself, and leave that only on proof."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from citytune.backbones import LEVELS, Past, load_backbone
from citytune.forecasting import TunedModel, fit_model, load, task_of
from citytune.frame import SensorFrame
from citytune.tuning import (
    Batch,
    Conformal,
    Intervals,
    LensExpert,
    Task,
    forecasts_of,
)
from citytune.tuning.experts._expert import DEVIATIONS
from citytune.tuning.intervals._intervals import calibrate
from citytune.tuning.stacking._pool import Pool
from citytune.windows import Examples, History, Seasonal, WindowSpec

City = Callable[..., SensorFrame]
HORIZON, DAY = 24, 24
NORMAL = torch.distributions.Normal(0.0, 1.0).icdf(torch.tensor(LEVELS))


class Windows(SimpleNamespace):
    """Windows of one sensor, four a day."""

    def pick(self, which: Tensor) -> Windows:
        return Windows(**{name: part[which] for name, part in vars(self).items()})


def world(
    spread: Tensor, own: Tensor | None, *, days: int = 40, caution: float = 2.0
) -> tuple[Task, Tensor]:
    """A task whose truth is 0 and whose forecasts miss by normal errors, and these forecasts.

    Args:
        spread: (example, horizon) standard deviation of the errors, 4 · `days` examples.
        own: The same as the model itself believes; None if it says nothing.
        days: Of origins.
        caution: Of the task.
    """
    count = 4 * days
    says = spread * torch.randn(count, HORIZON, generator=torch.Generator().manual_seed(0))
    origin = 6 * torch.arange(count)
    actual = torch.zeros(count, HORIZON)
    windows = Windows(
        actual=actual,
        sensor=torch.zeros(count, dtype=torch.long),
        slot=(origin[:, None] + torch.arange(HORIZON)) % DAY,
    )
    found = SimpleNamespace(
        windows=windows,
        actual=actual,
        known=torch.ones_like(actual, dtype=torch.bool),
        scale=torch.ones(count, 1),
        spread=torch.ones(1),
        day=origin // DAY,
        age=(days * DAY - origin) / DAY,
        recency=torch.ones(count),
        settings=SimpleNamespace(caution=caution, forget=None),
        pool=Pool(torch.ones(1), torch.ones(count)),
        spec=SimpleNamespace(horizon=HORIZON),
        examples=SimpleNamespace(origin=origin),
        history=SimpleNamespace(steps_per_day=DAY),
        deviations=None if own is None else own[..., None] * NORMAL,
    )
    return cast("Task", found), says


def wandering(days: int = 40) -> Tensor:
    """(example, horizon) errors that are large in every third window: no clock can tell."""
    large = torch.arange(4 * days) % 3 == 0
    return torch.where(large, 3.0, 0.5)[:, None].expand(-1, HORIZON)


def by_hour(days: int = 40) -> Tensor:
    """(example, horizon) errors that are large at night."""
    hour = (6 * torch.arange(4 * days)[:, None] + torch.arange(HORIZON)) % DAY
    return torch.where(hour < 6, 3.0, 0.3)


def test_a_model_that_says_nothing_of_itself_has_the_intervals_of_its_past_errors() -> None:
    found = calibrate(*world(wandering(), None))
    assert (found.trust, found.stretch) == (1.0, 1.0)
    mean, where = torch.zeros(2, HORIZON), (torch.zeros(2).long(), torch.zeros(2, HORIZON).long())
    assert torch.equal(found.quantiles(mean, *where), found.conformal.quantiles(mean, *where))


def test_what_the_model_knows_and_the_clock_does_not_is_kept() -> None:
    found = calibrate(*world(wandering(), wandering()))
    assert found.trust == 0.0
    assert found.stretch == pytest.approx(1.0, abs=0.1)


def test_what_the_past_shows_and_the_model_does_not_know_is_learnt() -> None:
    flat = torch.full((160, HORIZON), 1.5)
    found = calibrate(*world(by_hour(), flat))
    assert found.trust == 1.0


def test_a_model_too_sure_of_itself_is_stretched_to_hold_as_often_as_it_should() -> None:
    task, says = world(wandering(120), wandering(120) / 2, days=120)
    found = calibrate(task, says)
    assert 1.6 < found.stretch < 2.2
    low, high = (says + found.stretch * task.deviations[..., end] for end in (0, -1))  # type: ignore[index]
    held = ((low <= 0) & (high >= 0)).float().mean()
    assert 0.86 < float(held) < 0.94


def test_few_days_hardly_stretch() -> None:
    found = [calibrate(*world(wandering(d), wandering(d) / 2, days=d)).stretch for d in (3, 10, 60)]
    assert 1.0 < found[0] < found[1] < found[2]


def test_without_folds_the_model_is_believed_whatever_the_caution() -> None:
    for caution in (0.0, 2.0):
        flat = torch.full((4, HORIZON), 1.5)
        assert calibrate(*world(by_hour(1), flat, days=1, caution=caution)).trust == 0.0


def test_quantiles_lie_between_the_models_own_and_those_of_past_errors() -> None:
    past = Conformal.guess(torch.ones(1), HORIZON, DAY)
    own = 3 * NORMAL.expand(2, HORIZON, -1)
    mean, where = torch.zeros(2, HORIZON), (torch.zeros(2).long(), torch.zeros(2, HORIZON).long())
    found = [
        Intervals(past, 2.0, trust).quantiles(mean, *where, own, torch.full((2, HORIZON), 4.0))
        for trust in (0.0, 0.5, 1.0)
    ]
    torch.testing.assert_close(found[0], 6 * NORMAL.expand(2, HORIZON, -1))  # it knows the calendar
    torch.testing.assert_close(found[2], 4 * NORMAL.expand(2, HORIZON, -1))
    torch.testing.assert_close(found[1], (found[0] + found[2]) / 2)
    assert all((one.diff(dim=-1) >= 0).all() for one in found)


# --- with a real model ---------------------------------------------------------------------------


def base(frame: SensorFrame, **dials: Any) -> TunedModel:
    return fit_model(frame, horizon=HORIZON, backbone="citytune-base", **dials)


class Learnt(NamedTuple):
    """A model that several tests share, and two days more than it was fitted on."""

    model: TunedModel
    frame: SensorFrame


@pytest.fixture(scope="module")
def learnt(city: City) -> Learnt:
    frame = city(2, 42, noise=0.2)
    return Learnt(base(frame.until(40 * DAY)), frame)


def trusted(model: TunedModel, past: float) -> TunedModel:
    """The same, whose intervals are those of past errors to that share."""
    intervals = replace(model.tuned.intervals, trust=past)
    return replace(model, tuned=replace(model.tuned, intervals=intervals))


def untrusted(model: TunedModel) -> TunedModel:
    """The same with the intervals of past errors alone."""
    return trusted(model, 1.0)


@pytest.mark.parametrize("horizon", [24, 340])
def test_the_model_is_asked_once_for_forecast_and_quantiles(
    horizon: int, monkeypatch: pytest.MonkeyPatch, city: City
) -> None:
    frame, backbone, asked = city(2, 60), load_backbone("citytune-base"), []

    def quantiles(past: Past, steps: int) -> Tensor:
        asked.append(steps)
        return type(backbone).quantiles(backbone, past, steps)  # type: ignore[attr-defined,no-any-return]

    monkeypatch.setattr(backbone, "quantiles", quantiles)
    history = History.of(frame, ahead=horizon)
    examples = Examples(torch.arange(2), torch.full((2,), len(frame)))
    spec = WindowSpec(context=backbone.card.context_at(DAY), horizon=horizon)
    batch, plain = Batch(backbone, Seasonal(history), examples, spec), LensExpert("plain")
    found = forecasts_of([plain], replace(batch, spread=True))
    passes = len(asked)
    assert sum(asked) == horizon
    torch.testing.assert_close(found["plain"], forecasts_of([plain], batch)["plain"])
    assert len(asked) == 2 * passes
    spread = found[DEVIATIONS]
    assert spread.shape == (2, horizon, len(LEVELS))
    assert (spread[..., LEVELS.index(0.5)] == 0).all()
    assert (spread.diff(dim=-1) >= 0).all()


def test_a_forecast_has_the_models_own_quantiles_stretched(city: City) -> None:
    frame = city(1, 35, noise=0.2)
    model = base(frame, strategy="zero-shot")
    intervals = model.tuned.intervals
    assert intervals.trust < 1
    task = task_of(frame, horizon=HORIZON, backbone="citytune-base")
    assert task.deviations is not None
    assert task.deviations.shape == (*task.actual.shape, len(LEVELS))
    forecast = model.forecast(frame)
    inner = forecast.quantiles[..., LEVELS.index(0.5)]
    np.testing.assert_allclose(inner, forecast.point, rtol=1e-3)
    assert not np.allclose(forecast.quantiles, untrusted(model).forecast(frame).quantiles)


def test_without_a_window_the_model_is_believed(city: City) -> None:
    model = fit_model(city(2, 2), horizon=30, backbone="citytune-base")
    assert model.tuned.windows == 0
    assert (model.tuned.intervals.trust, model.tuned.intervals.stretch) == (0.0, 1.0)


def test_a_sensor_that_fell_silent_has_the_intervals_of_past_errors(learnt: Learnt) -> None:
    """Its forecast is a rule's, of which the model has said nothing."""
    model, frame = learnt
    values = frame.values.copy()
    values[-29 * DAY :, 1] = np.nan
    frame = replace(frame, values=values)
    own, past = model.forecast(frame), untrusted(model).forecast(frame)
    assert own.fallback == ("s1",)
    np.testing.assert_array_equal(own.quantiles[:, 1], past.quantiles[:, 1])
    assert (own.quantiles[:, 0] != past.quantiles[:, 0]).any()


def test_they_come_back_from_disk(tmp_path: Path, learnt: Learnt) -> None:
    model, frame = learnt
    again = load(model.save(tmp_path / "model"))
    assert again.tuned.intervals.stretch == model.tuned.intervals.stretch != 1.0
    np.testing.assert_array_equal(again.forecast(frame).quantiles, model.forecast(frame).quantiles)


def test_crossing_quantiles_of_a_plug_in_never_pass(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are sorted where they enter; the forecast stays the one that the model gave."""
    backbone = load_backbone("citytune-base")

    def crossing(past: Past, steps: int) -> Tensor:
        found = type(backbone).quantiles(backbone, past, steps)  # type: ignore[attr-defined]
        return found + 0.3 * past.values.std() * torch.tensor([1.0, -1.0] * 5 + [1.0]) * (
            torch.arange(len(LEVELS)) != LEVELS.index(0.5)
        )

    frame = city(1, 30, noise=0.2)
    usual = base(frame, strategy="zero-shot").forecast(frame)
    monkeypatch.setattr(backbone, "quantiles", crossing)
    model = base(frame, strategy="zero-shot")
    for trust in (0.0, 0.4, model.tuned.intervals.trust):
        found = trusted(model, trust).forecast(frame)
        assert (np.diff(found.quantiles, axis=-1) >= 0).all(), trust
        np.testing.assert_allclose(found.point, usual.point, rtol=1e-5)


def test_a_memory_from_before_keeps_the_intervals_of_past_errors(learnt: Learnt) -> None:
    model, frame = learnt
    memory = model.recall()
    older = {name: one for name, one in memory.forecasts.items() if name != DEVIATIONS}
    assert len(older) < len(memory.forecasts)
    model = replace(model, memory=replace(memory, forecasts=older))
    assert model.update(frame).tuned.intervals.trust == 1.0


def test_a_level_that_changed_does_not_blow_intervals_up(city: City) -> None:
    """Windows that saw another unit would ask for hundreds of times the width."""
    frame = city(1, 50, steps_per_day=12, noise=0.1)
    frame.values[: 36 * 12] *= 0.001
    model = fit_model(frame, horizon=48, backbone="citytune-base", strategy="blend")
    assert 1 / 3 <= model.tuned.intervals.stretch <= 3
    said = model.forecast(frame).quantiles
    assert float(np.mean(said[..., -1] - said[..., 0])) < 6 * float(np.nanmean(frame.values[-48:]))


def test_a_sensor_that_stood_still_is_not_taken_for_certain(city: City) -> None:
    frame = city(2, 50, noise=0.1)
    frame.values[-29 * DAY :, 1] = 200.0
    model = base(frame.until(40 * DAY), strategy="zero-shot")
    own, past = model.forecast(frame), untrusted(model).forecast(frame)
    assert own.fallback == ()
    np.testing.assert_array_equal(own.quantiles[:, 1], past.quantiles[:, 1])
    assert (own.quantiles[:, 1, -1] > own.quantiles[:, 1, 0]).all()


@pytest.mark.parametrize("backbone", ["citytune-base", "lags"])
def test_a_model_fitted_without_a_window_goes_on_learning(backbone: str, city: City) -> None:
    frame = city(1, 20, noise=0.1)
    first = fit_model(frame.until(2 * DAY), horizon=30, backbone=backbone)
    assert first.tuned.windows == 0
    found = first.update(frame)
    assert found.tuned.windows > 0
    assert np.isfinite(found.forecast(frame).quantiles).all()
