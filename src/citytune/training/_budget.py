"""How far a training is: in steps, and in seconds where a person has set a limit."""

from __future__ import annotations

import math
from time import perf_counter

from citytune.training._machine import Machine

WARM_UP_SHARE = 0.3
"""Share of the steps in which the rate rises."""
FIRST_RATE, LAST_RATE = 1 / 25, 1 / 250_000
"""Of the highest rate."""
LAST_WARM = 0.02
"""Likewise, of a rate that was warmed up."""
LATENESS_ALLOWED = 0.1
"""Share of a limit by which a training may be late before its rate follows the clock."""


def one_cycle(share: float) -> float:
    """Rate at a share 0 … 1 of the steps, as a share of the highest: one cycle, by cosines.

    Smith 2018, arXiv:1803.09820, in the form of torch's `OneCycleLR`, which cannot be told on the
    way that fewer steps fit.
    """
    if share < WARM_UP_SHARE:
        return _cosine(FIRST_RATE, 1.0, share / WARM_UP_SHARE)
    return _cosine(1.0, LAST_RATE, (share - WARM_UP_SHARE) / (1 - WARM_UP_SHARE))


def warm_cosine(step: int, warm: int, share: float) -> float:
    """Rate at a step, as a share of the highest: up within `warm` steps, then down by a cosine.

    As networks of attention are pretrained; it ends at `LAST_WARM`.
    """
    return min(1.0, (step + 1) / warm) * _cosine(1.0, LAST_WARM, share)


def _cosine(begin: float, end: float, share: float) -> float:
    return end + (begin - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


class StepBudget:
    """The steps to take, and a limit of seconds; without a limit no clock is read.

    A limit that suffices changes nothing. Where one does not, the cycle of the rate follows the
    clock, so that the rate has come down when the time is used up.
    """

    def __init__(
        self, steps: int, limit: float | None, machine: Machine, warm: int | None = None
    ) -> None:
        self._steps, self._limit, self._machine = steps, limit, machine
        self._warm = warm
        self._began = 0.0 if limit is None else perf_counter()

    def used(self) -> float:
        """Share of the limit that is used up, by the clock of the first process."""
        if self._limit is None:
            return 0.0
        return self._machine.agreed((perf_counter() - self._began) / self._limit)

    def height(self, step: int) -> float:
        """The rate of a step, as a share of the highest."""
        share = max(step / self._steps, (self.used() - LATENESS_ALLOWED) / (1 - LATENESS_ALLOWED))
        return one_cycle(share) if self._warm is None else warm_cosine(step, self._warm, share)

    def allows(self, step: int) -> bool:
        """Whether another step may be taken after so many."""
        return step < self._steps and self.used() < 1
