"""Where steps are taken: on which device, in which precision, and shared by which processes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from citytune.settings import device_said

if TYPE_CHECKING:
    from accelerate import Accelerator


class Machine:
    """This process alone, or among those that were started with it by `accelerate launch`.

    Args:
        half: Whether products are taken in bfloat16 on `device`. It is torch's own autocast, not
            that of accelerate, whose precision can be chosen only once in a process.
    """

    def __init__(self, *, half: bool = False) -> None:
        from accelerate import Accelerator  # half a second to import

        self.accelerator: Accelerator = Accelerator(cpu=device_said() == "cpu")
        self.device: torch.device = self.accelerator.device
        self.processes: int = self.accelerator.num_processes
        self.rank: int = self.accelerator.process_index
        self.is_main: bool = self.accelerator.is_main_process
        self._half = half

    def autocast(self) -> torch.autocast:
        """Within it, products are taken in the chosen precision."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._half)

    def share(self, batch: Tensor) -> Tensor:
        """This process's part of a batch; all parts together are the batch."""
        return batch[self.rank :: self.processes]

    def total(self, value: float) -> float:
        """The sum of a number over all processes."""
        if self.processes == 1:
            return value
        return float(self.accelerator.reduce(self._tensor(value), reduction="sum"))

    def total_gradients(self, weights: Sequence[Tensor]) -> None:
        """Make every process's gradients the sum over all processes."""
        if self.processes == 1:
            return
        for dtype in sorted({weight.dtype for weight in weights}, key=str):
            same = [weight for weight in weights if weight.dtype == dtype]
            for weight in same:  # one without a gradient takes part, or the others would wait
                weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
            own = [weight.grad for weight in same if weight.grad is not None]
            whole = self.accelerator.reduce(parameters_to_vector(own), reduction="sum")
            vector_to_parameters(whole, own)

    def agreed(self, value: float) -> float:
        """The first process's number, in all of them."""
        return value if self.processes == 1 else float(_first(self._tensor(value)))

    def agree(self, weights: Sequence[Tensor]) -> None:
        """Let all processes begin at the first one's weights."""
        if self.processes > 1:
            for weight in weights:
                weight.data.copy_(_first(weight.data.clone()))

    def _tensor(self, value: float) -> Tensor:
        return torch.tensor(value, dtype=torch.float64, device=self.device)


def _first(value: Tensor) -> Tensor:
    """The first process's tensor, in all of them."""
    from accelerate.utils import broadcast

    found: Tensor = broadcast(value)
    return found


def device() -> torch.device:
    """Where a network is trained fastest here: this process's GPU, or the processor."""
    said = device_said()
    if said == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    if said.startswith("cuda:"):
        return torch.device(said)
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


@contextlib.contextmanager
def seeded(weights: Sequence[Tensor], seed: int) -> Iterator[None]:
    """Within it, random numbers (of a dropout, say) follow the seed; outside nothing changes."""
    gpus = sorted({weight.device.index for weight in weights if weight.is_cuda})
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            torch.cuda.default_generators[gpu].manual_seed(seed)
        yield
