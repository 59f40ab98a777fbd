"""Which values somebody wants treated fairly though they are rare, and how much each counts."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from citytune._errors import InputError
from citytune.frame import Quantity, read_threshold
from citytune.windows._density import BINS, FEWEST_VALUES, density, density_at, density_weights
from citytune.windows._history import History

Wanted: TypeAlias = "Rare | str | Sequence[str] | bool | None"
"""How rare values may be asked for."""
RARE_EXAMPLES = "'density', 'pm2.5>150', '<30', 'top 5%' or '7-9h,16-18h'"
DENSITY, IN_FIT = "density", "in fit"
FEW_SHARE = 0.1
"""By density, the share of each sensor's values that are called rare."""
LARGEST_ODDS = 100.0
"""Most that a rare value counts, in units of a usual one."""
USUAL_POWER = 0.5
"""Of weights in a fit; the inverse square root of density is usual in the field."""
_HOURS = re.compile(r"(\d{1,2}(?:\.\d+)?)\s*[-–]\s*(\d{1,2}(?:\.\d+)?)\s*h?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Rare:
    """Values that matter more than their number: by default those where a sensor's are sparse.

    Example:
        >>> Rare.parse("top 5%").top, Rare.parse(">150,7-9h").peak_hours
        (0.05, ((7.0, 9.0),))
        >>> Rare.parse("pm2.5 > 150").words(), Rare.parse("density").words()
        ('values above 150', 'the rarest 10 % of values')
    """

    above: tuple[float, ...] = ()
    """Values above any of these, in the unit of the data."""
    below: tuple[float, ...] = ()
    """Values below any of these."""
    top: float | None = None
    """The largest values of each sensor: this share of its history."""
    bottom: float | None = None
    """The smallest values of each sensor: this share of its history."""
    peak_hours: tuple[tuple[float, float], ...] = ()
    """Local hours (from, until) whatever the value, such as (7, 9); (22, 6) is over midnight."""
    power: float | None = None
    """How much they count: 0 as any value, 1 together as much as all others. None is the most
    that costs no more than `price`, out of fold."""
    price: float = 0.03
    """Largest share by which the mean error over all values may rise, out of fold."""
    in_fit: bool = False
    """Whether rare values also count more in what is fitted, where they else do only in where the
    forecast is moved. On the sets measured that gained little, and cost more than it gained on
    some. Peak hours always do, as a forecast of them cannot be moved by its value."""

    def __post_init__(self) -> None:
        for value in (*self.above, *self.below):
            if not math.isfinite(value):
                raise InputError(f"a threshold of rare values is a number, got {value!r}")
        for share in (self.top, self.bottom):
            if share is not None and not 0 < share < 0.5:
                raise InputError(
                    "rare values are more than 0 % and less than 50 % of all, got "
                    f"{100 * share:g} %"
                )
        for start, end in self.peak_hours:
            if not (0 <= start <= 24 and 0 <= end <= 24 and start != end):
                raise InputError(
                    f"peak hours run from one hour of the day to another, 0 … 24, such as 7-9h; "
                    f"got {start:g}-{end:g}h"
                )
        if self.power is not None and not 0 <= self.power <= 1:
            raise InputError(f"the power of rare values is between 0 and 1, got {self.power!r}")
        if not 0 <= self.price < 1:
            raise InputError(f"the price of rare values is a share 0 … 1, got {self.price!r}")

    @classmethod
    def parse(
        cls, *texts: str, quantity: Quantity | None = None, power: float | None = None
    ) -> Self:
        """Read "density", "pm2.5>150", "<30", "top 5%", "7-9h,16-18h", or several of them.

        Raises:
            InputError: it cannot be read, or speaks of something the frame does not hold.
        """
        found: dict[str, Any] = {"above": (), "below": (), "peak_hours": (), "power": power}
        for part in (part.strip() for text in texts for part in text.split(",")):
            if part.lower() == DENSITY:
                continue
            if part.lower() == IN_FIT:
                found["in_fit"] = True
                continue
            if hours := _HOURS.fullmatch(part):
                found["peak_hours"] += ((float(hours[1]), float(hours[2])),)
                continue
            limit = read_threshold(part, quantity, what="rare value", examples=RARE_EXAMPLES)
            if limit.value is None:
                found["top" if limit.above else "bottom"] = limit.rarest
            else:
                found["above" if limit.above else "below"] += (limit.value,)
        return cls(**found)

    @classmethod
    def of(cls, wanted: Wanted, quantity: Quantity | None = None) -> Rare | None:
        """What was asked for, in words or not: None and False are nothing, True is by density."""
        if wanted is None or wanted is False or isinstance(wanted, Rare):
            return wanted or None
        if wanted is True:
            return cls()
        texts = [wanted] if isinstance(wanted, str) else list(wanted)
        return cls.parse(*texts, quantity=quantity) if texts else None

    @classmethod
    def load(cls, facts: dict[str, Any] | None) -> Rare | None:
        """From what `dataclasses.asdict` gave, after a way through JSON."""
        if facts is None:
            return None
        lists = {name: tuple(facts[name]) for name in ("above", "below")}
        hours = tuple((start, end) for start, end in facts["peak_hours"])
        return cls(**(facts | lists | {"peak_hours": hours}))

    @property
    def by_value(self) -> bool:
        """Whether some values matter more than others, and not only some hours."""
        return bool(self.above or self.below or self.top or self.bottom or not self.peak_hours)

    @property
    def moves_fit(self) -> bool:
        """Whether some targets of a fit count more than others."""
        return self.in_fit or bool(self.peak_hours)

    @property
    def by_density(self) -> bool:
        """Whether the data say what is rare."""
        return self.by_value and not (self.above or self.below or self.top or self.bottom)

    def words(self) -> str:
        """What is treated as rare: "values above 150 and the top 5 %"."""
        said = [f"values above {value:g}" for value in self.above]
        said += [f"values below {value:g}" for value in self.below]
        said += [f"the top {100 * self.top:g} % of values"] if self.top else []
        said += [f"the bottom {100 * self.bottom:g} % of values"] if self.bottom else []
        said += [f"the rarest {100 * FEW_SHARE:g} % of values"] if self.by_density else []
        if self.peak_hours:
            said.append("hours " + ", ".join(f"{a:g}–{b:g}" for a, b in self.peak_hours))
        return " and ".join(said)

    def never(self, history: History) -> list[str]:
        """A sentence for each threshold that no value ever passed, as it changes nothing."""
        known = history.raw[~history.raw.isnan()]
        if not len(known):
            return []
        low, high = (float(end) for end in known.aminmax())
        said = [(v, "above", f"highest is {high:g}") for v in self.above if high <= v]
        said += [(v, "below", f"lowest is {low:g}") for v in self.below if low >= v]
        return [
            f"no value ever was {side} {value:g} (the {end}), so asking for such values changes "
            "nothing"
            for value, side, end in said
        ]

    def in_peak(self, history: History) -> Tensor:
        """(time + ahead,) bool: whether a step lies in the peak hours."""
        return self._is_peak(history.slot, history.steps_per_day)

    def _is_peak(self, slot: Tensor, steps_per_day: int) -> Tensor:
        hour = slot * (24 / steps_per_day)
        found = torch.zeros_like(hour, dtype=torch.bool)
        for start, end in self.peak_hours:
            inside = (hour >= start, hour < end)
            found |= inside[0] & inside[1] if start < end else inside[0] | inside[1]
        return found

    def weights(self, history: History, sensor: Tensor, slot: Tensor, actual: Tensor) -> Tensor:
        """How much each target of a fit counts (example, horizon), with a mean of 1.

        With `in_fit`, by density that is LDS; else a value of a group counts the more, the smaller
        its share of the history.

        Args:
            history: Where the shares are taken from.
            sensor: (example,) long.
            slot: (example, horizon) long, step of the day of each target.
            actual: (example, horizon), in the unit of the data; NaN is missing.
        """
        power = USUAL_POWER if self.power is None else self.power
        found = torch.ones_like(actual)
        if self.in_fit and self.by_density:
            for one in sensor.unique().tolist():
                own = sensor == one
                past = history.raw[one].numpy()
                found[own] = torch.from_numpy(
                    density_weights(actual[own].numpy(), past, power=power)
                ).float()
        elif self.in_fit and self.by_value:
            found = Rarity.of(self, history).odds_of(actual, sensor) ** power
        if self.peak_hours:
            peak = self.in_peak(history)
            share = float(peak[: history.length].float().mean())
            peak = self._is_peak(slot, history.steps_per_day)
            found = torch.where(peak, found * _odds(share) ** power, found)
        known = ~actual.isnan()
        mean = float(found[known].mean()) if known.any() else 1.0
        return torch.where(known, found / mean, 1.0)


@dataclass(frozen=True, eq=False)
class Rarity:
    """How much the values of each sensor count, by intervals of value."""

    edges: Tensor
    """(sensor, edge) ascending, in the unit of the data."""
    odds: Tensor
    """(sensor, edge + 1) at least 1: how many usual values there are for each rare one."""

    @classmethod
    def of(cls, rare: Rare, history: History) -> Rarity:
        """Count the values of `history`; a threshold's share is that over all sensors."""
        past = history.raw.numpy().astype(np.float64)
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
