"""The whole job by groups of sensors: fitted once on all, read, scored and forecast by groups."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from citytune.engines import Engine, How, opened
from citytune.runs._folder import MODEL, REPORT, SCORES, Seal, sums_of
from citytune.runs._job import (
    Job,
    JobResult,
    Stopwatch,
    alerts_on,
    limit_threads,
    refit_on,
    rows_before_test,
    score_trial,
    seconds_of,
)
from citytune.runs._made import kept_settings, place_of, watches_of
from citytune.runs._progress import Progress, begin
from citytune.runs._record import note_test
from citytune.runs._safe import MOST_ALARMS, served
from citytune.runs._write import NOTHING, summary
from citytune.runs.groups._forecast import Written
from citytune.runs.groups._keep import Kept, Layout, keep_groups
from citytune.runs.groups._score import score_groups
from citytune.runs.groups._source import grouped, said_of_bad

if TYPE_CHECKING:
    from citytune.advice import Recommendation
    from citytune.evaluation import GroupScores, Scores
    from citytune.forecasting import TunedModel
    from citytune.frame import SensorFrame

SCORED = 2000
"""Most sensors that are scored, evenly spread: each is forecast some thirty times for it."""
SHOWN = 24
"""Most sensors on the report's page, evenly spread."""


@dataclass(frozen=True, eq=False)
class GroupResult:
    """What came of a job by groups."""

    shown: JobResult
    """Of the sensors that the report shows."""
    written: Written
    scores: GroupScores | None
    """Of at most 2,000 sensors, evenly spread."""


class Fit(NamedTuple):
    """A model of all sensors, and how well the same choice did in the test period."""

    trial: TunedModel
    """Of the rows before the test period."""
    model: TunedModel
    """Of all rows."""
    advice: Recommendation | None
    scores: GroupScores | None
    note: str
    """Why there are no scores."""


def work_by_groups(
    source: object,
    job: Job,
    how: How,
    folder: Path,
    *,
    name: str,
    progress: Progress | None = None,
) -> GroupResult:
    """The whole job, written into an empty folder; the run is to be called `name`."""
    watch = Stopwatch()
    job.check()
    with opened(how.engine) as engine:
        laid = grouped(source, job.reading, engine, how.group, progress)
        frame = laid.whole(engine, progress)
        watch.lap("read")
        if laid.bad:
            warnings.warn(said_of_bad(laid.bad), UserWarning, stacklevel=2)
        alerts_on(frame, job.alerts)
        limit_threads()
        fit = fitted(frame, job, engine, how.group, progress, watch)
        made = made_of(source, job, frame, how.group)
        layout = Layout(folder, how.group, made, name)
        few = some(frame, SHOWN)
        kept = keep_groups(fit.model, frame, engine, layout, few.sensors, progress)
        watch.lap("forecast")
    begin(progress, "Writing the report")
    scores, why = score_trial(
        fit.trial.part(few.sensors), few, alerts_on(few, job.alerts), progress
    )
    seconds = seconds_of(fit.model, watch)
    shown = shown_of(fit.model, few, layout, kept, scores, seconds, fit.note or why)
    shown = replace(shown, advice=fit.advice)
    write_groups(layout, fit.model, shown, kept, facts_of(fit.scores))
    Seal(job.reading.kept(few), sums_of(folder), made).write(folder)
    return GroupResult(shown, kept.written(fit.model, frame.clock.freq, laid.bad), fit.scores)


def fitted(
    frame: SensorFrame,
    job: Job,
    engine: Engine,
    group: int,
    progress: Progress | None,
    watch: Stopwatch,
) -> Fit:
    """The model of the rows before the test period, scored by groups, and the same of all rows."""
    from citytune.advice import choose_with
    from citytune.forecasting import check_known_ahead, learn_copula

    horizon = job.settings.on(frame).steps
    check_known_ahead(frame, horizon, frame.covariates)
    before = rows_before_test(frame, horizon)
    tell = begin(progress, "Fitting")
    trial, advice = choose_with(frame.until(before), job.settings, tell, engine)
    model = trial if before == len(frame) else refit_on(trial, frame, progress)
    watch.lap("fit")
    scores, note = _scores(trial, frame, engine, group, progress)
    if len(frame.sensors) <= SCORED:
        errors = learn_copula(trial, frame.until(before))
        later = None if scores is None else scores.totals.copula
        model = replace(model, copula=errors if errors is None or later is None
                        else errors.then(later))  # fmt: skip
    watch.lap("score")
    return Fit(trial, model, advice, scores, note)


def _scores(
    trial: TunedModel, frame: SensorFrame, engine: Engine, group: int, progress: Progress | None
) -> tuple[GroupScores | None, str]:
    if frame.clock.index(trial.trained_until) + 1 >= len(frame):
        return None, "too short to hold anything out, so nothing was scored"
    few = some(frame, SCORED)
    size = max(1, min(group, -(-len(few.sensors) * group // len(frame.sensors))))
    whole = len(few.sensors) == len(frame.sensors)
    scores = score_groups(trial, few, engine, size, copula=whole, progress=progress)
    if whole:
        return scores, ""
    said = f"scored on {len(few.sensors):,} of {len(frame.sensors):,} sensors, evenly spread"
    return replace(scores, notes=(said, *scores.notes)), ""


def some(frame: SensorFrame, most: int) -> SensorFrame:
    """So many of its sensors, evenly spread."""
    from citytune.windows import evenly

    if len(frame.sensors) <= most:
        return frame
    return frame.select([frame.sensors[i] for i in evenly(len(frame.sensors), most).tolist()])


def made_of(source: object, job: Job, frame: SensorFrame, group: int) -> dict[str, Any]:
    """How the run is made, as JSON; see `kept_of`."""
    from citytune.forecasting import Watch

    wanted = alerts_on(frame, job.alerts) or ()
    alerts = [Watch.of(one, frame.sensors, frame).kept(frame.sensors) for one in wanted]
    return {
        "source": place_of(source),
        "settings": kept_settings(job.settings),
        "alerts": alerts,
        "asked": [str(alert) for alert in job.alerts],
        "compared": str(frame.clock.moments(len(frame) - 1, 1)[0]),
        "groups": {"group": group},
    }


def shown_of(
    model: TunedModel,
    few: SensorFrame,
    layout: Layout,
    kept: Kept,
    scores: Scores | None,
    seconds: dict[str, float],
    note: str = "",
) -> JobResult:
    """What the report shows: some sensors, with the scores and forecasts of theirs."""
    part = model.part(few.sensors)
    forecast = part.forecast(few)
    forecast = replace(forecast, alerts=watches_of(layout.made, forecast.sensors))
    own = served(forecast, few, kept.shown)
    return JobResult(few, part, own, scores, None, seconds, note)


def facts_of(scores: GroupScores | None) -> dict[str, Any]:
    """What scores.json holds of the scores of all groups."""
    found = NOTHING if scores is None else scores.summary()
    return found | {"scored": 0 if scores is None else scores.sensors}


def write_groups(
    layout: Layout,
    model: TunedModel,
    shown: JobResult,
    kept: Kept,
    scored: dict[str, Any],
) -> None:
    """Write the model, the scores and the report of a run whose groups are written."""
    from citytune.evaluation import tally_summary
    from citytune.reporting import Report

    folder = layout.folder
    model.save(folder / MODEL)
    if shown.scores is not None:
        note_test(folder, shown.scores)
    count = len(kept.outlook.rows)
    came = tally_summary(kept.record, kept.weeks)
    facts = summary(shown) | {"sensors": count} | scored | ({"record": came} if came else {})
    text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / SCORES).write_text(f"{text}\n", encoding="utf-8")
    few = f"shown are {len(shown.frame.sensors)} of {count:,} sensors, evenly spread"
    said = (few,) if len(shown.frame.sensors) < count else ()
    unusual = tuple(f"{one.sentence}. {one.advice}" for one in kept.alarms[:MOST_ALARMS])
    page = Report(shown.frame, shown.model, shown.scores, shown.forecast, advice=shown.advice,
                  record=kept.shown, unusual=(*said, *unusual))  # fmt: skip
    page.write(folder / REPORT)
