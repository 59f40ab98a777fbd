"""The pinball loss of quantiles."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def pinball(quantiles: Tensor, actual: Tensor, levels: Sequence[float]) -> Tensor:
    """Mean pinball loss of quantiles (example, step, level); NaN in `actual` does not count.

    Koenker and Bassett 1978; doubled, so that the median's part is the absolute error.

    Args:
        quantiles: (example, step, level).
        actual: (example, step), in the same unit.
        levels: 0 … 1, ascending.
    """
    known = actual.isfinite()
    error = actual.nan_to_num(0.0)[..., None] - quantiles
    level = torch.tensor(levels, device=quantiles.device)
    loss = 2 * torch.maximum(level * error, (level - 1) * error).mean(-1)
    return (loss * known).sum() / known.sum().clamp_min(1)
