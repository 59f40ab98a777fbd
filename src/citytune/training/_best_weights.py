"""The weights to end with: the best on held-back data, or the last that are sound."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from time import perf_counter

import torch
from torch import Tensor

from citytune.training._budget import StepBudget
from citytune.training._machine import Machine


class BestWeights:
    """Keeps a copy of the best weights so far."""

    def __init__(
        self,
        weights: Sequence[Tensor],
        held: Callable[[], float] | None,
        machine: Machine,
        plan: StepBudget,
    ) -> None:
        self._weights = weights
        self._held = held
        self._machine = machine
        self._plan = plan
        self._lowest = math.inf
        self._kept = [weight.detach().clone() for weight in weights]
        self.best = 0
        self.history: list[float] = []
        if held is not None:
            self._lowest = self._judge(held)

    def look(self, epoch: int) -> None:
        """Judge the weights after an epoch, and keep them if they are the best."""
        if self._held is not None:
            found = self._judge(self._held)
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
    def _judge(self, held: Callable[[], float]) -> float:
        began = perf_counter()
        found = self._machine.agreed(float(held()))
        self._plan.judged(perf_counter() - began)
        self.history.append(found)
        return found if math.isfinite(found) else math.inf
