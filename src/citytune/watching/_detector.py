"""Evidence of a change, gathered from day to day, and since when."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from citytune.watching._tail import e_value

MOST_EVIDENCE = 1e15
"""Evidence beyond which more of it says nothing."""
LONGEST = 60
"""Days that a change may lie back."""
SHARE_SINCE_CHANGE = 0.8
"""Share of what was won that the days since the change account for."""


@dataclass
class Detector:
    """A Shiryaev–Roberts e-detector of one statistic of one sensor, and Page's estimate of when.

    With e-values of mean 1 at most, the evidence reaches A without a change only after A days on
    average or later, whatever the distribution, and so does the mean of several detectors, however
    they depend on each other: Shin, Ramdas and Rinaldo (2022), "E-detectors: a nonparametric
    framework for sequential change detection". The estimate of the change comes from the
    CUSUM of Page (1954), "Continuous inspection schemes".
    """

    evidence: float = 0.0
    path: list[tuple[int, float]] = field(default_factory=list)
    """Days and logarithms of their bets since the CUSUM last left zero."""

    def add(self, p: float, day: int) -> None:
        """Take in the p-value of a day."""
        e = e_value(p)
        self.evidence = grown(self.evidence, e)
        self.path = [*self.path, (day, math.log(e))][-LONGEST:]
        if sum(log for _, log in self.path) <= 0:
            self.path = []

    @property
    def since(self) -> int | None:
        """Day of the estimated change, counted from 1970: the latest from which most is won.

        Days before it that were only a little unusual may have been ordinary ones.
        """
        won, total = 0.0, sum(log for _, log in self.path)
        for day, log in reversed(self.path):
            won += log
            if won >= SHARE_SINCE_CHANGE * total:
                return day
        return None

    def copied(self) -> Detector:
        """One that may be moved on without changing this one."""
        return Detector(self.evidence, list(self.path))


def grown(evidence: float, e: float) -> float:
    """What evidence becomes by a bet that won `e` times its stake."""
    return min((evidence + 1) * e, MOST_EVIDENCE)
