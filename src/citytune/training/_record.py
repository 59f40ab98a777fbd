"""What became of a training: its losses, which weights were kept, and what was noted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """The course that a training took."""

    losses: tuple[float, ...]
    """Mean training loss of each epoch; NaN if no step of it could be taken."""
    held: tuple[float, ...]
    """Loss on held-back data at the start and after each epoch; empty if nothing was held back."""
    best: int
    """Epochs after which the kept weights stood; 0: they are those of the start."""
    rate: float
    """Highest learning rate, as given or found, before any halving."""
    seconds: float
    """How long it took."""
    notes: tuple[str, ...]
    """What a person should know of it, one sentence each."""
