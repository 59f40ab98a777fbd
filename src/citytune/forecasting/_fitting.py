"""Tune a backbone to a frame: the way from a table to a `TunedModel`."""

from __future__ import annotations

import time
from dataclasses import replace

from citytune._errors import UnknownName
from citytune._progress import shows_progress
from citytune.backbones import Backbone, load_backbone, member_of
from citytune.forecasting._door import spans_of
from citytune.forecasting._fallback import short_of_history
from citytune.forecasting._model import TunedModel
from citytune.forecasting._predict import below
from citytune.frame import SensorFrame
from citytune.readers import framed
from citytune.settings import Call, Options, Progress, Settings, takes_settings
from citytune.tuning import (
    Strategy,
    Task,
    fit,
    make_strategy,
    rows_learnt_from,
    strategies,
)
from citytune.windows import History, WindowSpec

BACKBONE, STRATEGY = "citytune-base", "blend"
"""What "auto" stands for where nothing is tried."""


@shows_progress
@takes_settings(Call)
def fit_model(source: object, settings: Settings, progress: Progress | None = None) -> TunedModel:
    """Tune one backbone by one strategy; seconds on a laptop.

    Takes a frame or anything that `read` takes, every field of `Settings` by name, and `progress`.
    Nothing is tried: "auto" stands for the backbone `citytune-base` and the strategy `blend`.

    Raises:
        InputError: the horizon does not fit the frame.
        UnknownName: nobody knows the backbone, the strategy or an option; the nearest name is
            suggested.
        MissingWeights: the backbone's weights are not here; it says how to get them.
    """
    return fit_with(framed(source), settings, progress)


def fit_with(
    frame: SensorFrame,
    settings: Settings,
    progress: Progress | None = None,
    most: int | None = None,
) -> TunedModel:
    """The same with settings that are already one thing, and from so many windows at most."""
    check_strategy(settings.strategy, settings.options)
    return fit_task(frame, replace(task_with(frame, settings, progress), most=most))


@takes_settings(Call)
def task_of(source: object, settings: Settings, progress: Progress | None = None) -> Task:
    """What a strategy learns from; several may share it, and the backbone is asked only once.

    Takes every field of `Settings` by name, and `progress`.
    """
    return task_with(framed(source), settings, progress)


def task_with(frame: SensorFrame, settings: Settings, progress: Progress | None = None) -> Task:
    """The same with settings that are already one thing."""
    settings = settings.on(frame)
    model = _backbone_of(frame, settings)
    horizon = settings.steps
    spec = WindowSpec(context=model.card.context_at(frame.clock.steps_per_day), horizon=horizon)
    return Task(
        backbone=model,
        history=History.of(_recent(frame, spec), ahead=horizon),
        spec=spec,
        settings=replace(settings, backbone=model.card.name),
        progress=progress,
    )


def _backbone_of(frame: SensorFrame, settings: Settings) -> Backbone:
    name = BACKBONE if settings.backbone == "auto" else settings.backbone
    day = frame.clock.steps_per_day
    return load_backbone(
        member_of(name, rows=len(frame), horizon=settings.steps, steps_per_day=day)
    )


def fit_task(frame: SensorFrame, task: Task, *, strategy: str | None = None) -> TunedModel:
    """The model of a task of this frame, tuned by its own strategy or by another one."""
    started = time.perf_counter()
    settings = task.settings
    if strategy is not None:
        settings = replace(settings, strategy=strategy, options={})
    if settings.strategy == "auto":
        settings = replace(settings, strategy=STRATEGY)
    tuned = fit(task, check_strategy(settings.strategy, settings.options))
    quantity = frame.quantity.never_below_zero(frame.values)
    if task.progress is not None:
        task.progress("weighing what repeats", 1.0)
    return TunedModel(
        spec=task.spec,
        card=task.backbone.card,
        settings=settings,
        sensors=frame.sensors,
        clock=frame.clock,
        quantity=quantity,
        below=below(quantity.low, frame),
        country=frame.country,
        trained_until=frame.clock.moments(len(frame) - 1, 1)[0],
        tuned=tuned,
        covariates=tuple(frame.covariates) if tuned.looks_ahead(task.backbone) else (),
        fallback=short_of_history(frame, task.spec),
        seconds={"fit": time.perf_counter() - started},
        memory=task.remember(tuple(frame.covariates)),
        learnt=spans_of(frame),
    )


def refit(
    model: TunedModel,
    frame: SensorFrame,
    *,
    strategy: str | None = None,
    progress: Progress | None = None,
    most: int | None = None,
) -> TunedModel:
    """A model like `model`, fitted anew on another frame.

    Args:
        model: Whose settings are taken over.
        frame: What the city measured.
        strategy: Another strategy, with its usual options and without emphasis on rare values.
        progress: As for `fit_model`.
        most: Windows to weigh experts by, where that is to be quick.
    """
    settings = model.settings
    if strategy not in (None, model.strategy):
        settings = replace(settings, strategy=strategy, options={}, rare=None)
    return fit_with(frame, settings, progress, most)


def check_strategy(name: str, options: Options | None = None) -> Strategy:
    """The strategy called `name`, or what "auto" stands for; `UnknownName` if there is none."""
    if name != "auto" and name not in strategies:
        raise UnknownName("strategy", name, ["auto", *strategies])
    return make_strategy(STRATEGY if name == "auto" else name, options)


def _recent(frame: SensorFrame, spec: WindowSpec) -> SensorFrame:
    """The rows that a fit learns from."""
    rows = rows_learnt_from(spec, frame.clock.steps_per_day, len(frame.sensors))
    return frame.since(max(0, len(frame) - rows))
