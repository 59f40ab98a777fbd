"""The one door for `auto`: a backbone, a strategy, or both are chosen by what is measured here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from citytune.advice._decide import decide
from citytune.advice._recommend import alone, recommend
from citytune.advice._recommendation import Recommendation
from citytune.forecasting import TunedModel, check_strategy, fit_model, fit_task, task_of
from citytune.frame import SensorFrame
from citytune.tuning import Options


def choose(
    frame: SensorFrame,
    *,
    horizon: int,
    backbone: str = "auto",
    strategy: str = "auto",
    options: Options | None = None,
    max_seconds: float | None = None,
    progress: Callable[[str, float], None] | None = None,
    **dials: Any,
) -> tuple[TunedModel, Recommendation | None]:
    """Tune, choosing whatever is "auto"; the recommendation says why, None if nothing was.

    With `options` the strategy "auto" is the usual one, for they are its options.

    Args:
        frame: What the city measured.
        horizon: Steps to forecast.
        backbone: A name, or "auto" for the one that does best out of fold.
        strategy: A name, or "auto" for what trying them shows.
        options: Of the strategy, by name.
        max_seconds: Time for gradient steps, or for trying strategies.
        progress: Called with what is being done and the share done, 0 … 1.
        dials: As for `fit_model`.
    """
    check_strategy(strategy, options)
    dials |= {"horizon": horizon}
    more: dict[str, Any] = {"max_seconds": max_seconds, "progress": progress}
    asked = strategy != "auto" or bool(options)
    named: dict[str, Any] = {"backbone": backbone, "strategy": strategy, "options": options}
    if backbone == "auto":
        found = recommend(frame, **dials, **more, thorough=False, strategies=not asked)
        if not asked or (strategy in ("auto", found.strategy) and not options):
            return found.model, found
        return fit_model(frame, **dials, **more, **named | {"backbone": found.best}), found
    if asked:
        return fit_model(frame, **dials, **more, **named), None
    started = time.perf_counter()
    task = task_of(frame, backbone=backbone, progress=progress, **dials)
    usual = fit_task(frame, task)
    spent = time.perf_counter() - started
    decision = decide(frame, task, usual, spent, **more)
    return decision.model, alone(task, usual, decision, spent)
