"""Promise: advice is measured on the city's own data, and says in words why."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from citytune.advice import choose, recommend
from citytune.advice._amount import Amount, days_in, sensors_in
from citytune.advice._complexity import peak
from citytune.advice._curve import enough_of
from citytune.advice._decide import decide, mean_and_error
from citytune.advice._enough import Point, needed, next_week
from citytune.advice._halving import affordable, halve
from citytune.advice._logme import logme
from citytune.advice._nature import Nature, explained, forecastable, signal
from citytune.advice._ranking import rank, score
from citytune.advice._rules import rules_for
from citytune.advice._trial import Trial
from citytune.backbones import daily_share, familiar_of, load_backbone
from citytune.forecasting import fit_task, task_of
from citytune.frame import SensorFrame

City = Callable[..., SensorFrame]


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


# --- LogME ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [3, 8])
def test_logme_is_the_largest_evidence_of_a_bayesian_linear_model(width: int) -> None:
    features = draw(60, width)
    target = features @ draw(width, 1, seed=1) + 0.5 * draw(60, 1, seed=2)
    gram = (features @ features.T).numpy()

    def minus(precisions: list[float]) -> float:
        weight, noise = np.exp(precisions)
        covariance = np.eye(60) / noise + gram / weight
        return -float(multivariate_normal.logpdf(target[:, 0].numpy(), np.zeros(60), covariance))

    exact = -minimize(minus, [0.0, 0.0], method="Nelder-Mead").fun / 60
    assert logme(features, target) == pytest.approx(exact, abs=1e-4)


def test_logme_prefers_features_that_tell_and_ignores_doubled_ones() -> None:
    features = draw(200, 5)
    target = features @ draw(5, 2, seed=1) + 0.3 * draw(200, 2, seed=2)
    told = logme(features, target)
    assert told > logme(draw(200, 5, seed=3), target) + 0.5
    assert logme(torch.cat([features, features], 1), target) == pytest.approx(told, abs=1e-3)


# --- how much, and how hard ----------------------------------------------------------------------


def test_sensors_that_say_the_same_count_once() -> None:
    one = draw(60, 1)
    assert sensors_in(one.expand(60, 10) + 0.01 * draw(60, 10, seed=1)) == pytest.approx(
        1, abs=0.05
    )
    assert sensors_in(draw(60, 10, seed=2)) == pytest.approx(10, rel=0.15)
    assert sensors_in(draw(6, 10, seed=3)) > 5  # few days alone do not make sensors alike


def test_days_that_resemble_the_day_before_count_less() -> None:
    noise = draw(400, 3)
    slow = torch.zeros(400, 3).double()
    for day in range(1, 400):
        slow[day] = 0.8 * slow[day - 1] + noise[day]
    assert days_in(noise) == pytest.approx(400, rel=0.2)
    assert days_in(slow) == pytest.approx(400 * 0.2 / 1.8, rel=0.4)


def test_missing_days_and_sensors_are_not_counted() -> None:
    errors = draw(40, 4)
    errors[10:20] = torch.nan
    errors[:, 3] = torch.nan
    assert days_in(errors) <= 30
    assert sensors_in(errors) == pytest.approx(3, rel=0.2)


def test_noise_is_unforecastable_and_a_wave_is_not() -> None:
    time = torch.arange(24 * 56).double()
    wave = torch.sin(2 * torch.pi * time / 24)[None]
    noise = draw(1, len(time))
    assert float(forecastable(noise)) < 0.1
    assert float(forecastable(wave)) > 0.7
    slot = time.long() % 24
    assert float(explained(wave, slot)) > 0.99
    assert float(explained(noise, slot)) < 0.05
    assert float(signal(noise)) < 0.3
    assert float(signal(wave)) > 100


def test_the_mean_day_explains_a_daily_wave_and_no_trend() -> None:
    time = torch.arange(24 * 7).float()
    wave, trend = torch.sin(2 * torch.pi * time / 24), time
    shares = daily_share(torch.stack([wave, trend]), 24)
    assert float(shares[0]) == pytest.approx(1, abs=1e-4)
    assert float(shares[1]) < 0.1


# --- cost and relevance --------------------------------------------------------------------------


def test_memory_is_what_lives_at_once() -> None:
    def chain() -> torch.Tensor:
        values = torch.zeros(1000)
        for _ in range(10):
            values = values + 1
        return values

    assert peak(chain) == 2 * 4000


def test_the_card_of_our_network_keeps_what_it_was_trained_on() -> None:
    backbone = load_backbone("citytune-base")
    known = familiar_of(backbone.card)
    assert known is not None
    assert known.mean.shape == known.variance.shape == (backbone.card.features,)
    assert {"1h", "15min", "1D"} <= set(known.clocks)
    usual = known.mean + known.variance.sqrt() * draw(50, len(known.mean)).float()
    assert float(known.distance(usual).median()) == pytest.approx(1, abs=0.1)
    assert float(known.distance((known.mean + 5 * known.variance.sqrt())[None])) > known.far


def test_a_backbone_that_keeps_no_numbers_is_compared_by_none() -> None:
    assert familiar_of(load_backbone("lags").card) is None


# --- the order of backbones ----------------------------------------------------------------------


def measured(name: str, error: float) -> Trial:
    """A trial of which only the error is known."""
    found = SimpleNamespace(card=load_backbone(name).card, error=error)
    return cast("Trial", found)


def test_backbones_are_ranked_by_error_with_benefit_of_the_doubt_for_who_needs_less() -> None:
    def order(**errors: float) -> list[str]:
        return [one.card.name for one in rank([measured(n, e) for n, e in errors.items()])]

    base, lags = "citytune-base", "lags"
    assert order(**{lags: 0.80, base: 0.88}) == [base, lags]  # it knows the calendar by itself
    assert order(**{lags: 0.80, base: 0.90}) == [lags, base]
    # Far beyond the best rule is little worse than that rule, to which all can fall back.
    assert score(measured(lags, 1.5)) - score(measured(lags, 1.0)) == pytest.approx(0.05)
    assert score(measured(base, math.nan)) == score(measured(base, 1.0))


# --- is it enough --------------------------------------------------------------------------------


def test_the_days_from_which_tuning_pays_lie_between_two_points() -> None:
    def point(days: int, gain: float) -> Point:
        return Point(days, (1 - gain, 1 - gain), (1.0, 1.0))

    rising = [point(3, -0.01), point(7, 0.0), point(14, 0.02), point(28, 0.03)]
    assert 7 < needed(rising) < 14  # type: ignore[operator]
    assert needed([point(3, 0.02), point(7, 0.05)]) == 3
    assert needed([point(3, 0.0), point(7, 0.005)]) == pytest.approx(3 * (7 / 3) ** 2)
    assert needed([point(3, 0.0), point(7, -0.01)]) is None


def test_a_power_law_tells_what_the_next_week_buys() -> None:
    points = [Point(d, (d**-0.2, d**-0.1), (1.0, 1.0)) for d in (3, 7, 14, 28)]
    low, high = next_week(points, 28)  # type: ignore[misc]
    assert low == pytest.approx(1 - (35 / 28) ** -0.1)
    assert high == pytest.approx(1 - (35 / 28) ** -0.2)


def test_a_standard_error_counts_blocks_and_not_days() -> None:
    gains = draw(30)
    doubled = gains.repeat_interleave(2)
    assert mean_and_error(doubled, 2) == pytest.approx(mean_and_error(gains, 1))
    assert mean_and_error(doubled, 1).error < mean_and_error(doubled, 2).error
    assert mean_and_error(draw(3), 1).error == math.inf


def test_a_learnt_mixture_says_the_same_without_asking_anew(city: City) -> None:
    frame = city(2, 40)
    task = task_of(frame, horizon=12, backbone="lags")
    model = fit_task(frame, task)
    part = task.part(torch.arange(0, len(task.examples), 7))
    again = part.replay(model.tuned.mixture)
    anew = model.tuned.mixture.forecast(part.live).mean
    torch.testing.assert_close(again, anew)


# --- the whole -----------------------------------------------------------------------------------


def test_a_choice_for_a_named_backbone_is_measured(city: City) -> None:
    model, advice = choose(city(2, 40), horizon=12, backbone="lags")
    assert advice is not None
    assert model is advice.model
    tried = {row.strategy for row in advice.halving}
    assert {"zero-shot", "head"} <= tried
    assert advice.plan is not None
    assert advice.plan.amount.independent > 5
    assert model.strategy in advice.verdict
    json.dumps(advice.to_dict())
    text = str(advice)
    assert "independent" in text
    assert "blend" in text


def test_nothing_is_chosen_where_everything_was_named(city: City) -> None:
    model, advice = choose(city(2, 30), horizon=12, backbone="lags", strategy="head")
    assert (model.strategy, advice) == ("head", None)


def test_too_few_days_for_any_fold_stay_untouched_and_say_why(city: City) -> None:
    model, advice = choose(city(2, 2), horizon=24, backbone="lags")
    assert advice is not None
    assert model.strategy == "zero-shot"
    assert "needs about 4 days" in advice.verdict


def test_blend_is_left_only_for_a_strategy_that_beats_it_by_more_than_its_error(
    city: City,
) -> None:
    frame = city(2, 60, turn=0.6, noise=0.1)
    task = task_of(frame, horizon=12, backbone="lags")
    poor = fit_task(frame, task, strategy="zero-shot")  # plays the incumbent: a head beats it here
    found = decide(frame, task, poor, 5.0)
    assert found.model.strategy == "head"
    assert found.model.fold_error < poor.fold_error
    good = fit_task(frame, task, strategy="head")
    assert decide(frame, task, good, 5.0).model is good


def test_what_does_not_fit_the_time_is_not_tried_and_says_how_long_it_takes() -> None:
    fitting, left_out = affordable(["zero-shot", "head", "lora"], 5.0, 10.0)
    assert fitting == ["zero-shot", "head"]
    assert left_out[0].strategy == "lora"
    assert "about 65 s" in str(left_out[0])
    assert "--max-seconds" in str(left_out[0])
    assert affordable(["zero-shot", "head", "lora"], 5.0, 60.0)[0][-1] == "lora"


def test_of_three_the_worse_half_is_tried_on_a_share_of_the_windows_only(city: City) -> None:
    frame = city(2, 60, turn=0.6, noise=0.1)
    task = task_of(frame, horizon=6, backbone="lags")
    names = ["zero-shot", "head", "blend"]
    tried = {t.strategy: t for t in halve(frame, task, names, blend_seconds=0.1, budget=300)}
    assert {name for name, t in tried.items() if t.share == 1} == {"head", "blend"}
    assert tried["zero-shot"].share == 0.25
    assert tried["zero-shot"].model is None


def test_few_independent_windows_leave_the_network_alone() -> None:
    calm = Nature(0.5, 0.6, 10.0)

    def contenders(windows: float, skill: float = 0.1, nature: Nature = calm) -> set[str]:
        rules = rules_for(Amount(999, windows, 1.0), nature, skill, movable=True)
        return {name for rule in rules for name in rule.adds}

    assert contenders(10) == {"zero-shot"}
    assert contenders(30) == {"zero-shot", "head"}
    assert contenders(30) <= contenders(100) <= contenders(1000)
    assert contenders(1000, nature=Nature(0.9, 0.97, 99.0)) == {"zero-shot", "head"}
    assert "head-sgd" not in contenders(1000)


def test_a_curve_is_drawn_from_windows_that_end_before_what_they_are_judged_by(
    city: City,
) -> None:
    task = task_of(city(1, 16), horizon=12, backbone="lags")
    curve = enough_of(task, 16)
    assert [p.days for p in curve.points][:2] == [3, 7]
    assert all(math.isfinite(p.error) and p.error > 0 for p in curve.points)
    short = enough_of(task_of(city(1, 3), horizon=12, backbone="lags"), 3)
    assert short.points == ()
    assert short.needs is not None
    assert "3 days are too few" in str(short)


@pytest.mark.slow
def test_a_recommendation_ranks_chooses_and_says_whether_it_is_enough(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CITYTUNE_WEIGHTS", raising=False)
    advice = recommend(city(3, 40), horizon=12)
    assert [row.score for row in advice.rows] == sorted(row.score for row in advice.rows)
    assert advice.rows[0].fold_error <= 1.06 * min(row.fold_error for row in advice.rows)
    for row in advice.rows:
        assert math.isfinite(row.logme)
        assert row.per_second > 0
        assert row.megabytes > 0
    assert advice.enough is not None
    assert [p.days for p in advice.enough.points][:2] == [3, 7]
    said = json.loads(json.dumps(advice.to_dict()))
    assert said["enough"]["words"] in str(advice)
    assert said["plan"]["contenders"]
