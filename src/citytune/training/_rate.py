"""The learning-rate range test: let the rate rise until the loss blows up, and choose below."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from citytune.training._stepper import NotFiniteError, Stepper

LOWEST, HIGHEST = 1e-6, 1.0
"""Rates tried."""
RANGE_TEST_STEPS, FEWEST_RANGE_TEST_STEPS = 60, 16
"""Steps from one to the other; fewer where the time is short."""
SPENT = 0.2
"""Of the time that is left."""
TURN = 4
"""Batches taken in turn: a mean over one turn does not tell which batch was easy."""
BLOWN = 0.1
"""The loss is blown up when it is so far above its start, as a share of it."""


def find_rate(
    stepper: Stepper,
    examples: int,
    batch: int,
    *,
    seed: int,
    left: Callable[[], float],
) -> float:
    """The rate of steepest descent, or a tenth of where the loss blows up: the lower one.

    Smith 2017, arXiv:1506.01186; which of its points is a good highest rate, after fastai. The
    weights are afterwards what they were.

    Args:
        stepper: What takes steps.
        examples: How many there are.
        batch: Examples a step.
        seed: Of the batches.
        left: Seconds that are left; a fifth of them should be spent here, and half at most.
    """
    shuffle = torch.Generator().manual_seed(seed)
    turn = torch.randperm(examples, generator=shuffle).split(batch)[:TURN]
    before = [weight.detach().clone() for weight in stepper.weights]
    begun = left()
    rates, losses = [LOWEST], [_loss(stepper, turn[0], LOWEST)]
    limited = begun < math.inf
    steps = _steps_in(SPENT * begun, begun - left()) if limited else RANGE_TEST_STEPS
    latest = begun / 2 if limited else 0.0
    while len(rates) < steps and left() > latest:
        if _blown(_mean(losses[-len(turn) :]), _mean(losses[: len(turn)])):
            break
        rates.append(LOWEST * (HIGHEST / LOWEST) ** (len(rates) / (steps - 1)))
        losses.append(_loss(stepper, turn[len(losses) % len(turn)], rates[-1]))
    with torch.no_grad():
        for weight, value in zip(stepper.weights, before, strict=True):
            weight.copy_(value)
    stepper.forget()
    return choose(rates, losses, len(turn))


def _steps_in(seconds: float, a_step: float) -> int:
    return int(min(RANGE_TEST_STEPS, max(FEWEST_RANGE_TEST_STEPS, seconds / max(a_step, 1e-9))))


def _loss(stepper: Stepper, batch: Tensor, rate: float) -> float:
    try:
        return stepper.take(batch, rate)
    except NotFiniteError:
        return math.inf


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
    return not loss <= start + BLOWN * abs(start)
