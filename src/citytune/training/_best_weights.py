"""The weights to end with: the best on held-back data, or the last that are finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class BestWeights:
    """Keeps a copy of the best weights so far.

    Args:
        weights: What is kept.
        held: Loss on held-back data; without it the last finite weights count as the best.
    """

    def __init__(self, weights: Sequence[Tensor], held: Callable[[], float] | None) -> None:
        self._weights, self._held = weights, held
        self._kept = [weight.detach().clone() for weight in weights]
        self._lowest = math.inf
        self.best = 0
        self.history: list[float] = []
        if held is not None:
            self._lowest = self._evaluate(held)

    def look(self, epoch: int) -> None:
        """Evaluate the weights after an epoch, and keep them if they are the best."""
        if self._held is not None:
            found = self._evaluate(self._held)
            better = found < self._lowest
            self._lowest = min(found, self._lowest)
        else:
            better = all(bool(weight.isfinite().all()) for weight in self._weights)
        if better:
            self.best = epoch
            for kept, weight in zip(self._kept, self._weights, strict=True):
                kept.copy_(weight.detach())

    @torch.no_grad()
    def restore(self) -> None:
        """Put the kept weights back."""
        for kept, weight in zip(self._kept, self._weights, strict=True):
            weight.copy_(kept)

    @torch.no_grad()
    def _evaluate(self, held: Callable[[], float]) -> float:
        found = held()
        self.history.append(found)
        return found if math.isfinite(found) else math.inf
