"""Monday's job: read what is new, verify the last forecast, learn, forecast, report."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from citytune._aside import aside
from citytune._errors import InputError, NothingNew, RunError, UnknownName
from citytune.runs._changes import changes
from citytune.runs._choice import choose
from citytune.runs._folder import Seal
from citytune.runs._job import Job, JobResult, limit_threads, work
from citytune.runs._joined import joined
from citytune.runs._learning import UPDATED, Choice, refitted, said_by_forecast, updated
from citytune.runs._made import HIDDEN, settings_of
from citytune.runs._progress import Progress, begin
from citytune.runs._record import filled_record, last_readings, note_test, test_of
from citytune.runs._renew import renew
from citytune.runs._safe import Served, served
from citytune.runs._write import write_results

if TYPE_CHECKING:
    import polars as pl

    from citytune.evaluation import Alert, Scores, Verified
    from citytune.forecasting import Forecast, Outlook, TunedModel, Watch
    from citytune.frame import SensorFrame
    from citytune.watching import Alarm

By: TypeAlias = Literal["auto", "update", "refit"]


class Raised(NamedTuple):
    """An alert whose chance has reached its level."""

    sensor: str
    alert: str
    chance: float
    quality: str = "model"
    """What the forecast is: of a broken sensor the naive one, "fallback: …"."""


@dataclass(frozen=True, eq=False)
class Refreshed:
    """What came of a refresh."""

    changes: tuple[str, ...]
    """What changed in the source, a sentence each."""
    how: str
    """What became of the model, and why, in a sentence."""
    last: Verified | None
    """How the forecasts did whose values have been measured since; None if none were."""
    record: Verified | None
    """The same of all forecasts of the record."""
    model: TunedModel
    forecast: Forecast
    """By groups that of the sensors on the report's page; the folder `forecast` has all."""
    scores: Scores | None
    """Of the run's test period; what came since is in the record."""
    outlook: Outlook
    raised: tuple[Raised, ...]
    """Alerts whose chance on the next day has reached their level."""
    held: tuple[Raised, ...]
    """The same of sensors that are silent or stuck, which are not raised: nothing was measured."""
    alarms: tuple[Alarm, ...]
    """What of the last four weeks is not as it was: broken sensors, forecasts that fit no more."""
    bad: Mapping[str, str] = field(default_factory=dict)
    """By groups: file, or sensor, of the source that could not be used → why."""


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


class News(NamedTuple):
    """What a refresh begins with."""

    before: Before
    """Its frame reaches back to what the run has kept."""
    frame: SensorFrame
    """All of it in the terms of the model."""
    said: list[str]
    """What changed in the source."""
    from_kept: bool
    """Whether the source has the new rows alone."""


def news(before: Before, by: By) -> News:
    """What is new in a source, joined to what the run has kept.

    Raises:
        NothingNew: there is nothing.
        InputError: it is older, contradicts what was read, or does not hold what a refit needs.
    """
    from citytune.forecasting import admit

    if by not in get_args(By):
        raise UnknownName("way to refresh", by, get_args(By))
    with_kept = joined(before.model, before.frame, before.path)
    if with_kept.rows and by == "refit":
        raise InputError(
            f"{before.frame.source} begins at {before.frame.clock.text(0)}; a refit needs the "
            "whole history, so give a source that holds it, or let the model learn what is new"
        )
    before = before._replace(frame=with_kept.frame)
    frame = admit(before.model, before.frame, new="forecast untuned").whole
    known = last_readings(before.path)
    said = [] if known is None else _changes(frame, known, by)
    return News(before, frame, said + ([with_kept.said] if with_kept.rows else []),
                with_kept.rows > 0)  # fmt: skip


def decided(
    found: News,
    by: By,
    progress: Progress | None,
    alarms: Callable[[], Sequence[Alarm]] = tuple,
) -> Choice:
    """What is to become of the model; `alarms` gives those of the last four weeks, if known."""
    choice = _choice(found.before, "update" if found.from_kept else by, progress, alarms)
    if found.from_kept and by == "auto":
        why = "a refit, which needs the whole history, was not compared"
        choice = choice._replace(said=f"{choice.said.rstrip('.')}; {why}.")
    return choice


def refresh(before: Before, by: By, progress: Progress | None) -> Refreshed:
    """See `Run.refresh`; the run is locked."""
    from citytune.evaluation import verified
    from citytune.forecasting import outlook
    from citytune.watching import watch

    told = news(before, by)
    before, frame = told.before, told.frame
    record, fresh = filled_record(before.path, frame)
    limit_threads()
    whole = by == "refit"
    with aside(lambda _: watch(record, frame)) as seen:  # it looks at no forecast that is new
        choice = decided(told, by, progress, lambda: seen.result().alarms)
        result = (
            _again(before, frame, progress) if whole else _learnt(before, frame, choice, progress)
        )
    result = replace(result, served=served(result.served.own, frame, record, seen.result()))
    begin(progress, "Writing the report")
    more = functools.partial(_write, result, whole)
    made = {"compared": choice.until} if choice.until else {}
    renew(before.path, before.seal, result.model, result.served, frame, more, made)
    found = outlook(result.forecast)
    reached = reached_levels(found, result.forecast)
    return Refreshed(
        changes=tuple(told.said),
        how=choice.said,
        last=verified(fresh),
        record=verified(record),
        model=result.model,
        forecast=result.forecast,
        scores=result.scores,
        outlook=found,
        raised=tuple(one for one in reached if one.sensor not in found.dead),
        held=tuple(one for one in reached if one.sensor in found.dead),
        alarms=result.served.alarms,
    )


def _changes(frame: SensorFrame, known: pl.DataFrame, by: By) -> list[str]:
    """What is new; a refit that was asked for is done without anything new, too."""
    try:
        return changes(frame, known)
    except NothingNew as nothing:
        if by != "refit":
            raise
        return [str(nothing)]


def _write(result: JobResult, tested: bool, folder: Path) -> None:
    """The scores and the report; the test period, too, if it is another one."""
    if result.scores is not None and (tested or test_of(folder) is None):
        note_test(folder, result.scores)
    write_results(result, folder)


def _choice(
    before: Before, by: By, progress: Progress | None, alarms: Callable[[], Sequence[Alarm]]
) -> Choice:
    """What is to be done, as it was asked for, or as it is better on the newest days."""
    if by == "refit":
        until = str(before.frame.clock.moments(len(before.frame) - 1, 1)[0])
        return Choice(True, "The whole job was done again.", until)
    if by == "update":
        return Choice(False, f"{UPDATED}.")
    since = before.seal.made.get("compared")
    return choose(before.model, before.frame, before.path, since, alarms, progress)


def _learnt(
    before: Before, frame: SensorFrame, choice: Choice, progress: Progress | None
) -> JobResult:
    """The model with what is new, as was chosen, and its forecast.

    The test period stays that of the run. One that has none yet is scored on what is new to it.
    """
    started = time.perf_counter()
    scores = test_of(before.path) or _scores(before, progress)
    new = learnt_model(before, choice, progress)
    begin(progress, "Forecasting")
    learnt = time.perf_counter()
    forecast = new.forecast(before.frame)
    forecast = replace(forecast, alerts=_on(before.watches, before.model, forecast))
    ended = time.perf_counter()
    spent = {"read": 0.0, "features": 0.0, "fit": learnt - started, "forecast": ended - learnt}
    safe = Served(forecast, forecast, ())
    return JobResult(frame, new, safe, scores, None, spent | {"total": ended - started})


def learnt_model(before: Before, choice: Choice, progress: Progress | None) -> TunedModel:
    """The model with what is new, as was chosen."""
    if not choice.refit and choice.learnt is not None:
        return choice.learnt
    told = begin(progress, "Fitting" if choice.refit else "Learning from what is new")
    with said_by_forecast():
        if choice.refit:
            return refitted(before.model, before.frame, told, choice.past)
        return updated(before.model, before.frame, told)[1]


def _again(before: Before, frame: SensorFrame, progress: Progress | None) -> JobResult:
    """The whole job again, with the settings of the run, and in its unit, as its record is."""
    return work(frame, job_again(before), progress)


def job_again(before: Before) -> Job:
    """The job that made the run, with its alerts."""
    if "settings" not in before.seal.made:
        raise RunError(f"{before.path} does not remember its settings; tune anew")
    return Job(settings=settings_of(before.seal.made["settings"]), alerts=_alerts(before))


def _scores(before: Before, progress: Progress | None) -> Scores | None:
    from citytune.evaluation import backtest

    told = begin(progress, "Scoring")
    try:
        with said_by_forecast():
            asked = _alerts(before) or None
            return backtest(before.model, before.frame, refit=False, alerts=asked, progress=told)
    except InputError:
        return None


def _alerts(before: Before) -> tuple[Alert, ...]:
    return tuple(watch.alert for watch in before.watches)


def _on(watches: tuple[Watch, ...], model: TunedModel, forecast: Forecast) -> tuple[Watch, ...]:
    """The alerts of the model's sensors on those of a forecast."""
    return tuple(
        type(watch).of_kept(watch.kept(model.sensors), forecast.sensors) for watch in watches
    )


def reached_levels(found: Outlook, forecast: Forecast) -> tuple[Raised, ...]:
    """Every alert whose chance has reached its level; those that matter first."""
    where = {name: i for i, name in enumerate(forecast.sensors)}
    return tuple(
        Raised(
            row.sensor, watch.words(forecast.quantity, where[row.sensor]), chance,
            str(forecast.quality[0, where[row.sensor]]),
        )
        for row in found.rows
        for watch, chance in zip(forecast.alerts, row.chances, strict=True)
        if chance >= watch.alert.level
    )  # fmt: skip
