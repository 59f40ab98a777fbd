"""The promise: the closed form is the minimiser, and the head speaks only where it has evidence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import Tensor

from citytune.training import Loop
from citytune.tuning import Head, HeadData, Projection, RidgePath, Statistics, fit_head, train_head
from citytune.tuning.closed_form._choose_penalty import choose_penalty, folds_of
from citytune.tuning.closed_form._head import COMPONENTS, HEAD_PENALTIES, _largest, solver

HORIZON = 6


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def problem(examples: int = 200, features: int = 12, targets: int = 3) -> list[Tensor]:
    """Features, residuals and weights of nothing in particular, in double precision."""
    source, exact = draw(1), torch.float64
    seen = torch.randn(examples, features, generator=source, dtype=exact)
    residual = torch.randn(examples, targets, generator=source, dtype=exact)
    return [seen, residual, torch.rand(examples, generator=source, dtype=exact) + 0.1]


def head_data(
    signal: float, *, examples: int = 800, missing: float = 0.0, seed: int = 0
) -> HeadData:
    """Features of which two tell the residual, as far as `signal` says; the rest is noise."""
    source = draw(seed)
    seen = torch.randn(examples, 30, generator=source)
    told = seen[:, :1] + 0.5 * seen[:, 1:2]
    residual = signal * told + torch.randn(examples, HORIZON, generator=source)
    residual[torch.rand(residual.shape, generator=source) < missing] = torch.nan
    unit = 0.5 + torch.rand(examples, 1, generator=source)
    return HeadData(seen, residual, unit, torch.arange(examples) * 3, torch.ones(examples))


def objective(seen: Tensor, of: HeadData, head: Tensor, penalty: float) -> float:
    """Σ w (r − Wᵀφ)² + λ Σ w ‖W‖² over what was measured, by plain sums."""
    weight = of.weight.double()[:, None]
    error = (of.residual.double() - seen @ head).square().nan_to_num(0.0)
    return float((weight * error).sum() + penalty * weight.sum() * head.square().sum())


@pytest.mark.parametrize("penalty", [1e-3, 1.0, 300.0])
def test_the_closed_form_is_the_ridge_that_others_find(penalty: float) -> None:
    seen, residual, weight = problem()
    found = RidgePath.of(Statistics.of(seen, residual, weight)).head(penalty)

    ridge = Ridge(alpha=penalty, fit_intercept=False)
    ridge.fit(seen.numpy(), residual.numpy(), sample_weight=weight.numpy())
    np.testing.assert_allclose(found, ridge.coef_.T, rtol=1e-8, atol=1e-10)

    root = weight.sqrt()[:, None]
    tall = np.vstack([root * seen, penalty**0.5 * np.eye(seen.shape[1])])
    right = np.vstack([root * residual, np.zeros((seen.shape[1], residual.shape[1]))])
    np.testing.assert_allclose(found, np.linalg.lstsq(tall, right)[0], rtol=1e-8, atol=1e-10)


def test_no_head_near_it_has_a_smaller_objective() -> None:
    statistics = Statistics.of(*problem())
    best = RidgePath.of(statistics).head(2.0)
    least = statistics.objective(best, 2.0)
    for seed in range(20):
        step = torch.randn(best.shape, generator=draw(seed), dtype=best.dtype)
        assert statistics.objective(best + 1e-3 * step, 2.0) > least


def test_the_objective_is_the_sum_it_says_it_is() -> None:
    seen, residual, weight = problem()
    head = torch.randn(12, 3, generator=draw(5), dtype=torch.float64)
    expected = sum(
        float(weight[i] * (residual[i] - seen[i] @ head).square().sum()) for i in range(len(seen))
    )
    expected += 7.0 * float((head**2).sum())
    assert Statistics.of(seen, residual, weight).objective(head, 7.0) == pytest.approx(expected)


def test_an_infinite_penalty_is_exactly_the_prior() -> None:
    path = RidgePath.of(Statistics.of(*problem()))
    assert torch.equal(path.head(torch.inf), torch.zeros(12, 3, dtype=torch.float64))
    assert path.head(1e12).abs().max() < 1e-9


def test_a_collinear_feature_costs_nothing() -> None:
    seen, residual, weight = problem()
    twice = torch.cat([seen, seen], 1)
    found = RidgePath.of(Statistics.of(twice, residual, weight)).head(1.0)
    single = RidgePath.of(Statistics.of(seen, residual, weight)).head(0.5)
    torch.testing.assert_close(twice @ found, seen @ single)


@pytest.mark.parametrize("penalty", [0.1, 1.0])
@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_the_articles_loop_converges_to_the_closed_form(
    penalty: float, optimiser: str, missing: float
) -> None:
    task = head_data(1.0, missing=missing)
    seen = Projection.of(task.features)(task.features)
    exact = objective(seen, task, solver(seen, task.residual, task.weight)(penalty), penalty)
    rate = 0.02 if optimiser == "adamw" else 0.01
    loop = Loop(epochs=60, batch=128, rate=rate, optimiser=optimiser)  # type: ignore[arg-type]
    steps = objective(seen, task, train_head(seen, task, penalty, loop), penalty)
    assert exact <= steps * (1 + 1e-9)
    assert steps <= exact * 1.01


def test_missing_targets_are_left_out_exactly() -> None:
    """As if every step ahead were solved on its own, on the windows where it was measured."""
    task = head_data(1.0, missing=0.2)
    seen, penalty = Projection.of(task.features)(task.features), 0.1
    weight = task.weight.double()
    found = solver(seen, task.residual, task.weight)(penalty)
    for step in range(HORIZON):
        known = ~task.residual[:, step].isnan()
        part = seen[known] * weight[known, None]
        gram = part.T @ seen[known] + penalty * weight.sum() * torch.eye(seen.shape[1])
        alone = torch.linalg.solve(gram, part.T @ task.residual[known, step].double())
        torch.testing.assert_close(found[:, step], alone, rtol=1e-3, atol=1e-4)


def test_from_noise_the_head_learns_to_say_nothing() -> None:
    """Or, once in a while, next to nothing."""
    said = []
    for seed in range(12):
        task = head_data(0.0, seed=seed)
        head, _ = fit_head(task, horizon=HORIZON)
        said.append(float(head.residual(task.features).square().mean().sqrt()))
    assert sum(loudness == 0 for loudness in said) >= 7
    assert max(said) < 0.05, said


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_a_strong_signal_is_found(missing: float) -> None:
    head, unseen = fit_head(head_data(1.0, missing=missing), horizon=HORIZON)
    fresh = head_data(1.0, seed=99)
    told = fresh.features[:, :1] + 0.5 * fresh.features[:, 1:2]
    expected = told.expand(-1, HORIZON)
    error = (head.residual(fresh.features) - expected).square().mean() / expected.square().mean()
    assert error < 0.15
    assert unseen.isfinite().all()


def chosen(*errors: list[float]) -> int | None:
    """The λ chosen if each misses by `errors`, one for each of five folds; saying nothing by 1."""
    origin = torch.arange(50) * 10
    residual = torch.ones(50, 1)
    trials = torch.stack(
        [1 - torch.tensor(error).repeat_interleave(10)[:, None] for error in errors]
    )
    return choose_penalty(trials, residual, torch.ones(50, 1), folds_of(origin, horizon=1))


BEST = [0.5, 0.7, 0.5, 0.7, 0.6]  # 0.6 ± 0.045


def test_the_strongest_penalty_within_one_standard_error_is_taken() -> None:
    assert chosen(BEST, [0.63] * 5, [0.66] * 5) == 1
    assert chosen([0.7] * 5, BEST, [0.64] * 5, [0.64] * 5) == 3
    assert chosen(BEST, [0.66] * 5) == 0


def test_a_gain_within_one_standard_error_is_no_gain() -> None:
    assert chosen([0.5, 1.4, 0.6, 1.3, 0.9]) is None  # 0.94 ± 0.18
    assert chosen([0.94] * 5) == 0
    assert chosen([1.0] * 5) is None
    assert chosen([float("nan")] * 5) is None


def test_the_last_digits_do_not_choose_the_penalty() -> None:
    near = 1e-6
    for sign in (-near, near):
        assert chosen([0.5] * 5, [0.5 + sign] * 5) == 1
        assert chosen([1.0 + sign] * 5) is None


def test_what_heads_say_out_of_fold_was_not_fitted_on() -> None:
    """A window's own residuals, and those of its stretch of time, do not reach it."""
    task = head_data(1.0)
    head, before = fit_head(task, horizon=HORIZON)
    stretch = slice(0, 160)  # the first of five
    residual = task.residual.clone()
    residual[stretch] *= 0.9
    again, after = fit_head(task._replace(residual=residual), horizon=HORIZON)
    assert again.penalty == head.penalty
    assert torch.equal(after[stretch], before[stretch])
    assert not torch.equal(after[320:], before[320:])


def test_few_windows_give_a_silent_head() -> None:
    short = head_data(1.0).pick(torch.tensor([0]))
    head, unseen = fit_head(short, horizon=HORIZON)
    assert head.penalty == torch.inf
    assert torch.equal(head.residual(short.features), unseen)


def test_the_penalties_tried_reach_from_the_data_to_the_prior() -> None:
    assert list(HEAD_PENALTIES) == sorted(HEAD_PENALTIES)
    assert HEAD_PENALTIES[0] <= 1e-3
    assert HEAD_PENALTIES[-1] >= 10


def test_components_of_the_features_carry_their_variance() -> None:
    source = draw(3)
    factors = torch.randn(500, 5, generator=source)
    features = factors @ torch.randn(5, 400, generator=source) * 7 + 3
    view = Projection.of(features)
    seen = view(features)
    assert seen.shape == (500, COMPONENTS + 1)
    assert torch.equal(seen[:, -1], torch.ones(500, dtype=torch.float64))
    back = torch.linalg.lstsq(seen, features.double()).solution
    torch.testing.assert_close(seen @ back, features.double(), rtol=1e-4, atol=1e-3)


def test_the_unit_of_the_features_does_not_matter() -> None:
    task = head_data(1.0)
    scaled = task._replace(features=task.features * torch.logspace(-3, 3, 30) + 5)
    one, _ = fit_head(task, horizon=HORIZON)
    other, _ = fit_head(scaled, horizon=HORIZON)
    torch.testing.assert_close(
        other.residual(scaled.features), one.residual(task.features), rtol=1e-2, atol=1e-2
    )


@pytest.mark.parametrize("at", [0.0, 3.0])
@pytest.mark.parametrize("rounding", [0.0, 1e-6])
def test_a_feature_that_never_moved_cannot_move_the_forecast_later(
    at: float, rounding: float
) -> None:
    """Such as "is a holiday", where the windows held none, or a sine that was zero at all hours."""
    task = head_data(1.0)
    still = at + rounding * torch.randn(len(task.features), 1, generator=draw(2))
    head, _ = fit_head(task._replace(features=torch.cat([task.features, still], 1)), horizon=6)
    usual = head.residual(torch.cat([task.features, still], 1))
    new = head.residual(torch.cat([task.features, still + 1], 1))
    assert torch.equal(new, usual)


def test_a_head_says_the_same_of_a_window_alone_and_among_others() -> None:
    task = head_data(1.0)
    head, _ = fit_head(task, horizon=HORIZON)
    assert isinstance(head, Head)
    torch.testing.assert_close(head.residual(task.features[7:8]), head.residual(task.features)[7:8])


def test_the_components_of_wide_features_are_the_leading_ones() -> None:
    """Against a full decomposition: as much variance, and an orthonormal basis."""
    draw = torch.Generator().manual_seed(3)
    wide = torch.randn(600, 800, generator=draw, dtype=torch.float64)
    wide = wide @ torch.diag(0.97 ** torch.arange(800.0, dtype=torch.float64))
    covariance = wide.T @ wide / 600
    values, vectors = _largest(covariance, 192)
    torch.testing.assert_close(vectors.T @ vectors, torch.eye(192, dtype=torch.float64))
    full = torch.linalg.eigvalsh(covariance)[-192:]
    assert float(values.sum() / full.sum()) > 0.999
