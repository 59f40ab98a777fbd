"""Versions of a run: which one forecasts, the way back, and which folders are kept."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from citytune._errors import InputError
from citytune.serving._config import RUNS, Configuration
from citytune.serving.database import Promotion, Run, Version


def folder_of(config: Configuration, run_id: int, job_id: int) -> Path:
    """Where a job writes its version; a second attempt writes the same one anew."""
    return config.place(RUNS, str(run_id), f"job-{job_id}")


def add_version(
    session: Session, run: Run, folder: Path, made_by: str, now: dt.datetime, **facts: Any
) -> Version:
    """Note a version that was made."""
    last = session.scalar(select(func.max(Version.number)).where(Version.run_id == run.id)) or 0
    version = Version(
        run_id=run.id, number=last + 1, folder=folder.name, made_by=made_by, created_at=now, **facts
    )
    session.add(version)
    session.flush()
    return version


def path_of(config: Configuration, version: Version) -> Path:
    """The run folder of a version.

    Raises:
        InputError: it was deleted to make room.
    """
    if not version.kept:
        raise InputError(
            f"version {version.number} was deleted, since only the last {config.keep} are kept"
        )
    return config.place(RUNS, str(version.run_id), version.folder)


def promote(
    session: Session, run: Run, version: Version, now: dt.datetime, by: str, *, back: bool = False
) -> None:
    """Let a version forecast from now on.

    Raises:
        InputError: it is another run's, or its folder was deleted.
    """
    if version.run_id != run.id or not version.kept:
        raise InputError(
            f"version {version.number} of run {run.name!r} cannot be promoted: its folder is gone"
            if version.run_id == run.id
            else f"version {version.id} is of another run than {run.name!r}"
        )
    run.promoted_id = version.id
    session.add(Promotion(run_id=run.id, version_id=version.id, at=now, by=by, back=back))
    session.flush()


def roll_back(session: Session, run: Run, now: dt.datetime, by: str) -> Version:
    """Let the version forecast that did before the present one.

    Raises:
        InputError: there is none.
    """
    before = way_back(session, run)
    if before is None:
        raise InputError(f"run {run.name!r} has no earlier version to go back to")
    promote(session, run, before, now, by, back=True)
    return before


def way_back(session: Session, run: Run) -> Version | None:
    """The version to go back to: promoted before the present one, and its folder kept.

    Whoever went back from a version does not come to it again by going back once more.
    """
    asked = select(Promotion.version_id, Promotion.back).where(Promotion.run_id == run.id)
    path: list[int] = []
    for number, back in session.execute(asked.order_by(Promotion.id)):
        while back and path and path[-1] != number:
            path.pop()
        if not path or path[-1] != number:
            path.append(number)
    kept = {one.id: one for one in _kept(session, run)}
    return next((kept[i] for i in reversed(path) if i in kept and i != run.promoted_id), None)


def superfluous(session: Session, run: Run, keep: int) -> list[Version]:
    """Versions to delete: all but the newest, the one that forecasts and the way back."""
    kept, before = _kept(session, run), way_back(session, run)
    safe = {one.id for one in kept[:keep]} | {run.promoted_id, before and before.id}
    return [one for one in kept if one.id not in safe]


def let_go(session: Session, config: Configuration, run: Run) -> list[Path]:
    """Mark superfluous versions as gone; gives the folders to delete once that is committed."""
    folders = []
    for version in superfluous(session, run, config.keep):
        folders.append(path_of(config, version))
        version.kept = False
    return folders


def delete_folders(folders: list[Path]) -> None:
    """Delete what nobody refers to any more."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _kept(session: Session, run: Run) -> Sequence[Version]:
    """Versions whose folder is there, the newest first."""
    asked = select(Version).where(Version.run_id == run.id, Version.kept.is_(True))
    found: Sequence[Version] = session.scalars(asked.order_by(Version.number.desc())).all()
    return found
