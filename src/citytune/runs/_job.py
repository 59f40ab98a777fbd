"""The whole job: read, hold out, choose, score, fit on everything, forecast."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from citytune._errors import InputError
from citytune.runs._progress import Progress, begin
from citytune.runs._reading import Reading
from citytune.runs._safe import Served, record_of_test, served
from citytune.settings import Alert, Settings

if TYPE_CHECKING:
    from citytune.advice import Recommendation
    from citytune.evaluation import Scores
    from citytune.forecasting import Copula, Forecast, TunedModel
    from citytune.frame import SensorFrame

FEWEST_ROWS_BEFORE = 14
"""Shortest history that a model worth scoring is fitted on: so many rows, or a day."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a person asked for."""

    settings: Settings
    reading: Reading = field(default_factory=Reading)
    alerts: tuple[str | Alert, ...] = ()
    """What to be warned of; nothing said is the usual."""

    def check(self) -> None:
        """Refuse what no source can make good, before one is read."""
        check_alerts(self.alerts)
        settings = self.settings
        if settings.strategy != "auto" or settings.options:
            from citytune.forecasting import check_strategy

            check_strategy(settings.strategy, settings.options)
        if settings.backbone != "auto":
            from citytune.backbones import families, load_backbone

            if settings.backbone not in families():
                load_backbone(settings.backbone)


@dataclass(frozen=True, eq=False)
class JobResult:
    """Everything a run folder is written from."""

    frame: SensorFrame
    model: TunedModel
    """Fitted on everything."""
    served: Served
    scores: Scores | None
    """Of the same choice, fitted on what lies before the test period; None without one."""
    advice: Recommendation | None
    """Why this backbone; None if it was named."""
    seconds: dict[str, float]
    note: str = ""
    """Why there are no scores."""

    @property
    def forecast(self) -> Forecast:
        """As it is handed out."""
        return self.served.forecast


@dataclass
class Stopwatch:
    """Seconds spent, by stage."""

    began: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)
    last: float = field(default_factory=time.perf_counter)

    def lap(self, stage: str) -> None:
        """Book the time since the last lap to a stage."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self.last
        self.last = now


def work(source: object, job: Job, progress: Progress | None = None) -> JobResult:
    """The whole job, up to what is to be written."""
    watch = Stopwatch()
    begin(progress, "Reading")
    job.check()
    frame = job.reading.read(source)
    watch.lap("read")
    from citytune.advice import choose_with  # which takes seconds, and a source may not be there
    from citytune.forecasting import check_known_ahead

    alerts = alerts_on(frame, job.alerts)
    horizon = job.settings.on(frame).steps
    check_known_ahead(frame, horizon, frame.covariates)
    limit_threads()
    before = rows_before_test(frame, horizon)
    stage = "Choosing a model" if "auto" in _named(job.settings) else "Fitting"
    trial, advice = choose_with(frame.until(before), job.settings, begin(progress, stage))
    scores, note = score_trial(trial, frame, alerts, progress)
    model = trial if before == len(frame) else refit_on(trial, frame, progress)
    watch.lap("fit")
    model = replace(model, copula=_copula(trial, frame, before, scores))
    begin(progress, "Forecasting")
    forecast = model.forecast(frame).with_alerts(alerts or (), frame)
    safe = served(forecast, frame, record_of_test(scores))
    watch.lap("forecast")
    return JobResult(frame, model, safe, scores, advice, seconds_of(model, watch), note)


def check_alerts(wanted: Iterable[str | Alert]) -> None:
    """Refuse what cannot be read as an alert, before a source is read."""
    for one in wanted:
        if isinstance(one, str):
            Alert.parse(one)


def alerts_on(frame: SensorFrame, wanted: Iterable[str | Alert]) -> list[Alert] | None:
    """What to be warned of, refused if the frame holds something else; None is the usual."""
    quantity = frame.quantity
    return [Alert.parse(one, quantity) if isinstance(one, str) else one for one in wanted] or None


def rows_before_test(frame: SensorFrame, horizon: int) -> int:
    """Rows before the test period; all of them if too few would be left to learn from."""
    from citytune.evaluation import held_out

    before = len(frame) - held_out(frame, horizon)
    fewest = horizon + max(frame.clock.steps_per_day, FEWEST_ROWS_BEFORE)
    return before if before >= fewest else len(frame)


def limit_threads() -> None:
    """Let torch use the cores this process may run on, and no more."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch.set_num_threads(max(1, min(torch.get_num_threads(), cores or 1)))


def _named(settings: Settings) -> tuple[str, str]:
    return settings.backbone, settings.strategy


def score_trial(
    trial: TunedModel, frame: SensorFrame, alerts: list[Alert] | None, progress: Progress | None
) -> tuple[Scores | None, str]:
    """Scores on the rows the trial has not seen, or the reason why there are none."""
    from citytune.evaluation import backtest

    if frame.clock.index(trial.trained_until) + 1 >= len(frame):
        return None, (
            f"{frame.source} is too short to hold anything out, so this forecast has not been "
            "compared with anything; trust it once a longer history has been scored"
        )
    try:
        told = begin(progress, "Scoring")
        return backtest(trial, frame, refit=False, alerts=alerts, progress=told), ""
    except InputError as error:
        reason = str(error).partition("; ")[0]  # what could be done is for those who score
        return None, f"not scored: {reason}"


def _copula(
    trial: TunedModel, frame: SensorFrame, before: int, scores: Scores | None
) -> Copula | None:
    """How errors go together: on days the trial has not seen, and on some before them."""
    from citytune.forecasting import Copula, learn_copula

    found = learn_copula(trial, frame.until(before))
    if found is None or scores is None or scores.detail.frame.sensors != trial.sensors:
        return found
    low, high = trial.predictor.lowest(trial.sensors), trial.quantity.high
    detail = scores.detail
    return found.then(Copula.of(detail.quantiles, detail.actual, low=low, high=high))


def refit_on(trial: TunedModel, frame: SensorFrame, progress: Progress | None) -> TunedModel:
    """The same choice, fitted on everything."""
    from citytune.forecasting import refit

    return refit(trial, frame, progress=begin(progress, "Fitting on everything"))


def seconds_of(model: TunedModel, watch: Stopwatch) -> dict[str, float]:
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
