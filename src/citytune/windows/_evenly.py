"""Pick some of many, evenly spread."""

from __future__ import annotations

import torch
from torch import Tensor

GOLDEN_RATIO = 0.6180339887498949


def evenly(count: int, most: int) -> Tensor:
    """Indices (index,) long, ascending, of at most `most` of `count` things, evenly spread.

    Multiples of the golden ratio pick them. An even step could keep pace with the sensors that
    windows go through in turn, and would then see only some of them.

    >>> evenly(10, 4)
    tensor([0, 2, 5, 7])
    >>> evenly(3, 4)
    tensor([0, 1, 2])
    """
    if count <= most:
        return torch.arange(count)
    turn = torch.arange(count, dtype=torch.float64) * GOLDEN_RATIO % 1
    return turn.argsort()[:most].sort().values
