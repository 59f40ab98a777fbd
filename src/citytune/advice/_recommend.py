"""Measure every backbone at hand on the city's own windows, then strategies on the best one."""

from __future__ import annotations

from dataclasses import replace

from citytune._errors import MissingWeights
from citytune.advice._curve import enough_of
from citytune.advice._decide import Decision, decide
from citytune.advice._ranking import rank, reason, score
from citytune.advice._recommendation import Choice, Recommendation
from citytune.advice._trial import Trial, try_backbone
from citytune.advice._warnings import warnings_of
from citytune.backbones import at_hand, missing
from citytune.forecasting import TunedModel
from citytune.frame import SensorFrame
from citytune.readers import framed
from citytune.settings import Call, Progress, Settings, takes_settings
from citytune.tuning import Task

ASKED = "it was asked for"


@takes_settings(Call)
def recommend(
    source: object, settings: Settings, progress: Progress | None = None
) -> Recommendation:
    """Rank the backbones at hand by measuring each one here, then choose a strategy for the best.

    Every backbone is tuned by `blend` and judged by its error out of fold. Strategies that the
    rules call worth a try are tried on the best one by successive halving, and one is taken only
    if it beats `blend` by more than a standard error.

    Args:
        source: What the city measured, a frame or anything that `read` takes; all of it may be
            learnt from.
        settings: Every field of `Settings` by its own name; backbone and strategy are "auto".
        progress: Called with what is being done and the share done, 0 … 1.

    Raises:
        InputError: the horizon does not fit the frame.

    Example:
        >>> print(recommend(frame, horizon=24))  # doctest: +SKIP
    """
    return recommend_with(framed(source), settings, progress)


def recommend_with(
    frame: SensorFrame,
    settings: Settings,
    progress: Progress | None = None,
    *,
    thorough: bool = True,
    strategies: bool = True,
) -> Recommendation:
    """The same with settings that are already one thing.

    Args:
        frame: What the city measured.
        settings: Backbone and strategy are left open, whatever they say.
        progress: Called with what is being done and the share done, 0 … 1.
        thorough: Measure all of it, beyond what the choice needs, and draw the learning curve that
            says whether the data are enough.
        strategies: Also try strategies on the best backbone; otherwise it is `blend`.
    """
    settings = replace(settings, strategy="auto", options={}).on(frame)
    ranked, lacking = _try_all(frame, settings, _part(progress, 0.0, 0.7), thorough=thorough)
    best = ranked[0]
    found = Recommendation(
        tuple(_row(trial, best) for trial in ranked),
        best.model,
        lacking,
        warnings=warnings_of(frame),
    )
    if strategies:
        told = _part(progress, 0.7, 0.8)
        found = found.decided(decide(frame, best.task, best.model, best.seconds, told))
    if strategies and thorough:
        days = len(frame) / frame.clock.steps_per_day
        found = replace(found, enough=enough_of(best.task, days, _part(progress, 0.8, 1.0)))
    return found


def alone(task: Task, model: TunedModel, decision: Decision, seconds: float) -> Recommendation:
    """The recommendation of a strategy for a backbone that was asked for."""
    trial = Trial.unmeasured(task, model, seconds)
    row = replace(_row(trial, trial), reason=ASKED)
    return Recommendation((row,), model, {}).decided(decision)


def _try_all(
    frame: SensorFrame, settings: Settings, progress: Progress | None, *, thorough: bool
) -> tuple[list[Trial], dict[str, str]]:
    """Trials of every backbone at hand, the best first, and why the others were not tried."""
    names, lacking = at_hand(), dict(missing())
    trials = []
    for done, name in enumerate(names):
        part = _part(progress, done / len(names), (done + 1) / len(names), f"{name}: ")
        try:
            named = replace(settings, backbone=name)
            trials.append(try_backbone(frame, named, progress=part, thorough=thorough))
        except MissingWeights as error:  # damaged files are found only when they are read
            lacking[name] = str(error)
    return rank(trials), lacking


def _row(trial: Trial, best: Trial) -> Choice:
    return Choice(
        card=trial.card,
        model=trial.model,
        score=score(trial),
        fold_error=trial.error,
        head_error=trial.head_error,
        logme=trial.logme,
        skill=trial.relevance.skill,
        near=trial.relevance.near,
        per_second=trial.complexity.per_second,
        megabytes=trial.complexity.megabytes,
        seconds=trial.seconds,
        spent=trial.spent,
        reason=reason(trial, best),
    )


def _part(progress: Progress | None, start: float, end: float, prefix: str = "") -> Progress | None:
    """Progress of a stretch of the whole."""
    if progress is None:
        return None

    def tell(stage: str, share: float) -> None:
        progress(f"{prefix}{stage}", start + (end - start) * share)

    return tell
