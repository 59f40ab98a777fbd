"""The whole job: read, hold out, choose, score, fit on everything, forecast."""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from citytune._errors import InputError
from citytune.cli._alerts import check_alerts
from citytune.cli._console import Stage
from citytune.cli._horizon import fewest
from citytune.cli._reading import Reading

if TYPE_CHECKING:
    from citytune.advice import Recommendation
    from citytune.evaluation import Alert, Scores
    from citytune.forecasting import Forecast, TunedModel
    from citytune.frame import SensorFrame
    from citytune.settings import Settings

MOST_DAYS = 14
"""Longest part held out."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person asked for."""

    settings: Settings
    alerts: tuple[str, ...] = ()
    """What to be warned of; nothing said is the usual."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Everything a run folder is written from."""

    frame: SensorFrame
    model: TunedModel
    """Fitted on everything."""
    forecast: Forecast
    scores: Scores | None
    """Of the same choice, fitted on what lies before the holdout; None without one."""
    advice: Recommendation | None
    """Why this backbone; None if it was named."""
    seconds: dict[str, float]
    note: str = ""
    """Why there are no scores."""


@dataclass
class Watch:
    """Seconds spent, by stage."""

    began: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)
    last: float = field(default_factory=time.perf_counter)

    def lap(self, stage: str) -> None:
        """Book the time since the last lap to a stage."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self.last
        self.last = now


def work(source: object, reading: Reading, wish: Wish, stage: Stage) -> Outcome:
    """The whole job, up to what is to be written."""
    from citytune import forecasting

    watch = Watch()
    check_wish(wish)
    stage("Reading")
    check_names(wish)
    frame = reading.read(source)
    watch.lap("read")
    alerts = alerts_of(frame, wish)
    horizon = wish.settings.on(frame).steps
    forecasting.check_known_ahead(frame, horizon, frame.covariates)
    limit_threads()
    before = len(frame) - held_out(frame, horizon)
    trial, advice = choose(frame.until(before), wish, stage)
    watch.lap("choose")
    scores, note = score(trial, frame, alerts, stage)
    watch.lap("score")
    model = trial if before == len(frame) else refit(trial, frame, stage)
    watch.lap("fit")
    stage("Forecasting")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # they are among the notes
        forecast = model.forecast(frame)
    watch.lap("forecast")
    return Outcome(frame, model, forecast, scores, advice, _seconds(model, watch), note)


def check_wish(wish: Wish) -> None:
    """Refuse what no file can make good, before one is read."""
    check_alerts(wish.alerts)


def check_names(wish: Wish) -> None:
    """Refuse a backbone or strategy nobody knows, or without weights, before a file is read."""
    from citytune.backbones import load_backbone
    from citytune.forecasting import check_strategy

    asked = wish.settings
    check_strategy(asked.strategy, asked.options)
    if asked.backbone != "auto":
        load_backbone(asked.backbone)


def alerts_of(frame: SensorFrame, wish: Wish) -> list[Alert] | None:
    """What to be warned of, refused if the frame holds something else; None is the usual."""
    from citytune.evaluation import Alert

    return [Alert.parse(text, frame.quantity) for text in wish.alerts] or None


def held_out(frame: SensorFrame, horizon: int) -> int:
    """Rows at the end set aside for scoring: a quarter, at most 14 days, at least a horizon.

    0 if what lies before would be too short to learn from.
    """
    most = MOST_DAYS * frame.clock.steps_per_day
    held = max(horizon, min(len(frame) // 4, most))
    return held if len(frame) - held >= fewest(frame.clock, horizon) else 0


def choose(
    frame: SensorFrame, wish: Wish, stage: Stage
) -> tuple[TunedModel, Recommendation | None]:
    """A model fitted on the rows before the holdout, and why it was chosen."""
    from citytune.advice import choose_with

    auto = "auto" in (wish.settings.backbone, wish.settings.strategy)
    return choose_with(frame, wish.settings, stage("Choosing a model" if auto else "Fitting"))


def score(
    trial: TunedModel, frame: SensorFrame, alerts: list[Alert] | None, stage: Stage
) -> tuple[Scores | None, str]:
    """Scores on the rows the trial has not seen, or the reason why there are none."""
    from citytune.evaluation import backtest

    if _rows_seen(trial, frame) >= len(frame):
        return None, (
            f"{frame.source} is too short to hold anything out, so this forecast has not been "
            "compared with anything; trust it once a longer history has been scored"
        )
    try:
        told = stage("Scoring")
        return backtest(trial, frame, refit=False, alerts=alerts, progress=told), ""
    except InputError as error:
        return None, f"not scored: {error}"


def refit(trial: TunedModel, frame: SensorFrame, stage: Stage) -> TunedModel:
    """The same choice, fitted on everything."""
    from citytune import forecasting

    return forecasting.refit(trial, frame, progress=stage("Fitting on everything"))


def limit_threads() -> None:
    """Let torch use the cores this process may run on, and no more."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch.set_num_threads(max(1, min(torch.get_num_threads(), cores or 1)))


def _rows_seen(model: TunedModel, frame: SensorFrame) -> int:
    return frame.clock.index(model.trained_until) + 1


def _seconds(model: TunedModel, watch: Watch) -> dict[str, float]:
    """Of the model that was saved: its features and its fit; `total` is the whole job."""
    features = float(model.seconds.get("features", 0.0))
    fit = sum(model.seconds.values()) - features
    return {
        "read": watch.seconds["read"],
        "features": features,
        "fit": fit,
        "forecast": watch.seconds["forecast"],
        "total": time.perf_counter() - watch.began,
    }
