"""Which weights move together, and what is needed to move them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """Weights that move together, at a share of the learning rate."""

    parameters: Sequence[Tensor]
    """Tensors that require gradients."""
    share: float = 1.0
    """Of the learning rate: smaller for layers near the input (Howard and Ruder 2018, ULMFiT)."""

    def __post_init__(self) -> None:
        if not 0 < self.share < math.inf:
            raise ValueError(f"a group's share of the rate must be positive, got {self.share}")


def as_groups(groups: Iterable[Tensor | Group]) -> list[Group]:
    """Groups as given, and plain tensors as one group more."""
    given = list(groups)
    plain = [one for one in given if isinstance(one, Tensor)]
    found = [one for one in given if isinstance(one, Group) and one.parameters]
    return [*found, Group(plain)] if plain else found


class AdamW(torch.optim.AdamW):
    """Torch's own, without what it puts around each method for a compiler of whole trainings.

    The first call of that would import the compiler: seconds, for nothing.
    """

    zero_grad = inspect.unwrap(torch.optim.AdamW.zero_grad)
    add_param_group = inspect.unwrap(torch.optim.AdamW.add_param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move the weights."""
        return _step(self, closure)


_step = inspect.unwrap(torch.optim.AdamW.step)


def optimiser_of(
    groups: Iterable[Group],
    kind: Literal["adamw", "sgd"],
    rate: float,
    *,
    shrink: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
) -> torch.optim.Optimizer:
    """A fresh optimiser; a penalty toward where weights began is part of the loss, not of it."""
    options = [{"params": list(one.parameters), "lr": rate * one.share} for one in groups]
    if kind == "adamw":
        return AdamW(options, betas=betas, weight_decay=shrink, fused=True)
    return torch.optim.SGD(options, momentum=0.9)
