"""The step that tuning and pretraining share: gradients, clipped, into optimisers on a schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim.lr_scheduler import LambdaLR

from citytune.training._machine import Machine

Batch = TypeVar("Batch")


class Step(NamedTuple):
    """What came of one step."""

    loss: float
    """Before the step."""
    fault: str
    """"the loss" or "the gradient" was not finite, and no weight was moved; empty if it was."""


class Stepper(Generic[Batch]):
    """Takes steps, one for each batch; a step that is not finite is not taken.

    Args:
        optimisers: Each group's learning rate is the highest of its schedule.
        gradients: Puts the gradients of this process's part of a batch into the weights, and gives
            its part of the loss; parts add up over processes.
        height: Step → learning rate, as a share of the highest.
        machine: Where steps are taken.
        clip: Longest gradient (Pascanu et al. 2013); a longer one is shortened to it.
        done: Steps taken before, in a run that goes on.
    """

    def __init__(
        self,
        optimisers: Sequence[torch.optim.Optimizer],
        gradients: Callable[[Batch], float],
        height: Callable[[int], float],
        machine: Machine,
        *,
        clip: float | None = None,
        done: int = 0,
    ) -> None:
        self.step = done
        self._optimisers = optimisers
        self._groups = [group for one in optimisers for group in one.param_groups]
        self.weights: list[Tensor] = [
            weight for group in self._groups for weight in group["params"]
        ]
        self._gradients, self._height, self._machine, self._clip = gradients, height, machine, clip
        for group in self._groups:
            group.setdefault("initial_lr", group["lr"])
        self._schedule()

    def take(self, batch: Batch) -> Step:
        """One step on a batch."""
        for optimiser in self._optimisers:
            optimiser.zero_grad()
        loss = self._machine.total(self._gradients(batch))
        self._machine.total_gradients(self.weights)
        self.step += 1
        if fault := self._fault(loss):
            self._schedule()
            return Step(loss, fault)
        for optimiser, schedule in zip(self._optimisers, self._schedules, strict=True):
            optimiser.step()
            schedule.step()
        return Step(loss, "")

    def _fault(self, loss: float) -> str:
        """What is not finite; otherwise gradients are clipped."""
        if not math.isfinite(loss):
            return "the loss"
        length = get_total_norm([w.grad for w in self.weights if w.grad is not None])
        if not bool(length.isfinite()):
            return "the gradient"
        if self._clip is not None:
            clip_grads_with_norm_(self.weights, self._clip, length)
        return ""

    def _schedule(self) -> None:
        """Schedules at this step; made anew after a step that no optimiser took, as torch asks."""
        self._schedules = [
            LambdaLR(optimiser, self._height, last_epoch=self.step - 1)
            for optimiser in self._optimisers
        ]
