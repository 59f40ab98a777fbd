"""What is known ahead: weather and the like correct the forecast, step by step, in closed form.

For every step ahead the prior's error is regressed on the covariates of that moment: their values,
how they differ from the last step, the last day and the same time of the last week, also in
proportion to the level. All steps of a band and all sensors share one ridge, so few days teach it
much. How far it is followed in each band is what it gained out of fold, and no correction leaves
the network's own quantiles. The idea of a linear correction around a frozen model is that of
TimesFM's XReg (Das et al. 2024, arXiv:2310.10688) and of Darts' regression on residuals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, NamedTuple

import torch
from torch import Tensor

from citytune.backbones import Backbone, Card
from citytune.tuning.closed_form._choose_penalty import choose_penalty, folds_of
from citytune.tuning.closed_form._ridge import RidgePath, Statistics
from citytune.tuning.examples._batch import COVARIATES, Batch
from citytune.tuning.examples._timetable import COVARIATE_DAYS, Timetable
from citytune.tuning.experts._expert import Candidate, Expert, Start, register
from citytune.tuning.experts._within import check_inside, inside_of, unfit_without_quantiles, within
from citytune.tuning.stacking._band_trust import band_trust, by_step, fine_bands
from citytune.windows import Axes, Examples

if TYPE_CHECKING:
    from citytune.tuning.task._task import Task

COMPARED_RULES = ("yesterday", "days", "day-kind", "weeks", "day-kind+fading", "weeks+fading")
"""Seasonal rules whose distance from the prior is also shown."""
COVARIATE_PENALTIES = tuple(10.0**power for power in (-5, -4, -3, -2, -1, 0))
"""λ as a share of the number of targets."""
COVARIATE_CLIP = 4.0
"""Standardised covariates and levels beyond this are cut: a line goes astray far outside."""


class Usual(NamedTuple):
    """Usual level and spread of each covariate, to standardise by."""

    level: Annotated[Tensor, Axes("covariate", "1", "1")]
    spread: Annotated[Tensor, Axes("covariate", "1", "1")]

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
class KnownAhead(Expert):
    """The prior, corrected by what is known ahead."""

    prior: str
    usual: Usual
    spread: Annotated[Tensor, Axes("sensor")]
    """(sensor,) each sensor's usual spread, in the unit of the data."""
    weights: Annotated[Tensor, Axes("fine band", "any")]
    """(band, feature) of `fine_bands`, in units of the sensor's spread."""
    penalty: float
    share: Annotated[Tensor, Axes("fine band")]
    """(band,) how far it is followed."""
    inside: int | None
    """Place in `LEVELS` of the network's quantile that it does not pass; None without quantiles."""

    def __post_init__(self) -> None:
        check_inside(self.inside)
        least = 12 * len(self.usual.level) + len(COMPARED_RULES) + 1
        if self.weights.shape[-1] not in (least, least + 2 * len(self.usual.level)):
            raise ValueError("the weights are of another number of covariates than their levels")

    @property
    def name(self) -> str:
        """Of the kind; there is one."""
        return "known-ahead"

    @property
    def words(self) -> str:
        """What corrects."""
        return "the forecast corrected by what is known ahead"

    @property
    def needs(self) -> tuple[str, ...]:
        """What it corrects, rules to compare it with, and what is known ahead."""
        return (self.prior, *COMPARED_RULES, COVARIATES)

    def start(self, card: Card) -> Start:
        """It is the prior itself, corrected where that has shown to help."""
        adapts = card.horizon is not None and card.context_days is not None
        return Start.SHARED if adapts else Start.REST

    def unfit(self, backbone: Callable[[], Backbone]) -> str:
        """Quantiles that it looks at and the backbone lacks."""
        looks = self.inside is not None
        return unfit_without_quantiles(backbone()) if looks else ""

    def forecast(self, batch: Batch, so_far: Mapping[str, Tensor]) -> Tensor:
        """Correct the prior, where all is known of a sensor's step ahead."""
        prior, scale = so_far[self.prior], self.spread[batch.sensor][:, None]
        rules = torch.stack([so_far[name] for name in COMPARED_RULES], -1)
        ahead = batch.timetable
        design = design_of(ahead, self.usual, batch.examples, prior, rules, scale)
        when = batch.examples.origin[:, None] + torch.arange(prior.shape[1])
        known = ahead.covariates[:, batch.examples.sensor[:, None], when].isfinite().all(0)
        found = scale * by_step(self.share, prior.shape[1]) * self.residual(design)
        found = within(found, None if self.inside is None else batch.deviations, self.inside)
        return prior + found.where(known, 0.0)

    def residual(self, design: Tensor) -> Tensor:
        """(example, horizon) the prior's error to expect, in units of the sensor's spread."""
        parts = [
            design[:, start:end] @ row
            for (start, end), row in zip(fine_bands(design.shape[1]), self.weights, strict=True)
        ]
        return torch.cat(parts, 1)

    @classmethod
    def fit(cls, task: Task) -> Iterable[Candidate]:
        """Where covariates help, beyond one standard error."""
        if not len(task.history.covariates):
            return
        ahead, prior, scale = task.timetable, task.forecast_of(task.prior), task.scale
        usual, rules = Usual.of(ahead), task.forecasts_of(COMPARED_RULES)
        examples = Examples(task.windows.sensor, task.windows.origin - ahead.first)
        design = design_of(ahead, usual, examples, prior, rules, scale)

        shares, inside = torch.ones(len(fine_bands(prior.shape[1]))), inside_of(task)

        def made(weights: Tensor, penalty: float) -> KnownAhead:
            return cls(task.prior, usual, task.spread, weights, penalty, shares, inside)

        residual = (task.actual - prior) / scale
        counts = task.recency * task.pool.weight
        found = _fit(made, design, residual, examples.origin, counts)
        if found is None:
            return
        expert, said = found[0], scale * found[1]
        after = prior + within(said, task.deviations, inside)
        before, errors = ((one - task.actual).abs() / scale for one in (prior, after))
        share = band_trust(before, errors, task.day, counts)
        said = within(by_step(share, prior.shape[1]) * said, task.deviations, inside)
        if bool(share.any()):
            yield Candidate(replace(expert, share=share), prior + said)


def design_of(
    ahead: Timetable, usual: Usual, examples: Examples, prior: Tensor, rules: Tensor, scale: Tensor
) -> Tensor:
    """Features (example, horizon, feature) of every step ahead.

    Args:
        ahead: Holds the covariates.
        usual: What they are standardised by.
        examples: The windows, whose origins are steps of `ahead`.
        prior: (example, horizon) the forecast to correct.
        rules: (example, horizon, rule) forecasts of `COMPARED_RULES`.
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
    last = table[:, sensor, (origin - 1).clamp_min(0)]
    known = [now, now.square(), now - lately, now - same, so_far - lately, now - last]
    angle = 2 * math.pi * ahead.slot[when] / day
    waves = [now * angle.sin(), now * angle.cos()] if day > 1 else []
    covariates = torch.cat([*known, *(part * level for part in known), *waves])
    apart = ((rules - prior[..., None]) / scale[..., None]).clamp(-COVARIATE_CLIP, COVARIATE_CLIP)
    return torch.cat([covariates.movedim(0, -1), apart, torch.ones_like(prior)[..., None]], -1)


def _fit(
    made: Callable[[Tensor, float], KnownAhead],
    design: Tensor,
    residual: Tensor,
    origin: Tensor,
    recency: Tensor,
) -> tuple[KnownAhead, Tensor] | None:
    """The ridge over what is known ahead; λ by purged folds and the one-standard-error rule.

    Args:
        made: The expert, of weights (band, feature) and λ.
        design: (example, horizon, feature).
        residual: (example, horizon), (y − prior) in units of the sensor's spread; NaN is missing.
        origin: (example,) long.
        recency: (example,) how much each window counts.

    Returns:
        The correction, and those of the other folds (example, horizon); None if nothing helps
        beyond one standard error.
    """
    folds = folds_of(origin, horizon=design.shape[1])
    trials = torch.zeros(len(COVARIATE_PENALTIES), *residual.shape)
    for fold in folds:
        solve = _solver(design[fold.train], residual[fold.train], recency[fold.train])
        for i, penalty in enumerate(COVARIATE_PENALTIES):
            trials[i, fold.test] = made(solve(penalty), penalty).residual(design[fold.test])
    best = choose_penalty(trials, residual, torch.ones_like(residual), folds, weight=recency)
    if best is None:
        return None
    weights = _solver(design, residual, recency)(COVARIATE_PENALTIES[best])
    return made(weights, COVARIATE_PENALTIES[best]), trials[best]


def _solver(design: Tensor, residual: Tensor, recency: Tensor) -> Callable[[float], Tensor]:
    """λ → weights (band, feature)."""
    paths = []
    for start, end in fine_bands(residual.shape[1]):
        known = ~residual[:, start:end].isnan()
        seen, target = design[:, start:end][known].double(), residual[:, start:end][known].double()
        weight = recency[:, None].expand(known.shape)[known].double()
        paths.append(
            (float(weight.sum()), RidgePath.of(Statistics.of(seen, target[:, None], weight)))
        )
    return lambda penalty: torch.stack(
        [path.head(penalty * (total or 1.0))[:, 0] for total, path in paths]
    ).float()


register("known-ahead", KnownAhead)
