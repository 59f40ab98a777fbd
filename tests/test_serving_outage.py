"""Promise: a full disk, a database that is away and a clock that jumps lose and halve nothing."""

from __future__ import annotations

import serving_parts  # noqa: F401 - skips all of this where the extra is not installed

# isort: split

import datetime as dt
import errno
from typing import Any

import pytest
import sqlalchemy as sa
import starlette.formparsers
from serving_parts import HOUR, T0, a_run, a_source, serving
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from citytune.serving._config import UPLOADS, Configuration
from citytune.serving.database import Database, Job, Reading, Run, Schedule, Source, Version
from citytune.serving.http._problems import outage_of
from citytune.serving.http.routes import _sources
from citytune.serving.jobs import _kinds, enqueue, next_time
from citytune.serving.jobs._queue import claim
from citytune.serving.jobs._schedules import enqueue_due, mend_schedules
from citytune.serving.jobs._worker import do

NO_SPACE = OSError(errno.ENOSPC, "No space left on device")
FILE = {"file": ("loops.csv", b"time,a\n2024-01-01,1\n")}


def raises(error: Exception) -> Any:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_readings_that_no_longer_fit_on_the_disk_are_refused_whole(
    database: Database, config: Configuration
) -> None:
    if not database.is_sqlite:
        pytest.skip("of PostgreSQL the error is tried below")
    source = a_source(database, reading={"timezone": "UTC"})

    @sa.event.listens_for(database.engine, "connect")
    def limited(connection: Any, _record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 3}")

    database.engine.dispose()
    many = [{"sensor": f"s{i}", "time": (T0 + k * HOUR).isoformat(), "value": 1.0}
            for i in range(50) for k in range(50)]  # fmt: skip
    with serving(database, config, needs_token=False) as served, served.client() as client:
        body = {"source": source, "readings": many}
        answer = client.post("/v1/readings", json=body)
        assert answer.status_code == 507, answer.text
        assert answer.json()["detail"].startswith("the disk of the server is full, so nothing")
        with database.reading() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(Reading)) == 0
        assert client.get("/v1/sources").status_code == 200
        sa.event.remove(database.engine, "connect", limited)
        database.engine.dispose()
        assert client.post("/v1/readings", json=body).json()["accepted"] == 2500


def test_an_upload_onto_a_full_disk_leaves_neither_a_file_nor_a_source(
    database: Database, config: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = _sources._save

    def full(*asked: Any) -> None:
        save(*asked)
        raise NO_SPACE

    with serving(database, config, needs_token=False) as served, served.client() as client:
        own = {"Origin": served.url, "Sec-Fetch-Site": "same-origin"}
        monkeypatch.setattr(_sources, "_save", full)
        answer = client.post("/v1/sources/upload", data={"name": "loops"}, files=FILE)
        assert (answer.status_code, answer.json()["status"]) == (507, 507)
        page = client.post("/sources/upload", data={"name": "loops"}, files=FILE, headers=own)
        assert page.status_code == 507
        assert "The disk of the server is full" in page.text
        monkeypatch.setattr(starlette.formparsers, "SpooledTemporaryFile", raises(NO_SPACE))
        answer = client.post("/v1/sources/upload", data={"name": "loops"}, files=FILE)
        assert answer.status_code == 507, answer.text
        assert client.get("/v1/sources").json()["items"] == []
    assert [*config.place(UPLOADS).iterdir()] == []


def test_a_job_whose_disk_is_full_says_so(
    database: Database, config: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing() as session:
        source = Source(name="a", kind="readings", reading={}, created_at=T0)
        session.add(source)
        session.flush()
        enqueue(session, "check", source.id, now=database.now(session))
    monkeypatch.setitem(_kinds.KINDS, "check", raises(NO_SPACE))
    leased = claim(database)
    assert leased is not None
    do(config, leased)
    with database.reading() as session:
        job = session.get_one(Job, leased.job_id)
        assert (job.state, job.error and job.error[:34]) == (
            "failed", "the disk of the server is full, so"
        )  # fmt: skip


def test_every_way_in_which_a_database_is_away_is_said_alike() -> None:
    postgres = pytest.importorskip("psycopg.errors", reason="psycopg is not installed")
    full = outage_of(OperationalError("", {}, postgres.DiskFull("could not extend file")))
    assert full is not None
    assert full.status == 507
    for one in (
        OperationalError("", {}, postgres.AdminShutdown("terminating")),
        InterfaceError("", {}, postgres.InterfaceError("connection already closed")),
        NoConnection("QueuePool limit"),
    ):
        found = outage_of(one)
        assert found is not None
        assert (found.status, found.headers) == (503, {"Retry-After": "2"})
    assert outage_of(OSError(errno.EACCES, "no")) is None


def test_a_clock_that_is_set_back_holds_up_no_job(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = a_source(database)
    with database.writing() as session:
        now = database.now(session)
        enqueue(session, "check", source, now=now, not_before=now + HOUR)  # meant so
    assert claim(database) is None
    monkeypatch.setattr(database, "now", lambda _: now - dt.timedelta(seconds=1))
    assert claim(database) is None  # a worker that asked the time just before
    monkeypatch.setattr(database, "now", lambda _: now - dt.timedelta(days=2))
    assert claim(database) is not None


def a_schedule(database: Database) -> dt.datetime:
    """At six every day, of a run that has a model; gives when it is due first."""
    run = a_run(database, a_source(database))
    with database.writing() as session:
        version = Version(run_id=run, number=1, folder="x", made_by="tune", created_at=T0)
        session.add(version)
        session.flush()
        session.get_one(Run, run).promoted_id = version.id
        begin = next_time("0 6 * * *", "UTC", T0)
        session.add(Schedule(run_id=run, kind="forecast", cron="0 6 * * *", timezone="UTC",
                             next_at=begin))  # fmt: skip
    return begin


def test_a_schedule_that_a_clock_ahead_has_moved_is_brought_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = a_schedule(database)
    monkeypatch.setattr(database, "now", lambda _: T0 + dt.timedelta(days=3650))
    assert enqueue_due(database) == 1
    monkeypatch.setattr(database, "now", lambda _: T0)
    assert (mend_schedules(database), mend_schedules(database)) == (1, 0)
    with database.reading() as session:
        assert session.scalars(sa.select(Schedule.next_at)).one() == begin


def test_a_schedule_that_comes_due_while_it_is_looked_at_is_kept_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = a_schedule(database)
    before, after = begin - dt.timedelta(seconds=1), begin + dt.timedelta(seconds=1)
    with monkeypatch.context() as at:
        at.setattr(database, "now", lambda _: after)
        assert enqueue_due(database) == 1
    moments = iter([before, after])  # another worker asked the time before, and reads it after
    with monkeypatch.context() as at:
        at.setattr(database, "now", lambda _: next(moments))
        assert mend_schedules(database) == 0
    monkeypatch.setattr(database, "now", lambda _: after)
    assert enqueue_due(database) == 0
