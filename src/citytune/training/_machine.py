"""Where steps are taken: precision of a GPU, and processes that share the work of each step."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from accelerate import Accelerator  # takes a second to import: only where it is of use


class Machine:
    """This process alone, or among those that were started with it by `accelerate launch`."""

    def __init__(self, accelerator: Accelerator | None = None) -> None:
        self._accelerator = accelerator
        self.processes = 1 if accelerator is None else accelerator.num_processes

    def reduced(self) -> contextlib.AbstractContextManager[None]:
        """Within it, products are taken in the machine's fastest trustworthy precision."""
        if self._accelerator is None:
            return contextlib.nullcontext()
        return self._accelerator.autocast()

    def share(self, batch: Tensor) -> Tensor:
        """This process's part of a batch; all parts together are the batch."""
        if self._accelerator is None:
            return batch
        return batch[self._accelerator.process_index :: self.processes]

    def total(self, value: float) -> float:
        """The sum of a number over all processes."""
        if self._accelerator is None or self.processes == 1:
            return value
        found = self._accelerator.reduce(self._tensor(value), reduction="sum")
        return float(found)

    def total_gradients(self, weights: Sequence[Tensor]) -> None:
        """Make every process's gradients the sum over all processes."""
        if self._accelerator is None or self.processes == 1:
            return
        for weight in weights:  # one that got none still takes part, or the others would wait
            own = torch.zeros_like(weight) if weight.grad is None else weight.grad
            weight.grad = self._accelerator.reduce(own, reduction="sum")

    def agreed(self, value: float) -> float:
        """The first process's number, in all of them."""
        if self.processes == 1:
            return value
        return float(_first(self._tensor(value)))

    def agree(self, weights: Sequence[Tensor]) -> None:
        """Let all processes begin at the first one's weights."""
        if self.processes > 1:
            for weight in weights:
                weight.data.copy_(_first(weight.data.clone()))

    def _tensor(self, value: float) -> Tensor:
        assert self._accelerator is not None, "there are several processes"
        return torch.tensor(value, dtype=torch.float64, device=self._accelerator.device)


def _first(value: Tensor) -> Tensor:
    """The first process's tensor, in all of them."""
    from accelerate.utils import broadcast

    found: Tensor = broadcast(value)
    return found


def device() -> torch.device:
    """Where a network is trained fastest here: this process's GPU, or the processor."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def machine_for(weights: Sequence[Tensor]) -> Machine:
    """The machine that holds the weights; bfloat16 products on a GPU that has them."""
    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1 and not _started_together()
    half = any(weight.is_cuda for weight in weights) and torch.cuda.is_bf16_supported()
    if alone and not half:
        return Machine()
    from accelerate import Accelerator

    try:
        return Machine(Accelerator(mixed_precision="bf16" if half else "no"))
    except ValueError:  # another precision was chosen before, for all of this process
        return Machine(Accelerator())


def _started_together() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


@contextlib.contextmanager
def own_chance(weights: Sequence[Tensor], seed: int) -> Iterator[None]:
    """Within it, chance (of a dropout, say) is the seed's; the world's own goes on after it."""
    gpus = sorted({weight.device.index for weight in weights if weight.is_cuda})
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            torch.cuda.default_generators[gpu].manual_seed(seed)
        yield
