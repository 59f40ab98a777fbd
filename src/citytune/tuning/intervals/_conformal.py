"""Intervals from a model's own past errors: split conformal, scaled by sensor and hour.

Split conformal prediction (Vovk et al. 2005; Lei et al. 2018, arXiv:1604.04173) on signed errors
divided by a scale, with older errors counting less (Barber et al. 2023, arXiv:2202.13415).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from citytune.backbones import LEVELS
from citytune.tuning.stacking._stack import bands
from citytune.tuning.stacking._stats import t_inflation
from citytune.windows import Axes

PSEUDO = 20.0
"""Errors of the sensor as a whole that each of its slots starts from."""
SLOTS = 48
"""Most slots a day with a scale of their own."""
HALF_LIFE = 14.0
"""Days after which an error counts half."""
A_DAY = 16
"""Errors that a day counts as."""


@dataclass(frozen=True, eq=False)
class Conformal:
    """How far a forecast usually misses, by sensor, time of day and distance ahead."""

    scale: Annotated[Tensor, Axes("sensor", "slot")]
    """(sensor, slot) typical absolute error, in the unit of the data."""
    errors: Annotated[Tensor, Axes("band", "level")]
    """(band, level) quantiles of signed errors in units of `scale`."""
    steps_per_day: int

    @classmethod
    def fit(
        cls,
        actual: Tensor,
        mean: Tensor,
        sensor: Tensor,
        slot: Tensor,
        age: Tensor,
        steps_per_day: int,
        *,
        spread: Tensor | None = None,
        half_life: float = HALF_LIFE,
        counts: Tensor | None = None,
    ) -> Conformal:
        """Learn from forecasts of the past and what happened.

        Args:
            actual: (example, horizon), in the unit of the data; NaN is missing.
            mean: (example, horizon), forecast without having seen `actual`.
            sensor: (example,) long.
            slot: (example, horizon) long, step of the day of each target.
            age: (example,) days since the forecast was made.
            spread: (sensor,) usual spread of each sensor, by which sensors of different size are
                compared; by default the sensors that `sensor` names are of one size.
            half_life: Days after which an error counts half.
            counts: (sensor,) how much the errors of each sensor count in what all share; by default
                all alike.
        """
        error = actual - mean
        known = ~error.isnan()
        weight = known * 2.0 ** (-age / half_life)[:, None]
        unit = torch.ones(int(sensor.max()) + 1) if spread is None else spread
        group = _group(slot, steps_per_day)
        cells = (len(unit), slots(steps_per_day))
        size = error.nan_to_num(0.0).abs() / unit[sensor, None]
        scale = _scales(size, weight, sensor, group, cells) * unit[:, None]
        relative = error / scale[sensor[:, None], group]
        days = independent_days(age, half_life)
        weight = weight if counts is None else weight * counts[sensor, None]
        rows: list[Tensor] = []
        for a, b in bands(actual.shape[1]):
            # A stretch ahead in which nothing was measured is as uncertain as all the others.
            part = slice(a, b) if known[:, a:b].any() else slice(None)
            seen = known[:, part]
            rows.append(_quantiles(relative[:, part][seen], weight[:, part][seen], days))
        return cls(scale, torch.stack(rows), steps_per_day)

    @classmethod
    def guess(cls, spread: Tensor, horizon: int, steps_per_day: int) -> Conformal:
        """Without a single past forecast: normal errors as wide as each sensor's `spread`."""
        normal = torch.distributions.Normal(0.0, 1.0)
        errors = normal.icdf(torch.tensor(LEVELS)).repeat(len(bands(horizon)), 1)
        scale = spread[:, None].repeat(1, slots(steps_per_day))
        return cls(scale, errors, steps_per_day)

    def quantiles(
        self, mean: Tensor, sensor: Tensor, slot: Tensor, wider: Tensor | None = None
    ) -> Tensor:
        """Quantiles (example, horizon, level) around `mean` (example, horizon); never crossing.

        `sensor` (example,) and `slot` (example, horizon) are as in `fit`; `wider` (example,
        horizon) multiplies the errors to expect.
        """
        scale = self.scale[sensor[:, None], _group(slot, self.steps_per_day)]
        if wider is not None:
            scale = scale * wider
        band = torch.zeros(mean.shape[1], dtype=torch.long)
        for i, (start, end) in enumerate(bands(mean.shape[1])):
            band[start:end] = min(i, len(self.errors) - 1)
        return mean[..., None] + scale[..., None] * self.errors[band]


def slots(steps_per_day: int) -> int:
    """How many slots of a day have a scale of their own."""
    return min(SLOTS, steps_per_day)


def _group(slot: Tensor, steps_per_day: int) -> Tensor:
    return slot * slots(steps_per_day) // steps_per_day


def _scales(
    size: Tensor, weight: Tensor, sensor: Tensor, slot: Tensor, cells: tuple[int, int]
) -> Tensor:
    """(sensor, slot) weighted mean absolute error, drawn toward the sensor's own mean."""
    sensors, slots = cells
    cell = (sensor[:, None] * slots + slot).reshape(-1)
    total = torch.zeros(sensors * slots).index_add(0, cell, (size * weight).reshape(-1))
    count = torch.zeros(sensors * slots).index_add(0, cell, weight.reshape(-1))
    total, count = total.view(cells), count.view(cells)
    overall = total.sum() / count.sum().clamp_min(1e-9)
    own = (total.sum(1) + overall) / (count.sum(1) + 1.0)  # a sensor without errors: as the rest
    return ((total + PSEUDO * own[:, None]) / (count + PSEUDO)).clamp_min(1e-9)


def independent_days(age: Tensor, half_life: float) -> float:
    """How many days the evidence is worth, recent ones counting more (Kish 1965)."""
    weight = 2.0 ** (-age.floor().unique() / half_life)
    return float(weight.sum() ** 2 / weight.square().sum()) if len(weight) else 1.0


def _quantiles(errors: Tensor, weight: Tensor, days: float) -> Tensor:
    """(level,) weighted quantiles, wider than the sample's as there are few days behind them.

    Levels are moved outward by the share of one observation, as split conformal does; but the
    errors of one day go together, so a day counts as `A_DAY` of them and no more. What few days
    cannot have shown is allowed for as Student (1908) did, by t over normal quantiles.
    """
    if not len(errors):
        return torch.zeros(len(LEVELS))
    order = errors.argsort()
    cumulated = weight[order].cumsum(0)
    found = []
    for level in LEVELS:
        outward = min(max(level + (level - 0.5) * 2 / (A_DAY * days + 1), 0.0), 1.0)
        at = int(torch.searchsorted(cumulated, outward * cumulated[-1]))
        found.append(errors[order[min(at, len(errors) - 1)]])
    quantiles = torch.stack(found)
    middle = quantiles[LEVELS.index(0.5)]
    return middle + t_inflation(max(days - 1, 1.0)) * (quantiles - middle)
