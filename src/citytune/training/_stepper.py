"""Single steps: gradients of a batch, clipped, into an optimiser; none that is not finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from citytune.training._micro_batches import MicroBatches


class NotFiniteError(ArithmeticError):
    """A loss or a gradient is NaN or infinite; the step was not taken."""


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


class Stepper:
    """Takes steps on a loss; what it remembers of the gradient can be forgotten."""

    def __init__(
        self,
        groups: Sequence[Group],
        loss: Callable[[Tensor], Tensor],
        kind: Literal["adamw", "sgd"],
        clip: float | None,
        pieces: MicroBatches,
    ) -> None:
        self.groups = groups
        self.weights = [weight for group in groups for weight in group.parameters]
        self.pieces = pieces
        self._loss = loss
        self._kind = kind
        self._clip = clip
        self.forget()

    def forget(self) -> None:
        """Begin with a fresh optimiser."""
        groups = [{"params": list(group.parameters)} for group in self.groups]
        if self._kind == "adamw":
            self._optimiser: torch.optim.Optimizer = torch.optim.AdamW(groups, weight_decay=0)
        else:
            self._optimiser = torch.optim.SGD(groups, momentum=0.9)

    def take(self, batch: Tensor, rate: float) -> float:
        """One step on a batch (example,) of indices; the loss it had before.

        Raises:
            NotFiniteError: the loss or a gradient is not finite, and nothing was moved.
        """
        found = self.pieces.gradients(self._loss, batch, self.weights)
        if not math.isfinite(found):
            raise NotFiniteError("the loss")
        steep = get_total_norm([w.grad for w in self.weights if w.grad is not None])
        if not bool(steep.isfinite()):
            raise NotFiniteError("the gradient")
        if self._clip is not None:
            clip_grads_with_norm_(self.weights, self._clip, steep)
        for group, options in zip(self.groups, self._optimiser.param_groups, strict=True):
            options["lr"] = rate * group.share
        self._optimiser.step()
        return found
