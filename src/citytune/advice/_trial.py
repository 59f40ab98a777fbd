"""Measure one backbone on a city: tuned by the usual strategy, its features, its cost."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from citytune.advice._complexity import Complexity, complexity_of
from citytune.advice._logme import logme
from citytune.advice._relevance import Relevance, relevance_of
from citytune.backbones import Card
from citytune.forecasting import TunedModel, fit_task, task_with
from citytune.frame import SensorFrame
from citytune.settings import Progress, Settings
from citytune.tuning import Projection, Task, errors_by_day, fit_head
from citytune.windows import purged_folds

TARGETS = 4
"""Principal components of the future that LogME looks at."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One backbone and all that was measured of it."""

    task: Task
    model: TunedModel
    """Tuned by the usual strategy."""
    seconds: float
    """Of tuning, asking the backbone included."""
    head_error: float
    """Error out of fold of a new last layer alone, over that of the best seasonal rule."""
    logme: float
    """Log evidence, per window, of the futures given the backbone's forecast and features."""
    complexity: Complexity
    relevance: Relevance
    spent: float
    """Seconds of all of it."""

    @classmethod
    def unmeasured(cls, task: Task, model: TunedModel, seconds: float) -> Trial:
        """Of a backbone that was asked for."""
        cost = Complexity(model.card.parameters, math.nan, math.nan)
        known = Relevance(math.nan, None, None, None)
        return cls(task, model, seconds, math.nan, math.nan, cost, known, seconds)

    @property
    def card(self) -> Card:
        """Of the backbone."""
        return self.model.card

    @property
    def error(self) -> float:
        """Error out of fold when tuned, over that of the best seasonal rule; NaN without folds."""
        return self.model.fold_error if foldable(self.task) else math.nan


def try_backbone(
    frame: SensorFrame,
    settings: Settings,
    *,
    thorough: bool = True,
    progress: Progress | None = None,
) -> Trial:
    """Tune a backbone and measure it; a strategy tried later on the same task costs less.

    Args:
        frame: What the city measured.
        settings: Which backbone, and all else; it is tuned by `blend`.
        thorough: Measure also what the ranking does not go by.
        progress: Called with what is being done and the share done, 0 … 1.

    Raises:
        MissingWeights: its files are damaged or gone.
    """
    started = time.perf_counter()
    task = task_with(frame, settings, progress)
    model = fit_task(frame, task)
    tuned_in = time.perf_counter() - started
    return Trial(
        task,
        model,
        tuned_in,
        head_error(task) if thorough else math.nan,
        logme_of(task) if thorough else math.nan,
        complexity_of(task, measure=thorough),
        relevance_of(task, frame),
        time.perf_counter() - started,
    )


def head_error(task: Task) -> float:
    """Error out of fold of the closed-form head, over that of the best seasonal rule."""
    if not len(task.examples):
        return float("nan")
    _, residual = fit_head(task.head_data, horizon=task.spec.horizon)
    return float(errors_by_day(task, task.corrected(residual)).nanmean())


def logme_of(task: Task) -> float:
    """LogME of the features on what the prior forecast gets wrong, in each sensor's usual spread.

    The wrongs are projected on the first principal components of the futures themselves, which are
    the same for every backbone, so that evidences compare.
    """
    if len(task.examples) < 2 * TARGETS:
        return float("nan")
    prior = task.forecast_of(task.prior)
    level = task.actual.nanmean(1, keepdim=True)
    futures = ((task.actual - level) / task.scale).nan_to_num(0.0)
    wrong = ((task.actual - prior) / task.scale).nan_to_num(0.0)
    seen = Projection.of(task.head_data.features)(task.head_data.features)
    return logme(seen, wrong.double() @ _components(futures))


def _components(futures: Tensor) -> Tensor:
    """(horizon, target) directions in which futures (example, horizon) differ most."""
    centred = futures.double() - futures.double().mean(0)
    _, vectors = torch.linalg.eigh(centred.T @ centred)
    mean = torch.full((futures.shape[1], 1), futures.shape[1] ** -0.5, dtype=torch.float64)
    found, _ = torch.linalg.qr(torch.cat([mean, vectors.flip(1)[:, : TARGETS - 1]], 1))
    return found


def foldable(task: Task) -> bool:
    """Whether anything can be judged on windows that share no target with those it learnt from."""
    origin = task.examples.origin
    return len(origin) > 0 and len(purged_folds(origin, horizon=task.spec.horizon, folds=3)) > 1
