"""Promise: a model that fits no more is replaced by a better one, and by no other."""

from __future__ import annotations

import serving_parts  # noqa: F401 - skips all of this where the extra is not installed

# isort: split

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from serving_parts import OF_CITY, T0, City, a_run, a_source, readings_of, serving
from sqlalchemy import select

from citytune import InputError
from citytune.serving._config import RUNS, Configuration
from citytune.serving.database import (
    Alarm,
    AuditLine,
    Database,
    Forecast,
    Job,
    Notice,
    Proposal,
    Run,
    Source,
    Version,
    put_readings,
)
from citytune.serving.jobs import _kinds, _retune, enqueue, look_after, propose
from citytune.serving.jobs._proposals import settle
from citytune.serving.jobs._queue import claim, fail
from citytune.serving.jobs._stale import note_stale
from citytune.serving.jobs._versions import promote
from citytune.serving.jobs._worker import do

pytestmark = pytest.mark.usefixtures("plain_report")


def a_tuned_run(database: Database, *, sensors: int = 3, ended: dt.datetime = T0) -> int:
    """A run with a version that has forecast, without files."""
    number = a_run(database, a_source(database, reading={"timezone": "UTC"}))
    with database.writing() as session:
        run = session.get(Run, number)
        version = Version(run_id=number, number=1, folder="x", made_by="tune", created_at=T0)
        session.add(version)
        session.flush()
        promote(session, run, version, T0, "me")
        facts = {"sensors": sensors, "step": 3600.0, "timezone": "UTC", "steps": 24}
        session.add(Forecast(run_id=number, version_id=version.id, issued_at=ended,
                             created_at=T0, facts=facts))  # fmt: skip
    return number


def raise_alarm(database: Database, run: int, kind: str, sensor: str | None = "s0") -> None:
    with database.writing() as session:
        session.add(Alarm(run_id=run, watch="watching", kind=kind, sensor=sensor, text=kind,
                          evidence={}, raised_at=database.now(session)))  # fmt: skip


def proposals(database: Database) -> list[Proposal]:
    with database.reading() as session:
        return list(session.scalars(select(Proposal).order_by(Proposal.id)))


def test_a_broken_sensor_is_no_reason_to_tune_anew_and_a_model_that_fits_no_more_is(
    database: Database, config: Configuration
) -> None:
    run = a_tuned_run(database, sensors=30)
    raise_alarm(database, run, "frozen")
    raise_alarm(database, run, "error")  # one of thirty sensors
    assert propose(database, config) == 0
    raise_alarm(database, run, "bias", "s1")
    assert propose(database, replace(config, policy="nothing")) == 0
    assert propose(database, config) == 1
    assert propose(database, config) == 0
    (one,) = proposals(database)
    assert one.state == "open"
    assert one.why == "The model fits no more: 2 alarms of bias and error (s0 and s1)."
    with database.reading() as session:
        assert session.scalars(select(Job)).all() == []
        assert "propose to tune run 1 anew" in session.scalars(select(AuditLine.action)).one()


def test_a_source_may_have_a_policy_of_its_own(database: Database, config: Configuration) -> None:
    run = a_tuned_run(database)
    raise_alarm(database, run, "error", None)
    with serving(database, config, needs_token=False) as served, served.client() as client:
        changed = client.patch("/v1/sources/1", json={"policy": "nothing"}).json()
        assert (changed["policy"], changed["check_job"]) == ("nothing", None)
        assert changed["reading"] == {"timezone": "UTC"}
        assert propose(database, config) == 0
        page = client.get("/sources/1").text
        assert '<option value="nothing" selected>' in page
        own = {"Origin": served.url, "Sec-Fetch-Site": "same-origin"}
        client.post("/sources/1/policy", headers=own, data={"policy": ""})
        assert client.get("/v1/sources/1").json()["policy"] is None
        assert client.patch("/v1/sources/1", json={"policy": "always"}).status_code == 422
        client.patch("/v1/sources/1", json={"policy": "retune"})
    assert propose(database, config) == 1
    assert proposals(database)[0].state == "started"


def test_by_policy_it_is_begun_after_quiet_hours_and_ends_with_its_job(
    database: Database, config: Configuration
) -> None:
    run = a_tuned_run(database)
    raise_alarm(database, run, "error", None)
    # All day long but a minute, so that it is quiet now.
    quiet = replace(config, policy="retune", notices=replace(config.notices, quiet="00:01-00:00"))
    assert propose(database, quiet) == 1
    with database.reading() as session:
        job = session.scalars(select(Job)).one()
        assert (job.kind, job.params) == ("retune", {"proposal": 1})
        assert job.not_before >= job.created_at
    assert proposals(database)[0].state == "started"
    with database.writing() as session:
        session.get_one(Job, job.id).not_before = T0
    leased = claim(database)
    assert leased is not None
    fail(database, leased, "out of memory")
    settle(database)
    (one,) = proposals(database)
    assert one.state == "dismissed"
    assert "out of memory" in one.comparison["text"]
    assert propose(database, quiet) == 0  # it was tried a moment ago


def test_a_person_starts_or_dismisses_a_proposal_over_http_and_on_the_page(
    database: Database, config: Configuration
) -> None:
    run = a_tuned_run(database)
    raise_alarm(database, run, "error")
    propose(database, config)
    with serving(database, config, needs_token=False) as served, served.client() as client:
        own = {"Origin": served.url, "Sec-Fetch-Site": "same-origin"}
        assert "The model fits no more" in client.get("/").text
        page = client.get("/runs/1", headers={"Accept-Language": "zh"}).text
        assert "建议重新调优" in page
        assert "重新调优并保留更好的模型" in page
        assert client.post("/v1/proposals/1/start").json()["kind"] == "retune"
        assert client.post("/v1/proposals/1/start").status_code == 422
        assert client.post("/v1/proposals/1/dismiss").status_code == 422
        assert client.get("/v1/proposals?state=started").json()["items"][0]["job"] == 1
        with database.writing() as session:
            session.get_one(Proposal, 1).state = "open"
        answer = client.post("/proposals/1/dismiss", headers=own)
        assert answer.headers["location"] == "/runs/1#proposals"
        assert client.get("/v1/proposals").json()["items"][0]["state"] == "dismissed"
        assert client.post("/v1/proposals/9/start").status_code == 404
        audit = client.get("/audit").text
        assert "propose to tune run 1 anew" in audit
        assert "/v1/proposals/1/start" in audit


def test_a_source_that_is_silent_raises_an_alarm_that_ends_by_itself(
    database: Database, config: Configuration
) -> None:
    with database.reading() as session:
        now = database.now(session)
    run = a_tuned_run(database, ended=now - dt.timedelta(hours=30))
    with database.writing() as session:
        session.get_one(Source, 1).kind = "upload"
    assert note_stale(database, config) == 0  # a file that nobody adds to
    with database.writing() as session:
        session.get_one(Source, 1).kind = "readings"
    assert [note_stale(database, config) for _ in range(2)] == [1, 0]
    with database.writing() as session:
        alarm = session.scalars(select(Alarm)).one()
        assert (alarm.kind, alarm.sensor) == ("stale", None)
        assert alarm.text.startswith("The newest reading that the run has seen is 29 hours")
        facts = {"sensors": 3, "step": 3600.0, "timezone": "UTC", "steps": 24}
        session.add(Forecast(run_id=run, version_id=1, issued_at=now, created_at=now, facts=facts))
    assert [note_stale(database, config) for _ in range(2)] == [1, 0]
    with database.reading() as session:
        assert session.scalars(select(Alarm.ended_at)).one() is not None


class Rule:
    """Stands for a model: the day before, times a factor."""

    def __init__(self, frame: Any, factor: float) -> None:
        self.sensors, self.factor = frame.sensors, factor
        self.spec: Any = type("Spec", (), {"horizon": 24})
        self.trained_until = np.datetime64("2024-01-01")

    def forecast(self, frame: Any) -> Any:
        point = frame.values[-24:] * self.factor
        return type("F", (), {"sensors": self.sensors, "mean": point, "point": point})


@pytest.mark.parametrize(("factor", "better"), [(1.0, True), (1.5, False), (1.39, False)])
def test_only_what_is_clearly_better_on_the_newest_days_counts_as_better(
    city: City, factor: float, better: bool
) -> None:
    frame = city(4, 40, turn=0.0)
    old: Any = Rule(frame, 1.4)
    new: Any = Rule(frame, factor)
    frame.values[-24:, 3] = 1e6  # a broken sensor decides nothing
    first = _retune.first_fresh(frame, 7, 24)
    assert first == len(frame) - 7 * 24
    found = _retune.compared(old, new, frame, first, {"s3"})
    assert found["better"] is better
    assert found["days"] == 7
    assert found["left_out"] == ["s3"]
    assert (found["ratio"] < 1) == (factor < 1.4)
    assert "Left out, for alarms: s3." in found["text"]


def test_where_nothing_was_measured_no_model_is_better_and_it_is_said(city: City) -> None:
    frame = city(2, 40, turn=0.0)
    first = _retune.first_fresh(frame, 7, 24)
    frame.values[first:] = np.nan
    rule: Any = Rule(frame, 1.0)
    found = _retune.compared(rule, rule, frame, first, set())
    assert (found["better"], found["ratio"], found["days"]) == (False, None, 0)
    assert "cannot be compared with that of the old one" in _retune.result_text(found)


def test_too_few_days_to_compare_on_are_said(city: City) -> None:
    with pytest.raises(InputError, match="too few before them"):
        _retune.first_fresh(city(1, 15), 7, 24)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("helps", [True, False])
def test_a_run_is_tuned_anew_and_the_better_model_forecasts(
    config: Configuration, database: Database, city: City, monkeypatch: pytest.MonkeyPatch,
    helps: bool,
) -> None:  # fmt: skip
    """After the change of a city; the old model is bad, or as good as the new one."""
    frame = city(2, 60, gaps=0.0)
    source = a_source(database, **OF_CITY)
    run = a_run(database, source)
    for kind, until in (("tune", 24 * 50), ("retune", 24 * 58)):
        with database.writing() as session:
            put_readings(session, source, readings_of(frame, until=until))
            number = None
            if kind == "retune":
                one = Proposal(run_id=run, state="started", why="It fits no more.", created_at=T0)
                session.add(one)
                session.flush()
                number = one.id
            more = {} if number is None else {"proposal": number}
            enqueue(session, kind, source, run_id=run, now=T0, **more)
        if kind == "retune" and helps:
            spoil_old(monkeypatch)
        leased = claim(database)
        assert leased is not None
        do(config, leased)
        with database.reading() as session:
            job = session.get_one(Job, leased.job_id)
            assert job.state == "done", job.error
    with database.reading() as session:
        its = session.get_one(Run, run)
        versions = session.scalars(select(Version).order_by(Version.id)).all()
        proposal = session.get_one(Proposal, 1)
        audit = session.scalars(select(AuditLine.action)).all()
    assert [one.made_by for one in versions] == ["tune", "retune"]
    assert its.promoted_id == versions[helps].id
    assert proposal.state == ("promoted" if helps else "kept")
    assert proposal.version_id == versions[1].id
    assert proposal.comparison["better"] is helps
    assert any(f"{'' if helps else 'do not '}promote version 2" in one for one in audit)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_model_that_cannot_be_compared_leaves_no_folder(
    config: Configuration, database: Database, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise InputError("too few sensors")

    monkeypatch.setattr(_kinds, "compared", fails)
    source = a_source(database, **OF_CITY)
    run = a_run(database, source)
    with database.writing() as session:
        put_readings(session, source, readings_of(city(2, 60, gaps=0.0)))
    for kind in ("tune", "retune"):
        with database.writing() as session:
            enqueue(session, kind, source, run_id=run, now=T0)
        leased = claim(database)
        assert leased is not None
        do(config, leased)
    with database.reading() as session:
        assert session.scalars(select(Job.error).order_by(Job.id)).all() == [
            None,
            "too few sensors",
        ]
    folder = config.place(RUNS, str(run))
    assert [one.name for one in folder.iterdir() if one.is_dir()] == ["job-1"]


def spoil_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the old model say three times too much."""
    whole: Callable[..., Any] = _retune._points
    first: list[Any] = []

    def said(model: Any, *rest: Any) -> Any:
        first[:] = first or [model]
        return whole(model, *rest) * (3 if model is first[0] else 1)

    monkeypatch.setattr(_retune, "_points", said)


def test_a_look_does_it_all_and_a_proposal_is_told(
    database: Database, config: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    from citytune.serving._channels import Notices, Webhook

    run = a_tuned_run(database)
    raise_alarm(database, run, "error")
    told = replace(config, notices=Notices(webhooks=(Webhook(url="http://10.0.0.1/"),)))
    look_after(database, told)
    with database.reading() as session:
        found = session.scalars(select(Notice).order_by(Notice.kind)).all()
    assert [one.kind for one in found] == ["alarm", "proposal", "stale"]
    assert all("leads into the server's own network" in str(one.error) for one in found)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_version_that_a_person_promoted_meanwhile_goes_on_forecasting(
    config: Configuration, database: Database, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, source = city(2, 60, gaps=0.0), a_source(database, **OF_CITY)
    run = a_run(database, source)
    spoil_old(monkeypatch)
    compared = _kinds.compared

    def rolled_back(*asked: Any) -> Any:
        with database.writing() as session:
            other = Version(run_id=run, number=7, folder="x", made_by="tune", created_at=T0)
            session.add(other)
            session.flush()
            promote(session, session.get_one(Run, run), other, T0, "me")
        return compared(*asked)

    monkeypatch.setattr(_kinds, "compared", rolled_back)
    for kind, until in (("tune", 24 * 50), ("retune", 24 * 58)):
        with database.writing() as session:
            put_readings(session, source, readings_of(frame, until=until))
            enqueue(session, kind, source, run_id=run, now=T0)
        leased = claim(database)
        assert leased is not None
        do(config, leased)
    with database.reading() as session:
        promoted = session.get_one(Version, session.get_one(Run, run).promoted_id)
        audit = session.scalars(select(AuditLine.action)).all()
    assert promoted.number == 7
    assert any("meanwhile another version was promoted" in one for one in audit)
