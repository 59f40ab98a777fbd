"""What each kind of job does, from its source to what counts in the database."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from citytune._errors import InputError, TableError
from citytune.runs import Job as Asked
from citytune.runs import Progress, begin, open_run, run_job
from citytune.serving._config import Configuration
from citytune.serving.database import (
    KEPT,
    PROMOTED,
    Database,
    Proposal,
    Run,
    Source,
    Version,
    forget_forecasts,
    note_action,
    put_forecast,
    table_of_readings,
)
from citytune.serving.jobs._facts import facts_of, finite
from citytune.serving.jobs._queue import LEASE, Leased, finish
from citytune.serving.jobs._recent import keep_recent
from citytune.serving.jobs._retune import broken_sensors, compared, first_fresh, result_text
from citytune.serving.jobs._served import whole_record
from citytune.serving.jobs._versions import (
    add_version,
    delete_folders,
    folder_of,
    let_go,
    path_of,
    promote,
)
from citytune.serving.jobs._watch import Finding, Seen, found_by_all, note_alarms
from citytune.serving.sources import frame_of, opened, with_all_pushed
from citytune.settings import Settings
from citytune.watching import safe_forecast

if TYPE_CHECKING:
    import polars as pl

    from citytune.forecasting import Forecast
    from citytune.frame import SensorFrame
    from citytune.runs import Run as Folder

BY_JOB = "job"
"""Who promoted a version, if no person did."""
PATIENCE = LEASE.total_seconds()
"""Seconds that a result waits for a database that does not answer."""


@dataclass(frozen=True)
class Task:
    """A job in the hands of a worker's process."""

    database: Database
    config: Configuration
    leased: Leased
    source: Source
    run: Run | None
    params: dict[str, Any]
    progress: Progress

    def frame(self) -> SensorFrame:
        """All readings by now."""
        begin(self.progress, "Reading")
        return frame_of(self.source, self.pushed(), self.config)

    def pushed(self) -> pl.DataFrame:
        """What was pushed."""
        with self.database.reading() as session:
            return table_of_readings(session, self.source.id)

    @property
    def its_run(self) -> Run:
        """The run; a job of a kind that needs one has it."""
        if self.run is None:
            raise InputError("the run was deleted")
        return self.run

    def promoted(self) -> tuple[Version, Path]:
        """The version that forecasts, and its folder."""
        with self.database.reading() as session:
            number = self.its_run.promoted_id
            version = session.get(Version, number) if number else None
        if version is None:
            raise InputError(f"run {self.its_run.name!r} has no version yet; tune it first")
        return version, path_of(self.config, version)


def check(task: Task) -> None:
    """How the source is understood, column by column, and every fault of it and of pushes."""
    begin(task.progress, "Reading")
    columns: list[dict[str, Any]] = []
    frame, pushed = None, task.pushed()
    with opened(task.source, pushed, task.config) as (given, reading):
        try:
            frame = with_all_pushed(task.source, reading.read(given), pushed)
            faults = list(frame.faults)
        except TableError:
            faults = reading.check(given)
        with suppress(TableError):
            columns = [asdict(one) for one in reading.explain(given).columns]
    found = {"usable": frame is not None, "columns": columns, "faults": [asdict(f) for f in faults]}
    result = found | (facts_of(frame) if frame is not None else {})
    task.database.write(
        lambda session: finish(session, task.leased, task.database.now(session), result), PATIENCE
    )


def tune(task: Task) -> None:
    """The whole job, as `citytune tune` does it: a new version of the run."""
    frame, run = task.frame(), task.its_run
    folder = folder_of(task.config, run.id, task.leased.job_id)
    asked = Asked(settings=Settings(**run.settings), alerts=tuple(run.alerts))
    made = run_job(frame, asked, folder, overwrite=True, progress=task.progress)
    first = run.promoted_id is None
    _keep(
        task, made, made.made_from.forecast, frame, "tune", bool(task.params.get("promote", first))
    )


def refresh(task: Task) -> None:
    """Monday's job: a new version that learnt from what is new, or was fitted anew."""
    frame, run = task.frame(), task.its_run
    _, before = task.promoted()
    folder = folder_of(task.config, run.id, task.leased.job_id)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(before, folder)
    made = open_run(folder)
    by = task.params.get("by", "auto")
    with _gone_on_failure(folder):
        found = made.refresh(frame, by=by, progress=task.progress)
    more = {"changes": list(found.changes), "how": found.how}
    wanted = bool(task.params.get("promote", by != "refit"))
    _keep(task, made, found.forecast, frame, "refresh", wanted, more)


def retune(task: Task) -> None:
    """Tune anew on all but the newest days, and promote it if it is better on those."""
    frame, run = task.frame(), task.its_run
    compared_with, before = task.promoted()
    settings = Settings(**run.settings)
    old = open_run(before).model
    first = first_fresh(frame, task.config.fresh_days, old.spec.horizon)
    folder = folder_of(task.config, run.id, task.leased.job_id)
    asked = Asked(settings=settings, alerts=tuple(run.alerts))
    run_job(frame.until(first), asked, folder, overwrite=True, progress=task.progress)
    begin(task.progress, "Comparing")
    made = open_run(folder)
    with _gone_on_failure(folder):
        found = compared(old, made.model, frame, first, broken_sensors(task.database, run.id))
        learnt = made.refresh(frame, by="update", progress=task.progress)

    def note(session: Session, version: Version, now: dt.datetime, promoted: bool) -> None:
        number = task.params.get("proposal")
        proposal = session.get(Proposal, number) if number else None
        if proposal is not None:
            proposal.state = PROMOTED if promoted else KEPT
            proposal.comparison, proposal.version_id = found, version.id
            proposal.ended_at, proposal.told_at = now, None
        what = "promote" if promoted else "do not promote"
        who = f"job {task.leased.job_id}"
        said = f"{what} version {version.number} of run {run.id}: {result_text(found)}"
        other = "; meanwhile another version was promoted" if found["better"] > promoted else ""
        note_action(session, now, who, said + other)

    _keep(
        task, made, learnt.forecast, frame, "retune", found["better"], {"compared": found}, note,
        instead_of=compared_with.id,
    )  # fmt: skip


def forecast(task: Task) -> None:
    """Forecast on from the newest readings with the version that is promoted."""
    frame = task.frame()
    version, folder = task.promoted()
    run = open_run(folder)
    begin(task.progress, "Forecasting")
    made = run.forecast(frame, safe=False)
    record = _record(task, run, frame)
    seen = Seen(frame, made, record)
    alarms, verification = found_by_all(seen), _verification(record)
    made = safe_forecast(made, frame, seen.watched)
    keep_recent(task.config, task.its_run.id, frame, made)

    def keep(session: Session) -> None:
        now = task.database.now(session)
        number = _issue(task, session, made, version.id)
        note_alarms(session, task.its_run.id, alarms, now)
        if verification is not None:
            known = update(Version).where(Version.id == version.id)
            session.execute(known.values(verification=verification))
        finish(session, task.leased, now, {"forecast": number, "version": version.id})

    task.database.write(keep, PATIENCE)


KINDS: dict[str, Callable[[Task], None]] = {
    "check": check,
    "forecast": forecast,
    "refresh": refresh,
    "retune": retune,
    "tune": tune,
}


@contextmanager
def _gone_on_failure(folder: Path) -> Iterator[None]:
    """A folder that no version will name does not stay."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _keep(
    task: Task,
    made: Folder,
    forecast: Forecast,
    frame: SensorFrame,
    by: str,
    wanted: bool,
    more: dict[str, Any] | None = None,
    note: Callable[[Session, Version, dt.datetime, bool], None] | None = None,
    instead_of: int | None = None,
) -> None:
    """Note a new version, and let it forecast if that is wanted; all of it or nothing.

    One that was found better than another does not forecast if a person has promoted a third.
    """
    record = made.record if by == "tune" else _record(task, made, frame)
    alarms: dict[str, list[Finding]] = {}
    if wanted:
        seen = Seen(frame, forecast, record)
        alarms, forecast = found_by_all(seen), safe_forecast(forecast, frame, seen.watched)
        keep_recent(task.config, task.its_run.id, frame, forecast)
    facts = {"scores": finite(made.scores), "verification": _verification(record)}

    def keep(session: Session) -> list[Path]:
        now = task.database.now(session)
        run = session.get(Run, task.its_run.id)
        if run is None:
            raise InputError("the run was deleted meanwhile")
        version = add_version(session, run, made.path, by, now, **facts)
        promoted = wanted and instead_of in (None, run.promoted_id)
        if promoted:
            promote(session, run, version, now, BY_JOB)
            who, what = f"job {task.leased.job_id}", f"version {version.number} of run {run.id}"
            note_action(session, now, who, f"{what} forecasts from now on (by {by})")
            _issue(task, session, forecast, version.id)
            note_alarms(session, run.id, alarms, now)
        if note is not None:
            note(session, version, now, promoted)
        gone = let_go(session, task.config, run)
        told = {"version": version.id, "number": version.number, "promoted": promoted}
        finish(session, task.leased, now, told | (more or {}))
        return gone

    delete_folders(task.database.write(keep, PATIENCE))


def _record(task: Task, run: Folder, frame: SensorFrame) -> pl.DataFrame:
    """The forecasts of a run and what came: those that made a version, and those served since."""
    with task.database.reading() as session:
        return whole_record(session, task.its_run.id, run, frame)


def _issue(task: Task, session: Session, made: Forecast, version_id: int) -> int:
    now, run = task.database.now(session), task.its_run.id
    number = put_forecast(session, made, run_id=run, version_id=version_id, now=now)
    forget_forecasts(session, run, now - dt.timedelta(days=task.config.forecast_days))
    return number


def _verification(record: pl.DataFrame) -> dict[str, Any] | None:
    """How earlier forecasts did, in all and by week."""
    from citytune.evaluation import by_week, verified

    found = verified(record)
    if found is None:
        return None
    weeks = {week: one.summary() for week, one in by_week(record).items()}
    return {"all": found.summary(), "weeks": weeks}
