"""Rank backbones by what was measured on this city, and say in a sentence why."""

from __future__ import annotations

import math
from collections.abc import Sequence

from citytune.advice._trial import Trial

SAME = 0.01
"""Errors closer than this share are called the same."""
SMALL = 200
"""Fewer windows than this make a thin judgement, and it is said so."""
RULE = (
    "Ranked by error out of fold after tuning, over that of the best seasonal rule on the same "
    "windows. Of those within 1 % of the best, the one that untouched does best here is first; "
    "without one, the one with the fewest weights."
)


def score(trial: Trial) -> float:
    """What backbones are ranked by; less is better, and infinite where nothing could be judged."""
    return trial.error if math.isfinite(trial.error) else math.inf


def rank(trials: Sequence[Trial]) -> list[Trial]:
    """By the score; among those within `SAME` of the best, skill and then few weights decide."""
    by_score = sorted(trials, key=score)
    close = [item for item in by_score if score(item) <= score(by_score[0]) * (1 + SAME)]
    first = min(close, key=lambda item: (-_skill(item), item.card.parameters))
    return [first, *(item for item in by_score if item is not first)]


def _skill(trial: Trial) -> float:
    skill = trial.relevance.skill
    return max(skill, 0.0) if math.isfinite(skill) else 0.0


def reason(trial: Trial, best: Trial) -> str:
    """Performance, relevance and cost of one backbone, in a sentence."""
    if not math.isfinite(trial.error):
        return f"too little history to judge it; {_cost(trial)}"
    said = f"{_less(1 - trial.error)} than the best seasonal rule, out of fold"
    if trial is not best and trial.error <= best.error * (1 + SAME):
        said += f"; within 1 % of {best.card.name}"
    thin = f"; from only {trial.model.tuned.windows} windows" * (trial.model.tuned.windows < SMALL)
    return f"{said}{thin}; {_relevance(trial)}{_cost(trial)}"


def _relevance(trial: Trial) -> str:
    found = trial.relevance
    said = ""
    if math.isfinite(found.skill):
        said += f"untouched {_less(found.skill)} than that rule; "
    if found.near is not None:
        said += f"{found.near:.0%} of the windows look like those it was trained on; ".replace(
            "%", " %"
        )
    if found.clock is False:
        said += "it was not trained on this clock; "
    if found.daily is False:
        said += "days here are less or more regular than what it was trained on; "
    return said


def _cost(trial: Trial) -> str:
    cost = trial.complexity
    size = f"{cost.parameters / 1e6:.1f} million weights" if cost.parameters else "no weights"
    speed = "" if math.isnan(cost.per_second) else f", {cost.per_second:,.0f} windows a second"
    return f"{size}, {cost.megabytes:.0f} MB{speed}, tuned in {trial.seconds:.1f} s"


def _less(gain: float) -> str:
    return f"{abs(gain):.1%} {'less' if gain >= 0 else 'more'} error".replace("%", " %")
