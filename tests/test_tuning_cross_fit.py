"""The promise: a network tuned on months gains, is judged on what it had not seen, and stays."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

import citytune as ct
from citytune.backbones import LEVELS, load_backbone
from citytune.forecasting import TunedModel, fit_model, load, task_of
from citytune.frame import SensorFrame
from citytune.settings import Settings
from citytune.tuning import Blend, FineTuned
from citytune.tuning.examples._own_unit import in_own_unit
from citytune.tuning.experts._finetuned import mean_of
from citytune.tuning.strategies import _cross_fit as cross_fitting
from citytune.tuning.strategies._cross_fit import Plan, can_cross_fit, cross_fit

HORIZON, DAY = 24, 24
City = Callable[..., SensorFrame]
SMALL = Plan(passes=2, windows=320, folds=2, rate=1e-3)


class Fitted(NamedTuple):
    model: TunedModel
    frame: SensorFrame
    told: list[tuple[str, float]]


def _fit(city: City) -> Fitted:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "of", classmethod(lambda _, task: SMALL))
        frame, told = city(1, 64, turn=1.0, noise=0.1), []
        model = fit_model(
            frame,
            horizon=HORIZON,
            backbone="citytune-base",
            strategy="blend",
            options={"head_days": 999.0},
            progress=lambda stage, share: told.append((stage, share)),
        )
    return Fitted(model, frame, told)


@pytest.fixture(scope="module")
def fitted(city: City, made_once: Callable[..., Fitted]) -> Fitted:
    """A city of 64 days, tuned once for all tests of this file."""
    return made_once("cross-fitted", functools.partial(_fit, city))


def tuned_part(model: TunedModel) -> FineTuned:
    (found,) = (one for one in model.tuned.mixture.experts if isinstance(one, FineTuned))
    return found


def test_with_months_the_usual_strategy_fine_tunes_and_gains(fitted: Fitted) -> None:
    model = fitted.model
    assert tuned_part(model).probabilistic
    assert model.weights["6-24"]["fine-tuned"] > 0.5, model.weights
    plain = fit_model(fitted.frame, horizon=HORIZON, backbone="citytune-base", strategy="zero-shot")
    assert model.fold_error < 0.95 * plain.fold_error


def test_it_is_told_how_far_it_has_come(fitted: Fitted) -> None:
    shares = [share for stage, share in fitted.told if stage.startswith("fine-tuning")]
    assert len(shares) > 5
    assert shares == sorted(shares)


def test_ctrl_c_while_it_learns_keeps_what_was_learnt_so_far(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Plan, "of", classmethod(lambda _, task: replace(SMALL, passes=400)))
    told: list[str] = []

    def progress(stage: str, share: float) -> None:
        told.append(stage)
        if told.count(cross_fitting.LEARNING) == 3:
            signal.raise_signal(signal.SIGINT)

    task = task_of(city(1, 40), horizon=HORIZON, backbone="citytune-base", progress=progress)
    found, notes = cross_fit(task, Plan.of(task))
    assert found
    assert any("as you asked by Ctrl-C" in note for note in notes)
    assert told.count(cross_fitting.LEARNING) <= 3 + SMALL.folds  # each is asked what it learnt


def test_with_few_weeks_no_weight_moves(city: City) -> None:
    task = task_of(city(1, 35), horizon=HORIZON, backbone="citytune-base")
    assert can_cross_fit(task)
    learned = Blend().fit(task)
    assert not any(isinstance(one, FineTuned) for one in learned.mixture.experts)


def test_folds_share_the_evidence_and_learn_from_none_of_their_targets(city: City) -> None:
    task = task_of(city(2, 120), horizon=HORIZON, backbone="citytune-base")
    folds = cross_fitting._folds(task, 2)
    every = torch.cat([which for which, _ in folds]).sort().values
    assert torch.equal(every, torch.arange(len(task.examples)))
    for which, spans in folds:
        learnt = task.training(3000, but=spans).origin + task.history.first
        assert bool(((learnt[:, None] - task.windows.origin[which]).abs() >= HORIZON).all())


def test_its_own_quantiles_are_the_forecast_distribution(fitted: Fitted) -> None:
    found = fitted
    part, history = tuned_part(found.model), task_of(found.frame, horizon=HORIZON)
    live = history.live.pick(torch.arange(8))
    own = part.quantiles_of(replace(live, backbone=load_backbone("citytune-base")))
    assert own.shape == (8, HORIZON, len(LEVELS))
    assert bool((own.diff(dim=-1) >= 0).all())
    mixed = found.model.tuned.mixture.forecast(replace(live, spread=True)).deviations
    plain = live.deviations
    assert mixed is not None
    own = own - own[..., [LEVELS.index(0.5)]]
    share = found.model.weights["6-24"]["fine-tuned"]
    expected = torch.lerp(plain, own, share)[:, 6:].mean()
    assert float(mixed[:, 6:].mean()) == pytest.approx(float(expected), rel=0.05, abs=0.01)


def test_quantiles_are_as_wide_as_where_the_network_had_not_seen_what_came(fitted: Fitted) -> None:
    part = tuned_part(fitted.model)
    assert 1 <= part.wider <= 2
    live = task_of(fitted.frame, horizon=HORIZON).live.pick(torch.arange(8))
    live = replace(live, backbone=load_backbone("citytune-base"))
    narrow, wide = (replace(part, wider=wider).quantiles_of(live) for wider in (1.0, 1.5))
    middle = narrow[..., [LEVELS.index(0.5)]]
    torch.testing.assert_close(wide - middle, 1.5 * (narrow - middle), rtol=1e-3, atol=1e-2)
    with pytest.raises(ValueError, match="times as wide"):
        replace(part, wider=0.0)


def test_saved_and_loaded_it_forecasts_the_same_and_an_update_keeps_it(
    city: City, fitted: Fitted, tmp_path: Path
) -> None:
    model, frame, _ = fitted
    model.save(tmp_path / "model")
    back = load(tmp_path / "model")
    np.testing.assert_array_equal(back.forecast(frame).quantiles, model.forecast(frame).quantiles)
    later = back.update(city(1, 66, turn=1.0, noise=0.1))
    kept, before = tuned_part(later).values, tuned_part(model).values
    assert all(torch.equal(kept[name], before[name]) for name in before)
    assert later.weights["6-24"]["fine-tuned"] > 0.5


def test_the_mean_of_networks_is_that_of_their_weights(fitted: Fitted) -> None:
    backbone = load_backbone("citytune-base")
    whole = tuned_part(fitted.model)
    name, value = next(iter(whole.values.items()))
    b, a = torch.randn(4, 2), torch.randn(2, 3)
    one = replace(whole, values={name: value + 1}, low_rank={"x": (b, a)})
    other = replace(whole, values={}, low_rank={"x": (2 * b, a)})
    found = mean_of([one, other], backbone)
    before = dict(backbone.network.named_parameters())[name]  # type: ignore[attr-defined]
    torch.testing.assert_close(found.values[name], (value + 1 + before) / 2)
    left, right = found.low_rank["x"]
    torch.testing.assert_close(left @ right, 1.5 * b @ a)


def test_what_is_learnt_later_comes_on_top_of_what_was_first(city: City) -> None:
    backbone = load_backbone("citytune-base")
    name = next(n for n, w in backbone.network.named_parameters() if w.ndim == 2)  # type: ignore[attr-defined]
    shape = dict(backbone.network.named_parameters())[name].shape  # type: ignore[attr-defined]
    parts = [(torch.randn(shape[0], 2), torch.randn(2, shape[1])) for _ in range(2)]
    first, then = (FineTuned("plain", {}, {name: part}) for part in parts)
    whole = then.on_top_of(first).applied(backbone)
    step = then.applied(first.applied(backbone))
    found, expected = (dict(one.network.named_parameters())[name] for one in (whole, step))  # type: ignore[attr-defined]
    torch.testing.assert_close(found, expected)
    assert then.on_top_of(replace(first, values={"x": torch.ones(1)})).values["x"] == 1


def test_scouts_work_half_as_much_as_the_network_that_goes_on() -> None:
    for plan in (Plan(passes=4, windows=100, folds=2), Plan(passes=1, windows=200, folds=3)):
        work = plan.scout.passes * plan.scout.windows
        assert 2 * work == plan.passes * plan.windows
        assert plan.work == (1 + plan.folds / 2) * plan.passes * plan.windows


def test_a_window_is_learnt_from_in_its_own_unit(city: City) -> None:
    task = task_of(city(2, 70), horizon=HORIZON, backbone="citytune-base")
    shown = in_own_unit(task.live.past(torch.arange(6)))
    known = shown.past.measured
    assert float(shown.past.values[known].mean()) == pytest.approx(0.0, abs=1e-3)
    assert float(shown.past.values[known].std()) == pytest.approx(1.0, abs=0.05)
    flat = shown.past._replace(values=torch.full_like(shown.past.values, 7.0))
    assert bool(in_own_unit(flat).spread.isnan().all())  # nothing to learn from a constant


def test_too_little_time_is_used_and_said(city: City) -> None:
    task = task_of(city(1, 40), horizon=HORIZON, backbone="citytune-base", max_seconds=1e-3)
    found, notes = cross_fit(task, SMALL)
    assert len(found) == 1
    assert any("s it may take are used up" in note for note in notes)


def test_more_effort_is_more_work_and_a_long_horizon_costs_more(city: City) -> None:
    frame = city(6, 400)

    def work(horizon: int = HORIZON, **said: str) -> int:
        task = task_of(frame, horizon=horizon, backbone="citytune-base", **said)
        plan = Plan.of(task)
        return plan.work

    assert work(effort="quick") < work() < work(effort="thorough")
    assert work(horizon=7 * DAY) < work()


def test_a_network_passes_twice_only_over_few_windows(city: City) -> None:
    def plan(sensors: int, days: int) -> Plan:
        return Plan.of(task_of(city(sensors, days), horizon=HORIZON, backbone="citytune-base"))

    weeks, year, many = plan(1, 90), plan(1, 400), plan(12, 400)
    assert (weeks.passes, weeks.scout.passes) == (2, 1)
    assert year.passes == many.passes == 1
    assert year.scout.windows == year.windows  # all there are
    assert many.scout.windows < 0.6 * many.windows


def test_an_unknown_effort_is_refused() -> None:
    with pytest.raises(ct.InputError, match="thorough"):
        Settings(horizon=24, effort="heroic")  # type: ignore[arg-type]


def test_nothing_is_learnt_from_a_sensor_that_teaches_the_others_nothing(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = city(3, 40)
    dead = np.full((len(frame), 1), 3.0, np.float32)
    frame = replace(frame, values=np.hstack([frame.values, dead]), sensors=(*frame.sensors, "dead"))
    task = task_of(frame, horizon=HORIZON, backbone="citytune-base")
    seen: list[int] = []
    monkeypatch.setattr(
        cross_fitting, "cut_future", lambda raw, some, horizon: seen.extend(some.sensor.tolist())
    )
    with pytest.raises(TypeError):  # as nothing was cut
        cross_fit(task, replace(SMALL, batch=1024))
    assert set(seen) == {0, 1, 2}


@pytest.mark.extras
def test_folds_in_two_threads_learn_the_same_to_the_last_bit(city: City) -> None:
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            task = task_of(city(2, 80), horizon=HORIZON, backbone="citytune-base")
            found += cross_fit(task, replace(SMALL, passes=1, windows=64))[0]
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0].out_of_fold, found[1].out_of_fold)


def test_an_interruption_ends_all_folds(city: City) -> None:
    def interrupt(stage: str, share: float) -> None:
        if stage.startswith("fine-tuning"):
            raise KeyboardInterrupt

    task = task_of(city(1, 40), horizon=HORIZON, backbone="citytune-base", progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        cross_fit(task, replace(SMALL, passes=1000))
