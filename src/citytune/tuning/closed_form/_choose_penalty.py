"""Choose λ out of sample: purged folds and the one-standard-error rule."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from citytune.windows import Fold, purged_folds

PENALTY_FOLDS = 5
DIGITS = 5
"""Digits to which relative errors are compared: the last ones differ between processors."""


def folds_of(origin: Tensor, *, horizon: int) -> list[Fold]:
    """Purged folds over windows; none if there would be fewer than two."""
    if not len(origin):
        return []
    found = purged_folds(origin, horizon=horizon, folds=PENALTY_FOLDS)
    return found if len(found) > 1 else []


def choose_penalty(
    trials: Tensor,
    residual: Tensor,
    unit: Tensor,
    folds: Sequence[Fold],
    *,
    weight: Tensor | None = None,
) -> int | None:
    """The largest λ whose error is within one standard error of the best.

    The rule of Breiman et al. (1984), on absolute errors; the standard error is that of the best
    one's gain over doing nothing, across folds.

    Args:
        trials: (λ, example, horizon) what is said out of fold, λ ascending.
        residual: (example, horizon) what was to be said; NaN is missing.
        unit: What an error of 1 is worth; broadcasts to `residual`.
        folds: Where the trials come from.
        weight: (example,) how much each one counts; by default all alike.

    Returns:
        The place of λ; None if doing nothing is within one standard error, or there are no folds.
    """
    if not folds:
        return None
    known = ~residual.isnan()
    counted = known if weight is None else known * weight[:, None]
    actual, size = residual.nan_to_num(0.0), counted * unit

    def losses(says: Tensor) -> Tensor:
        error = (actual - says).abs() * size
        parts = [error[f.test].sum() / counted[f.test].sum().clamp_min(1e-9) for f in folds]
        return torch.stack(parts).double()

    nothing = losses(torch.zeros_like(actual))
    found = torch.stack([losses(trial) for trial in trials])  # (λ, fold)
    usual = float(nothing.mean().clamp_min(1e-30))
    mean = (found.mean(1) / usual).tolist()
    best = min(range(len(mean)), key=lambda i: round(mean[i], DIGITS))  # of equal ones, the first
    error = float((found[best] - nothing).std()) / len(folds) ** 0.5 / usual
    # Read so that errors too large for numbers, which are NaN here, let it do nothing.
    if not round(1 - mean[best] - error, DIGITS) > 0:
        return None
    return max(i for i in range(len(mean)) if round(mean[i] - mean[best] - error, DIGITS) <= 0)
