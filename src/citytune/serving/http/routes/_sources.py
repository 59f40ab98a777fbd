"""`/v1/sources`: where readings come from, and how they are understood."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Response, UploadFile
from sqlalchemy import select
from sqlalchemy.orm import Session

from citytune._errors import InputError
from citytune.serving._config import UPLOADS, Configuration
from citytune.serving.database import DONE, Database, Job, Run, Source, newest_reading
from citytune.serving.http import _fields as fields
from citytune.serving.http import _pages as pages
from citytune.serving.http import _shapes as shapes
from citytune.serving.http._access import READS, WRITES, Config, Data, Number, may
from citytune.serving.http._problems import Problem
from citytune.serving.jobs import enqueue
from citytune.serving.sources import check_source, reading_of
from citytune.serving.sources._check import refuse_foreign_database

router = APIRouter(prefix="/v1/sources", tags=["sources"])


@router.post("", status_code=201, dependencies=may(WRITES))
def add_source(
    asked: shapes.SourceIn, data: Data, config: Config, response: Response
) -> shapes.SourceOut:
    """Name a source; a job checks it at once, unless it is to be pushed."""
    _refuse_limited(data)
    reading_of(asked.reading)
    check_source(asked.kind, asked.place, asked.query, config)
    facts = {"kind": asked.kind, "place": asked.place, "query": asked.query,
             "policy": asked.policy}  # fmt: skip
    return _added(data, response, asked.name, asked.reading, facts)


@router.post("/upload", status_code=201, dependencies=may(WRITES))
def upload(
    data: Data,
    config: Config,
    response: Response,
    file: Annotated[UploadFile, File(description="CSV, Parquet, Excel, JSON, zip and more.")],
    name: Annotated[fields.Name, Form()],
    reading: Annotated[
        str, Form(max_length=20_000, description="Options of `read`, as JSON.")
    ] = "{}",
) -> shapes.SourceOut:
    """Upload a file as a source; a job checks it at once."""
    _refuse_limited(data)
    options = _options(reading)
    reading_of(options)
    _refuse_taken(data, name)
    path = config.place(UPLOADS, secrets.token_hex(12))
    try:
        _save(file, path, config)
        refuse_foreign_database(path)
        return _added(data, response, name, options, {"kind": "upload", "place": path.name})
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@router.get("", dependencies=may(READS))
def list_sources(
    data: Data, limit: pages.Limit = 100, cursor: pages.Cursor = None
) -> fields.Page[shapes.SourceOut]:
    """All sources, the newest first."""
    with data.reading() as session:
        found = pages.newest_first(session, select(Source), Source, pages.source, limit, cursor)
    return fields.Page[shapes.SourceOut](**found)


@router.get("/{number}", dependencies=may(READS))
def get_source(number: Number, data: Data) -> shapes.SourceOut:
    """One source."""
    with data.reading() as session:
        return pages.source(pages.the(session, Source, number, "source"))


@router.patch("/{number}", dependencies=may(WRITES))
def change_source(number: Number, asked: shapes.SourceChange, data: Data) -> shapes.SourceOut:
    """Correct how a source is read, which a job checks anew; or its policy."""
    if asked.reading is not None:
        reading_of(asked.reading)
    with data.writing() as session:
        source = pages.the(session, Source, number, "source")
        if "policy" in asked.model_fields_set:
            source.policy = asked.policy
        if asked.reading is None:
            return pages.source(source)
        _refuse_other_zone(session, source, asked.reading)
        source.reading = asked.reading
        return pages.source(source, _check(session, source, data))


@router.delete("/{number}", status_code=204, dependencies=may(WRITES))
def delete_source(number: Number, data: Data, config: Config) -> None:
    """Delete a source with what was pushed to it; runs of it are deleted before."""
    with data.writing() as session:
        source = pages.the(session, Source, number, "source")
        runs = session.scalars(select(Run.name).where(Run.source_id == number)).all()
        if runs:
            raise Problem(409, f"runs are made from it: {', '.join(runs[:5])}; delete them first")
        place = source.place if source.kind == "upload" else None
        session.delete(source)
    if place is not None:
        config.place(UPLOADS, Path(place).name).unlink(missing_ok=True)


@router.post("/{number}/checks", status_code=202, dependencies=may(WRITES))
def check(number: Number, data: Data) -> shapes.JobOut:
    """Check a source again."""
    with data.writing() as session:
        source = pages.the(session, Source, number, "source")
        found = _check(session, source, data)
        return pages.job(pages.the(session, Job, found, "job"))


@router.get("/{number}/check", dependencies=may(READS))
def last_check(number: Number, data: Data) -> dict[str, Any]:
    """What the last check found: `usable`, `columns` with their roles, `faults`, and facts."""
    with data.reading() as session:
        pages.the(session, Source, number, "source")
        found = result_of_check(session, number)
    if found is None:
        raise Problem(404, "it has not been checked yet; wait for its job, or ask for a check")
    return found


def result_of_check(session: Session, source_id: int) -> dict[str, Any] | None:
    """The result of the last check of a source that was done."""
    asked = select(Job.result).where(
        Job.source_id == source_id, Job.kind == "check", Job.state == DONE
    )
    found: dict[str, Any] | None = session.scalars(asked.order_by(Job.id.desc()).limit(1)).first()
    return found


def _added(
    data: Database, response: Response, name: str, reading: dict[str, Any], facts: dict[str, Any]
) -> shapes.SourceOut:
    _refuse_taken(data, name)
    with data.writing() as session:
        source = Source(name=name, reading=reading, created_at=data.now(session), **facts)
        session.add(source)
        session.flush()
        job = _check(session, source, data) if source.kind != "readings" else None
        response.headers["Location"] = f"/v1/sources/{source.id}"
        return pages.source(source, job)


def _check(session: Session, source: Source, data: Database) -> int:
    return int(enqueue(session, "check", source.id, now=data.now(session), once=True).id)


def _refuse_limited(data: Database) -> None:
    """A token that sees some sources would not see the new one."""
    if data.sources is not None:
        raise Problem(403, "this token is limited to some sources, so it may not add another")


def _refuse_taken(data: Database, name: str) -> None:
    with data.reading() as session:
        if session.scalars(select(Source.id).where(Source.name == name)).first() is not None:
            raise Problem(409, f"a source called {name!r} is already there; choose another name")


def _refuse_other_zone(session: Session, source: Source, reading: dict[str, Any]) -> None:
    """Moments of what was pushed are kept by the zone that was said then."""
    same = source.reading.get("timezone") == reading.get("timezone")
    if not same and newest_reading(session, source.id) is not None:
        raise Problem(409, "readings were pushed by its present time zone; make a new source")


def _options(text: str) -> dict[str, Any]:
    try:
        found = shapes.SourceChange.model_validate_json(f'{{"reading": {text}}}').reading
    except ValueError:
        found = None
    if found is None:
        raise InputError(
            'reading is an object in JSON, such as {"target": "flow"}, with options of `read`'
        )
    return found


def _save(file: UploadFile, path: Path, config: Configuration) -> None:
    left = config.upload_mb * 1_000_000
    with path.open("xb") as out:
        while part := file.file.read(1 << 20):
            left -= len(part)
            if left < 0:
                raise Problem(413, f"a file of more than {config.upload_mb} MB is not taken")
            out.write(part)
