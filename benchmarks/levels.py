"""At which probability to raise an alert: counts on a fine grid of levels, which can be added."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

STEPS = 200
"""Steps of the grid, from 0 to 1."""
MIDDLE = 0.5
"""The level from which the median of a forecast passes the threshold."""


class Counts(NamedTuple):
    """Alerts compared with what came."""

    right: int
    raised: int
    events: int

    @classmethod
    def sum(cls, many: Iterable[Counts]) -> Counts:
        """All of them together."""
        return cls(*(sum(column) for column in zip(*many, strict=True)))

    @property
    def precision(self) -> float:
        """Share of the alerts that were right; 0 without any."""
        return self.right / self.raised if self.raised else 0.0

    @property
    def shares(self) -> tuple[float, float, float]:
        """Precision, recall and F1."""
        whole = self.raised + self.events
        recall = self.right / self.events if self.events else 0.0
        return self.precision, recall, 2 * self.right / whole if whole else 0.0


@dataclass(frozen=True, eq=False)
class Levels:
    """Values and events by the probability that was said of them."""

    values: list[int]
    """(step,) how many values were called so likely."""
    events: list[int]
    """(step,) how many of these came."""
    said: list[float]
    """(step,) sum of the probabilities said."""

    @classmethod
    def of(cls, chance: NDArray[np.float32], came: NDArray[np.bool_]) -> Levels:
        """Count probabilities (value,) against whether each came (value,)."""
        step = np.floor(chance.astype(np.float64) * STEPS + 1e-4).astype(int)

        def per_step(weights: NDArray[Any]) -> list[float]:
            return np.bincount(step, weights, STEPS + 1).tolist()

        values, events = per_step(np.ones(len(step))), per_step(came)
        return cls([*map(int, values)], [*map(int, events)], per_step(chance))

    @classmethod
    def sum(cls, many: Sequence[Levels]) -> Levels:
        """All of them together."""
        parts = ([getattr(one, field.name) for one in many] for field in fields(cls))
        return cls(*(np.sum(part, 0).tolist() for part in parts))

    def counts(self) -> dict[str, list[Any]]:
        """As plain numbers, from which it can be made again."""
        return asdict(self)

    def above(self, level: float) -> Counts:
        """The alerts raised where the probability is at least `level`, a step of the grid."""
        first = round(level * STEPS)
        return Counts(sum(self.events[first:]), sum(self.values[first:]), sum(self.events))

    def level_of(self, precision: float) -> float:
        """The lowest level with at least this precision; `MIDDLE` if it says nothing, or too much.

        >>> found = Levels.of(np.array([0.1, 0.4, 0.6, 0.9]), np.array([False, True, False, True]))
        >>> found.level_of(0.6), found.level_of(0.9)
        (0.105, 0.605)
        """
        events = np.cumsum(self.events[::-1])[::-1]
        values = np.cumsum(self.values[::-1])[::-1]
        good = np.flatnonzero((events > 0) & (events >= precision * values))
        return float(good[0]) / STEPS if precision > 0 and len(good) else MIDDLE

    def bins(self, edges: Sequence[float]) -> tuple[NDArray[np.float64], ...]:
        """(bin,) values, summed probabilities and events between neighbouring edges."""
        first = [round(edge * STEPS) for edge in edges[:-1]]
        columns = (self.values, self.said, self.events)
        values, said, events = (np.add.reduceat(column, first) for column in columns)
        return values, said, events
