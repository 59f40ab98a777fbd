"""Gradients of a batch, passed through in pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from citytune.training._machine import Machine

NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")
"""In the words of a RuntimeError."""


class MicroBatches:
    """Batches in pieces that are halved whenever memory does not suffice.

    Gradients of pieces add up to that of the batch, so the step stays what it was. (accelerate's
    `find_executable_batch_size` begins the whole function anew, and collects garbage at each call.)
    """

    def __init__(
        self,
        loss: Callable[[Tensor], Tensor],
        weights: Sequence[Tensor],
        size: int,
        machine: Machine,
        note: Callable[[str], None],
    ) -> None:
        self._loss, self._weights, self._machine, self._note = loss, weights, machine, note
        self._size = size

    def gradients(self, batch: Tensor) -> float:
        """Put the gradients of this process's part of the mean loss into the weights; that part."""
        own = self._machine.share(batch)
        while True:
            try:
                return self._add_up(own, len(batch))
            except (MemoryError, RuntimeError) as error:
                size = min(self._size, len(own))
                if size <= 1 or not _is_out_of_memory(error):
                    raise
            self._halve(size)

    def _add_up(self, own: Tensor, whole: int) -> float:
        for weight in self._weights:
            weight.grad = None
        total = 0.0
        for piece in own.split(self._size) if len(own) else ():
            with self._machine.autocast():
                part = self._loss(piece) * (len(piece) / whole)
            part.backward()
            total += float(part.detach())
        return total

    def _halve(self, size: int) -> None:
        self._size = size // 2
        self._note(
            f"memory does not suffice for {size} examples at a time: they are passed through "
            f"{self._size} at a time, in the same steps"
        )
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(sign in str(error).lower() for sign in NO_MEMORY)
