"""What every adapter around a network does: freeze it, feed it, import it in silence."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor, nn

N = TypeVar("N", bound=nn.Module)


def frozen(network: N) -> N:
    """The network in evaluation mode, none of its weights free to move."""
    network.eval()
    network.requires_grad_(requires_grad=False)
    return network


def in_chunks(
    network: nn.Module, step: Callable[[Tensor], Tensor], values: Tensor, size: int
) -> Tensor:
    """Apply `step` to chunks of at most `size` of `values` (example, …), one per thread at a time.

    A small network is faster with one chunk per thread than with all threads on one chunk, whose
    every operation waits for the slowest: far faster on a machine that is busy with other work.
    Gradients are kept, and chunks taken one by one, only if a strategy has freed weights.
    """
    if any(weight.requires_grad for weight in network.parameters()):
        return torch.cat([step(chunk) for chunk in values.split(size)])
    share = -(-len(values) // torch.get_num_threads())
    parts = _side_by_side(step, values.split(max(1, min(size, share))))
    return torch.cat(parts)  # outside inference mode, whose tensors cannot enter a training loop


def _side_by_side(step: Callable[[Tensor], Tensor], chunks: Sequence[Tensor]) -> list[Tensor]:
    def without_gradient(chunk: Tensor) -> Tensor:
        with torch.inference_mode():  # is a matter of each thread
            return step(chunk)

    threads = torch.get_num_threads()
    if min(threads, len(chunks)) == 1:
        return [without_gradient(chunk) for chunk in chunks]
    workers = min(threads, len(chunks))
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(without_gradient, chunks))
    finally:
        torch.set_num_threads(threads)  # which the workers have changed for threads yet to come


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Imports that warn, log and set up logging for everyone leave no trace."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)


def standardise(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each window (example, time) around its own mean in units of its own spread.

    Returns:
        The standardised windows (float32), their level and their spread, both (example, 1) in
        float64 so that any unit fits. A constant window becomes zeros with spread 1.

    Raises:
        ValueError: a value is NaN or infinite; whoever cuts windows fills them first.
    """
    exact = values.double()
    level = exact.mean(1, keepdim=True)
    if not bool(level.isfinite().all()):
        raise ValueError("a window holds NaN or infinite values; fill its gaps before showing it")
    spread = (exact - level).square().mean(1, keepdim=True).sqrt()
    flat = spread <= 1e-6 * exact.abs().amax(1, keepdim=True)  # below the precision of float32
    spread = torch.where(flat, torch.ones_like(spread), spread)
    shown = torch.where(flat, torch.zeros_like(exact), (exact - level) / spread)
    return shown.float(), level, spread
