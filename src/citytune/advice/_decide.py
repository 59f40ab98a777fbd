"""Choose a strategy: the rules say what to try, trying it says which to take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from citytune._text import listed, percent
from citytune.advice._gains import DailyErrors, Gain, foldable, gain_of, stretch
from citytune.advice._halving import Limit, Tried, halve
from citytune.advice._rules import StrategyPlan, plan_of
from citytune.forecasting import STRATEGY, TunedModel, fit_task
from citytune.frame import SensorFrame
from citytune.settings import Progress
from citytune.tuning import Task

MARGIN = 0.005
"""What a gain must exceed beyond its standard error, in the best seasonal rule's error: a smaller
one is not enough to leave the usual strategy, and processors must not tip the balance."""


class Decision(NamedTuple):
    """What was taken, and on what grounds."""

    model: TunedModel
    plan: StrategyPlan
    halving: tuple[Tried, ...]
    verdict: str


def decide(
    frame: SensorFrame, task: Task, usual: TunedModel, progress: Progress | None = None
) -> Decision:
    """Take `usual`, the task tuned by the usual strategy, unless another one is clearly better.

    Args:
        frame: What the task was made of.
        task: Shared by all of them; its `max_seconds` limits how long others are tried.
        usual: The incumbent.
        progress: Called with what is being done and the share done, 0 … 1.
    """
    limit = Limit(task.settings.max_seconds)
    plan = plan_of(task)
    if not math.isfinite(usual.fold_error) or not foldable(task):
        return _stay_zero_shot(frame, task, usual, plan)
    names = [name for name in plan.contenders if name != STRATEGY]
    tried = [_compared(task, usual, row) for row in halve(frame, task, names, limit, progress)]
    best = usual
    for gain, row in tried:
        if row.model is not None and gain is not None and better(gain, row.model, best):
            best = row.model
    if best is not usual:  # a refit may take all the time that its trial shared
        best = _with_the_limit_of(task, best)
    rows = tuple(row for _, row in tried)
    return Decision(best, plan, rows, _verdict(best, usual, rows))


def better(gain: Gain, model: TunedModel, best: TunedModel) -> bool:
    """Whether a model is taken: for its gain over the usual one, and its error below the best's.

    Both by a margin, so that of equals the one that was tried first is taken.
    """
    return gain.mean > gain.error + MARGIN and model.fold_error < best.fold_error - MARGIN


def _with_the_limit_of(task: Task, model: TunedModel) -> TunedModel:
    settings = replace(model.settings, max_seconds=task.settings.max_seconds)
    return replace(model, settings=settings)


def _compared(task: Task, usual: TunedModel, row: Tried) -> tuple[Gain | None, Tried]:
    if row.model is None:
        return None, row
    before, after = DailyErrors.of(task, usual), DailyErrors.of(task, row.model)
    if before is None or after is None:
        return None, row
    gain = gain_of(before, after)
    return gain, replace(row, note=_gain_in_words(gain, usual.strategy))


def _stay_zero_shot(
    frame: SensorFrame, task: Task, usual: TunedModel, plan: StrategyPlan
) -> Decision:
    model = fit_task(frame, task, strategy="zero-shot")
    needs = 2 + 2 * stretch(task)
    why = (
        f"zero-shot: {task.days:.1f} days of windows are too few to judge anything on days it was "
        f"not fitted to; with this horizon that needs about {needs} days of history."
    )
    return Decision(model, plan, (), why)


def _gain_in_words(gain: Gain, usual: str) -> str:
    if not math.isfinite(gain.error):
        return f"too few days to tell it from {usual}"
    if max(abs(gain.mean), gain.error) < 0.0005:
        return f"the same as {usual}"
    size = percent(abs(gain.mean), 1).removesuffix(" %")
    error = percent(gain.error, 1).removesuffix(" %")
    return f"{size} ± {error} points {'lower' if gain.mean > 0 else 'higher'} than {usual}"


def _verdict(best: TunedModel, usual: TunedModel, tried: Sequence[Tried]) -> str:
    seen = [row.strategy for row in tried if row.model is not None]
    late = [row.strategy for row in tried if "time limit" in row.note]
    cut = f" {listed(late)} could not be tried in the time given." if late else ""
    if best is not usual:
        saved = percent(1 - best.fold_error / usual.fold_error, 1)
        return (
            f"{best.strategy}: {saved} lower cross-validated error than {usual.strategy}, clearly "
            f"beyond the differences from day to day.{cut}"
        )
    if not seen:
        return f"{usual.strategy}: nothing else was tried to the end.{cut}"
    were = "was tried too and was" if len(seen) == 1 else "were tried too and were"
    return f"{usual.strategy}: {listed(seen)} {were} not clearly better.{cut}"
