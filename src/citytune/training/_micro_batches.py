"""Gradients of a batch, passed through in pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from citytune.training._machine import Machine

SIGNS = ("out of memory", "not enough memory", "can't allocate memory")
"""What a RuntimeError says when memory did not suffice."""


class MicroBatches:
    """Batches in pieces that are halved whenever memory does not suffice.

    Gradients of pieces add up to that of the batch, so the step stays what it was.
    """

    def __init__(self, size: int, machine: Machine, note: Callable[[str], None]) -> None:
        self.size = size
        self._machine = machine
        self._note = note

    def gradients(
        self, loss: Callable[[Tensor], Tensor], batch: Tensor, weights: Sequence[Tensor]
    ) -> float:
        """Put the gradients of a batch's mean loss into the weights; that loss."""
        own = self._machine.share(batch)
        found = self._own(loss, own, len(batch), weights)
        self._machine.total_gradients(weights)
        return self._machine.total(found)

    def _own(
        self,
        loss: Callable[[Tensor], Tensor],
        own: Tensor,
        whole: int,
        weights: Sequence[Tensor],
    ) -> float:
        while True:
            try:
                return self._add_up(loss, own, whole, weights)
            except (MemoryError, RuntimeError) as error:
                size = min(self.size, len(own))
                if size <= 1 or not is_out_of_memory(error):
                    raise
            self._halve(size)

    def _add_up(
        self,
        loss: Callable[[Tensor], Tensor],
        own: Tensor,
        whole: int,
        weights: Sequence[Tensor],
    ) -> float:
        for weight in weights:
            weight.grad = None
        total = 0.0
        for piece in own.split(self.size) if len(own) else ():
            with self._machine.reduced():
                part = loss(piece) * (len(piece) / whole)
            part.backward()
            total += float(part.detach())
        return total

    def _halve(self, size: int) -> None:
        self.size = size // 2
        self._note(
            f"memory does not suffice for {size} examples at a time: they are passed through "
            f"{self.size} at a time, in the same steps"
        )
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory did not suffice."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(sign in str(error).lower() for sign in SIGNS)
