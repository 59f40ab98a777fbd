"""Balanced MSE: a squared loss under which rare targets are learned as if all were usual.

Ren et al. (2022, arXiv:2203.16427), the batch-based Monte Carlo form (BMC): the log-likelihood of
each target among all targets of its batch, so that a model gains nothing by forecasting only what
is usual.
"""

from __future__ import annotations

import torch
from torch import Tensor


def balanced_mse(forecast: Tensor, actual: Tensor, noise: Tensor | float) -> Tensor:
    """Loss of each target among those of its batch, in the unit of a squared error.

    Args:
        forecast: (example, step).
        actual: (example, step); NaN is missing, and neither learnt from nor compared with.
        noise: Standard deviation of the error to expect; one number, or (step,), in the same unit.

    Returns:
        (example, step); 0 for a missing target. As the noise becomes small against the distances
        between targets it is the squared error plus a constant.

    >>> actual = torch.tensor([[0.0], [0.0], [0.0], [4.0]])
    >>> usual, rare = torch.tensor([[1.0]]).expand(4, 1), torch.tensor([[2.0]]).expand(4, 1)
    >>> (balanced_mse(rare, actual, 1.0).mean() < balanced_mse(usual, actual, 1.0).mean()).item()
    True
    """
    known = ~actual.isnan()
    target = actual.nan_to_num(0.0)
    variance = torch.as_tensor(noise, dtype=forecast.dtype).square()
    # (example, example, step): how far each forecast is from every target of the batch.
    apart = (forecast[:, None] - target[None]).square()
    logits = (-apart / (2 * variance)).masked_fill(~known[None], -torch.inf)
    own = -(forecast - target).square() / (2 * variance)
    found = 2 * variance * (torch.logsumexp(logits, 1) - own)
    return torch.where(known, found, torch.zeros_like(found))
