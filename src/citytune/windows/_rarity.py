"""How much rare values count: in a fit, and compared with the usual ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from citytune._graph import exporting
from citytune.settings import FEW_SHARE, Rare
from citytune.windows._axes import Axes
from citytune.windows._density import BINS, FEWEST_VALUES, density, density_at, density_weights

LARGEST_ODDS = 100.0
"""Most that a rare value counts, in units of a usual one."""
USUAL_POWER = 0.5
"""Of weights in a fit; the inverse square root of density is usual in the field."""


def never_passed(rare: Rare, values: Tensor) -> list[str]:
    """A sentence for each threshold that none of `values` ever passed, as it changes nothing."""
    known = values[~values.isnan()]
    if not len(known):
        return []
    low, high = (float(end) for end in known.aminmax())
    said = [(v, "above", f"highest is {high:g}") for v in rare.above if high <= v]
    said += [(v, "below", f"lowest is {low:g}") for v in rare.below if low >= v]
    return [
        f"no value ever was {side} {value:g} (the {end}), so asking for such values changes nothing"
        for value, side, end in said
    ]


def is_peak(rare: Rare, slot: Tensor, steps_per_day: int) -> Tensor:
    """Whether steps of the day (any shape) lie in the peak hours."""
    hour = slot * (24 / steps_per_day)
    found = torch.zeros_like(hour, dtype=torch.bool)
    for start, end in rare.peak_hours:
        inside = (hour >= start, hour < end)
        found |= inside[0] & inside[1] if start < end else inside[0] | inside[1]
    return found


def target_weights(
    rare: Rare, past: Tensor, sensor: Tensor, slot: Tensor, actual: Tensor, steps_per_day: int
) -> Tensor:
    """How much each target of a fit counts (example, horizon), with a mean of 1.

    With `in_fit`, by density that is LDS; otherwise a value of a group counts the more, the smaller
    its share of the past.

    Args:
        rare: What is rare.
        past: (sensor, time) the values of which the shares are taken.
        sensor: (example,) long.
        slot: (example, horizon) long, step of the day of each target.
        actual: (example, horizon), in the unit of the data; NaN is missing.
        steps_per_day: Of the clock.
    """
    power = USUAL_POWER if rare.power is None else rare.power
    found = torch.ones_like(actual)
    if rare.in_fit and rare.by_density:
        for one in sensor.unique().tolist():
            own = sensor == one
            weights = density_weights(actual[own].numpy(), past[one].numpy(), power=power)
            found[own] = torch.from_numpy(weights).float()
    elif rare.in_fit and rare.by_value:
        found = Rarity.of(rare, past).odds_of(actual, sensor) ** power
    if rare.peak_hours:
        share = float(is_peak(rare, torch.arange(steps_per_day), steps_per_day).float().mean())
        peak = is_peak(rare, slot, steps_per_day)
        found = torch.where(peak, found * _odds(share) ** power, found)
    known = ~actual.isnan()
    mean = float(found[known].mean()) if known.any() else 1.0
    return torch.where(known, found / mean, 1.0)


@dataclass(frozen=True, eq=False)
class Rarity:
    """How much the values of each sensor count, by intervals of value."""

    edges: Annotated[Tensor, Axes("sensor", "any")]
    """(sensor, edge) ascending, in the unit of the data."""
    odds: Annotated[Tensor, Axes("sensor", "any")]
    """(sensor, edge + 1) at least 1: how many usual values there are for each rare one."""

    def __post_init__(self) -> None:
        if self.odds.shape[-1] != self.edges.shape[-1] + 1:
            raise ValueError("the odds are of another number of intervals than the edges")

    @classmethod
    def of(cls, rare: Rare, values: Tensor) -> Rarity:
        """Count `values` (sensor, time); a threshold's share is that over all sensors."""
        past = values.numpy().astype(np.float64)
        known = past[np.isfinite(past)]
        fixed = [(value, True, _share(known > value)) for value in rare.above]
        # Just below the value, since an interval holds its upper edge.
        fixed += [(_before(value), False, _share(known < value)) for value in rare.below]
        rows = [_cells(rare, own[np.isfinite(own)], fixed) for own in past]
        edges, odds = (np.stack(column) for column in zip(*rows, strict=True))
        return cls(torch.from_numpy(edges).float(), torch.from_numpy(odds).float())

    def odds_of(self, values: Tensor, sensor: Tensor) -> Tensor:
        """How much each value (example, …) counts, of sensors (example,); 1 for a missing one."""
        flat = values.flatten(1).contiguous()
        edges = self.edges[sensor]
        if exporting():  # a graph knows no search
            cell = (edges[:, None] < flat.nan_to_num(0.0)[..., None]).sum(-1)
        else:
            cell = torch.searchsorted(edges, flat.nan_to_num(0.0), right=False)
        found = self.odds[sensor].gather(1, cell).view_as(values)
        return torch.where(values.isnan(), 1.0, found)

    @property
    def found(self) -> bool:
        """Whether anything counts more than anything else."""
        return bool((self.odds > 1).any())


Cells: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
Limit: TypeAlias = tuple[float, bool, float]
"""A value, whether what is above it matters, and the share that lies beyond it."""


def _cells(rare: Rare, known: NDArray[np.float64], fixed: list[Limit]) -> Cells:
    """Edges, and the odds of the intervals between them, of one sensor's `known` values."""
    if rare.by_density:
        return _by_density(known)
    enough = len(known) >= FEWEST_VALUES
    limits = list(fixed)
    if rare.top is not None:
        limits.append((np.quantile(known, 1 - rare.top) if enough else 0.0, True, rare.top))
    if rare.bottom is not None:
        value = _before(np.quantile(known, rare.bottom)) if enough else 0.0
        limits.append((value, False, rare.bottom))
    edges = np.sort([value for value, _, _ in limits])
    middles = np.concatenate([[-np.inf], (edges[1:] + edges[:-1]) / 2, [np.inf]])
    odds = np.ones(len(edges) + 1)
    for value, above, share in limits:
        inside = middles > value if above else middles < value
        odds[inside] = np.maximum(odds[inside], _odds(share))
    return edges, odds if enough else np.ones_like(odds)


def _by_density(known: NDArray[np.float64]) -> Cells:
    """The bins of a sensor's histogram; those least dense, and what lies outside, are rare."""
    none = np.zeros(BINS + 1), np.ones(BINS + 2)
    if len(known) < FEWEST_VALUES:
        return none
    edges, heights = density(known)
    if len(heights) < BINS:  # nearly all values are the same
        return none
    cut = np.quantile(density_at(known, edges, heights), FEW_SHARE)
    rare = np.concatenate([[True], heights <= cut, [True]])
    return edges, np.where(rare, _odds(FEW_SHARE), 1.0)


def _before(value: float) -> float:
    return float(np.nextafter(np.float32(value), np.float32(-np.inf)))


def _share(beyond: NDArray[np.bool_]) -> float:
    return float(beyond.mean()) if beyond.size else 0.0


def _odds(share: float) -> float:
    """How many other values there are for each of a group, from 1 to `LARGEST_ODDS`; 1 for none."""
    return min(max((1 - share) / share, 1.0), LARGEST_ODDS) if share > 0 else 1.0
