"""The one door for `auto`: choose a backbone, a strategy, or both by what is measured here."""

from __future__ import annotations

from dataclasses import replace

from citytune.advice._decide import decide
from citytune.advice._recommend import alone, part_of, recommend_with
from citytune.advice._recommendation import Recommendation
from citytune.engines import Engine, opened_if
from citytune.forecasting import TunedModel, check_strategy, fit_task, fit_with, task_with
from citytune.frame import SensorFrame
from citytune.settings import Progress, Settings, SpreadCall, takes_settings

USUAL = 0.65
"""Share of the work that the usual strategy takes; the rest is trials of others."""


@takes_settings(SpreadCall)
def choose(
    frame: SensorFrame,
    settings: Settings,
    progress: Progress | None = None,
    engine: str | Engine | None = None,
) -> tuple[TunedModel, Recommendation | None]:
    """Tune, choosing whatever is "auto"; the recommendation says why, None if nothing was.

    With `options` the strategy "auto" is the usual one, for they are its options.
    """
    with opened_if(engine) as used:
        return choose_with(frame, settings, progress, used)


def choose_with(
    frame: SensorFrame,
    settings: Settings,
    progress: Progress | None = None,
    engine: Engine | None = None,
) -> tuple[TunedModel, Recommendation | None]:
    """The same with settings that are already one thing."""
    check_strategy(settings.strategy, settings.options)
    asked = settings.strategy != "auto" or bool(settings.options)
    if settings.backbone == "auto":
        found = recommend_with(
            frame, settings, progress, thorough=False, strategies=not asked, engine=engine
        )
        if not asked or (settings.strategy in ("auto", found.strategy) and not settings.options):
            return found.model, found
        return fit_with(frame, replace(settings, backbone=found.best), progress), found
    if asked:
        return fit_with(frame, settings, progress), None
    task = task_with(frame, settings, part_of(progress, 0.0, USUAL))
    usual = fit_task(frame, task)
    decision = decide(frame, task, usual, part_of(progress, USUAL, 1.0))
    return decision.model, alone(usual, decision)
