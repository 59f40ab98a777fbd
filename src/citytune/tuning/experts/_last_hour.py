"""The last hour: the first steps ahead, corrected by the newest errors of the network itself.

A network that reads weeks of context makes little of the last few values. Asked once more as of a
step ago, how it missed since then, and how it has revised what it said of the same moments, tell
where it is wrong right now. One ridge for all sensors turns them into a
correction of the first steps, in closed form and reweighted toward absolute errors; how far it is
followed one, two and more steps ahead is what it gained out of fold. Further ahead nothing is
changed. What is corrected is the forecast that misses the first steps least: that of the network,
or of an expert which was fitted before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor

from citytune.backbones import Backbone, Card
from citytune.tuning.closed_form._ridge import RidgePath, Statistics
from citytune.tuning.examples._batch import STEP_AGO, Batch
from citytune.tuning.examples._lens_input import LensInput
from citytune.tuning.examples._lenses import plain
from citytune.tuning.experts._expert import Candidate, Expert, Start, register
from citytune.tuning.experts._lessons import Lessons
from citytune.tuning.stacking._band_trust import band_trust, by_step, fine_bands
from citytune.windows import Axes, Examples, cut_past, purged_folds

if TYPE_CHECKING:
    from citytune.tuning.task._task import Task

CORRECTED_STEPS = 6
"""Steps ahead that are corrected: nothing was found to help beyond."""
SEEN = ("day-kind", "day-kind+fading")
"""Seasonal rules whose distance from the forecast is looked at."""
SIGNALS = 11
CLEARLY = 0.01
"""Share of the error by which another forecast must miss less to be corrected instead."""
LARGEST_SIGNAL = 3.0
"""Signals beyond so many spreads are cut: a sensor that broke tells nothing of its next value."""
PENALTY = 0.01
"""λ as a share of the weight of all targets, for signals of a spread of 1."""
REWEIGHTED = 2
"""Times that large errors are counted for less, which turns squares into absolute errors."""
SMALLEST = 0.1
"""Share of the mean error under which one is not counted for more."""
FOLDS = 5
LEAST_WINDOWS = 100
"""Windows from which it is fitted."""


def near_bands(horizon: int) -> list[tuple[int, int]]:
    """The bands that are corrected.

    >>> near_bands(24)
    [(0, 1), (1, 3), (3, 6)]
    """
    return fine_bands(min(CORRECTED_STEPS, horizon))


@dataclass(frozen=True, eq=False)
class LastHour(Expert):
    """A forecast whose first steps are corrected by the newest errors of the network."""

    prior: str
    """The network's own, whose errors are looked at …"""
    around: str
    """… and the forecast that is corrected, which may be the same."""
    weights: Annotated[Tensor, Axes("near band", "any")]
    """(band, signal) of `near_bands`, in spreads of the sensor."""
    share: Annotated[Tensor, Axes("near band")]
    """(band,) how far it is followed."""
    spread: Annotated[Tensor, Axes("sensor")]
    """(sensor,) usual spread of each, in the unit of the data."""

    def __post_init__(self) -> None:
        if self.weights.shape[-1] != SIGNALS:
            raise ValueError(f"the weights are not of {SIGNALS} signals")

    @property
    def name(self) -> str:
        """Of the kind; there is one."""
        return "last-hour"

    @property
    def words(self) -> str:
        """What corrects."""
        return "the forecast corrected by how it missed in the last hours"

    @property
    def needs(self) -> tuple[str, ...]:
        """What it corrects and looks at, and rules to compare it with."""
        return tuple(dict.fromkeys((self.prior, self.around, *SEEN)))

    def start(self, card: Card) -> Start:
        """It is another forecast, but for the first steps."""
        return Start.SHARED if card.context_days is not None else Start.REST

    def unfit(self, backbone: Callable[[], Backbone]) -> str:
        """A backbone that cannot forecast."""
        able = backbone().card.horizon is not None
        return "" if able else "the backbone makes no forecasts for it to correct"

    @property
    def asks_again(self) -> bool:
        """As of a step ago."""
        return True

    def forecast(self, batch: Batch, so_far: Mapping[str, Tensor]) -> Tensor:
        """Correct the first steps."""
        prior, around = so_far[self.prior], so_far[self.around]
        scale = self.spread[batch.sensor][:, None]
        seen = signals_of(batch, prior, [so_far[name] for name in SEEN])
        seen = _in_spreads(seen, around - prior, scale)
        found = scale * by_step(self.share, seen.shape[1]) * _correction(self.weights, seen)
        return torch.cat([around[:, : seen.shape[1]] + found, around[:, seen.shape[1] :]], 1)

    @classmethod
    def fit(cls, task: Task) -> Iterable[Candidate]:
        """Where the first steps gain out of fold."""
        old, forecasts = task.choice.remembered, task.backbone.card.horizon is not None
        remembers = old is None or old.signals is not None or not len(old.windows.origin)
        enough = len(task.examples) >= LEAST_WINDOWS and task.history.steps_per_day >= 24
        if forecasts and remembers and enough:
            yield from cls._fitted(task)

    @classmethod
    def _fitted(cls, task: Task) -> Iterable[Candidate]:
        prior, scale, counts = task.forecast_of(task.prior), task.scale, _counts(task)
        name, around = _nearest(task)
        seen = _in_spreads(_signals_of_all(task), around - prior, scale)
        near = seen.shape[1]
        residual = ((task.actual - around) / scale)[:, :near]
        said = torch.zeros_like(residual)
        folds = purged_folds(task.windows.origin, horizon=task.spec.horizon, folds=FOLDS)
        for fold in folds:
            weights = _solved(seen[fold.train], residual[fold.train], counts[fold.train])
            said[fold.test] = _correction(weights, seen[fold.test])
        share = band_trust(residual.abs(), (residual - said).abs(), task.day, counts)
        if len(folds) > 1 and bool(share.any()):
            expert = cls(task.prior, name, _solved(seen, residual, counts), share, task.spread)
            forecast = around.clone()
            forecast[:, :near] += scale * by_step(share, near) * said
            yield Candidate(expert, forecast)


def _nearest(task: Task) -> tuple[str, Tensor]:
    """The forecast that misses the first steps least, and its name: the prior, or a fitted one."""
    counts = _counts(task)

    def missed(forecast: Tensor) -> float:
        error = ((forecast - task.actual).abs() / task.scale)[:, :CORRECTED_STEPS].nanmean(1)
        known = ~error.isnan()
        return float((error * counts)[known].sum())

    home = task.forecast_of(task.prior)
    found, least = (task.prior, home), (1 - CLEARLY) * missed(home)
    for name, one in task.answers.fitted.items():
        if (error := missed(one.out_of_fold)) < least:
            found, least = (name, one.out_of_fold), error
    return found


def _in_spreads(seen: Tensor, distance: Tensor, scale: Tensor) -> Tensor:
    """Signals, and as one more how far from the network lies what is corrected, in spreads."""
    every = torch.cat([seen, distance[:, : seen.shape[1], None]], -1)
    return (every / scale[..., None]).clamp(-LARGEST_SIGNAL, LARGEST_SIGNAL)


def signals_of(batch: Batch, prior: Tensor, rules: list[Tensor]) -> Tensor:
    """(example, near step, signal) but the last, in the unit of the data; 0 where unknown.

    Args:
        batch: The windows.
        prior: (example, horizon) the network's forecast.
        rules: Each (example, horizon), those of `SEEN`.
    """
    history, examples = batch.seasonal.history, batch.examples
    now = prior[:, : min(CORRECTED_STEPS, prior.shape[1])]
    past = cut_past(history.raw, examples, history.steps_per_day)
    odd = past - cut_past(batch.seasonal.kind[:, : history.length], examples, past.shape[1])
    last = past[:, -1:]
    found = [last - now[:, :1], last - past[:, -2:-1], odd[:, -1:]]
    found += [odd[:, -steps:].nanmean(1, keepdim=True) for steps in (3, 12, odd.shape[1])]
    found += [rule[:, : now.shape[1]] - now for rule in rules]
    before = _a_step_ago(batch)
    found += [last - before[:, :1], now - before[:, 1:]]
    seen = torch.stack([one.expand_as(now) for one in found], -1)
    early = examples.origin <= history.steps_per_day
    return seen.nan_to_num(0.0).masked_fill(early[:, None, None], 0.0)


def _a_step_ago(batch: Batch) -> Tensor:
    """(example, 1 + near step) the network's own forecast of then."""
    if (known := batch.computed.get(STEP_AGO)) is not None:
        return known
    return plain(batch.backbone, shown_a_step_ago(batch))


def shown_a_step_ago(batch: Batch) -> LensInput:
    """What the plain lens was shown then, to forecast up to the last near step."""
    before = Examples(batch.examples.sensor, (batch.examples.origin - 1).clamp_min(1))
    steps = min(CORRECTED_STEPS, batch.spec.horizon) + 1
    return LensInput(batch.seasonal, before, batch.spec.context, steps)


def _signals_of_all(task: Task) -> Tensor:
    """(example, near step, signal) of a task's windows; of remembered ones as they were then."""
    if task.answers.signals is None:
        parts = [task.choice.remembered.signals] if task.choice.remembered else []
        names = (task.prior, *SEEN)
        for _, batch, so_far in Lessons.of_evidence(task, names).parts(names):
            rules = [so_far[name] for name in SEEN]
            parts.append(signals_of(batch, so_far[task.prior], rules))
        task.answers.signals = torch.cat([part for part in parts if part is not None])
    return task.answers.signals


def _counts(task: Task) -> Tensor:
    """(example,) how much each window counts."""
    return task.recency * task.pool.weight


def _correction(weights: Tensor, seen: Tensor) -> Tensor:
    """(example, near step) in spreads of the sensor."""
    edges = fine_bands(seen.shape[1])
    parts = [seen[:, a:b] @ row for (a, b), row in zip(edges, weights, strict=True)]
    return torch.cat(parts, 1)


def _solved(seen: Tensor, residual: Tensor, counts: Tensor) -> Tensor:
    """(band, signal) weights."""
    rows = []
    for a, b in fine_bands(seen.shape[1]):
        known = ~residual[:, a:b].isnan()
        weight = counts[:, None].expand_as(known)[known].double()
        rows.append(_robust(seen[:, a:b][known].double(), residual[:, a:b][known].double(), weight))
    return torch.stack(rows).float()


def _robust(seen: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """(signal,) the ridge that lowers absolute errors, by reweighted squares."""
    unit = seen.square().mean(0).sqrt().clamp_min(1e-6)
    seen, own = seen / unit, weight
    found = torch.zeros(seen.shape[1], dtype=torch.float64)
    for _ in range(REWEIGHTED + 1):
        path = RidgePath.of(Statistics.of(seen, target[:, None], own))
        found = path.head(PENALTY * float(own.sum().clamp_min(1e-9)))[:, 0]
        error = (target - seen @ found).abs()
        own = weight / (error / error.mean().clamp_min(1e-9)).clamp_min(SMALLEST)
    return found / unit


register("last-hour", LastHour)
