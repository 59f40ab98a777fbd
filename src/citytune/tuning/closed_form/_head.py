"""The new last layer: what the frozen features say about the errors of the prior forecast.

A head learns the residual y − prior(x), so that λ is a dial from "as pretrained" (λ → ∞) to "as
the data say" (λ → 0). It is fitted on principal components of features computed once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple, TypeAlias

import torch
from torch import Tensor

from citytune.tuning.closed_form._choose_penalty import choose_penalty, folds_of
from citytune.tuning.closed_form._ridge import RidgePath, Statistics
from citytune.windows import Axes

COMPONENTS = 192
"""Most principal components of the features that a head looks at."""
MARGIN, ITERATIONS = 16, 4
"""Components beyond those, and passes, of the search for them in wide features."""
HEAD_PENALTIES = tuple(10.0**power for power in (-3, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1))
"""λ as a share of the total weight of the examples."""
ROUNDS = 8
"""Passes that fill the residuals of missing targets from the fit itself."""
STILL = 1e-5
"""Spread of a feature, as a share of its size and of the others' usual spread, that is rounding."""
MOST_WINDOW_WEIGHT = 9.0
"""Most that one window may count, in units of a window with its sensor's usual spread."""


Solver: TypeAlias = Callable[[float], Tensor]
"""λ, as a share of the total weight → the minimising head (component, horizon)."""


class HeadData(NamedTuple):
    """What a head learns from; a window is seen in units of its own spread."""

    features: Tensor  # (example, feature), of the frozen backbone
    residual: Tensor  # (example, horizon), (y − prior) / window's spread; NaN is missing
    window_spread: Tensor  # (example, 1), in units of the sensor's usual spread
    origin: Tensor  # (example,) long
    recency: Tensor  # (example,) how much a window counts for its age
    target_weight: Tensor | None = None  # (example, horizon), how much each target counts

    @property
    def weight(self) -> Tensor:
        """(example,) how much a window counts: as in the sensor's own units, within limits."""
        return self.window_spread[:, 0].square().clamp_max(MOST_WINDOW_WEIGHT) * self.recency

    def pick(self, which: Tensor) -> HeadData:
        """Some of the windows, by index or mask."""
        return HeadData(*(None if part is None else part[which] for part in self))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Projection:
    """Standardised features turned to their principal components, and a constant."""

    centre: Annotated[Tensor, Axes("feature", dtype=torch.float64)]
    basis: Annotated[Tensor, Axes("feature", "any", dtype=torch.float64)]
    """(feature, component), in units that give the components unit mean variance."""

    @classmethod
    def of(cls, features: Tensor, weight: Tensor | None = None) -> Projection:
        """The components that carry most of the variance of `features` (example, feature).

        `weight` (example,) is how much each example counts; by default all alike.
        """
        exact = features.double()
        share = torch.ones(len(exact)) if weight is None else weight
        share = (share.double() / share.double().sum())[:, None]
        centre = (share * exact).sum(0)
        spread = (share * (exact - centre).square()).sum(0).sqrt()
        usual = spread[spread > 0].median() if (spread > 0).any() else torch.inf
        # A feature that never moved, but for rounding, is not listened to when it moves later: such
        # as the sine of a time of day that is a multiple of π at every window's start.
        moved = (spread > STILL * exact.abs().amax(0)) & (spread > STILL * usual)
        spread = spread.where(moved, torch.inf)
        scaled = (exact - centre) / spread
        count = min(COMPONENTS, len(scaled), features.shape[1])
        values, kept = _largest((share * scaled).T @ scaled, count)
        size = values.clamp_min(0).mean().sqrt().clamp_min(1e-9)
        return cls(centre, kept / spread[:, None] / size)

    def __call__(self, features: Tensor) -> Tensor:
        """(example, feature) → (example, component + 1), the last one constant."""
        seen = (features.double() - self.centre) @ self.basis
        return torch.cat([seen, seen.new_ones(seen.shape[0], 1)], 1)


def _largest(covariance: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest eigenvalues, ascending, and their vectors (feature, count).

    Of wide features by subspace iteration (Halko et al. 2011, arXiv:0909.4061), from the same start
    at every call: any basis near the leading one will do, and all of them would take much longer.
    """
    if len(covariance) < 2 * (count + MARGIN):
        values, vectors = torch.linalg.eigh(covariance)
        return values[-count:], vectors[:, -count:]
    start = torch.Generator().manual_seed(0)
    shape = (len(covariance), count + MARGIN)
    basis = torch.randn(shape, generator=start, dtype=covariance.dtype)
    for _ in range(ITERATIONS):
        basis, _ = torch.linalg.qr(covariance @ basis)
    values, turn = torch.linalg.eigh(basis.T @ covariance @ basis)
    return values[-count:], (basis @ turn)[:, -count:]


@dataclass(frozen=True, eq=False)
class Head:
    """φ: the only weights that were learnt."""

    view: Projection
    weights: Annotated[Tensor, Axes("any", "horizon", dtype=torch.float64)]
    """(component + 1, horizon)."""
    penalty: float
    """λ, as a share of the total weight of the examples."""

    def __post_init__(self) -> None:
        if len(self.weights) != self.view.basis.shape[-1] + 1:
            raise ValueError("the weights are of another number of components than the view")

    def residual(self, features: Tensor) -> Tensor:
        """The error to expect of the prior (example, horizon), in spreads of the window."""
        return (self.view(features) @ self.weights).float()


def fit_head(head_data: HeadData, *, horizon: int) -> tuple[Head, Tensor]:
    """The exact minimiser, λ chosen by purged folds with the one-standard-error rule.

    Returns:
        The head, and the corrections that heads of the other folds make to each window (example,
        horizon), in spreads of the window. Where nothing helps, or there are too few windows for
        folds, the head corrects nothing and its λ is infinite.
    """
    view = Projection.of(head_data.features, head_data.recency)
    seen = view(head_data.features)
    folds = folds_of(head_data.origin, horizon=horizon)
    trials = torch.zeros(len(HEAD_PENALTIES), len(seen), horizon, dtype=torch.float64)
    for fold in folds:
        solve = _solver_of(seen, head_data, fold.train)
        for i, penalty in enumerate(HEAD_PENALTIES):
            trials[i, fold.test] = seen[fold.test] @ solve(penalty)
    best = choose_penalty(
        trials, head_data.residual, head_data.window_spread, folds, weight=head_data.recency
    )
    if best is None:
        silent = torch.zeros(seen.shape[1], horizon, dtype=torch.float64)
        return Head(view, silent, torch.inf), torch.zeros(len(seen), horizon)
    weights = _solver_of(seen, head_data)(HEAD_PENALTIES[best])
    return Head(view, weights, HEAD_PENALTIES[best]), trials[best].float()


def _solver_of(seen: Tensor, head_data: HeadData, which: Tensor | None = None) -> Solver:
    """The solver on all windows, or on some of them."""
    parts = (seen, head_data.residual, head_data.weight)
    if which is not None:
        seen, residual, weight = (part[which] for part in parts)
    else:
        residual, weight = parts[1:]
    if head_data.target_weight is None:
        return solver(seen, residual, weight)
    return solver(
        seen,
        residual,
        weight,
        head_data.target_weight if which is None else head_data.target_weight[which],
    )


def solver(
    seen: Tensor, residual: Tensor, weight: Tensor, target_weight: Tensor | None = None
) -> Solver:
    """λ (as a share of the total weight) → the minimising head (component, horizon).

    Missing targets are filled with the head's own forecast, again and again: a majorisation whose
    fixed point minimises the loss over what was measured alone. It starts from "the prior is
    right" and stops early on its side. Targets that count less than the one of their window that
    counts most are filled in part, by the same argument; so one Gram matrix does for all steps.

    Args:
        seen: (example, component).
        residual: (example, horizon); NaN is missing.
        weight: (example,).
        target_weight: (example, horizon) how much each target counts; None is all alike.
    """
    missing = residual.isnan()
    known = residual.nan_to_num(0.0).double()
    share: Tensor | None = None
    if target_weight is not None:
        # A missing target must not decide how much its window counts.
        counted = target_weight.double().masked_fill(missing, 0.0)
        most = counted.amax(1).clamp_min(1e-9)
        share, weight = counted / most[:, None], weight.double() * most
    total = float(weight.sum())
    path = RidgePath.of(Statistics.of(seen, known, weight.double()))
    rest = missing.double() if share is None else 1 - share
    filled = (rest > 0).any(1)
    if not filled.any():
        return lambda penalty: path.head(penalty * total)
    some, rest, had = seen[filled], rest[filled], known[filled]
    weighted = path.vectors.T @ (some * weight[filled, None].double()).T

    def solve(penalty: float) -> Tensor:
        head = path.head(penalty * total)
        for _ in range(ROUNDS):
            loads = path.loads + weighted @ (rest * (some @ head - had))
            head = RidgePath(path.values, path.vectors, loads).head(penalty * total)
        return head

    return solve
