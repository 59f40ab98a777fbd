"""Choose a strategy: the rules say which are worth a try, trying them says which to take."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from citytune.advice._halving import Tried, halve
from citytune.advice._rules import StrategyPlan, plan_of
from citytune.advice._trial import foldable
from citytune.forecasting import STRATEGY, TunedModel, fit_task
from citytune.frame import SensorFrame
from citytune.settings import Progress
from citytune.tuning import Task, t_inflation

BUDGET = 2.0
"""Time for trying others, in that of the usual strategy."""
FEWEST_TRIAL_WINDOWS = 4
"""Days, or stretches as long as the horizon, from which a standard error means anything."""


class Decision(NamedTuple):
    """What was taken, and on what grounds."""

    model: TunedModel
    plan: StrategyPlan
    halving: tuple[Tried, ...]
    verdict: str


class Gain(NamedTuple):
    """How much less error one strategy has than another, in units of the best seasonal rule's."""

    mean: float
    error: float
    """Its standard error over days."""


def decide(
    frame: SensorFrame,
    task: Task,
    usual: TunedModel,
    seconds: float,
    progress: Progress | None = None,
) -> Decision:
    """Take `usual`, the task tuned by the usual strategy in `seconds`, unless another is better.

    Args:
        frame: What the task was made of.
        task: Shared by all of them.
        usual: The incumbent.
        seconds: What it took: the unit of the guesses.
        progress: Called with what is being done and the share done, 0 … 1.
    """
    started = time.perf_counter()
    plan = plan_of(task)
    if not math.isfinite(usual.fold_error) or not foldable(task):
        return _stay_untouched(frame, task, usual, plan)
    budget = max(BUDGET * seconds, task.settings.max_seconds or 0.0)
    left = budget - (time.perf_counter() - started)
    names = [name for name in plan.contenders if name != STRATEGY]
    tried = halve(frame, task, names, blend_seconds=seconds, budget=left, progress=progress)
    best, verdict, noted = usual, "", []
    for row in tried:
        if row.model is None or row.model.tuned.fold_errors is None:
            noted.append(row)
            continue
        gain = gain_of(usual, row.model, stretch(task))
        noted.append(replace(row, note=_gain_in_words(gain, usual.strategy)))
        better = gain.mean > gain.error and row.model.fold_error < best.fold_error
        best = row.model if better else best
    verdict = _verdict(best, usual, noted)
    return Decision(best, plan, tuple(noted), verdict)


def gain_of(usual: TunedModel, other: TunedModel, days: int) -> Gain:
    """The gain of `other` over `usual` on the same days, in blocks of so many days."""
    assert usual.tuned.fold_errors is not None
    assert other.tuned.fold_errors is not None
    gains = usual.tuned.fold_errors - other.tuned.fold_errors
    return mean_and_error(gains, days)


def mean_and_error(gains: Tensor, days: int) -> Gain:
    """Mean of `gains` (day,), and its standard error where neighbouring days are one block.

    >>> mean_and_error(torch.tensor([1.0, 1, 3, 3]), 2).mean
    2.0
    """
    blocks = torch.stack([part.nanmean() for part in gains.double().split(days)])
    blocks = blocks[~blocks.isnan()]
    if len(blocks) < FEWEST_TRIAL_WINDOWS:
        return Gain(float(blocks.mean()) if len(blocks) else 0.0, math.inf)
    error = t_inflation(len(blocks) - 1) * float(blocks.std()) / len(blocks) ** 0.5
    return Gain(float(blocks.mean()), error)


def stretch(task: Task) -> int:
    """Days in a block: as many as the horizon reaches, so that blocks share few targets."""
    return max(1, math.ceil(task.spec.horizon / task.history.steps_per_day))


def _stay_untouched(
    frame: SensorFrame, task: Task, usual: TunedModel, plan: StrategyPlan
) -> Decision:
    model = fit_task(frame, task, strategy="zero-shot")
    needs = 2 + 2 * stretch(task)
    why = (
        f"zero-shot: the windows span {task.days:.1f} days, too few to judge anything on days it "
        f"was not fitted to; with this horizon that needs about {needs} days of history."
    )
    return Decision(model, plan, (), why)


def _gain_in_words(gain: Gain, usual: str) -> str:
    if not math.isfinite(gain.error):
        return f"too few days to tell it from {usual}"
    return f"gains {100 * gain.mean:+.1f} ± {100 * gain.error:.1f} points over {usual}"


def _verdict(best: TunedModel, usual: TunedModel, tried: Sequence[Tried]) -> str:
    seen = [row.strategy for row in tried if row.share == 1]
    if best is not usual:
        saved = 1 - best.fold_error / usual.fold_error
        return (
            f"{best.strategy}: {100 * saved:.1f} % less error out of fold than {usual.strategy}, "
            "by more than a standard error."
        )
    if not seen:
        return f"{usual.strategy}: nothing else was tried to the end."
    return (
        f"{usual.strategy}: measured here against {', '.join(seen)}, none of which beat it by more "
        "than a standard error."
    )
