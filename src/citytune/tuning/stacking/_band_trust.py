"""How far a correction is followed, band by band ahead: as far as it gained out of fold.

This is shrinkage, not the promise: what is left still has to convince the stack and the gate.
"""

from __future__ import annotations

import torch
from torch import Tensor

from citytune.tuning.stacking._stack import bands
from citytune.tuning.stacking._stats import t_inflation

FIRST_STEPS = (0, 1, 3)
"""The first band of the stack is cut here: what helps one step ahead may harm the next ones."""
BLOCKS, LONGEST_BLOCK = 12, 7
"""Gains are told apart by blocks of days: about so many, and none of more than so many days."""


def fine_bands(horizon: int) -> list[tuple[int, int]]:
    """The bands of the stack, with the first one cut into three.

    >>> fine_bands(24)
    [(0, 1), (1, 3), (3, 6), (6, 24)]
    """
    starts = sorted({*FIRST_STEPS, *(start for start, _ in bands(horizon))})
    starts = [start for start in starts if start < horizon]
    return list(zip(starts, [*starts[1:], horizon], strict=True))


def by_step(share: Tensor, horizon: int) -> Tensor:
    """(horizon,) of one number for each of `fine_bands`."""
    edges = enumerate(fine_bands(horizon))
    return share[[band for band, (start, end) in edges for _ in range(start, end)]]


def band_trust(before: Tensor, after: Tensor, day: Tensor, weight: Tensor) -> Tensor:
    """(band,) share 0 … 1 that a correction is followed in each of `fine_bands`.

    That is 1 − (e / g)² for a gain g with standard error e over blocks of days, as Stein's
    estimator would shrink it (James and Stein 1961), and nothing for a loss.

    Args:
        before: (example, horizon) error of the forecast; NaN where nothing was measured …
        after: … and of the corrected one, whose fit had not seen the window.
        day: (example,) long, local day of each origin.
        weight: (example,) how much each window counts.
    """
    span = int(day.max() - day.min()) + 1
    length = min(LONGEST_BLOCK, max(1, span // BLOCKS))
    _, block = ((day - day.min()) // length).unique(return_inverse=True)
    return torch.stack(
        [
            _share((before - after)[:, start:end], block, weight)
            for start, end in fine_bands(before.shape[1])
        ]
    )


def _share(gain: Tensor, block: Tensor, weight: Tensor) -> Tensor:
    """() of the gains (example, step) of one band."""
    known = ~gain.isnan()
    count = torch.zeros(int(block.max()) + 1).index_add(0, block, known.sum(1) * weight)
    total = gain.nan_to_num(0.0).sum(1) * weight
    mean = torch.zeros_like(count).index_add(0, block, total) / count.clamp_min(1e-9)
    part = count / count.sum().clamp_min(1e-9)
    all_ = (part * mean).sum()
    independent = 1 / part.square().sum().clamp_min(1e-9)
    if not all_ > 0 or independent < 2:
        return torch.tensor(0.0)
    variance = (part * (mean - all_).square()).sum() / (independent - 1)
    error = variance.sqrt() * t_inflation(max(1, int(independent) - 1))
    return (1 - (error / all_).square()).clamp_min(0.0)
