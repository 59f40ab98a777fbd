"""Monday's job: read what is new, verify the last forecast, learn, forecast, report."""

from __future__ import annotations

import functools
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from citytune._errors import InputError, RunError, UnknownName
from citytune.runs._changes import changes
from citytune.runs._folder import Seal
from citytune.runs._job import Job, JobResult, limit_threads, work
from citytune.runs._made import HIDDEN, settings_of
from citytune.runs._progress import Progress, begin
from citytune.runs._record import Verified, filled_record, last_readings, verified
from citytune.runs._renew import renew
from citytune.runs._write import write_results

if TYPE_CHECKING:
    from citytune.evaluation import Alert, Scores
    from citytune.forecasting import Forecast, Outlook, TunedModel, Watch
    from citytune.frame import SensorFrame

By: TypeAlias = Literal["update", "refit"]


class Raised(NamedTuple):
    """An alert whose chance has reached its level."""

    sensor: str
    alert: str
    chance: float


@dataclass(frozen=True, eq=False)
class Refreshed:
    """What came of a refresh."""

    changes: tuple[str, ...]
    """What changed in the source, a sentence each."""
    last: Verified | None
    """How the forecasts did whose values have been measured since; None if none were."""
    record: Verified | None
    """The same of all forecasts of the record."""
    model: TunedModel
    forecast: Forecast
    scores: Scores | None
    """Of the model as it was, on the rows that were new to it; see `backtest`."""
    outlook: Outlook
    raised: tuple[Raised, ...]
    """Alerts whose chance on the next day has reached their level."""


class Before(NamedTuple):
    """A run as it is, and what was read for it."""

    path: Path
    seal: Seal
    model: TunedModel
    watches: tuple[Watch, ...]
    frame: SensorFrame


def source_of(seal: Seal, path: Path) -> str:
    """The source that a run remembers.

    Raises:
        RunError: it was made from a table, or from an address that holds something secret.
    """
    source = seal.made.get("source")
    if not isinstance(source, str):
        raise RunError(f"{path} was made from a table and not from a file; name the source")
    if HIDDEN in source:
        raise RunError(
            f"{path} was made from {source}, of which the secret part is not kept; name the source"
        )
    return source


def refresh(before: Before, by: By, progress: Progress | None) -> Refreshed:
    """See `Run.refresh`; the run is locked."""
    from citytune.forecasting import admit, outlook

    if by not in get_args(By):
        raise UnknownName("way to refresh", by, get_args(By))
    frame = admit(before.model, before.frame, new="forecast untuned").frame
    known = last_readings(before.path)
    said = [] if known is None else changes(frame, known)
    record, fresh = filled_record(before.path, frame)
    limit_threads()
    result = _updated(before, progress) if by == "update" else _refitted(before, progress)
    begin(progress, "Writing the report")
    own = frame if by == "update" else before.frame
    more = functools.partial(write_results, result)
    renew(before.path, before.seal, result.model, result.forecast, own, more)
    found = outlook(result.forecast)
    return Refreshed(
        changes=tuple(said),
        last=verified(fresh),
        record=verified(record),
        model=result.model,
        forecast=result.forecast,
        scores=result.scores,
        outlook=found,
        raised=_raised(found),
    )


def _updated(before: Before, progress: Progress | None) -> JobResult:
    """Score the model on what is new to it, and let it learn from that."""
    from citytune.forecasting import update

    started = time.perf_counter()
    model, frame = before.model, before.frame
    scores = _scores(before, progress)
    told = begin(progress, "Learning from what is new")
    found = update(model, frame, progress=told)
    if not found.learned:
        raise InputError(found.why)
    begin(progress, "Forecasting")
    learnt = time.perf_counter()
    forecast = found.model.forecast(frame)
    forecast = replace(forecast, alerts=_on(before.watches, model, forecast))
    ended = time.perf_counter()
    spent = {"read": 0.0, "features": 0.0, "fit": learnt - started, "forecast": ended - learnt}
    return JobResult(frame, found.model, forecast, scores, None, spent | {"total": ended - started})


def _refitted(before: Before, progress: Progress | None) -> JobResult:
    """The whole job again, with the settings of the run."""
    if "settings" not in before.seal.made:
        raise RunError(f"{before.path} does not remember its settings; tune anew")
    settings = settings_of(before.seal.made["settings"])
    return work(before.frame, Job(settings=settings, alerts=_alerts(before)), progress)


def _scores(before: Before, progress: Progress | None) -> Scores | None:
    from citytune.evaluation import backtest

    told = begin(progress, "Scoring")
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # said by forecast
            return backtest(
                before.model, before.frame, alerts=_alerts(before) or None, progress=told
            )
    except InputError:
        return None


def _alerts(before: Before) -> tuple[Alert, ...]:
    return tuple(watch.alert for watch in before.watches)


def _on(watches: tuple[Watch, ...], model: TunedModel, forecast: Forecast) -> tuple[Watch, ...]:
    """The alerts of the model's sensors on those of a forecast."""
    return tuple(
        type(watch).of_kept(watch.kept(model.sensors), forecast.sensors) for watch in watches
    )


def _raised(found: Outlook) -> tuple[Raised, ...]:
    """Those that matter first."""
    return tuple(
        Raised(row.sensor, alert, chance)
        for row in found.rows
        for alert, level, chance in zip(found.alerts, found.levels, row.chances, strict=True)
        if chance >= level
    )
