"""Counts as Poisson: a last layer of the logarithm of their mean, by Newton's method.

The loss is the Poisson deviance, whose noise grows with the count, and what it learns multiplies:
a part of a picture makes the answer so many times as large. Its minimiser has no closed form, but
it is convex: Newton's method (iteratively reweighted least squares, McCullagh and Nelder 1989)
finds the one minimum, each step a ridge like that of squared errors.
"""

from __future__ import annotations

import torch
from torch import Tensor

from citytune.tuning import (
    HEAD_PENALTIES,
    Head,
    Projection,
    choose_penalty,
    folds_of,
)

MOST_STEPS, MOST_HALVINGS = 50, 30
CLOSE = 1e-10
"""Share of the objective below which a step's gain is rounding."""
LEAST_COUNT, MOST_LOG = 1e-3, 30.0
"""Least count whose logarithm is taken, and the largest logarithm of one."""


def log_of(count: Tensor) -> Tensor:
    """The logarithm of counts."""
    return count.clamp_min(LEAST_COUNT).log()


def count_of(log_mean: Tensor) -> Tensor:
    """Back from it."""
    return log_mean.clamp_max(MOST_LOG).exp()


def deviance(log_mean: Tensor, actual: Tensor) -> Tensor:
    """2 (y log(y / μ) − (y − μ)) of counts y, given log μ; 0 where μ is y."""
    mean = log_mean.exp()
    return 2 * (torch.xlogy(actual, actual) - actual * log_mean - actual + mean)


def fit_poisson(features: Tensor, actual: Tensor, usual: Tensor, origin: Tensor) -> Head:
    """The minimiser of Σ deviance / 2 + λ Σ y ‖φ‖² / 2, λ chosen by groups.

    λ is thus a share of all that was counted, as that of squared errors is one of the pictures;
    it is chosen by the same rule, from absolute errors of counts on groups left out.

    Args:
        features: (picture, feature) of the frozen network.
        actual: (picture, 1) counts.
        usual: (picture, 1) the mean that needs no picture, above 0.
        origin: (picture,) long, whose folds are of groups.

    Returns:
        What is added to log `usual`. Where nothing helps it adds nothing, and its λ is infinite.
    """
    view = Projection.of(features)
    seen, base = view(features), log_of(usual)
    folds = folds_of(origin, horizon=1)
    trials = torch.zeros(len(HEAD_PENALTIES), *actual.shape, dtype=torch.float64)
    for fold in folds:
        path = minima(seen[fold.train], actual[fold.train], base[fold.train], HEAD_PENALTIES)
        for i, head in enumerate(path):
            said = count_of(base[fold.test] + seen[fold.test] @ head)
            trials[i, fold.test] = said - usual[fold.test]
    best = choose_penalty(trials, actual - usual, torch.ones_like(actual), folds)
    if best is None:
        return Head(view, torch.zeros(seen.shape[1], 1, dtype=torch.float64), torch.inf)
    path = minima(seen, actual, base, HEAD_PENALTIES[best:])
    return Head(view, path[0], HEAD_PENALTIES[best])


def minima(
    seen: Tensor, actual: Tensor, base: Tensor, penalties: tuple[float, ...]
) -> list[Tensor]:
    """(component, 1) for each λ, ascending; each starts from that of the next larger one."""
    found, head = [], torch.zeros(seen.shape[1], 1, dtype=torch.float64)
    for penalty in reversed(penalties):
        head = _minimum(seen, actual, base, penalty * float(actual.sum()), head)
        found.append(head)
    return found[::-1]


def objective(seen: Tensor, actual: Tensor, base: Tensor, head: Tensor, penalty: float) -> float:
    """Σ deviance / 2 + penalty ‖φ‖² / 2 of a head (component, 1)."""
    half = deviance(base + seen @ head, actual).sum() / 2
    return float(half + penalty * head.square().sum() / 2)


def _minimum(seen: Tensor, actual: Tensor, base: Tensor, penalty: float, head: Tensor) -> Tensor:
    now = objective(seen, actual, base, head, penalty)
    eye = torch.eye(seen.shape[1], dtype=torch.float64)
    for _ in range(MOST_STEPS):
        mean = (base + seen @ head).exp()
        slope = seen.T @ (mean - actual) + penalty * head
        step = torch.linalg.solve((seen * mean).T @ seen + penalty * eye, slope)
        for halving in range(MOST_HALVINGS):
            there = head - 0.5**halving * step
            found = objective(seen, actual, base, there, penalty)
            if found <= now:  # never of NaN or infinity
                break
        else:
            return head
        gain, head, now = now - found, there, found
        if gain <= CLOSE * (abs(now) + 1):
            return head
    return head
