"""Rank backbones by what was measured on this city, and say in a sentence why."""

from __future__ import annotations

import math
from collections.abc import Sequence

from citytune._text import more_or_less, percent
from citytune.advice._candidate import DOUBT, KNOWING, Choice
from citytune.advice._gains import gain_of

FEW_WINDOWS = 200
"""Fewer windows than this make a thin judgement, and the reason says so."""
TIE, SMALLEST_TIE = 0.1, 0.001
"""Two scores are equal if they differ by less than this share of the standard error of their
difference, or by less than this: far less than tells them apart, far more than rounding, in which
processors differ."""
RULE = (
    "Ranked by cross-validated error, with a bonus of "
    f"{percent(DOUBT)} for models that forecast by themselves, or {percent(KNOWING)} if they know "
    "the calendar, as they need less local data; ties go to the smaller model."
)


def tied(one: Choice, other: Choice) -> bool:
    """Whether the scores of two differ by too little to mean anything."""
    tolerance = SMALLEST_TIE
    if one.daily is not None and other.daily is not None:
        error = gain_of(one.daily, other.daily).error
        tolerance = max(tolerance, TIE * error if math.isfinite(error) else 0.0)
    return abs(one.score - other.score) <= tolerance


def rank(choices: Sequence[Choice]) -> list[Choice]:
    """The lowest score first; of ties the one that adapts to the clock, then the fewest weights."""
    left, ranked = sorted(choices, key=_order), []
    while left:
        best = min(left, key=lambda one: one.score)
        ranked.append(next(one for one in left if one is best or tied(one, best)))
        left.remove(ranked[-1])
    return ranked


def _order(choice: Choice) -> tuple[bool, int, str]:
    card = choice.card
    return card.context_days is None, card.parameters, card.name


def reason(choice: Choice, best: Choice) -> str:
    """Performance, relevance and cost of one backbone, in a sentence."""
    if not math.isfinite(choice.fold_error):
        return f"too little history to judge it; {_cost(choice)}"
    found = f"{more_or_less(1 - choice.fold_error)} than the best seasonal rule (cross-validated)"
    if choice is not best and choice.fold_error < best.fold_error:
        found += f"; lower than {best.card.name}, but not by enough"
    windows = choice.model.tuned.windows
    thin = f"; based on only {windows:,} windows" * (windows < FEW_WINDOWS)
    return f"{found}{thin}; {_relevance(choice)}{_cost(choice)}"


def _relevance(choice: Choice) -> str:
    found = choice.relevance
    text = ""
    if math.isfinite(found.skill):
        text += f"without fine-tuning, {more_or_less(found.skill)} than that rule; "
    if found.near is not None:
        text += f"{percent(found.near)} of the windows resemble its training data; "
    if found.clock is False:
        text += "it was not trained on this time step; "
    if found.daily is False:
        text += "its training data had more or less regular days than these; "
    return text


def _cost(choice: Choice) -> str:
    count = choice.card.parameters
    size = f"{count / 1e6:.1f} million weights" if count else "no weights"
    return f"{size}, tuned in {choice.seconds:.1f} s"
