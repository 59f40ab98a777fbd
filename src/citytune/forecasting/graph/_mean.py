"""The mean of distributions, as `mean_of` has it, in operations that a graph knows."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor

from citytune.backbones import LEVELS


def mean_in_graph(quantiles: Tensor, low: Tensor, high: float | None) -> Tensor:
    """The mean (example, horizon) of distributions.

    Args:
        quantiles: (example, horizon, level) at `LEVELS`, never crossing and within legal limits.
        low: (example, 1) smallest legal value; −∞ for none.
        high: Largest legal value.
    """
    steps = list(quantiles.double().unbind(-1))
    inside = [
        (b - a) * (left + right) / 2
        for (a, b), (left, right) in zip(pairwise(LEVELS), pairwise(steps), strict=True)
    ]
    found = torch.stack(inside).sum(0)
    found = found + LEVELS[0] * (steps[0] - _beyond(steps, low.double()))
    mirrored = [-step for step in reversed(steps)]
    top = torch.tensor(-math.inf if high is None else -high, dtype=torch.float64)
    return (found + (1 - LEVELS[-1]) * (steps[-1] + _beyond(mirrored, top))).float()


def _beyond(steps: list[Tensor], low: Tensor) -> Tensor:
    """How far below the lowest quantile the tail's mean lies, with nothing below `low`."""
    width = torch.zeros_like(steps[0])
    for level, quantile in zip(reversed(LEVELS[1:]), reversed(steps[1:]), strict=True):
        fall = (quantile - steps[0]) / math.log(level / LEVELS[0])
        width = torch.where(quantile > steps[0], fall, width)
    room = (steps[0] - low).clamp_min(0.0)
    return width * (1 - (-room / torch.where(width > 0, width, 1.0)).exp())
