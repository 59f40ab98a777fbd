"""Rank backbones by what was measured on this city, and say in a sentence why."""

from __future__ import annotations

import math
from collections.abc import Sequence

from citytune._text import percent
from citytune.advice._trial import Trial
from citytune.backbones import Card

SMALL = 200
"""Fewer windows than this make a thin judgement, and it is said so."""
SMALLEST_DIFFERENCE = 0.0005
"""Share of the error below which a difference is not said."""
DOUBT, KNOWING = 0.05, 0.1
"""Benefit of the doubt, as a share of the error, of a model that forecasts by itself, and of one
that also knows the calendar: the less a model needs the city's days, the better it keeps."""
BEYOND = 0.1
"""What error beyond that of the best seasonal rule counts: `blend` can always fall back on it."""
RULE = (
    "Ranked by error out of fold after tuning, over that of the best seasonal rule on the same "
    "windows. What exceeds 1 counts a tenth, for with all days blend can fall back on that rule; "
    f"a model that forecasts by itself gets {100 * DOUBT:.0f} % off, and {100 * KNOWING:.0f} % if "
    "it knows the calendar, for it needs less of what was learnt here. Equals go by fewest weights."
)


def score(trial: Trial) -> float:
    """What backbones are ranked by; less is better, 1 is the best seasonal rule."""
    error = trial.error if math.isfinite(trial.error) else 1.0
    return (min(error, 1.0) + BEYOND * max(error - 1.0, 0.0)) * (1 - _doubt(trial.card))


def _doubt(card: Card) -> float:
    """Benefit of the doubt."""
    if card.horizon is None:
        return 0.0
    return DOUBT if card.context_days is None else KNOWING


def rank(trials: Sequence[Trial]) -> list[Trial]:
    """The least score first; of equals the one that adapts to the clock, then few weights."""

    def order(trial: Trial) -> tuple[float, bool, int]:
        card = trial.card
        return round(score(trial), 4), card.context_days is None, card.parameters

    return sorted(trials, key=order)


def reason(trial: Trial, best: Trial) -> str:
    """Performance, relevance and cost of one backbone, in a sentence."""
    if not math.isfinite(trial.error):
        return f"too little history to judge it; {_cost(trial)}"
    said = f"{_less(1 - trial.error)} than the best seasonal rule, out of fold"
    if trial is not best and trial.error < best.error:
        said += f"; less than {best.card.name}, but not by enough"
    thin = f"; from only {trial.model.tuned.windows} windows" * (trial.model.tuned.windows < SMALL)
    return f"{said}{thin}; {_relevance(trial)}{_cost(trial)}"


def _relevance(trial: Trial) -> str:
    found = trial.relevance
    said = ""
    if math.isfinite(found.skill):
        said += f"untouched {_less(found.skill)} than that rule; "
    if found.near is not None:
        said += f"{percent(found.near)} of the windows look like those it was trained on; "
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
    if abs(gain) < SMALLEST_DIFFERENCE:
        return "no less error"
    return f"{percent(abs(gain), 1)} {'less' if gain >= 0 else 'more'} error"
