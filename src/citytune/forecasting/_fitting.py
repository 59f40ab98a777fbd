"""Tune a backbone to a frame: the way from a table to a `TunedModel`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from citytune._errors import InputError, UnknownName
from citytune.backbones import load_backbone
from citytune.forecasting._model import SEASONAL_WEEKS, TunedModel, short_of_history
from citytune.forecasting._updating import check_forget
from citytune.frame import SensorFrame
from citytune.tuning import KNOWN, Options, Strategy, Task, fit, make_strategy, strategies
from citytune.windows import History, Rare, Wanted, WindowSpec

DEFAULT = "blend"
"""The strategy that "auto" stands for."""
LONGEST_HORIZON_DAYS = 28
"""Longest horizon, in days (in weeks on a daily clock)."""
WINDOW_DAYS = 120
"""Days that windows are taken from; a context and the seasonal rules look further back."""


def fit_model(
    frame: SensorFrame,
    *,
    horizon: int,
    backbone: str = "citytune-base",
    strategy: str = "auto",
    options: Options | None = None,
    seed: int = 0,
    caution: float = 2.0,
    max_seconds: float | None = None,
    rare: Wanted = None,
    forget: float | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> TunedModel:
    """Tune one backbone by one strategy; seconds on a laptop.

    Args:
        frame: What the city measured.
        horizon: Steps to forecast at once.
        backbone: A name from the shelf.
        strategy: "blend" (also "auto"), or another name of `tuning.strategies`.
        options: Options of the strategy by name, such as `{"head_days": 30}`.
        seed: The same seed gives the same model.
        caution: κ of the stack: how much a gain that does not repeat from day to day costs.
        max_seconds: Time that gradient steps may take; the best so far is kept.
        rare: Values that count more than others: a `Rare`, or words such as "top 5%".
        forget: Half-life in days, for a city that drifts: what is so old counts half.
        progress: Called with what is being done and the share done, 0 … 1.

    Raises:
        InputError: the horizon does not fit the frame.
        UnknownName: nobody knows the backbone, the strategy or an option; the nearest name is
            suggested.
        MissingWeights: the backbone's weights are not here; it says how to get them.
    """
    check_horizon(frame, horizon)
    check_strategy(strategy, options)
    task = task_of(
        frame,
        horizon=horizon,
        backbone=backbone,
        seed=seed,
        caution=caution,
        max_seconds=max_seconds,
        rare=rare,
        forget=forget,
        progress=progress,
    )
    return fit_task(frame, task, strategy=strategy, options=options)


def task_of(
    frame: SensorFrame,
    *,
    horizon: int,
    backbone: str,
    seed: int = 0,
    caution: float = 2.0,
    max_seconds: float | None = None,
    rare: Wanted = None,
    forget: float | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Task:
    """What a strategy learns from; several may share it, and the backbone is asked only once."""
    check_horizon(frame, horizon)
    fair = Rare.of(rare, frame.quantity)
    _check_dials(caution, max_seconds)
    check_forget(forget)
    model = load_backbone(backbone)
    spec = WindowSpec(context=model.card.context_at(frame.clock.steps_per_day), horizon=horizon)
    return Task(
        backbone=model,
        history=History.of(_recent(frame, spec), ahead=horizon),
        spec=spec,
        caution=caution,
        seed=seed,
        max_seconds=max_seconds,
        progress=progress,
        rare=fair,
        forget=forget,
    )


def fit_task(
    frame: SensorFrame, task: Task, *, strategy: str = "auto", options: Options | None = None
) -> TunedModel:
    """The model of a task of this frame, tuned by one strategy."""
    started = time.perf_counter()
    tuned = fit(task, check_strategy(strategy, options))
    if task.progress is not None:
        task.progress("weighing what repeats", 1.0)
    return TunedModel(
        spec=task.spec,
        card=task.backbone.card,
        strategy=DEFAULT if strategy == "auto" else strategy,
        sensors=frame.sensors,
        clock=frame.clock,
        quantity=frame.quantity,
        country=frame.country,
        trained_until=frame.clock.moments(len(frame) - 1, 1)[0],
        tuned=tuned,
        covariates=tuple(frame.covariates) if KNOWN in tuned.mixture.counted else (),
        fallback=short_of_history(frame, task.spec),
        seconds={"fit": time.perf_counter() - started},
        seed=task.seed,
        caution=task.caution,
        options=dict(options or {}),
        max_seconds=task.max_seconds,
        rare=task.rare,
        forget=task.forget,
        memory=task.remember(tuple(frame.covariates)),
    )


def refit(
    model: TunedModel,
    frame: SensorFrame,
    *,
    strategy: str | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> TunedModel:
    """A model like `model`, fitted anew on another frame.

    Args:
        model: Whose choices are taken over.
        frame: What the city measured.
        strategy: Another strategy, with its usual options.
        progress: As for `fit_model`.
    """
    same = strategy in (None, model.strategy)
    return fit_model(
        frame,
        horizon=model.spec.horizon,
        backbone=model.card.name,
        strategy=strategy or model.strategy,
        options=model.options if same else None,
        seed=model.seed,
        caution=model.caution,
        max_seconds=model.max_seconds,
        rare=model.rare if same else None,
        forget=model.forget,
        progress=progress,
    )


def _check_dials(caution: float, max_seconds: float | None) -> None:
    if not 0 <= caution < math.inf:
        raise InputError(f"caution must be a number of at least 0, got {caution!r}")
    if max_seconds is not None and not max_seconds > 0:
        raise InputError(f"max_seconds must be a positive number of seconds, got {max_seconds!r}")


def check_strategy(name: str, options: Options | None = None) -> Strategy:
    """The strategy called `name`, or what "auto" stands for; `UnknownName` if there is none."""
    if name != "auto" and name not in strategies:
        raise UnknownName("strategy", name, ["auto", *strategies])
    return make_strategy(DEFAULT if name == "auto" else name, options)


def check_horizon(frame: SensorFrame, horizon: int) -> None:
    """Raise `InputError` unless `horizon` steps can be forecast from the frame."""
    if type(horizon) is not int or horizon < 1:
        raise InputError(
            f"the horizon is how many steps of {frame.clock.freq} to forecast, a whole number of "
            f"at least 1; got {horizon!r}"
        )
    most = LONGEST_HORIZON_DAYS * max(frame.clock.steps_per_day, 7)
    if horizon > most:
        raise InputError(
            f"a horizon of {horizon} steps of {frame.clock.freq} is further than citytune "
            f"forecasts; ask for at most {most}"
        )
    if len(frame) <= horizon:
        raise InputError(
            f"{frame.source} has {len(frame)} rows, and a horizon of {horizon} steps needs more "
            "than that to learn from; bring more history or ask for a shorter horizon"
        )


def _recent(frame: SensorFrame, spec: WindowSpec) -> SensorFrame:
    """The rows that a fit looks at: its windows, a context and the rules' weeks before them."""
    day = frame.clock.steps_per_day
    kept = (
        (WINDOW_DAYS + 7 * SEASONAL_WEEKS) * day + spec.context * max(1, day // 24) + spec.horizon
    )
    return frame.since(max(0, len(frame) - max(kept, 2 * spec.context)))
