"""`head` and `head-sgd`: a new last layer on frozen features, exactly or by gradient steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from citytune.training import Loop, balanced_mse, minimise
from citytune.tuning.closed_form._choose_penalty import folds_of
from citytune.tuning.closed_form._head import Head, HeadData, fit_head
from citytune.tuning.experts._head_expert import HeadExpert
from citytune.tuning.strategies._blend import Blend
from citytune.tuning.strategies._strategy import Learned, alone, strategies
from citytune.tuning.task._task import Task


@dataclass(frozen=True, kw_only=True)
class LastLayer:
    """φ is a new last layer, found in closed form for every λ; λ by purged folds."""

    stack: bool = True
    """Whether the forecast enters the blend's stack and so stays safe; otherwise it is alone."""

    def fit(self, task: Task) -> Learned:
        """Solve the ridge; forecasts of the windows come from heads that did not see them."""
        head, residual = fit_head(task.head_data, horizon=task.spec.horizon)
        return _learned(task, head, residual, stack=self.stack)


@dataclass(frozen=True, kw_only=True)
class LastLayerBySteps:
    """The article's own loop: frozen backbone, new last layer, MSE + λ‖φ‖², minibatches."""

    stack: bool = True
    """Whether the forecast enters the blend's stack and so stays safe; otherwise it is alone."""
    penalty: float | None = None
    """λ as a share of the windows' total weight; by default what the closed form chooses."""
    loop: Loop = field(default_factory=Loop)
    """How the gradient steps are taken."""
    loss: Literal["mse", "balanced"] = "mse"
    """"balanced" learns rare values as if all were usual (Balanced MSE); usual ones pay for it."""

    def fit(self, task: Task) -> Learned:
        """Train on all windows, and once per fold for forecasts out of sample."""
        head_data, horizon = task.head_data, task.spec.horizon
        exact, residual = fit_head(head_data, horizon=horizon)
        penalty = exact.penalty if self.penalty is None else self.penalty
        if penalty == torch.inf:
            return _learned(task, exact, residual, stack=self.stack)
        seen = exact.view(head_data.features)
        base = _base(task) if self.loss == "balanced" else None
        residual = torch.zeros(len(seen), horizon)
        for fold in folds_of(head_data.origin, horizon=horizon):
            weights = train_head(
                seen[fold.train],
                head_data.pick(fold.train),
                penalty,
                self.loop,
                base=None if base is None else base[fold.train],
            )
            residual[fold.test] = (seen[fold.test] @ weights).float()
        weights = train_head(
            seen, head_data, penalty, self.loop, seed=task.settings.seed, base=base
        )
        head = Head(exact.view, weights, penalty)
        return _learned(task, head, residual, stack=self.stack)


def train_head(
    seen: Tensor,
    head_data: HeadData,
    penalty: float,
    loop: Loop,
    *,
    seed: int = 0,
    base: Tensor | None = None,
) -> Tensor:
    """The last layer (component, horizon) by minibatches, from zero, on `seen` = view(features).

    The loss is the ridge's own, Σ w(r − Wᵀφ)² + λ‖W‖² over what was measured, divided by Σ w.

    Args:
        seen: (example, component).
        head_data: What is learnt.
        penalty: λ, as a share of the windows' total weight.
        loop: How the steps are taken.
        seed: The same seed takes the same steps.
        base: (example, horizon) the prior forecast, in spreads of the sensor around its mean: the
            loss is then Balanced MSE, of values rather than of errors.
    """
    weight = head_data.weight.double()[:, None]
    total = weight.sum()
    known = ~head_data.residual.isnan()
    actual = head_data.residual.nan_to_num(0.0).double()
    head = torch.zeros(seen.shape[1], actual.shape[1], dtype=torch.float64, requires_grad=True)

    target_weight = (
        torch.ones_like(actual)
        if head_data.target_weight is None
        else head_data.target_weight.double()
    )

    def ridge(weights: Tensor) -> Tensor:
        return penalty * weights.square().sum()

    def loss(batch: Tensor) -> Tensor:
        share = len(seen) / len(batch) / total
        if base is not None:
            squares = _balanced(seen[batch] @ head, head_data.pick(batch), base[batch])
            return share * (weight[batch] * target_weight[batch] * squares).sum() + ridge(head)
        error = (actual[batch] - seen[batch] @ head) * known[batch]
        return share * (weight[batch] * target_weight[batch] * error.square()).sum() + ridge(head)

    minimise([head], loss, len(seen), loop, seed=seed)
    return head.detach()


def _base(task: Task) -> Tensor:
    """(example, horizon) the prior forecast, in spreads of its sensor around the sensor's mean."""
    return ((task.forecast_of(task.prior) - task.level) / task.scale).double()


def _balanced(residual: Tensor, head_data: HeadData, base: Tensor) -> Tensor:
    """Balanced MSE (example, horizon) of values, in squares of each window's own spread."""
    spread = head_data.window_spread.double()
    actual = base + spread * head_data.residual.double()
    error = (spread * (head_data.residual.double() - residual.detach())).nan_to_num(0.0)
    noise = error.square().mean(0).sqrt().clamp_min(1e-3)
    return balanced_mse(base + spread * residual, actual, noise) / spread.square()


def _learned(task: Task, head: Head, residual: Tensor, *, stack: bool) -> Learned:
    found = HeadExpert.candidate(task, head, residual)
    if stack:
        return Blend().fit(task, (found,))
    return Learned(alone(task, found.expert), found.out_of_fold)


strategies.add("head", LastLayer)
strategies.add("head-sgd", LastLayerBySteps)
