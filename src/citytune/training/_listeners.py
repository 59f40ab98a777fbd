"""Tell whoever listens how gradient steps get on, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import TypeAlias

Listener: TypeAlias = Callable[[int, int, float, float], None]
"""Called with the number of the training, the epoch, its training loss and its held-back loss."""
_listeners: list[Listener] = []
# A fit trains several times: on folds, on everything, and by phases.
_trainings = count(1)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """While this lasts, `listener` is told of every epoch, of all threads."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def next_training() -> int:
    """The number of a training that begins."""
    return next(_trainings)


def tell(training: int, epoch: int, loss: float, held: float) -> None:
    """Tell all that listen of an epoch that is over."""
    for listener in tuple(_listeners):
        listener(training, epoch, loss, held)
