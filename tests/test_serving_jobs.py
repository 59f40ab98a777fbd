"""Promise: a job survives its worker, is never done twice at once, and says what came of it."""

from __future__ import annotations

import serving_parts  # noqa: F401 - skips all of this where the extra is not installed

# isort: split

import datetime as dt
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from filelock import FileLock
from serving_parts import (
    HOUR,
    OF_CITY,
    T0,
    City,
    a_run,
    a_source,
    readings_of,
)
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from citytune import InputError
from citytune.serving._config import UPLOADS, Configuration
from citytune.serving.database import (
    Alarm,
    Database,
    Job,
    JobLine,
    Pushed,
    Run,
    Schedule,
    Version,
    newest_forecast,
    put_readings,
    table_of_forecast,
)
from citytune.serving.jobs import (
    Finding,
    _kinds,
    _queue,
    _watch,
    _worker,
    cancel,
    enqueue,
    import_watches,
    path_of,
    promote,
    roll_back,
    work,
)
from citytune.serving.jobs._queue import Leased, LeaseLost, beat, claim, fail, finish, tell
from citytune.serving.jobs._schedules import after_quiet, check_schedule, enqueue_due, next_time
from citytune.serving.jobs._versions import (
    add_version,
    delete_folders,
    folder_of,
    let_go,
    superfluous,
)
from citytune.serving.jobs._watch import note_alarms
from citytune.serving.jobs._worker import do

pytestmark = pytest.mark.usefixtures("plain_report")


def wait_for(
    database: Database, kind: str, source: int, run: int | None = None, **more: Any
) -> int:
    with database.writing() as session:
        now = database.now(session)
        return int(enqueue(session, kind, source, run_id=run, now=now, **more).id)


def the_job(database: Database, number: int) -> Job:
    with database.reading() as session:
        found = session.get(Job, number)
        assert found is not None
        return found


def let_expire(database: Database, leased: Leased) -> None:
    with database.writing() as session:
        session.execute(update(Job).where(Job.id == leased.job_id).values(lease_until=T0))


def done(database: Database, config: Configuration, kind: str, source: int, run: int | None = None,
         **params: Any) -> Job:  # fmt: skip
    """Do a job in this process."""
    wait_for(database, kind, source, run, **params)
    leased = claim(database)
    assert leased is not None
    do(config, leased)
    return the_job(database, leased.job_id)


def test_a_job_done_in_a_process_that_is_no_worker_makes_way_for_nobody(
    database: Database, config: Configuration
) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    done(database, config, "check", a_source(database))
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_jobs_of_a_source_are_done_one_after_the_other(database: Database) -> None:
    one, other = a_source(database), a_source(database, "other")
    first, second, third = (wait_for(database, "check", s) for s in (one, one, other))
    taken = claim(database)
    assert taken is not None
    assert taken.job_id == first
    also = claim(database)
    assert also is not None
    assert also.job_id == third
    assert claim(database) is None
    with database.writing() as session:
        finish(session, taken, T0, {"a": 1})
    after = claim(database)
    assert after is not None
    assert after.job_id == second


def test_a_job_whose_worker_died_is_done_by_another_and_the_dead_one_counts_no_more(
    database: Database,
) -> None:
    number = wait_for(database, "check", a_source(database))
    dead = claim(database)
    assert dead is not None
    assert beat(database, dead)
    let_expire(database, dead)
    heir = claim(database)
    assert heir is not None
    assert heir.job_id == number
    assert heir.lease != dead.lease
    assert not beat(database, dead)
    tell(database, dead, "Reading", 0.5)
    fail(database, dead, "the dead speak")
    with pytest.raises(LeaseLost), database.writing() as session:
        finish(session, dead, T0, {"by": "dead"})
    with database.writing() as session:
        finish(session, heir, T0, {"by": "heir"})
    job = the_job(database, number)
    assert (job.state, job.result, job.attempts) == ("done", {"by": "heir"}, 2)


def test_a_job_that_kills_every_worker_is_given_up(database: Database) -> None:
    number = wait_for(database, "check", a_source(database))
    for _ in range(3):
        leased = claim(database)
        assert leased is not None
        let_expire(database, leased)
    assert claim(database) is None
    job = the_job(database, number)
    assert job.state == "failed"
    assert "no sign of life" in str(job.error)


def test_a_job_can_be_stopped_before_it_begins_and_while_it_runs(database: Database) -> None:
    source = a_source(database)
    first = wait_for(database, "check", source)
    second = wait_for(database, "check", source)
    with database.writing() as session:
        cancel(session, session.get(Job, first), T0)
    assert the_job(database, first).state == "cancelled"
    leased = claim(database)
    assert leased is not None
    with database.writing() as session:
        cancel(session, session.get(Job, second), T0)
    assert not beat(database, leased)
    fail(database, leased, "stopped", again=True)
    assert the_job(database, second).state == "cancelled"
    with database.reading() as session, pytest.raises(InputError, match="has ended"):
        cancel(session, session.get(Job, second), T0)


def test_many_workers_at_once_do_each_job_once_and_one_of_a_source_at_a_time(
    database: Database,
) -> None:
    sources = [a_source(database, f"s{i}") for i in range(3)]
    numbers = [wait_for(database, "check", source) for source in sources * 4]
    running: set[int] = set()
    finished: list[int] = []
    clashes: list[int] = []
    guard = threading.Lock()

    def worker() -> None:
        until = time.monotonic() + 60
        while len(finished) < len(numbers) and time.monotonic() < until:
            leased = claim(database)
            if leased is None:
                time.sleep(0.01)
                continue
            with guard:
                clashes.extend([leased.source_id] if leased.source_id in running else [])
                running.add(leased.source_id)
            time.sleep(0.005)
            with guard:
                running.discard(leased.source_id)
                finished.append(leased.job_id)
            with database.writing() as session:
                finish(session, leased, T0, {})

    threads = [threading.Thread(target=worker) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(finished) == sorted(numbers)
    assert not clashes


def test_from_pushed_readings_to_a_forecast_a_refresh_and_back(
    database: Database, config: Configuration, city: City
) -> None:
    frame = city(2, 30, gaps=0.0)
    source = a_source(database, **OF_CITY)
    run = a_run(database, source)
    with database.writing() as session:
        put_readings(session, source, readings_of(frame, until=24 * 26))

    found = done(database, config, "check", source)
    assert found.state == "done", found.error
    assert found.result["usable"]
    assert found.result["sensors"] == ["s0", "s1"]
    assert {one["role"] for one in found.result["columns"]} == {"time", "sensor", "reading"}

    tuned = done(database, config, "tune", source, run)
    assert tuned.state == "done", tuned.error
    assert tuned.result["promoted"]

    with database.writing() as session:
        put_readings(session, source, readings_of(frame, 24 * 26, 24 * 28))
    after = done(database, config, "forecast", source, run)
    assert after.state == "done", after.error
    with database.reading() as session:
        issue = newest_forecast(session, run)
        assert issue is not None
        assert issue.issued_at == frame.clock.moments(24 * 28, 1)[0].item().replace(tzinfo=dt.UTC)
        table = table_of_forecast(session, issue.id)
        assert table.height == 48
        assert issue.facts["timezone"] == "Europe/Oslo"

    renewed = done(database, config, "refresh", source, run)
    assert renewed.state == "done", renewed.error
    with database.writing() as session:
        versions = session.scalars(select(Version).order_by(Version.number)).all()
        assert [one.made_by for one in versions] == ["tune", "refresh"]
        assert versions[1].verification["all"]["values"] > 0
        assert json.dumps(versions[1].scores, allow_nan=False)
        its = session.get(Run, run)
        assert its.promoted_id == versions[1].id
        assert roll_back(session, its, T0, "me").id == versions[0].id
        promote(session, its, versions[1], T0, "me")
        assert path_of(config, versions[0]).is_dir()

    again = done(database, config, "refresh", source, run)
    assert again.state == "failed"
    assert "has no rows after" in str(again.error)


def test_a_check_of_a_file_tells_what_was_wrong_with_pushed_values(
    database: Database, config: Configuration, city: City
) -> None:
    frame = city(2, 5, gaps=0.0)
    table = pl.DataFrame({"time": frame.clock.local(0, 96), "s0": frame.values[:96, 0]})
    table.write_csv(config.place(UPLOADS, "loops.csv"))
    source = a_source(database, kind="upload", place="loops.csv", **OF_CITY)
    at = frame.clock.moments(0, 120).tolist()
    with database.writing() as session:
        rows = [("s0", 96, 5.0), ("s0", 97, -4.0), ("s1", 98, -999.0), ("s1", 99, 3.0)]
        put_readings(
            session, source, [Pushed(n, at[i].replace(tzinfo=dt.UTC), v) for n, i, v in rows]
        )
    found = done(database, config, "check", source).result
    assert found["sensors"] == ["s0", "s1"]
    assert found["steps"] == 100
    told = [(one["kind"], one["sensor"], one["severity"]) for one in found["faults"]]
    assert told[-2:] == [("negative", "s0", "warning"), ("sentinel", "s1", "warning")]
    assert found["faults"][-1]["first"] == frame.clock.text(98)


def test_a_sensor_that_stuck_raises_an_alarm_and_is_served_the_naive_forecast(
    database: Database, config: Configuration, city: City
) -> None:
    frame = city(2, 70, gaps=0.0)
    frame.values[-24 * 10 :, 0] = frame.values[-24 * 10 - 1, 0]
    source = a_source(database, **OF_CITY)
    run = a_run(database, source)
    with database.writing() as session:
        put_readings(session, source, readings_of(frame))
    for kind in ("tune", "forecast"):
        made = done(database, config, kind, source, run)
        assert made.state == "done", made.error
        with database.reading() as session:
            alarms = session.scalars(select(Alarm).where(Alarm.watch == "watching")).all()
            assert [(one.kind, one.sensor) for one in alarms] == [
                ("silent", "s0")
            ]  # stuck values are missing
            issue = newest_forecast(session, run)
            assert issue is not None
            table = table_of_forecast(session, issue.id)
        by_sensor = {name: part for (name,), part in table.group_by("sensor")}
        assert by_sensor["s0"]["quality"].str.starts_with("fallback: ").all()
        assert not by_sensor["s1"]["quality"].str.starts_with("fallback: ").any()


def test_forecasts_that_were_served_are_verified_though_no_version_is_made(
    database: Database, config: Configuration, city: City
) -> None:
    frame = city(2, 30, gaps=0.0)
    source = a_source(database, **OF_CITY)
    run = a_run(database, source)
    until = 0
    for kind, hour in (("tune", 24 * 26), ("forecast", 24 * 27), ("forecast", 24 * 27 + 12),
                       ("forecast", 24 * 29)):  # fmt: skip
        with database.writing() as session:
            put_readings(session, source, readings_of(frame, until, hour))
        until = hour
        job = done(database, config, kind, source, run)
        assert job.state == "done", job.error
    with database.reading() as session:
        found = session.scalars(select(Version)).one().verification
    # The first one, and the last one of those that overlap; the newest has not begun.
    hours = np.r_[24 * 26 : 24 * 27, 24 * 27 + 12 : 24 * 28 + 12]
    assert found["all"]["values"] == 2 * len(hours)
    naive = np.abs(frame.values[hours] - frame.values[hours - 24]).mean()
    assert found["all"]["naive"] == pytest.approx(naive, rel=1e-4)
    assert sum(week["values"] for week in found["weeks"].values()) == 2 * len(hours)
    assert [*found["all"]["alerts"]] == ["p_top_5"]


def test_the_way_back_is_to_what_was_promoted_before_and_is_never_deleted(
    database: Database, config: Configuration
) -> None:
    run = a_run(database, a_source(database))
    with database.writing() as session:
        its = session.get(Run, run)
        made = [add_version(session, its, folder_of(config, run, i), "tune", T0) for i in range(6)]
        for i in (0, 4, 1):
            promote(session, its, made[i], T0, "me")
        assert {one.number for one in superfluous(session, its, 1)} == {1, 3, 4}
        assert roll_back(session, its, T0, "me") is made[4]
        assert roll_back(session, its, T0, "me") is made[0]
        with pytest.raises(InputError, match="no earlier version"):
            roll_back(session, its, T0, "me")
        promote(session, its, made[5], T0, "me")
        assert {one.number for one in superfluous(session, its, 1)} == {2, 3, 4, 5}
        assert roll_back(session, its, T0, "me") is made[0]


def test_old_versions_are_deleted_but_never_the_one_that_forecasts_nor_the_way_back(
    database: Database, config: Configuration
) -> None:
    run = a_run(database, a_source(database))
    for i in range(5):
        folder = folder_of(config, run, i)
        folder.mkdir(parents=True)
        with database.writing() as session:
            its = session.get(Run, run)
            version = add_version(session, its, folder, "tune", T0)
            if i == 0:
                promote(session, its, version, T0, "me")
            gone = let_go(session, config, its)
        delete_folders(gone)
    with database.reading() as session:
        versions = session.scalars(select(Version).order_by(Version.number)).all()
        assert [one.kept for one in versions] == [True, False, False, True, True]
        assert session.get(Run, run).promoted_id == versions[0].id
        assert path_of(config, versions[0]).is_dir()
        with pytest.raises(InputError, match="only the last 2 are kept"):
            path_of(config, versions[1])
    assert len(list((config.folder / "runs" / str(run)).iterdir())) == 3


def test_what_cannot_be_done_says_why_in_a_sentence(
    database: Database, config: Configuration
) -> None:
    source = a_source(database)
    run = a_run(database, source)
    for kind, why in (("check", "nothing has been pushed"), ("forecast", "nothing has been"),
                      ("tune", "nothing has been")):  # fmt: skip
        job = done(database, config, kind, source, run)
        assert job.state == "failed"
        assert why in str(job.error)


def test_a_schedule_names_the_next_time_in_its_own_zone() -> None:
    spring = dt.datetime(2024, 3, 30, 12, tzinfo=dt.UTC)
    assert next_time("30 6 * * *", "Europe/Oslo", spring) == dt.datetime(
        2024, 3, 31, 4, 30, tzinfo=dt.UTC
    )
    assert next_time("0 0 1 1 *", "UTC", spring) == dt.datetime(2025, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("kind", "cron", "zone", "quiet"),
    [
        ("forecast", "0 0 30 2 *", "UTC", None),
        ("forecast", "* * * * * *", "UTC", None),
        ("forecast", "61 * * * *", "UTC", None),
        ("forecast", "nonsense", "UTC", None),
        ("forecast", "0 6 * * *", "Europe/Nowhere", None),
        ("forecast", "0 6 * * *", "../../etc/passwd", None),
        ("forecast", "0 6 * * *", "UTC", "25:00-06:00"),
        ("delete", "0 6 * * *", "UTC", None),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused(
    kind: str, cron: str, zone: str, quiet: str | None
) -> None:
    with pytest.raises(InputError):
        check_schedule(kind, cron, zone, quiet)


def test_nothing_begins_in_quiet_hours() -> None:
    late = dt.datetime(2024, 1, 1, 23, tzinfo=dt.UTC)
    morning = dt.datetime(2024, 1, 2, 6, tzinfo=dt.UTC)
    assert after_quiet(late, "22:00-06:00", "UTC") == morning
    assert after_quiet(late + 6 * HOUR, "22:00-06:00", "UTC") == morning
    assert after_quiet(morning, "22:00-06:00", "UTC") == morning
    assert after_quiet(late, "08:00-10:00", "UTC") == late


def test_a_schedule_that_is_due_lets_one_job_wait_however_many_workers_look(
    database: Database,
) -> None:
    source = a_source(database)
    run = a_run(database, source)
    with database.writing() as session:
        session.get(Run, run).promoted_id = 1
        session.add(Schedule(run_id=run, kind="forecast", cron="0 6 * * *", timezone="UTC",
                             next_at=T0))  # fmt: skip
    assert enqueue_due(database) == 1
    assert enqueue_due(database) == 0
    with database.reading() as session:
        assert len(session.scalars(select(Job)).all()) == 1
        assert session.scalars(select(Schedule)).one().next_at > dt.datetime.now(dt.UTC)


def test_a_full_queue_stops_neither_schedules_nor_workers(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = a_source(database)
    run = a_run(database, source)
    waiting = wait_for(database, "check", source)
    with database.writing() as session:
        session.get(Run, run).promoted_id = 1
        session.add(Schedule(run_id=run, kind="forecast", cron="0 6 * * *", timezone="UTC",
                             next_at=T0))  # fmt: skip
        session.add(Schedule(run_id=run, kind="forecast", cron="0 6 * * *", timezone="Mars/Base",
                             next_at=T0))  # fmt: skip
    monkeypatch.setattr(_queue, "MOST_WAITING", 1)
    with pytest.raises(InputError, match="are waiting already"):
        wait_for(database, "tune", source, run)
    leased = _worker._next(database)
    assert leased is not None
    assert leased.job_id == waiting
    with database.reading() as session:
        moments = session.scalars(select(Schedule.next_at)).all()
    assert all(one > dt.datetime.now(dt.UTC) for one in moments)


def test_a_job_that_waits_begins_at_the_earlier_of_two_moments(database: Database) -> None:
    source = a_source(database)
    morning = wait_for(database, "forecast", source, not_before=T0 + 9 * HOUR, once=True)
    for asked, begin in ((T0 + HOUR, T0 + HOUR), (T0 + 5 * HOUR, T0 + HOUR)):
        assert wait_for(database, "forecast", source, not_before=asked, once=True) == morning
        assert the_job(database, morning).not_before == begin


def gone(*_: object, **__: object) -> None:
    raise OperationalError("SELECT", {}, Exception("the server closed the connection"))


def test_a_moment_without_the_database_loses_no_job(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for(database, "check", a_source(database))
    leased = claim(database)
    assert leased is not None
    pulse, told = _worker.Pulse(database, leased), _worker._teller(database, leased)
    with monkeypatch.context() as patch:
        for name in ("beat", "tell", "enqueue_due"):
            patch.setattr(_worker, name, gone)
        patch.setattr(_worker, "BEAT", -1.0)
        assert pulse.lost() == ""
        told("Reading", 0.5)
        assert _worker._next(database) is None
        patch.setattr(_worker, "PATIENCE", -1.0)
        assert "did not answer" in pulse.lost()
        patch.setattr(_worker, "fail", gone)
        _worker._failed(database, leased, "it broke", False)
    assert pulse.lost() == ""
    assert the_job(database, leased.job_id).state == "running"
    with database.writing() as session:
        cancel(session, session.get(Job, leased.job_id), T0)
    assert pulse.lost() == "stopped"


def test_waiting_for_a_source_is_no_attempt(
    database: Database, config: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = a_source(database)
    monkeypatch.setattr(_worker, "GRACE", 0.01)
    with FileLock(config.place("locks", f"source-{source}")):
        job = done(database, config, "check", source)
    assert (job.state, job.attempts) == ("queued", 0)
    assert job.not_before > job.created_at


def test_every_kind_of_job_has_its_function() -> None:
    assert {*_kinds.KINDS} == {*_queue.KINDS}


def test_a_watch_is_added_by_a_module_that_the_configuration_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "watches_of_a_city.py").write_text(
        "from citytune.serving.jobs import Finding, register_watch\n"
        "register_watch('ours', lambda seen: [Finding('odd', None, 'Odd.')])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(_watch, "_WATCHES", {})
    import_watches(Configuration(folder=tmp_path, watches=("watches_of_a_city",)))
    found = _watch.found_by_all(None)  # type: ignore[arg-type]
    assert [one.kind for one in found["ours"]] == ["odd"]
    with pytest.raises(InputError, match="'watches_nowhere', which cannot be imported"):
        import_watches(Configuration(folder=tmp_path, watches=("watches_nowhere",)))


def test_an_alarm_stands_once_until_it_is_not_found_any_more(database: Database) -> None:
    run = a_run(database, a_source(database))
    frozen = {
        "statistics": [Finding("frozen", "s1", "s1 has not changed for 9 hours", {"hours": 9})]
    }
    for found, new in ((frozen, 1), (frozen, 0), ({"other": []}, 0), ({"statistics": []}, 0)):
        with database.writing() as session:
            assert note_alarms(session, run, found, T0) == new
    with database.reading() as session:
        alarm = session.scalars(select(Alarm)).one()
        assert alarm.ended_at is not None
        assert alarm.evidence == {"hours": 9}


def test_a_check_does_not_wait_for_a_job_that_takes_long(
    database: Database, config: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for(database, "tune", a_source(database))
    number = wait_for(database, "check", a_source(database, "other"))
    begun, checked, stop = threading.Event(), threading.Event(), threading.Event()

    def watch_over(_: Database, __: Configuration, leased: Leased, ___: threading.Event) -> None:
        if leased.kind == "tune":
            begun.set()
            assert checked.wait(60)
        elif begun.wait(60):
            assert leased.job_id == number
            checked.set()

    monkeypatch.setattr(_worker, "_watch_over", watch_over)
    worker = threading.Thread(target=work, args=(config, stop))
    worker.start()
    assert checked.wait(60)
    stop.set()
    worker.join()


@pytest.mark.extras
def test_a_worker_does_jobs_in_a_process_of_its_own(
    database: Database, config: Configuration, city: City
) -> None:
    source = a_source(database, **OF_CITY)
    with database.writing() as session:
        put_readings(session, source, readings_of(city(1, 10)))
    number = wait_for(database, "check", source)
    assert work(config, threading.Event(), once=True) == 1
    assert the_job(database, number).state == "done"


@pytest.mark.extras
def test_a_process_that_is_killed_does_not_lose_its_job(
    database: Database, config: Configuration, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    import multiprocessing

    source = a_source(database, **OF_CITY)
    with database.writing() as session:
        put_readings(session, source, readings_of(city(1, 10)))
    number = wait_for(database, "check", source)
    stop = threading.Event()
    worker = threading.Thread(target=work, args=(config, stop))
    worker.start()
    until = time.monotonic() + 240  # two starts of Python, on a busy machine
    while not (children := multiprocessing.active_children()) and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(children[0].pid or 0, signal.SIGKILL)
    while the_job(database, number).state != "done" and time.monotonic() < until:
        time.sleep(0.1)
    stop.set()
    worker.join()
    job = the_job(database, number)
    assert (job.state, job.attempts) == ("done", 2)
    with database.reading() as session:
        said = [line.text for line in session.scalars(select(JobLine).order_by(JobLine.id))]
    assert any("ended with code -9" in line for line in said)
