"""How high the rate stands at each step, and how many steps fit into the time."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import perf_counter

from citytune.training._machine import Machine

RISE = 0.3
"""Share of the steps in which the rate rises."""
LOW, LOWEST = 1 / 25, 1 / 250_000
"""Of the highest rate: the first, and the last."""


def height(share: float) -> float:
    """Rate at a share 0 … 1 of the steps, as a share of the highest: one cycle, by cosines.

    Smith 2018, arXiv:1803.09820, in the form of torch's `OneCycleLR`.
    """
    if share < RISE:
        return _cosine(LOW, 1.0, share / RISE)
    return _cosine(1.0, LOWEST, (share - RISE) / (1 - RISE))


def _cosine(begin: float, end: float, share: float) -> float:
    return end + (begin - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


class StepBudget:
    """The steps to take; fewer than asked for if they would not fit into the time.

    Without a time budget, or within it, the plan never changes. Otherwise the pace is measured at
    steps 2, 4, 8, … and after every epoch, and the rest of the cycle is laid over the steps that
    are left, so that the rate has come down when the time is used up.
    """

    def __init__(
        self,
        steps: int,
        epoch: int,
        most: float | None,
        machine: Machine,
        note: Callable[[str], None],
    ) -> None:
        self._all = self._steps = steps
        self._epoch = epoch  # steps in one
        self._most = most
        self._machine = machine
        self._note = note
        self._began = perf_counter()
        self._first = 0.0  # seconds at the end of the first step
        self._judging = [0.0, 0.0]  # seconds of one judging, and of all
        self._anchor = (0, 0.0)  # a step, and the share of the cycle it stood at
        self._shortened = False
        self._now = 0.0
        self.step = 0

    def seconds(self) -> float:
        """Since the beginning, as the first process counts; its clock is every process's."""
        return self._machine.agreed(perf_counter() - self._began)

    def judged(self, seconds: float) -> None:
        """Learn how long one look at the held-back data takes."""
        if self._most is not None:
            seconds = self._machine.agreed(seconds)
            self._judging = [seconds, self._judging[1] + seconds]

    def left(self) -> float:
        """Seconds left for steps, so that there is time to judge the last ones."""
        if self._most is None:
            return math.inf
        self._now = self.seconds()
        return self._most - self._judging[0] - self._now

    def height(self) -> float:
        """Of the rate of the next step, as a share of the highest."""
        return height(self._share())

    def taken(self) -> bool:
        """Count a step; whether another may be taken."""
        self.step += 1
        left = self.left()
        if self._most is not None:
            if self.step == 1:
                self._first = self._now - self._judging[1]
            elif self.step & (self.step - 1) == 0 or self.step % self._epoch == 0:
                self._lay(left)
        return self.step < self._steps and left > 0

    def _lay(self, left: float) -> None:
        """Lay the rest of the cycle over the steps that there is time for."""
        pace = (self._now - self._judging[1] - self._first) / (self.step - 1)
        fit = self.step + int(max(left, 0.0) / max(pace + self._judging[0] / self._epoch, 1e-9))
        if min(fit, self._all) == self._steps:
            return
        self._anchor = self.step, self._share()
        self._steps = min(fit, self._all)
        if not self._shortened:
            self._shortened = True
            self._note(
                f"{self._all / self._epoch:g} epochs do not fit into {self._most:g} s: the "
                "learning rate comes down earlier, so that it is low when the time is used up"
            )

    def _share(self) -> float:
        step, share = self._anchor
        return share + (1 - share) * (self.step - step) / max(self._steps - step, 1)
