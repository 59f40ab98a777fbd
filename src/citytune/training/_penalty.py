"""Terms of a loss that keep weights small, or near where they began."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def decay(parameters: Iterable[Tensor], penalty: float) -> Tensor:
    """λ‖φ‖², with λ = `penalty`: the article's own term (Hoerl and Kennard 1970, ridge)."""
    return penalty * _sum(weight.square().sum() for weight in parameters)


def toward(parameters: Iterable[Tensor], start: Iterable[Tensor], penalty: float) -> Tensor:
    """λ‖φ − φ₀‖² toward the pretrained weights φ₀ = `start`, in the order of `parameters`.

    Li, Grandvalet and Davoine 2018, "L2-SP", arXiv:1802.01483: a network that was pretrained knows
    more than zeros do. `start` are copies, taken before the first step.
    """
    pairs = zip(parameters, start, strict=True)
    return penalty * _sum((weight - begun).square().sum() for weight, begun in pairs)


def _sum(terms: Iterable[Tensor]) -> Tensor:
    found = list(terms)
    return torch.stack([term.to(found[0]) for term in found]).sum() if found else torch.zeros(())
