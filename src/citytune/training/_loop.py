"""The plain training loop: minibatches, an optimiser, a rate that rises and falls once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Loop:
    """How to take gradient steps."""

    epochs: int = 100
    """Passes over the examples."""
    batch: int = 256
    """Examples a step."""
    rate: float = 3e-3
    """Highest learning rate; it rises to it and falls to nothing (one cycle, Smith 2018)."""
    optimiser: Literal["adamw", "sgd"] = "adamw"
    """Which; the penalty is part of the loss, so neither decays weights by itself."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.rate > 0:
            raise ValueError(f"the rate must be positive, got {self.rate}")
        if self.optimiser not in ("adamw", "sgd"):
            raise ValueError(f"the optimiser is 'adamw' or 'sgd', got {self.optimiser!r}")


def minimise(
    parameters: Iterable[Tensor],
    loss: Callable[[Tensor], Tensor],
    examples: int,
    loop: Loop,
    *,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> list[float]:
    """Move `parameters` to make `loss` small; the same seed takes the same steps.

    Args:
        parameters: Tensors that require gradients; nothing else moves.
        loss: Loss of a minibatch, given the indices (example,) of its members.
        examples: How many there are.
        progress: Called with the share done, 0 … 1, after each epoch.

    Returns:
        Mean loss of each epoch.
    """
    moving = list(parameters)
    shuffle = torch.Generator().manual_seed(seed)
    steps = loop.epochs * -(-examples // loop.batch)
    if loop.optimiser == "adamw":
        optimiser: torch.optim.Optimizer = torch.optim.AdamW(moving, lr=loop.rate, weight_decay=0)
    else:
        optimiser = torch.optim.SGD(moving, lr=loop.rate, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, loop.rate, total_steps=steps + 1, cycle_momentum=False
    )
    history = []
    for epoch in range(loop.epochs):
        losses = []
        for batch in torch.randperm(examples, generator=shuffle).split(loop.batch):
            optimiser.zero_grad()
            found = loss(batch)
            found.backward()
            optimiser.step()
            schedule.step()
            losses.append(float(found.detach()))
        history.append(sum(losses) / len(losses))
        if progress is not None:
            progress((epoch + 1) / loop.epochs)
    return history
