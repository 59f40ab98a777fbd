"""The learning-rate range test: let the rate rise until the loss blows up, and choose below."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from citytune.training._stepper import Stepper

LOWEST_RATE, HIGHEST_RATE = 1e-6, 1.0
"""Rates tried."""
RANGE_TEST_STEPS, FEWEST_RANGE_TEST_STEPS = 60, 16
"""Steps from one to the other; the fewest where there is a limit of seconds."""
BATCHES_OF_A_TURN = 4
"""Batches taken in turn: a mean over one turn does not tell which batch was easy."""
BLOWN_UP_LOSS = 0.1
"""The loss is blown up when it is so far above its start, as a share of it."""


def find_rate(
    start: Callable[[Callable[[int], float]], Stepper[Tensor]],
    batches: Sequence[Tensor],
    *,
    steps: int,
    goes: Callable[[], bool],
) -> float:
    """The rate of steepest descent, or a tenth of where the loss blows up: the lower one.

    Smith 2017, arXiv:1506.01186; which of its points is a good highest rate, after fastai. The
    weights are afterwards what they were.

    Args:
        start: Gives a fresh stepper on a schedule, step → rate.
        batches: Taken in turn; the first few are enough.
        steps: From the lowest rate to the highest, such as `RANGE_TEST_STEPS`.
        goes: Whether there is time for another step.
    """

    def height(step: int) -> float:
        return LOWEST_RATE * (HIGHEST_RATE / LOWEST_RATE) ** (step / (steps - 1))

    turn, stepper = batches[:BATCHES_OF_A_TURN], start(height)
    before = [weight.detach().clone() for weight in stepper.weights]
    losses: list[float] = []
    while len(losses) < steps and (goes() or not losses):
        if len(losses) > 1 and _blown(_mean(losses[-len(turn) :]), _mean(losses[: len(turn)])):
            break
        found = stepper.take(turn[len(losses) % len(turn)])
        losses.append(math.inf if found.fault else found.loss)
    with torch.no_grad():
        for weight, value in zip(stepper.weights, before, strict=True):
            weight.copy_(value)
    return choose([height(step) for step in range(len(losses))], losses, len(turn))


def choose(rates: list[float], losses: list[float], turn: int) -> float:
    """The rate to train with, given the loss before the step at each of rising rates.

    The mean over one turn of batches is taken as the loss at the lowest rate of that turn.
    """
    mean = [_mean(losses[i : i + turn]) for i in range(max(1, len(losses) - turn + 1))]
    blown = next((i for i, loss in enumerate(mean) if _blown(loss, mean[0])), len(mean) - 1)
    falls = [mean[i] - mean[i + 1] for i in range(blown)]
    safe = rates[blown] / 10
    if not falls or max(falls) <= 0:
        return safe
    return min(rates[falls.index(max(falls))], safe)


def _mean(losses: list[float]) -> float:
    return sum(losses) / len(losses)


def _blown(loss: float, start: float) -> bool:
    return not loss <= start + BLOWN_UP_LOSS * abs(start)
