"""What every adapter around a network does: freeze it, feed it, import it in silence."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from citytune._prefer_torch import prefer_torch

N = TypeVar("N", bound=nn.Module)
ON_GPU = 16
"""Times as many windows a pass on a GPU as in a processor's cache."""


def frozen(network: N) -> N:
    """The network in evaluation mode, none of its weights free to move."""
    network.eval()
    network.requires_grad_(requires_grad=False)
    return network


def ask(network: nn.Module, question: Callable[..., Tensor], *shown: Tensor) -> Tensor:
    """The answer of a network that may live on a GPU, to tensors that do not.

    What is shown goes to where the network's weights are, and the answer comes back to where the
    first of it was, in a precision that every device knows on the way; gradients are kept.
    """
    there = place_of(network)
    if there == shown[0].device:
        return question(*shown)
    answer = question(*(part.to(there, torch.float32) for part in shown))
    return answer.to(shown[0].device, torch.float32)


def place_of(network: nn.Module) -> torch.device:
    """Where the network's weights are."""
    return next((weight.device for weight in network.parameters()), torch.device("cpu"))


def digest_of(weights: Mapping[str, Any]) -> str:
    """SHA-256 of named weights, whatever their order; what is no tensor is left out."""
    found = hashlib.sha256()
    for name, weight in sorted(weights.items()):
        if isinstance(weight, Tensor):
            found.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
            flat = weight.detach().cpu().contiguous().flatten()
            found.update(flat.view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def in_chunks(
    network: nn.Module, step: Callable[[Tensor], Tensor], values: Tensor, size: int
) -> Tensor:
    """Apply `step` to chunks of at most `size` of `values` (example, …), one per thread at a time.

    A small network is faster with one chunk per thread than with all threads on one chunk, whose
    every operation waits for the slowest: far faster on a machine that is busy with other work.
    Gradients are kept, and chunks taken one by one, only if a strategy has freed weights and asks
    for gradients. A GPU takes one larger chunk after the other.
    """
    on_gpu = place_of(network).type != "cpu"
    size = ON_GPU * size if on_gpu else size
    if torch.is_grad_enabled() and any(weight.requires_grad for weight in network.parameters()):
        return torch.cat([step(chunk) for chunk in values.split(size)])
    if on_gpu:
        return torch.cat([_without_gradient(step, chunk) for chunk in values.split(size)])
    share = -(-len(values) // torch.get_num_threads())
    parts = _side_by_side(step, values.split(max(1, min(size, share))))
    return torch.cat(parts)  # outside inference mode, whose tensors cannot enter a training loop


def _side_by_side(step: Callable[[Tensor], Tensor], chunks: Sequence[Tensor]) -> list[Tensor]:
    threads = torch.get_num_threads()
    if min(threads, len(chunks)) == 1:
        return [_without_gradient(step, chunk) for chunk in chunks]
    workers = min(threads, len(chunks))
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(functools.partial(_without_gradient, step), chunks))
    finally:
        torch.set_num_threads(threads)  # which the workers have changed for threads yet to come


def _without_gradient(step: Callable[[Tensor], Tensor], chunk: Tensor) -> Tensor:
    with torch.inference_mode():  # is a matter of each thread
        return step(chunk)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Imports that warn, log and set up logging for everyone leave no trace."""
    prefer_torch()
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
