"""What is known ahead: weather and the like correct the forecast, step by step, in closed form.

For every step ahead the prior's error is regressed on the covariates of that moment: their values,
how they differ from the last day and from the same time of the last week, also in proportion to
the level. All steps of a band and all sensors share one ridge, so few days teach it much. The
idea of a linear correction around a frozen model is that of TimesFM's XReg (Das et al. 2024,
arXiv:2310.10688) and of Darts' regression on residuals.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from citytune.tuning._choose_penalty import choose_penalty, folds_of
from citytune.tuning._ridge import RidgePath, Statistics
from citytune.tuning._stack import bands
from citytune.windows import Examples, History

COMPARED_RULES = ("yesterday", "days", "day-kind", "weeks", "day-kind+fading", "weeks+fading")
"""Seasonal rules whose distance from the prior is also shown."""
COVARIATE_PENALTIES = tuple(10.0**power for power in (-5, -4, -3, -2, -1, 0))
"""λ as a share of the number of targets."""
COVARIATE_DAYS = 120
"""Days from which a covariate's usual level and spread are taken."""
COVARIATE_CLIP = 4.0
"""Standardised covariates and levels beyond this are cut: a line goes astray far outside."""


class Timetable(NamedTuple):
    """What is known ahead, step by step."""

    covariates: Tensor  # (covariate, sensor, time); NaN where unknown
    slot: Tensor  # (time,) long, step of the local day
    first: int  # absolute step of the first one, see `History.first`
    end: int  # absolute step after the last one that is past
    steps_per_day: int

    @classmethod
    def of(cls, history: History) -> Timetable:
        """That of a history."""
        day = history.steps_per_day
        return cls(history.covariates, history.slot, history.first, history.end, day)

    def then(self, later: Timetable) -> Timetable:
        """This up to where `later` begins, and then `later`."""
        early = later.first - self.first
        if not 0 < early <= self.covariates.shape[-1]:
            return later
        table = self.covariates[..., :early].expand(-1, later.covariates.shape[1], -1)
        return later._replace(
            covariates=torch.cat([table, later.covariates], -1),
            slot=torch.cat([self.slot[:early], later.slot]),
            first=self.first,
        )

    def recent(self, horizon: int) -> Timetable:
        """The part that `Usual` and the design of windows no older than that look at."""
        day = self.steps_per_day
        back = (COVARIATE_DAYS + 8 + -(-horizon // day)) * day
        cut = max(0, self.end - back - self.first)
        table = self.covariates[..., cut:]
        alike = torch.equal(table.nan_to_num(), table[:, :1].expand_as(table).nan_to_num())
        return self._replace(
            covariates=(table[:, :1] if alike else table).clone(),
            slot=self.slot[cut:].clone(),
            first=self.first + cut,
        )


class Usual(NamedTuple):
    """Usual level and spread of each covariate, to standardise by."""

    level: Tensor  # (covariate, 1, 1)
    spread: Tensor  # (covariate, 1, 1)

    @classmethod
    def of(cls, timetable: Timetable) -> Usual:
        """Over what lately passed; a covariate never known is taken as 0."""
        last = timetable.end - timetable.first
        first = max(0, last - COVARIATE_DAYS * timetable.steps_per_day)
        seen = timetable.covariates[..., first:last].flatten(1)
        level = seen.nanmean(1).nan_to_num(0.0)
        spread = (seen - level[:, None]).square().nanmean(1).sqrt().nan_to_num(0.0)
        spread = spread.where(spread > 0, torch.ones_like(spread))
        return cls(level[:, None, None], spread[:, None, None])


@dataclass(frozen=True, eq=False)
class KnownAhead:
    """A correction of the prior by what is known ahead."""

    usual: Usual
    spread: Tensor
    """(sensor,) each sensor's usual spread, in the unit of the data."""
    weights: Tensor
    """(band, feature) in units of the sensor's spread."""
    penalty: float

    def residual(self, design: Tensor) -> Tensor:
        """(example, horizon) the prior's error to expect, in units of the sensor's spread."""
        parts = [
            design[:, start:end] @ row
            for (start, end), row in zip(bands(design.shape[1]), self.weights, strict=True)
        ]
        return torch.cat(parts, 1)

    def correct(
        self, history: History, examples: Examples, prior: Tensor, beside: Tensor
    ) -> Tensor:
        """The corrected forecast (example, horizon), in the unit of the data."""
        scale = self.spread[examples.sensor][:, None]
        ahead = Timetable.of(history)
        design = design_of(ahead, self.usual, examples, prior, beside, scale)
        return prior + scale * self.residual(design)


def design_of(
    ahead: Timetable, usual: Usual, examples: Examples, prior: Tensor, beside: Tensor, scale: Tensor
) -> Tensor:
    """Features (example, horizon, feature) of every step ahead.

    Args:
        ahead: Holds the covariates.
        usual: What they are standardised by.
        examples: The windows, whose origins are steps of `ahead`.
        prior: (example, horizon) the forecast to correct.
        beside: (example, horizon, rule) what the rules of `COMPARED_RULES` say.
        scale: (example, 1) usual spread of each window's sensor.
    """
    day, horizon = ahead.steps_per_day, prior.shape[1]
    table = ((ahead.covariates - usual.level) / usual.spread).clamp(-COVARIATE_CLIP, COVARIATE_CLIP)
    table = table.nan_to_num(0.0)
    total = torch.nn.functional.pad(table.cumsum(-1, dtype=torch.float64), (1, 0))
    when = examples.origin[:, None] + torch.arange(horizon)
    sensor = examples.sensor[:, None]

    def mean(first: Tensor, last: Tensor) -> Tensor:
        """Mean over steps [first, last), (covariate, example, horizon)."""
        first = first.clamp_min(0)
        last = torch.maximum(last, first + 1)
        found = total[:, sensor, last] - total[:, sensor, first]
        return (found / (last - first)).float()

    now = table[:, sensor, when]
    origin = examples.origin[:, None].expand_as(when)
    lately = mean(origin - day, origin)
    so_far = mean(when - day + 1, when + 1)
    back = -(-(when - origin + 1) // day)  # days until known
    same = torch.stack(
        [table[:, sensor, (when - (back + k) * day).clamp_min(0)] for k in range(7)]
    ).mean(0)
    level = (prior / scale).clamp(-COVARIATE_CLIP, COVARIATE_CLIP)
    known = [now, now.square(), now - lately, now - same, so_far - lately]
    angle = 2 * math.pi * ahead.slot[when] / day
    waves = [now * angle.sin(), now * angle.cos()] if day > 1 else []
    covariates = torch.cat([*known, *(part * level for part in known), *waves])
    rules = ((beside - prior[..., None]) / scale[..., None]).clamp(-COVARIATE_CLIP, COVARIATE_CLIP)
    return torch.cat([covariates.movedim(0, -1), rules, torch.ones_like(prior)[..., None]], -1)


def fit_known(
    design: Tensor, residual: Tensor, origin: Tensor, usual: Usual, spread: Tensor, recency: Tensor
) -> tuple[KnownAhead, Tensor]:
    """The ridge over what is known ahead; λ by purged folds and the one-standard-error rule.

    Args:
        design: (example, horizon, feature).
        residual: (example, horizon), (y − prior) in units of the sensor's spread; NaN is missing.
        origin: (example,) long.
        usual: What the design was standardised by.
        spread: (sensor,) in the unit of the data.
        worth: (example,) how much each window counts.

    Returns:
        The correction, and what those of the other folds say (example, horizon); all zero if
        nothing helps beyond one standard error.
    """
    silent = torch.zeros(len(bands(design.shape[1])), design.shape[-1])
    folds = folds_of(origin, horizon=design.shape[1])
    trials = torch.zeros(len(COVARIATE_PENALTIES), *residual.shape)
    for fold in folds:
        solve = _solver(design[fold.train], residual[fold.train], recency[fold.train])
        for i, penalty in enumerate(COVARIATE_PENALTIES):
            found = KnownAhead(usual, spread, solve(penalty), penalty)
            trials[i, fold.test] = found.residual(design[fold.test])
    best = choose_penalty(trials, residual, torch.ones_like(residual), folds, weight=recency)
    if best is None:
        return KnownAhead(usual, spread, silent, math.inf), torch.zeros_like(residual)
    weights = _solver(design, residual, recency)(COVARIATE_PENALTIES[best])
    return KnownAhead(usual, spread, weights, COVARIATE_PENALTIES[best]), trials[best]


def _solver(design: Tensor, residual: Tensor, recency: Tensor) -> Callable[[float], Tensor]:
    """λ → weights (band, feature)."""
    paths = []
    for start, end in bands(residual.shape[1]):
        known = ~residual[:, start:end].isnan()
        seen, target = design[:, start:end][known].double(), residual[:, start:end][known].double()
        weight = recency[:, None].expand(known.shape)[known].double()
        paths.append(
            (float(weight.sum()), RidgePath.of(Statistics.of(seen, target[:, None], weight)))
        )
    return lambda penalty: torch.stack(
        [path.head(penalty * (total or 1.0))[:, 0] for total, path in paths]
    ).float()
