"""Measure one backbone on a city: tuned by the usual strategy, and how near it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from citytune.advice._gains import DailyErrors
from citytune.advice._relevance import Relevance, relevance_of, skill_of
from citytune.backbones import Card
from citytune.forecasting import TunedModel, fit_task, task_with
from citytune.frame import SensorFrame
from citytune.settings import Progress, Settings
from citytune.tuning import Task

DOUBT, KNOWING = 0.05, 0.1
"""Benefit of the doubt, as a share of the error, of a model that forecasts by itself, and of one
that also knows the calendar: the less a model needs the city's days, the better it keeps."""
BEYOND = 0.1
"""What error beyond that of the best seasonal rule counts: `blend` can always fall back on it."""


@dataclass(frozen=True, eq=False)
class Choice:
    """One backbone, tuned by the usual strategy and measured."""

    model: TunedModel
    daily: DailyErrors | None
    """Its errors day by day; None where there were too few days to judge it."""
    relevance: Relevance
    reason: str = ""
    """Why it stands where it stands, in a sentence."""

    @property
    def card(self) -> Card:
        """Of the backbone."""
        return self.model.card

    @property
    def fold_error(self) -> float:
        """Cross-validated error over that of the best seasonal rule on the same windows."""
        return math.nan if self.daily is None else self.model.fold_error

    @property
    def score(self) -> float:
        """What backbones are ranked by; less is better, 1 is the best seasonal rule."""
        error = self.fold_error if math.isfinite(self.fold_error) else 1.0
        return (min(error, 1.0) + BEYOND * max(error - 1.0, 0.0)) * (1 - self._bonus)

    @property
    def _bonus(self) -> float:
        if self.card.horizon is None:
            return 0.0
        return DOUBT if self.card.context_days is None else KNOWING

    @property
    def seconds(self) -> float:
        """How long tuning took here; nothing is decided by it."""
        return self.model.seconds["fit"]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "backbone": self.card.name,
            "parameters": self.card.parameters,
            "fold_error": plain(self.fold_error),
            "skill": plain(self.relevance.skill),
            "near": plain(self.relevance.near),
            "seconds": round(self.seconds, 3),
            "reason": self.reason,
        }


class Candidate(NamedTuple):
    """A choice, and what it was learnt from: strategies can be tried on it."""

    task: Task
    choice: Choice


def try_backbone(
    frame: SensorFrame,
    settings: Settings,
    *,
    thorough: bool = True,
    progress: Progress | None = None,
) -> Candidate:
    """Tune a backbone and measure it; a strategy tried later on the same task costs less.

    Args:
        frame: What the city measured.
        settings: Which backbone, and all the rest; it is tuned by `blend`.
        thorough: Also compare the city with what the backbone was trained on.
        progress: Called with what is being done and the share done, 0 … 1.

    Raises:
        MissingWeights: its files are damaged or gone.
    """
    task = task_with(frame, settings, progress)
    model = fit_task(frame, task)
    relevance = relevance_of(task, frame) if thorough else Relevance.unknown(skill_of(task))
    return Candidate(task, Choice(model, DailyErrors.of(task, model), relevance))


def plain(value: float | None) -> float | None:
    """A number as JSON has it, to four digits; None if it is not one."""
    return float(f"{value:.4g}") if value is not None and math.isfinite(value) else None
