"""Try every backbone at hand on the city's own windows, and rank them by purged folds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from citytune._errors import MissingWeights
from citytune.advice._recommendation import SAME, Choice, Recommendation
from citytune.backbones import at_hand, missing
from citytune.forecasting import TunedModel, check_horizon, fit_model
from citytune.frame import SensorFrame

SMALL = 200
"""Fewer windows than this make a thin judgement, and it is said so."""


def recommend(
    frame: SensorFrame,
    *,
    horizon: int,
    seed: int = 0,
    caution: float = 2.0,
    progress: Callable[[str, float], None] | None = None,
) -> Recommendation:
    """Rank the backbones at hand by tuning each one here; "auto" takes the first.

    Each is tuned by `blend` and judged by its error out of fold, relative to the best seasonal
    rule on the same windows. Of two that are within 1 %, the one with fewer weights wins.

    Args:
        frame: What the city measured; all of it may be learnt from.
        horizon: Steps to forecast.
        seed: The same seed gives the same answer.
        caution: κ of the stack; see `fit_model`.
        progress: Called with what is being done and the share done, 0 … 1.

    Raises:
        InputError: the horizon does not fit the frame.
    """
    check_horizon(frame, horizon)
    names = at_hand()
    tried: list[tuple[TunedModel, float]] = []
    lacking = dict(missing())
    for done, name in enumerate(names):

        def tell(stage: str, share: float, name: str = name, done: int = done) -> None:
            if progress is not None:
                progress(f"{name}: {stage}", (done + share) / len(names))

        started = time.perf_counter()
        try:
            model = fit_model(
                frame,
                horizon=horizon,
                backbone=name,
                seed=seed,
                caution=caution,
                progress=tell,
            )
        except MissingWeights as error:  # damaged files are found only when they are read
            lacking[name] = str(error)
            continue
        tried.append((model, time.perf_counter() - started))
    ranked = rank(tried)
    rows = tuple(
        Choice(model.card, model.fold_error, spent, _reason(model, ranked[0][0], spent))
        for model, spent in ranked
    )
    return Recommendation(rows, ranked[0][0], lacking)


def rank(tried: list[tuple[TunedModel, float]]) -> list[tuple[TunedModel, float]]:
    """The least error first; among those within `SAME` of it, the one with the fewest weights."""

    def error(item: tuple[TunedModel, float]) -> float:
        found = item[0].fold_error
        return found if math.isfinite(found) else math.inf

    by_error = sorted(tried, key=error)
    close = [item for item in by_error if error(item) <= error(by_error[0]) * (1 + SAME)]
    first = min(close, key=lambda item: item[0].card.parameters)
    return [first, *(item for item in by_error if item is not first)]


def _reason(model: TunedModel, best: TunedModel, spent: float) -> str:
    size = f"{model.card.parameters / 1e6:.1f} million weights"
    cost = f"{size if model.card.parameters else 'nothing pretrained'}, tuned in {spent:.1f} s"
    if not math.isfinite(model.fold_error):
        return f"too little history to judge it; {cost}"
    change = 1 - model.fold_error
    against = "than the best seasonal rule, out of fold"
    said = f"{abs(change):.1%} {'less' if change >= 0 else 'more'} error {against}"
    said = said.replace("%", " %")
    if model is not best and model.fold_error <= best.fold_error * (1 + SAME):
        said += f"; no better than {best.card.name}, which is smaller"
    thin = f"; from only {model.tuned.windows} windows" if model.tuned.windows < SMALL else ""
    return f"{said}{thin}; {cost}"
