"""How near a city's windows lie to what a backbone was trained on."""

from __future__ import annotations

from typing import NamedTuple

from citytune.backbones import Familiar, daily_share, familiar_of
from citytune.frame import SensorFrame
from citytune.tuning import Task, errors_by_day
from citytune.windows import cut_past


class Relevance(NamedTuple):
    """Of one backbone for one city."""

    skill: float
    """Share of the best seasonal rule's error that the untouched backbone saves; NaN if it cannot
    forecast by itself."""
    clock: bool | None
    """Whether it was trained on this clock; None where its card has no numbers."""
    near: float | None
    """Share of this city's windows that are no farther from the corpus than 95 % of its own."""
    daily: bool | None
    """Whether the days here are as regular as in the corpus."""


def relevance_of(task: Task, frame: SensorFrame) -> Relevance:
    """Compare the city with the numbers in the card, and the untouched forecast with a rule."""
    skill = float("nan")
    if task.backbone.card.horizon is not None and len(task.examples):
        skill = 1 - float(errors_by_day(task, task.forecast_of("plain")).nanmean())
    known = familiar_of(task.backbone.card) if task.answers.features is not None else None
    if known is None or not len(task.examples):
        return Relevance(skill, None, None, None)
    return Relevance(skill, frame.clock.freq in known.clocks, near(task, known), daily(task, known))


def near(task: Task, known: Familiar) -> float:
    """Share of the task's windows within the distance that 95 % of the corpus keep."""
    return float((known.distance(task.head_data.features) <= known.far).float().mean())


def daily(task: Task, known: Familiar) -> bool:
    """Whether the median window's mean day explains as much as it does in the corpus."""
    history = task.history
    past = cut_past(history.filled, task.examples, task.spec.context, period=history.steps_per_day)
    low, high = known.daily
    return low <= float(daily_share(past, history.steps_per_day).median()) <= high
