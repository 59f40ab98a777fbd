"""How much features say of what is to be forecast, without fitting anything to judge by.

LogME (You, Liu, Wang and Long 2021, arXiv:2102.11005): the evidence of a linear model with a
Gaussian prior on its weights, at the two precisions that make it largest. It averages over heads
where an error averages over windows, so it needs no held-out part.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

ITERATIONS = 11
"""Steps of MacKay's fixed point, as in the paper."""
SMALL = 1e-5


def logme(features: Tensor, targets: Tensor) -> float:
    """Largest log evidence of `targets` per example, averaged over targets; more is better.

    Args:
        features: (example, feature).
        targets: (example, target), each scaled alike whatever is compared.

    Example:
        >>> told = torch.linspace(-1, 1, 50)[:, None]
        >>> logme(told, 3 * told) > logme(told.square(), 3 * told)
        True
    """
    left, size, _ = torch.linalg.svd(features.double(), full_matrices=False)
    energy = size.square()  # (component,)
    count, width = features.shape
    targets = targets.double()
    along = (left.T @ targets).square()  # (component, target)
    beside = (targets.square().sum(0) - along.sum(0)).clamp_min(0)  # (target,) no head reaches it
    weight, noise = torch.ones((2, targets.shape[1]), dtype=torch.float64)  # precisions α and β
    for _ in range(ITERATIONS):
        energy_of, error_of = _fit(energy, along, beside, weight / noise)
        used = (energy[:, None] / (energy[:, None] + weight / noise)).sum(0)
        weight, noise = used / (energy_of + SMALL), (count - used) / (error_of + SMALL)
    energy_of, error_of = _fit(energy, along, beside, weight / noise)
    spare = width - len(energy)  # directions in which no feature moves
    curved = (weight + noise * energy[:, None]).log().sum(0) + spare * weight.log()
    evidence = width * weight.log() + count * (noise.log() - math.log(2 * math.pi)) - curved
    return float((evidence - noise * error_of - weight * energy_of).mean()) / 2 / count


def _fit(energy: Tensor, along: Tensor, beside: Tensor, ratio: Tensor) -> tuple[Tensor, Tensor]:
    """‖w‖² and ‖y − Fw‖² (target,) of the ridge with penalty `ratio` (target,)."""
    shrunk = energy[:, None] + ratio
    size = (energy[:, None] * along / shrunk.square()).sum(0)
    return size, ((ratio / shrunk).square() * along).sum(0) + beside
