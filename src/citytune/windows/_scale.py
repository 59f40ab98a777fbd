"""Bring every window to a common level and spread, and back."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

STILL = 0.01
"""Least spread of a window, as a share of its level: a flat one is not blown up into noise."""


class Scale(NamedTuple):
    """Level and spread of each window of a batch; whoever holds it can go back."""

    level: Tensor  # (example, 1), in the unit of the data
    spread: Tensor  # (example, 1), in the unit of the data; always above 0

    @classmethod
    def of(cls, past: Tensor, measured: Tensor | None = None) -> Scale:
        """Mean and standard deviation of each window's past, never of its future.

        Args:
            past: (example, context); NaN does not count.
            measured: (example, context) bool, which of these also count; None is all of them.

        Example:
            >>> scale = Scale.of(torch.tensor([[10.0, 30.0, 10.0, 30.0]]))
            >>> scale.do(torch.tensor([[40.0]])), scale.undo(torch.tensor([[2.0]]))
            (tensor([[2.]]), tensor([[40.]]))
        """
        known = ~past.isnan() if measured is None else measured & ~past.isnan()
        count = known.sum(-1, keepdim=True).clamp_min(1)
        level = torch.where(known, past, 0).sum(-1, keepdim=True) / count
        around = torch.where(known, past - level, 0).double()  # a square may be beyond floats
        spread = (around.square().sum(-1, keepdim=True) / count).sqrt().to(past.dtype)
        spread = spread.maximum(STILL * level.abs())
        return cls(level, torch.where(spread > 0, spread, 1))

    def do(self, values: Tensor) -> Tensor:
        """Values (example, any) in the unit of the data → around 0, in spreads."""
        return (values - self.level) / self.spread

    def undo(self, values: Tensor) -> Tensor:
        """What `do` made → the unit of the data."""
        return values * self.spread + self.level
