"""Promise: what the HTTP interface offers works from a file to a forecast and back, and is said."""

from __future__ import annotations

import serving_parts  # noqa: F401 - skips all of this where the extra is not installed

# isort: split

import datetime as dt
import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
from conftest import make_city
from serving_parts import (
    HOUR,
    OF_CITY,
    PLAIN,
    T0,
    Served,
    a_source,
    new_database,
    new_folder,
    readings_of,
    serving,
)

import citytune as ct
from citytune._errors import MissingWeights
from citytune.frame import SensorFrame
from citytune.runs import Named
from citytune.serving.database import Database, Forecast, Token, in_folder
from citytune.serving.http import _cache, _elsewhere, _tokens, add_token
from citytune.serving.http._cache import Cache, Ready
from citytune.serving.http._problems import Problem
from citytune.serving.http._quick import Quick
from citytune.serving.http._tokens import Doorkeeper
from citytune.serving.jobs import _queue
from citytune.settings import Settings

STARTED = """
import sys
from pathlib import Path
from starlette.testclient import TestClient
from citytune.serving._serve import application, opened

config, data = opened(Path(sys.argv[1]))
app = application(config, data, needs_token=False)
with TestClient(app, base_url="http://127.0.0.1") as client:
    for path in ("/v1/health", "/", "/sources", "/runs", "/notices", "/v1/runs", "/metrics"):
        assert client.get(path).status_code == 200, path
    readings = {"name": "loops", "kind": "readings", "reading": {"quantity": "traffic_volume"}}
    assert client.post("/v1/sources", json=readings).status_code == 201
    assert client.get("/sources/1").status_code == 200
    assert "lags" in [one["name"] for one in client.get("/v1/models").json()]
    run = {"source": 1, "name": "a", "alerts": [">9", "top 5%"], "settings": {"horizon": "24h"}}
    assert client.post("/v1/runs", json=run).status_code == 202
    for more, said in (
        ({"strategy": "blind"}, "no strategy is called 'blind'"),
        ({"backbone": "lag"}, "Did you mean 'lags'?"),
        ({"backbone": "lags", "strategy": "blend", "options": {"colour": 3}}, "colour"),
    ):
        wrong = run | {"name": "b", "settings": run["settings"] | more}
        answer = client.post("/v1/runs", json=wrong)
        assert answer.status_code == 422, answer.text
        assert said in answer.json()["detail"], answer.text
    wrong = client.post("/v1/runs", json=run | {"name": "c", "alerts": ["top 60%"]})
    assert wrong.status_code == 422, wrong.text
heavy = ("torch", "sklearn", "lightgbm", "plotly", "transformers", "tensorflow", "pandas")
print(*(name for name in heavy if name in sys.modules))
"""


def test_a_server_answers_and_checks_a_job_without_anything_heavy(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done


@pytest.fixture(scope="module")
def frame() -> SensorFrame:
    return make_city(3, 32, gaps=0.0)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, frame: SensorFrame) -> Iterator[Served]:
    """A server with a file as source, and a run that is tuned to it."""
    folder = tmp_path_factory.mktemp("server")
    with (
        new_database(in_folder(folder)) as database,
        serving(database, new_folder(folder, database), needs_token=False) as found,
    ):
        with found.client() as client:
            upload(client, frame.until(24 * 28))
            body = {"source": 1, "name": "loops", "settings": PLAIN, "alerts": [">1"]}
            assert client.post("/v1/runs", json=body).status_code == 202
            assert found.do_jobs() == [1, 2]
        yield found


def upload(client: httpx.Client, frame: SensorFrame) -> None:
    """As a wide CSV file, the source `loops`."""
    columns = dict(zip(frame.sensors, frame.values.T, strict=True))
    table = pl.DataFrame({"time": frame.clock.local(0, len(frame)), **columns})
    file = {"file": ("loops.csv", table.write_csv().encode())}
    said = {"name": "loops", "reading": json.dumps(OF_CITY["reading"])}
    answer = client.post("/v1/sources/upload", data=said, files=file)
    assert answer.status_code == 201, answer.text


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with served.client() as found:
        yield found


def test_a_file_is_explained_column_by_column(client: httpx.Client) -> None:
    found = client.get("/v1/sources/1/check").json()
    assert found["usable"]
    assert found["sensors"] == ["s0", "s1", "s2"]
    assert found["timezone"] == "Europe/Oslo"
    assert [one["role"] for one in found["columns"]] == ["time", "reading", "reading", "reading"]
    assert client.get("/v1/sources/1").json()["kind"] == "upload"


def test_a_run_says_what_came_of_it(client: httpx.Client, served: Served) -> None:
    job = client.get("/v1/jobs/2").json()
    assert job["state"] == "done", job["error"]
    run = client.get("/v1/runs/1").json()
    assert run["promoted"] == job["result"]["version"]
    assert {"tuned", "naive-day"} <= set(client.get("/v1/runs/1/scores").json()["models"])
    assert client.get("/v1/runs/1/verification").json()["all"] is None
    report = client.get("/v1/runs/1/report")
    assert report.text.lstrip().startswith("<!")
    assert report.headers["content-security-policy"].startswith("sandbox")
    alarms = client.get("/v1/alarms", params={"standing": True}).json()["items"]
    assert {one["kind"] for one in alarms} == {"alert"}
    lines = client.get("/v1/jobs/2/log").json()["items"]
    assert lines[0]["text"] == "done"


def test_a_forecast_comes_in_four_forms_that_agree(client: httpx.Client) -> None:
    as_json = client.get("/v1/runs/1/forecast").json()
    text = client.get("/v1/runs/1/forecast?format=csv").content
    assert not re.search(rb"\d\.\d{9}", text)  # as many digits as a forecast has
    csv = pl.read_csv(text)
    parquet = pl.read_parquet(client.get("/v1/runs/1/forecast?format=parquet").content)
    arrow = pl.read_ipc_stream(
        io.BytesIO(
            client.get(
                "/v1/runs/1/forecast", headers={"Accept": "application/vnd.apache.arrow.stream"}
            ).content
        )
    )
    assert parquet.equals(arrow)
    assert parquet.schema["time"] == pl.Datetime("us", "Europe/Oslo")
    assert csv["sensor"].to_list() == parquet["sensor"].to_list()
    np.testing.assert_allclose(csv["q50"], parquet["q50"], rtol=1e-6)
    flat = [value for one in as_json["forecasts"] for value in one["q50"]]
    np.testing.assert_allclose(flat, parquet["q50"], rtol=1e-6)
    assert as_json["unit"] == "veh/h"
    assert as_json["issued_at"] == as_json["forecasts"][0]["time"][0]
    assert csv["time"][0] == as_json["issued_at"]
    assert "p_above_1" in as_json["forecasts"][0]


def test_a_forecast_can_be_asked_for_by_sensor_and_as_it_was_known(client: httpx.Client) -> None:
    some = client.get("/v1/runs/1/forecast", params={"sensor": ["s2", "s0"]}).json()
    assert [one["sensor"] for one in some["forecasts"]] == ["s2", "s0"]
    unknown = client.get("/v1/runs/1/forecast", params={"sensor": "s9"})
    assert unknown.status_code == 422
    assert "Did you mean" in unknown.json()["detail"]
    before = client.get("/v1/runs/1/forecast", params={"as_of": "2001-01-01T00:00:00Z"})
    assert before.status_code == 404
    now = client.get("/v1/runs/1/forecast", params={"as_of": "2199-01-01T00:00:00Z"})
    assert now.status_code == 200


def test_who_has_an_answer_already_gets_none(client: httpx.Client) -> None:
    for path in ("/v1/runs/1/forecast", "/v1/runs/1", "/v1/sources"):
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_what_is_ready_in_memory_is_answered_as_the_usual_way_answers(
    client: httpx.Client, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick: list[bool] = []
    found = Quick._found

    def noted(self: Quick, scope: Any) -> Any:
        answer = found(self, scope)
        quick.append(answer is not None)
        return answer

    monkeypatch.setattr(Quick, "_found", noted)
    monkeypatch.setattr(_cache, "FRESH", 3600.0)  # however slow the machine is
    tag = client.get("/v1/runs/1/forecast").headers["etag"]
    json_, csv = {"Accept": "application/json"}, {"Accept": "text/csv"}
    for path, headers, at_once in (
        ("", {}, True),
        ("?sensor=s0", json_, True),
        ("?sensor=s1&sensor=s0", {}, True),
        ("", {"If-None-Match": f'"x", W/{tag}'}, True),
        ("?sensor=s1", csv, False),
        ("?format=csv", {}, False),
        ("?sensor=zz", {}, False),
        ("?as_of=2030-01-01T00:00:00Z", {}, False),
        ("?sensor", {}, False),
    ):
        answers = []
        for _ in range(2):
            answers.append(client.get(f"/v1/runs/1/forecast{path}", headers=headers))
            served.app.state.cache._newest[1] = (time.monotonic(), tag.strip('"')[:-5])
        served.app.state.cache._newest.clear()
        usual = client.get(f"/v1/runs/1/forecast{path}", headers=headers)
        assert quick[-1] is False
        assert quick[-2] is at_once, path
        own = {k: v for k, v in answers[1].headers.items() if k != "date"}
        assert own == {k: v for k, v in usual.headers.items() if k != "date"}, path
        assert (answers[1].status_code, answers[1].content) == (usual.status_code, usual.content)
    assert 'route="/v1/runs/{number}/forecast",status="200"' in client.get("/metrics").text


def test_while_one_looks_for_a_newer_forecast_others_are_still_answered(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(database)
    now = 100.0
    monkeypatch.setattr(_cache, "time", SimpleNamespace(monotonic=lambda: now))
    cache._newest[1], cache._ready["a"] = (now, "a"), "the forecast"  # type: ignore[assignment]
    assert not cache.is_due(1)
    now += 0.6 * _cache.FRESH
    assert (cache.is_due(1), cache.is_due(1)) == (True, False)  # one looks
    now += _cache.FRESH
    assert cache.at_once(1) == "the forecast"
    now += _cache.LONGEST
    assert cache.at_once(1) is None
    cache.look(1)
    assert (cache.at_once(1), cache._newest) == (None, {})


def test_a_model_that_was_put_there_since_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    now, looks = 0.0, 0
    monkeypatch.setattr(_elsewhere, "time", SimpleNamespace(monotonic=lambda: now))

    def look(function: object) -> Named:
        nonlocal looks
        looks += 1
        card = {"name": "ttm-r2", "how_to_get": "fetch it" if looks == 1 else None}
        return Named((card,), (), ("blend",))

    monkeypatch.setattr(_elsewhere, "elsewhere", look)
    names, asked = _elsewhere.Names(), Settings(horizon="24h", backbone="ttm-r2")
    with pytest.raises(MissingWeights, match="fetch it"):
        names.check(asked)
    assert looks == 1
    now = 60.0
    names.check(asked)
    assert looks == 2


def test_only_who_may_see_all_is_answered_from_memory(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in (_cache, _tokens):
        monkeypatch.setattr(one, "FRESH", 3600.0)  # however slow the machine is
    source = a_source(database)
    with database.writing() as session:
        now = database.now(session)
        token, text = add_token(session, "all", "read", now)
        _, few = add_token(session, "few", "read", now, sources=[source])
    keeper, cache = Doorkeeper(database, needs_token=True), Cache(database)
    cache._newest[1] = (time.monotonic(), "a")
    cache._ready["a"] = Ready(1, "a", b'{"forecasts":', {"s0": b"{}"}, pl.DataFrame())

    def answered(header: str | None) -> bool:
        headers = [] if header is None else [(b"authorization", header.encode())]
        scope = {"path": "/v1/runs/1/forecast", "query_string": b"", "headers": headers}
        return Quick(None, cache, keeper)._found(scope) is not None  # type: ignore[arg-type]

    every, limited = f"Bearer {text}", f"Bearer {few}"
    assert not answered(every)  # nobody has asked for it yet
    for header in (every, limited):
        keeper.ask(header, "")
    found = [answered(one) for one in (every, limited, None, "Bearer x", text)]
    assert found == [True, False, False, False, False]
    with database.writing() as session:
        session.get_one(Token, token.id).revoked_at = database.now(session)
    keeper.forget()
    assert not answered(every)
    with pytest.raises(Problem):
        keeper.ask(every, "")
    assert not answered(every)


def test_a_token_that_is_revoked_while_it_is_asked_for_counts_no_more(database: Database) -> None:
    with database.writing() as session:
        _, text = add_token(session, "one", "read", database.now(session))
    keeper = Doorkeeper(database, needs_token=True)
    header = f"Bearer {text}"
    token = keeper._token

    def slow(*asked: Any, **more: Any) -> Any:
        found = token(*asked, **more)
        keeper.forget()
        return found

    keeper._token = slow  # type: ignore[method-assign]
    assert keeper.ask(header, "").name == "one"
    assert keeper.known(header) is None


def test_pushed_readings_move_the_forecast(
    client: httpx.Client, served: Served, frame: SensorFrame
) -> None:
    before = client.get("/v1/runs/1/forecast").json()["issued_at"]
    rows = [
        {"sensor": one.sensor, "time": one.time.isoformat(), "value": one.value}
        for one in readings_of(frame, 24 * 28, 24 * 29)
    ]
    for part in (rows[::-1], rows, rows[:5]):
        answer = client.post("/v1/readings", json={"source": 1, "readings": part})
        assert answer.status_code == 200, answer.text
    jobs = answer.json()["jobs"]
    assert served.do_jobs() == jobs
    served.app.state.cache._newest.clear()
    after = client.get("/v1/runs/1/forecast").json()["issued_at"]
    step = dt.datetime.fromisoformat(after) - dt.datetime.fromisoformat(before)
    assert step == dt.timedelta(days=1)
    page = client.get("/v1/sources/1/readings", params={"limit": 50}).json()
    rest = client.get("/v1/sources/1/readings", params={"cursor": page["next"]}).json()
    assert len(page["items"]) + len(rest["items"]) == 72
    assert rest["next"] is None


def test_readings_count_also_while_too_many_jobs_wait(
    client: httpx.Client, frame: SensorFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_queue, "MOST_WAITING", 0)
    one = readings_of(frame, 24 * 28, 24 * 28 + 1)[0]
    row = {"sensor": one.sensor, "time": one.time.isoformat(), "value": one.value}
    answer = client.post("/v1/readings", json={"source": 1, "readings": [row]})
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "jobs": []})
    assert client.post("/v1/sources/1/checks").status_code == 422


def test_a_forecast_is_never_taken_for_another_of_its_number(database: Database) -> None:
    """As after a restored backup."""
    cache = Cache(database)
    rows = [
        Forecast(id=1, run_id=1, version_id=1, issued_at=T0, created_at=T0 + i * HOUR, facts={})
        for i in range(2)
    ]
    found = [cache.of(row) for row in rows]
    assert found[0].tag != found[1].tag
    assert found[0].document([]) != found[1].document([])
    assert cache.of(rows[0]) is found[0]


def test_of_many_forecasts_those_asked_for_last_stay_in_memory(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_cache, "KEPT", 2)
    cache = Cache(database)
    one, two, three = (
        Forecast(id=i, run_id=i, version_id=1, issued_at=T0, created_at=T0, facts={})
        for i in range(3)
    )
    first, second = cache.of(one), cache.of(two)
    assert cache.of(one) is first
    cache.of(three)
    assert cache.of(one) is first
    assert cache.of(two) is not second


def test_versions_are_compared_promoted_and_rolled_back(
    client: httpx.Client, served: Served
) -> None:
    first = client.get("/v1/runs/1").json()["promoted"]
    client.post("/v1/runs/1/jobs", json={"kind": "tune"})
    served.do_jobs()
    versions = client.get("/v1/runs/1/versions").json()["items"]
    assert [one["promoted"] for one in versions] == [False, True]
    second = versions[0]["id"]
    both = client.get("/v1/compare", params={"version": [first, second]}).json()
    assert [one["version"] for one in both] == [first, second]
    assert client.post("/v1/runs/1/promote", json={"version": second}).json()["promoted"] == second
    assert client.post("/v1/runs/1/roll-back").json()["promoted"] == first
    assert client.post("/v1/runs/1/roll-back").status_code == 422
    assert len(served.do_jobs()) == 1


def test_a_job_is_followed_by_events_and_stopped(client: httpx.Client, served: Served) -> None:
    job = client.post("/v1/sources/1/checks").json()["id"]
    with client.stream("GET", f"/v1/jobs/{job}/events") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: progress"
        assert json.loads(next(lines).removeprefix("data: "))["state"] == "queued"
        assert client.post(f"/v1/jobs/{job}/cancel").status_code == 202
        assert "event: end" in lines
        assert json.loads(next(lines).removeprefix("data: "))["state"] == "cancelled"
    assert client.post(f"/v1/jobs/{job}/cancel").status_code == 422


def test_lists_come_page_by_page(client: httpx.Client) -> None:
    for i in range(5):
        body = {"name": f"page {i}", "kind": "readings"}
        assert client.post("/v1/sources", json=body).status_code == 201
    names, cursor = [], None
    while True:
        asked = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/sources", params=asked).json()
        names += [one["name"] for one in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert names[:5] == [f"page {i}" for i in (4, 3, 2, 1, 0)]
    assert len(names) == len({*names})


def test_a_schedule_is_kept_and_forgotten(client: httpx.Client) -> None:
    body = {"run": 1, "kind": "forecast", "cron": "0 6 * * *", "timezone": "Europe/Oslo"}
    made = client.post("/v1/schedules", json=body)
    assert made.status_code == 201
    assert dt.datetime.fromisoformat(made.json()["next_at"]) > dt.datetime.now(dt.UTC)
    number = made.json()["id"]
    assert client.delete(f"/v1/schedules/{number}").status_code == 204
    assert client.delete(f"/v1/schedules/{number}").status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "status", "why"),
    [
        ("/v1/readings", {"source": 99, "readings": []}, 404, "no source '99'"),
        ("/v1/readings", {"source": 1, "readings": [{"sensor": "s0", "time": "2024-03-01T00:00:00",
                                                     "value": 1}]}, 422, "need an offset"),
        ("/v1/readings", {"source": 1, "readings": [{"sensor": "s0", "time": "2199-03-01T00:00:00Z",
                                                     "value": 1}]}, 422, "in the future"),
        ("/v1/runs", {"source": 1, "name": "x", "settings": {}}, 422, "need a horizon"),
        ("/v1/runs", {"source": 1, "name": "x", "settings": {"horizn": 3, "horizon": 3}}, 422,
         "Did you mean 'horizon'"),
        ("/v1/runs", {"source": 1, "name": "x", "settings": {"horizon": 3, "backbone": "/etc"}},
         422, "no backbone is called"),
        ("/v1/runs", {"source": 1, "name": "x", "settings": {"horizon": 3, "backbone": []}}, 422,
         "backbone is a name"),
        ("/v1/runs", {"source": 1, "name": "x", "settings": {"horizon": 3, "options": [1]}}, 422,
         "options are names and values"),
        ("/v1/runs", {"source": 1, "name": "x", "settings": {"horizon": 3}, "alerts": ["?"]}, 422,
         "?"),
        ("/v1/runs", {"source": 1, "name": "loops", "settings": {"horizon": 3}}, 409, "already"),
        ("/v1/runs/1/jobs", {"kind": "delete"}, 422, ""),
        ("/v1/runs/1/jobs", {"kind": "forecast", "by": "refit"}, 422, "refresh"),
        ("/v1/sources", {"name": "x", "kind": "path", "place": "/etc/passwd"}, 422, "no folder is"),
        ("/v1/sources", {"name": "x", "kind": "url", "place": "http://127.0.0.1/"}, 422, "own net"),
        ("/v1/sources", {"name": "x", "reading": {"covariates": "/etc/passwd"}}, 422, ""),
        ("/v1/sources", {"name": "x", "more": 1}, 422, ""),
        ("/v1/schedules", {"run": 1, "kind": "forecast", "cron": "x"}, 422, "five fields"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_a_problem_document(
    client: httpx.Client, path: str, body: Any, status: int, why: str
) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert {"type", "title", "status", "detail"} <= set(said)
    assert said["status"] == status
    assert why in said["detail"]


def test_an_address_that_is_not_there_says_where_to_look(client: httpx.Client) -> None:
    lost = client.get("/v1/nowhere")
    assert (lost.status_code, "/v1/openapi.json" in lost.json()["detail"]) == (404, True)
    wrong = client.put("/v1/sources/1")
    assert wrong.status_code == 405
    assert wrong.json()["detail"].startswith("PUT is not possible here")
    text = client.post("/v1/readings", content="hello", headers={"Content-Type": "text/plain"})
    assert "Content-Type: application/json" in text.json()["errors"][0]["what"]
    deep = b'{"source": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    said = client.post("/v1/readings", content=deep, headers={"Content-Type": "application/json"})
    assert said.json()["detail"].startswith("the body cannot be read; send JSON")


def test_times_without_a_zone_are_wall_times_where_the_source_has_none(
    client: httpx.Client,
) -> None:
    source = client.post("/v1/sources", json={"name": "wall"}).json()["id"]

    def push(time: str) -> int:
        rows = [{"sensor": "a", "time": time, "value": 1.5}]
        return client.post("/v1/readings", json={"source": source, "readings": rows}).status_code

    assert push("2024-03-31T02:30:00") == 200
    assert push("2024-03-31T02:30:00+02:00") == 422
    change = client.patch(f"/v1/sources/{source}", json={"reading": {"timezone": "UTC"}})
    assert change.status_code == 409
    assert client.delete(f"/v1/sources/{source}").status_code == 204
    assert client.delete("/v1/sources/1").status_code == 409


def test_health_metrics_models_and_the_description_are_there(client: httpx.Client) -> None:
    assert client.get("/v1/health").json()["status"] == "ok"
    assert 'citytune_requests_total{method="GET",route="/v1/health"' in client.get("/metrics").text
    assert "lags" in [one["name"] for one in client.get("/v1/models").json()]
    described = client.get("/v1/openapi.json").json()
    assert "/v1/runs/{number}/forecast" in described["paths"]
    audit = client.get("/v1/audit").json()["items"]
    assert {one["who"].partition(" ")[0] for one in audit} == {"local", "job"}


def test_python_talks_to_it(served: Served, frame: SensorFrame, tmp_path: Path) -> None:
    with ct.connect(served.url) as city:
        assert city.run.__doc__
        source = city.add_source("pushed", **OF_CITY["reading"])["id"]
        assert city.push(source, readings_of(frame, 24 * 20, 24 * 21)) == 72
        moment = readings_of(frame, 24 * 20, 24 * 21)[0].time
        assert city.push(source, [("s0", moment, float("nan"))]) == 1
        page = city._row("GET", f"/v1/sources/{source}/readings", params={"limit": 1})
        assert page["items"][0]["value"] is None
        with pytest.raises(ct.InputError, match="is infinite"):
            city.push(source, [("s0", moment, float("inf"))])
        with pytest.raises(ct.InputError, match="is '41,0'; send a number"):
            city.push(source, [("s0", moment, "41,0")])  # type: ignore[list-item]
        assert "pushed" in [one["name"] for one in city.sources()]
        table = city.forecast(1, sensors=["s1"])
        assert table["sensor"].unique().to_list() == ["s1"]
        path = tmp_path / "more.csv"
        path.write_text("time,a\n2024-01-01,1\n2024-01-02,2\n")
        job = city.upload(path, target="a")["check_job"]
        served.do_jobs()
        assert city.wait(job)["state"] == "done"
        with pytest.raises(ct.InputError, match="already there"):
            city.upload(path)
        with pytest.raises(ct.InputError, match="no run '99'"):
            city.forecast(99)
    with pytest.raises(ct.InputError, match="cannot be reached"):
        ct.connect("http://127.0.0.1:1")
