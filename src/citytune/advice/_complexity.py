"""What a backbone costs here: weights, forecasts a second, memory."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from citytune.tuning import Task, forecasts_of

WINDOWS = 64
"""Windows of the pass that is measured: one chunk of every backbone here, which is also the most
that it holds in memory however many are asked for."""
MEGABYTE = 1e6


class Complexity(NamedTuple):
    """Of one backbone, measured on this machine."""

    parameters: int
    per_second: float
    """Windows forecast in a second (seen by the frozen network, where it cannot forecast)."""
    megabytes: float
    """Its weights, and the most that was held at once while passing 64 windows through it."""


def complexity_of(task: Task, *, measure: bool = True) -> Complexity:
    """Pass some of the task's windows twice: once counting memory, once by the clock."""
    card = task.backbone.card
    weights = 4 * card.parameters / MEGABYTE
    count = min(WINDOWS, len(task.examples))
    if not count or not measure:
        return Complexity(card.parameters, float("nan"), weights)
    run = _pass(task.part(torch.arange(count)))
    held = peak(run) / MEGABYTE
    started = time.perf_counter()
    run()
    return Complexity(card.parameters, count / (time.perf_counter() - started), weights + held)


def _pass(task: Task) -> Callable[[], object]:
    if task.backbone.card.horizon is not None:
        return lambda: forecasts_of((task.expert(task.prior),), task.live)
    return lambda: task.live.features


def peak(run: Callable[[], object]) -> int:
    """Most bytes that tensors made by `run` held at once; what a kernel holds inside is not seen.

    >>> peak(lambda: torch.zeros(100))
    400
    """
    counter = _Counter()
    with counter:
        kept = run()
    del kept
    return counter.most


class _Counter(TorchDispatchMode):
    """Counts the bytes of storages alive since it was entered."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.alive: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        for part in found if isinstance(found, tuple | list) else (found,):
            if isinstance(part, torch.Tensor):
                self._see(part.untyped_storage())
        return found

    def _see(self, storage: torch.UntypedStorage) -> None:
        place, size = storage.data_ptr(), storage.nbytes()
        if place in self.alive or not size:
            return
        self.alive.add(place)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._gone, place, size)

    def _gone(self, place: int, size: int) -> None:
        self.alive.discard(place)
        self.now -= size
