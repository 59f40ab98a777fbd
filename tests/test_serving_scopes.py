"""Promise: a token that is limited to sources sees no other, and no sensor is made by a slip."""

from __future__ import annotations

import serving_parts  # noqa: F401 - skips all of this where the extra is not installed

# isort: split

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from serving_parts import PLAIN, T0, Served, a_run, a_source, serving
from test_serving_retune import a_tuned_run

import citytune as ct
from citytune.readers.databases import _duckdb, _sqlite
from citytune.serving import _client
from citytune.serving._config import Configuration
from citytune.serving.database import (
    Alarm,
    Database,
    Job,
    Notice,
    Proposal,
    Run,
    Schedule,
    Source,
    Version,
    note_action,
)
from citytune.serving.http import add_token
from citytune.serving.http.routes import ROUTERS, _sensors
from citytune.serving.web.routes import ROUTERS as PAGES

SECRET = "harbour"
"""In the name of all that the other source has."""


def fill(database: Database) -> None:
    """Two sources, 1 and 2, with a run, a version and the rest each; number 1 is the secret one."""
    for name in (SECRET, "bridge"):
        source = a_source(database, name, reading={"timezone": "UTC"})
        run = a_run(database, source, name)
        with database.writing() as session:
            version = Version(run_id=run, number=1, folder="x", made_by="tune", created_at=T0,
                              scores={"models": {name: {}}})  # fmt: skip
            session.add(version)
            session.flush()
            session.get_one(Run, run).promoted_id = version.id
            job = {"source_id": source, "run_id": run, "params": {}, "created_at": T0}
            session.add_all([
                Job(kind="check", state="queued", not_before=T0, error=name, **job),
                Alarm(run_id=run, watch="x", kind="noise", sensor=name, text=name, evidence={},
                      raised_at=T0),
                Schedule(run_id=run, kind="forecast", cron="0 6 * * *", timezone="UTC", next_at=T0),
                Proposal(run_id=run, state="open", why=name, created_at=T0),
                Notice(event=name, channel="email", kind="alarm", run_id=run, title=name, items=[],
                       created_at=T0, not_before=T0),
            ])  # fmt: skip
            note_action(session, T0, "job 1", name)


def limited(database: Database, role: str, *sources: int) -> dict[str, str]:
    with database.writing() as session:
        _, text = add_token(session, f"{role} {len(sources)}", role, T0, sources=sources)
    return {"Authorization": f"Bearer {text}"}


BODIES: dict[str, Any] = {
    "/v1/readings": {
        "source": 1, "readings": [{"sensor": "a", "time": "2024-01-01T00:00Z", "value": 1}]
    },
    "/v1/runs": {"source": 1, "name": "new", "settings": PLAIN},
    "/v1/runs/{number}/jobs": {"kind": "forecast"},
    "/v1/runs/{number}/promote": {"version": 1},
    "/v1/schedules": {"run": 1, "kind": "forecast", "cron": "0 6 * * *"},
    "/v1/sources": {"name": "new"},
    "/v1/sources/{number}": {"reading": {}},
    "/v1/tokens": {"name": "mine", "role": "read"},
}  # fmt: skip


def test_a_limited_token_finds_nothing_of_another_source_on_any_route(
    database: Database, config: Configuration
) -> None:
    fill(database)
    headers = limited(database, "write", 2)
    with serving(database, config, needs_token=True) as served:
        asked = set()
        with httpx.Client(base_url=served.url, headers=headers, timeout=60) as client:
            for router in ROUTERS:
                for route in router.routes:
                    assert isinstance(route, APIRoute)
                    for method in route.methods:
                        answer = _ask(client, method, route.path)
                        assert SECRET not in answer.text, (method, route.path)
                        asked.add((method, route.path))
                        if "{number}" in route.path or (method == "POST" and route.path in BODIES):
                            assert answer.status_code in (403, 404), (method, route.path)
            for name in ("sources", "runs", "jobs", "alarms", "schedules", "proposals", "notices"):
                items = client.get(f"/v1/{name}").json()["items"]
                assert [one["id"] for one in items] == [2], name
            assert client.get("/v1/runs/2/scores").json()["models"] == {"bridge": {}}
            assert client.get("/v1/compare?version=2&version=1").status_code == 404
            assert client.post("/v1/proposals/2/dismiss").json()["state"] == "dismissed"
        assert len(asked) > 40
        _pages(served, headers["Authorization"].removeprefix("Bearer "))
    with database.reading() as session:  # nothing was changed
        assert session.get_one(Proposal, 1).state == "open"
        assert session.get_one(Job, 1).state == "queued"
        assert {session.get(kind, 1) is not None for kind in (Source, Run, Schedule)} == {True}


def test_names_counts_and_numbers_tell_a_limited_token_nothing_of_others(
    database: Database, config: Configuration
) -> None:
    fill(database)
    headers = limited(database, "write", 2)
    named = {"source": 2, "settings": PLAIN}
    with serving(database, config, needs_token=True) as served:
        client = httpx.Client(base_url=served.url, headers=headers, timeout=60)
        admin = served.client("admin")
        with client, admin:
            for name, status in ((SECRET, 202), ("free", 202), ("bridge", 409)):
                answer = client.post("/v1/runs", json={**named, "name": name})
                assert answer.status_code == status, (name, answer.text)
            for path in ("/v1/sources/1", "/v1/runs/1/forecast?sensor=a", "/v1/jobs/1/events"):
                other = path.replace("/1", "/77")
                hidden, missing = client.get(path), client.get(other)
                assert (hidden.status_code, missing.status_code) == (404, 404), path
                assert hidden.json()["detail"].replace("'1'", "'77'") == missing.json()["detail"]
            assert "citytune_requests" in admin.get("/metrics").text
            seen = client.get("/metrics").text
            assert "citytune_requests" not in seen
            assert "citytune_jobs_waiting 3" in seen  # of four
            health = httpx.get(f"{served.url}/v1/health").json()
            assert (health["waiting"], health["running"]) == (None, None)


def test_a_stream_ends_with_the_token_of_its_reader(
    database: Database, config: Configuration
) -> None:
    fill(database)
    headers = limited(database, "read", 2)
    with (
        serving(database, config, needs_token=True) as served,
        served.client("admin") as admin,
        httpx.stream("GET", f"{served.url}/v1/jobs/2/events", headers=headers, timeout=60) as said,
    ):
        lines = said.iter_lines()
        assert next(lines) == "event: progress"
        tokens = {one["name"]: one["id"] for one in admin.get("/v1/tokens").json()["items"]}
        admin.delete(f"/v1/tokens/{tokens['read 1']}")
        assert not any(line.startswith("event") for line in lines)


def _ask(client: httpx.Client, method: str, path: str) -> httpx.Response:
    query = "?version=1" if path == "/v1/compare" else "?state=queued" if path == "/v1/jobs" else ""
    if path == "/v1/sources/upload":
        file = {"file": ("a.csv", b"time,a\n2024-01-01,1\n")}
        return client.post(path, data={"name": "new"}, files=file)
    body = BODIES.get(path) if method in ("POST", "PATCH") else None
    return client.request(method, path.replace("{number}", "1") + query, json=body)


def _pages(served: Served, token: str) -> None:
    own = {"Origin": served.url, "Sec-Fetch-Site": "same-origin"}
    cookies = {"citytune_token": token}
    with httpx.Client(base_url=served.url, headers=own, cookies=cookies, timeout=60) as browser:
        for router in PAGES:
            for route in router.routes:
                assert isinstance(route, APIRoute)
                if "GET" in route.methods:
                    page = browser.get(route.path.replace("{number}", "1") + "?name=harbour")
                    if "sensor" not in route.path:  # which repeats what was asked for
                        assert SECRET not in page.text.replace("?name=harbour", "").replace(
                            "name=harbour", ""), route.path  # fmt: skip
        assert "bridge" in browser.get("/runs").text


def test_an_admin_sees_all_and_a_limit_names_sources_that_are_there(
    database: Database, config: Configuration, run: Callable[..., Any], tmp_path: Path
) -> None:
    source = a_source(database)
    for role, sources, message in (
        ("admin", (source,), "an admin sees all sources"),
        ("read", (99,), "no source 99"),
        ("read", (), "at least one source"),
    ):
        with pytest.raises(ct.InputError, match=message):
            limited(database, role, *sources)
    folder = ["--folder", tmp_path, "--database", config.database]
    made = run("token", "add", "gate", "--role", "write", "--source", "loops", *folder)
    assert made.code == 0, made.err
    assert "sources: loops" in run("token", "list", *folder).out
    wrong = run("token", "add", "other", "--source", "lops", *folder)
    assert (wrong.code, "Did you mean 'loops'" in wrong.err) == (2, True), wrong


def test_a_misspelt_sensor_is_refused_with_the_near_names(
    database: Database, config: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_tuned_run(database)

    def rows(*sensors: str) -> dict[str, Any]:
        return {"source": 1, "readings": [
            {"sensor": one, "time": "2024-05-03T06:00:00Z", "value": 1.0} for one in sensors
        ]}  # fmt: skip

    with serving(database, config, needs_token=False) as served, served.client() as client:
        assert client.post("/v1/readings", json=rows("Ring road", "Harbour")).status_code == 200
        answer = client.post("/v1/readings", json=rows("Ring raod", "Harbour", "zzz"))
        assert answer.status_code == 422
        said = answer.json()["detail"]
        assert said.startswith("unknown sensors: 'Ring raod' (near 'Ring road'); 'zzz'. Nothing")
        # What was pushed and what was checked are one list.
        checked = {"sensors": ["Ring road", "North gate"]}
        with monkeypatch.context() as patch:
            patch.setattr(_sensors, "result_of_check", lambda *_: checked)
            said = client.post("/v1/readings", json=rows("Ring raod", "North gat")).json()["detail"]
        assert "'North gat' (near 'North gate'); 'Ring raod' (near 'Ring road')." in said
        assert {one["sensor"] for one in client.get("/v1/sources/1/readings").json()["items"]} == {
            "Ring road", "Harbour"
        }  # fmt: skip
        assert client.post("/v1/readings", json=rows("zzz") | {"new_sensors": True}).is_success
        assert client.post("/v1/readings", json=rows("zzz")).is_success
        with ct.connect(served.url) as city:
            with pytest.raises(ct.InputError, match="near 'zzz'"):
                city.push(1, [("zzy", "2024-05-03T06:00:00Z", 1.0)])
            assert city.push(1, [("y", "2024-05-03T06:00:00Z", 1.0)], new_sensors=True) == 1
            other = city.add_source("b", timezone="UTC")["id"]
            many = [(f"s{i % 3}", f"2024-05-{1 + i % 28:02d}T00:00:00Z", 1.0) for i in range(84)]
            assert city.push(other, many) == 84
            monkeypatch.setattr(_client, "AT_ONCE", 2)
            third = city.add_source("c", timezone="UTC")["id"]
            assert city.push(third, many) == 84  # more new sensors than one request takes
            with pytest.raises(ct.InputError, match="unknown sensors: 't2'"):
                city.push(third, [("s0", T0, 1.0), ("s1", T0, 1.0), ("t2", T0, 1.0)])
    assert run == 1


@pytest.mark.parametrize("is_view", [False, True])
def test_a_query_that_never_ends_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_view: bool
) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
    path = tmp_path / "loops.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE loops (time TEXT, value REAL)")
        connection.execute(f"CREATE VIEW forever AS {endless} max(i) AS value FROM n")
    monkeypatch.setattr(_sqlite, "LONGEST_WAIT", 0.3)
    with pytest.raises(ct.InputError, match=r"took longer than 0\.3 seconds"):
        ct.read(path, table="forever") if is_view else ct.read(
            path, query=f"{endless} count(*) FROM n"
        )
    monkeypatch.setattr(_sqlite, "LONGEST_WAIT", 60.0)
    monkeypatch.setattr(_sqlite, "MOST_ROWS", 1000)
    with pytest.raises(ct.InputError, match="more than 1,000 rows"):
        ct.read(path, query=f"{endless} i FROM n")


@pytest.mark.parametrize("seconds", [0.3, 0.0001])
def test_a_query_to_duckdb_that_never_ends_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Also where the time is over before the query has begun."""
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    path = tmp_path / "loops.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE loops (time TIMESTAMP, value DOUBLE)")
    monkeypatch.setattr(_duckdb, "LONGEST_WAIT", seconds)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(ct.InputError, match=rf"took longer than {seconds:g} seconds"):
        ct.read(path, query=endless)
