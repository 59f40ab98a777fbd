"""How the errors of sensors and steps go together: an empirical copula from past forecasts.

Past measurements are looked up in the distributions that were forecast for them. Where each one
lay (its probability integral transform), date by date, says how errors go together over sensors and
steps, whatever the size of each. A forecast's own quantiles then get this dependence by their
ranks: the Schaake shuffle (Clark et al. 2004, J. Hydrometeor. 5:243) and ensemble copula coupling
(Schefzik et al. 2013, doi:10.1214/13-STS443). Dates are few, so members are random mixtures of
their normal scores, which have the same correlations and are as many as wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from citytune.tuning import chance_above, chance_below, values_at
from citytune.windows import Axes

FEWEST_DATES, MOST_DATES = 6, 60
"""Dates that a copula is made of."""
MOST_WINDOWS = 6000
"""Most forecasts of one sensor that are made for it."""
MEMBERS = 300
"""Members of an ensemble drawn from it."""
UNIT_LEVEL = 10_000
"""What a level of 1 is kept as."""
GAP = -1
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Copula:
    """Where past measurements lay in the distributions forecast for them, by date."""

    levels: Annotated[Tensor, Axes("any", "sensor", "horizon", dtype=torch.int16)]
    """(date, sensor, horizon): level in units of 1 / 10,000; -1 where nothing was measured."""

    @classmethod
    def of(
        cls,
        quantiles: Floats,
        actual: Floats,
        *,
        low: ArrayLike | None = None,
        high: float | None = None,
    ) -> Copula:
        """From past forecasts and what came.

        Args:
            quantiles: (date, horizon, sensor, level).
            actual: (date, horizon, sensor); NaN is missing.
            low: Smallest legal value, of all or of each sensor (sensor,).
            high: Largest legal value.
        """
        below = chance_below(quantiles, actual, low=low, high=high)
        at_most = 1 - chance_above(quantiles, actual, low=low, high=high)
        level = (below + at_most) / 2  # half of a tie, such as an empty road
        kept = np.where(np.isfinite(level), np.round(level * UNIT_LEVEL), GAP).astype(np.int16)
        return cls(torch.from_numpy(np.ascontiguousarray(kept.transpose(0, 2, 1))))

    def __len__(self) -> int:
        return len(self.levels)

    def then(self, later: Copula) -> Copula:
        """With later dates, of which the newest are kept."""
        return Copula(torch.cat([self.levels, later.levels])[-max(MOST_DATES, len(later)) :])

    def beside(self, other: Copula) -> Copula:
        """With other sensors, of the same dates."""
        return Copula(torch.cat([self.levels, other.levels], 1))

    def take(self, columns: Sequence[int | None]) -> Copula:
        """Of some sensors; None is one that nothing is known of."""
        wide = torch.nn.functional.pad(self.levels, (0, 0, 0, 1), value=GAP)
        last = self.levels.shape[1]
        return Copula(wide[:, [last if at is None else at for at in columns]])

    def members(
        self,
        quantiles: Floats,
        *,
        low: float | None = None,
        high: float | None = None,
        count: int = MEMBERS,
    ) -> Floats:
        """Draw equally likely futures (member, horizon, sensor) of a forecast.

        Args:
            quantiles: (horizon, sensor, level), whose distributions the members have.
            low: Smallest legal value.
            high: Largest legal value.
            count: How many; even.
        """
        horizon, sensors, _ = quantiles.shape
        scores = self._scores()[..., :horizon].transpose(0, 2, 1).reshape(len(self), -1)
        half = np.random.default_rng(0).standard_normal((count // 2, len(self)))
        drawn = (np.concatenate([half, -half]) @ scores).reshape(count, horizon, sensors)
        order = drawn.argsort(0, kind="stable")
        values = values_at((np.arange(count) + 0.5) / count, quantiles, low=low, high=high)
        found = np.empty((count, horizon, sensors), np.float32)
        np.put_along_axis(found, order, values, axis=0)
        return found

    def _scores(self) -> NDArray[np.float64]:
        """(date, sensor, horizon) normal scores of the ranks over dates; gaps filled."""
        levels = self.levels.numpy().astype(float)
        levels[levels < 0] = np.nan
        known = np.isfinite(levels)
        rank = np.where(known, levels, np.inf).argsort(0, kind="stable").argsort(0, kind="stable")
        count = known.sum(0).clip(1)
        place = torch.from_numpy(((rank + 0.5) / count).clip(1e-6, 1 - 1e-6))
        return _filled(np.where(known, torch.special.ndtri(place).numpy(), np.nan))


def _filled(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaps by the nearest step of the same date and sensor; a sensor's empty date by chance."""
    known = np.isfinite(scores)
    if known.all():
        return scores
    steps = np.broadcast_to(np.arange(scores.shape[-1]), scores.shape)
    before = np.maximum.accumulate(np.where(known, steps, -1), -1)
    after = np.minimum.accumulate(np.where(known, steps, 10**9)[..., ::-1], -1)[..., ::-1]
    nearer = np.where(
        (before < 0) | ((after < 10**9) & (after - steps < steps - before)), after, before
    )
    found = np.take_along_axis(scores, nearer.clip(0, scores.shape[-1] - 1), -1)
    empty = ~known.any(-1)
    chance = np.random.default_rng(1).standard_normal(scores.shape[:2])
    found[empty] = chance[empty][:, None]
    return found
