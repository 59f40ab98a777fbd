"""Promise: a browser is enough, from a file to tomorrow and back, and nothing it shows is run."""

from __future__ import annotations

import serving_parts  # noqa: F401 - skips all of this where the extra is not installed

# isort: split

import datetime as dt
import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from importlib.resources import files
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest
from browsing import AXE, CHROMIUM
from browsing import browser as chromium
from conftest import make_city
from fastapi.routing import APIRoute
from serving_parts import Served, new_database, new_folder, readings_of, serving

from citytune import tune
from citytune.evaluation import NAIVE, WORDS
from citytune.frame import SensorFrame
from citytune.readers import explain
from citytune.serving._config import RUNS
from citytune.serving._words import LANGUAGES, POLICIES, PROPOSALS, catalogue
from citytune.serving.database import Alarm, Job, in_folder
from citytune.serving.http import ROLES
from citytune.serving.http._access import Allowed
from citytune.serving.jobs._recent import day_of, keep_recent
from citytune.serving.notices import TEXTS
from citytune.serving.web._charts import Line, chart
from citytune.serving.web._map import place_map
from citytune.serving.web._outlook import Day
from citytune.serving.web._page import environment
from citytune.serving.web._reading import options_of
from citytune.serving.web._stored import SIMPLE, alert_words, quality_words, stage_words
from citytune.serving.web._stored import STORED as SHOWN
from citytune.serving.web.routes import ROUTERS

EVIL = "<script>alert(1)</script> & co"
ROUTES = [
    (method, route) for router in ROUTERS for route in router.routes
    if isinstance(route, APIRoute) for method in sorted(route.methods)
]  # fmt: skip
OPEN = {"/login", "/logout", "/web/{name}"}


@pytest.fixture(scope="module")
def frame() -> SensorFrame:
    return replace(make_city(2, 32, gaps=0.0), sensors=("bridge", EVIL))


def csv_of(frame: SensorFrame) -> bytes:
    """A wide file with a column that a person has to judge."""
    columns = dict(zip(frame.sensors, frame.values.T, strict=True))
    local = frame.clock.local(0, len(frame))
    table = pl.DataFrame({"time": local, **columns, "sky": np.arange(len(frame)) * 7 % 11})
    return table.write_csv().encode()


def browser(served: Served, token: str | None = None, **headers: str) -> httpx.Client:
    """A client that sends what a browser sends with a form of this site."""
    cookies = {} if token is None else {"citytune_token": token}
    said = {"Origin": served.url, "Sec-Fetch-Site": "same-origin"} | headers
    return httpx.Client(
        base_url=served.url, headers=said, cookies=cookies, timeout=60, follow_redirects=True
    )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, frame: SensorFrame) -> Iterator[Served]:
    """A server on which a browser has uploaded a file and tuned a run."""
    folder = tmp_path_factory.mktemp("server")
    with (
        new_database(in_folder(folder)) as database,
        serving(database, new_folder(folder, database), needs_token=False) as found,
    ):
        with browser(found) as visitor:
            from_file_to_forecast(visitor, found, frame)
        yield found


def from_file_to_forecast(visitor: httpx.Client, served: Served, frame: SensorFrame) -> None:
    file = {"file": ("loops.csv", csv_of(frame.until(24 * 28)))}
    page = visitor.post("/sources/upload", files=file, data={"name": ""})
    assert page.url.path == "/sources/1", page.text
    assert "data-job" in page.text
    served.do_jobs()
    reading = {"quantity": "traffic_volume", "unit": "veh/h", "timezone": "Europe/Oslo",
               "role:sky": "not used"}  # fmt: skip
    visitor.post("/sources/1/reading", data=reading).raise_for_status()
    served.do_jobs()
    wanted = {"name": "loops", "horizon": "24h", "alerts": ">5; top 5%", "backbone": "lags",
              "strategy": "zero-shot"}  # fmt: skip
    page = visitor.post("/sources/1/runs", data=wanted)
    assert page.url.path.startswith("/jobs/"), page.text
    served.do_jobs()
    said = text_of(visitor.get(page.url.path))
    assert "Tune: done" in said, said


@pytest.fixture
def visitor(served: Served) -> Iterator[httpx.Client]:
    with browser(served) as found:
        yield found


def asked(served: Served, path: str) -> httpx.Response:
    """What the HTTP interface answers."""
    with served.client() as client:
        return client.get(path)


def text_of(page: httpx.Response) -> str:
    """What a person reads."""
    page.raise_for_status()
    body = re.sub(r"<(script|style)\b.*?</\1>", "", page.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_the_first_page_has_every_sensor_with_its_day_and_its_health(
    visitor: httpx.Client, served: Served
) -> None:
    page = visitor.get("/")
    said = text_of(page)
    for word in ("bridge", EVIL, "Peak", "Last reading", "> 5 veh/h", "top 5 %", "ok", "over 99 %"):
        assert word in said, word
    rows = re.findall(r'<tr role="row".*?</tr>', page.text, re.DOTALL)
    assert len(rows) == 3
    assert all('class="spark"' in row for row in rows[1:])
    assert "Standing alarms" in said
    ahead = asked(served, "/v1/runs/1/forecast").json()["forecasts"][0]
    highest = max(range(24), key=lambda i: ahead["point"][i])
    assert ahead["time"][highest][5:16].replace("T", " ") in said
    one = visitor.get("/runs/1/sensor?name=bridge")
    assert 'class="threshold" d="M' in one.text
    assert "threshold of an alert" in text_of(one)


def test_a_broken_sensor_has_its_alarm_in_a_sentence(visitor: httpx.Client, served: Served) -> None:
    with served.database.writing() as session:
        now = served.database.now(session)
        row = Alarm(run_id=1, watch="by hand", kind="frozen", sensor="bridge", evidence={},
                    text="bridge has not changed since noon", raised_at=now)  # fmt: skip
        session.add(row)
        session.flush()
        number = row.id
    said = text_of(visitor.get("/"))
    assert said.count("bridge has not changed since noon") == 2
    for path in ("/runs/1/sensor?name=bridge", "/runs/1"):
        assert "bridge has not changed since noon" in text_of(visitor.get(path)), path
    assert 'href="/runs/1#alarms">Alarms: ' in visitor.get("/sources/1").text
    with served.database.writing() as session:
        session.delete(session.get_one(Alarm, number))


def test_nothing_that_is_shown_is_run(visitor: httpx.Client) -> None:
    for path in ("/", "/runs/1", "/sources/1"):
        page = visitor.get(path)
        assert "<script>alert" not in page.text, path
    page = visitor.get("/runs/1/sensor", params={"name": EVIL})
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert 'aria-label="&lt;script&gt;' in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "style=" not in page.text
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["x-frame-options"] == "DENY"


def test_nothing_is_fetched_from_elsewhere(visitor: httpx.Client) -> None:
    for path in ("/", "/sources", "/runs", "/runs/1", "/tokens", "/web/page.css", "/web/page.js"):
        page = visitor.get(path)
        page.raise_for_status()
        assert not re.findall(r"(?:src|href)=\"(?:https?:)?//|url\(|@import", page.text), path
    assert visitor.get("/web/../page.css").status_code == 404


def test_a_sensor_is_shown_with_its_past_and_its_forecast(visitor: httpx.Client) -> None:
    page = visitor.get("/runs/1/sensor", params={"name": "bridge"})
    assert page.text.count('<svg class="graph"') == 1
    assert 'class="band"' in page.text
    said = text_of(page)
    assert "Nothing of a forecast has been measured yet" in said
    assert "Missing of the newest readings 0 %" in said
    assert said.count("2024-03-2") >= 24
    unknown = visitor.get("/runs/1/sensor", params={"name": "bridgee"})
    assert unknown.status_code == 404
    assert "there is no sensor" in unknown.text.lower()


def test_last_weeks_forecasts_are_shown_with_what_came_true(
    visitor: httpx.Client, served: Served, frame: SensorFrame
) -> None:
    rows = [
        {"sensor": one.sensor, "time": one.time.isoformat(), "value": one.value}
        for one in readings_of(frame, 24 * 28, 24 * 29)
    ]
    with served.client() as client:
        client.post("/v1/readings", json={"source": 1, "readings": rows}).raise_for_status()
    served.do_jobs()
    served.app.state.cache._newest.clear()
    page = visitor.get("/runs/1/sensor", params={"name": "bridge"})
    assert page.text.count('<svg class="graph"') == 2
    found = re.search(r"Mean error ([\d.]+), .* ([\d.]+); (\d+) % of 24 values", text_of(page))
    assert found is not None
    assert float(found[1]) < float(found[2])
    assert 0 < int(found[3]) <= 100


def test_a_file_is_read_as_a_person_says(visitor: httpx.Client, served: Served) -> None:
    page = visitor.get("/sources/1")
    said = text_of(page)
    assert "It can be used." in said
    assert "the role “time”" in said
    assert "the option" not in said
    assert "Europe/Oslo" in page.text
    assert '<select name="role:bridge"' in page.text
    assert f'name="role:{EVIL.replace("&", "&amp;")}"' not in page.text
    visitor.post("/sources/1/reading", data={"role:bridge": "not used", "timezone": "Europe/Oslo"})
    served.do_jobs()
    found = asked(served, "/v1/sources/1/check").json()
    assert {one["name"]: one["role"] for one in found["columns"]}["bridge"] != "reading"
    assert found["sensors"] == [EVIL, "bridge"]  # it is pushed as well, and what is pushed counts
    back = {"role:bridge": "reading", "timezone": "Europe/Oslo", "quantity": "traffic_volume"}
    visitor.post("/sources/1/reading", data=back | {"unit": "veh/h"})
    served.do_jobs()
    assert asked(served, "/v1/sources/1/check").json()["sensors"] == ["bridge", EVIL]


def test_roles_that_were_chosen_become_options() -> None:
    columns = [
        {"name": "day", "role": "time"}, {"name": "flow", "role": "reading"},
        {"name": "speed", "role": "not used"}, {"name": "'a', 'b' and 9 more", "role": "not used"},
    ]  # fmt: skip
    same = {"role:day": "time", "role:flow": "reading", "role:speed": "not used"}
    assert options_of({"valid": {"ok": ["1"]}}, columns, same) == {"valid": {"ok": ["1"]}}
    other = {"role:flow": "known ahead", "role:speed": "reading", "missing": "-1; 99"}
    assert options_of({}, columns, other) == {
        "target": ["speed"], "covariates": ["flow"], "missing": [-1.0, 99.0]
    }  # fmt: skip
    assert options_of({}, [], {"time": "day; hour"}) == {"time": ["day", "hour"]}


def test_versions_are_shown_promoted_rolled_back_and_deleted(
    visitor: httpx.Client, served: Served
) -> None:
    page = visitor.post("/runs/1/jobs", data={"kind": "tune"})
    assert page.url.path.startswith("/jobs/")
    assert "data-job" in page.text
    served.do_jobs()
    assert "promote it" in visitor.get(page.url.path).text
    both = visitor.get("/runs/1").text
    assert both.count('<th role="rowheader"') == 2
    second = re.findall(r'name="version" value="(\d+)"', both)
    promoted = visitor.post("/runs/1/promote", data={"version": second[0]})
    assert "Roll back" in promoted.text
    assert "Roll back" not in visitor.post("/runs/1/roll-back").text
    served.do_jobs()
    report = visitor.get("/runs/1/report")
    assert report.headers["content-security-policy"].startswith("sandbox")
    assert visitor.post("/runs/1/jobs", data={"kind": "delete"}).status_code == 422


def test_a_run_is_deleted_only_once_a_person_is_sure(visitor: httpx.Client, served: Served) -> None:
    visitor.post("/sources/1/runs", data={"name": "other", "horizon": "24h"})
    number = asked(served, "/v1/runs").json()["items"][0]["id"]
    assert "cannot be brought back" in visitor.post(f"/runs/{number}/delete").text
    assert asked(served, f"/v1/runs/{number}").status_code == 200
    page = visitor.post(f"/runs/{number}/delete", data={"sure": "yes"})
    assert page.url.path == "/runs"
    assert asked(served, f"/v1/runs/{number}").status_code == 404
    busy = visitor.post("/sources/1/delete")
    assert busy.status_code == 409
    assert "delete them first" in busy.text


def test_schedules_and_tokens_are_made_and_stopped(visitor: httpx.Client) -> None:
    said = {"kind": "refresh", "cron": "30 6 * * *", "timezone": "Europe/Oslo", "quiet": ""}
    page = visitor.post("/runs/1/schedules", data=said)
    number = re.findall(r"/schedules/(\d+)/delete", page.text)
    assert len(number) == 1
    wrong = visitor.post("/runs/1/schedules", data=said | {"cron": "tomorrow"})
    assert wrong.status_code == 422
    assert "five fields" in wrong.text
    page = visitor.post(f"/schedules/{number[0]}/delete", data={"run": "1"})
    assert "/schedules/" not in page.text.replace("/runs/1/schedules", "")
    made = visitor.post("/tokens", data={"name": "wall", "role": "read", "days": "30"})
    assert re.search(r"<code>ct_\d+_[\w-]{43}</code>", made.text)
    assert "<code>" not in visitor.get("/tokens").text
    number = re.findall(r"/tokens/(\d+)/revoke", made.text)
    assert "revoked" in visitor.post(f"/tokens/{number[0]}/revoke").text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": ""},
        {"Origin": "", "Sec-Fetch-Site": ""},
    ],
)
def test_a_form_of_another_site_is_refused(served: Served, headers: dict[str, str]) -> None:
    said = {name: one for name, one in headers.items() if one}
    with httpx.Client(base_url=served.url, headers=said) as other:
        for method, route in ROUTES:
            if method == "POST":
                answer = other.post(route.path.replace("{number}", "1"), data={"sure": "yes"})
                assert answer.status_code == 403, (route.path, answer.text)
    assert asked(served, "/v1/runs/1").status_code == 200


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that needs a token."""
    folder = tmp_path_factory.mktemp("guarded")
    with (
        new_database(in_folder(folder)) as database,
        serving(database, new_folder(folder, database), needs_token=True) as found,
    ):
        yield found


def role_of(route: APIRoute) -> str | None:
    calls = [one.call for one in route.dependant.dependencies]
    return next((one.role for one in calls if isinstance(one, Allowed)), None)


def test_every_page_asks_for_a_role() -> None:
    for method, route in ROUTES:
        role = role_of(route)
        assert (role is None) == (route.path in OPEN), route.path
        assert method == "GET" or role is None or role in ("write", "admin"), route.path


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=lambda one: getattr(one, "path", one))
def test_a_page_is_shown_only_to_who_may_see_it(
    guarded: Served, method: str, route: APIRoute
) -> None:
    guarded.app.state.doorkeeper._failures.clear()
    needed = role_of(route)
    if needed is None:
        return
    path = route.path.replace("{number}", "1")
    for token in (None, "ct_1_" + "x" * 43, "x"):
        with browser(guarded, token) as nobody:
            answer = nobody.request(method, path, follow_redirects=False)
            assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    for role in ROLES[: ROLES.index(needed)]:
        with browser(guarded, guarded.token(role)) as low:
            assert low.request(method, path).status_code == 403


def test_who_logs_in_has_a_cookie_that_no_script_reads(guarded: Served) -> None:
    guarded.app.state.doorkeeper._failures.clear()
    with browser(guarded) as visitor:
        wrong = visitor.post("/login", data={"token": "ct_1_wrong"})
        assert wrong.status_code == 401
        assert "is not known" in wrong.text
        answer = visitor.post(
            "/login", data={"token": guarded.token("read")}, follow_redirects=False
        )
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "Nothing is forecast yet." in text_of(visitor.get("/"))
        assert "Upload" not in text_of(visitor.get("/sources"))
        assert visitor.get("/v1/runs").status_code == 401  # the cookie is for pages alone
        visitor.post("/logout")
        assert visitor.get("/").url.path == "/login"


def test_a_visitor_chooses_the_language(visitor: httpx.Client) -> None:
    chinese = visitor.get("/runs", headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"})
    assert '<html lang="zh-CN">' in chinese.text
    assert "总览" in chinese.text
    chosen = visitor.get("/runs", params={"lang": "zh_CN"})
    assert "总览" in chosen.text
    assert "总览" in visitor.get("/").text  # it is remembered
    assert "Overview" in visitor.get("/", params={"lang": "en"}).text
    assert '<html lang="en">' in visitor.get("/", params={"lang": "xx"}).text


def messages() -> set[str]:
    """Every text of the templates."""
    found: set[str | None] = set()
    made = environment("en")
    for path in (files("citytune.serving.web") / "templates").iterdir():
        if path.name.endswith(".html"):
            said = made.extract_translations(path.read_text("utf-8"))  # type: ignore[attr-defined]
            found |= {one[0] if isinstance(one, tuple) else one for _, _, one in said}
    return {one for one in found if one is not None}


STORED = {
    "time", "sensor", "reading", "known ahead", "not used", "check", "tune", "forecast", "refresh",
    "queued", "running", "done", "failed", "cancelled", "read", "write", "admin", "retune", "sent",
    *PROPOSALS.values(), *POLICIES.values(), *TEXTS, *SHOWN,
}  # fmt: skip
"""Words of the database that are shown, and what notices say."""


@pytest.mark.parametrize("language", [*LANGUAGES][1:])
def test_a_catalogue_has_every_text_and_no_other(language: str) -> None:
    texts = catalogue(language).texts
    wanted = messages() | STORED
    assert wanted - {*texts} == set()
    assert {*texts} - wanted == set()
    for message, text in texts.items():
        parts = r"%\(\w+\)s|%%|\{\w+\}"
        assert sorted(re.findall(parts, message)) == sorted(re.findall(parts, text)), message
        assert text


def test_what_is_stored_in_english_is_shown_in_the_language_of_the_page() -> None:
    say = catalogue("zh_CN").gettext
    assert quality_words("fallback: last good week (frozen since 2024-05-08)", say) == (
        "备用预测：最近正常一周的值 (2024-05-08 起数值不变)"
    )
    both = "silent since 2024-05-08; fallback: last day measured"
    assert quality_words(both, say) == "2024-05-08 起无数据; 备用预测：最近有测量的一天的值"
    assert quality_words(both, str) == both
    assert stage_words("Scoring: naive-week", say) == "正在评分: naive-week"
    assert environment("zh_CN").from_string("{{ 0.999 | chance }}").render() == "高于 99 %"
    assert {name: WORDS[name] for name in NAIVE} == SIMPLE


def test_the_day_and_why_a_column_is_read_so_are_told_in_the_language_of_the_page(
    tmp_path: Path,
) -> None:
    made, path = environment("zh_CN"), tmp_path / "air.csv"
    rows = [f"{i // 24 + 1:02}.01.2024 {i % 24:02}:00;{i % 24},5;;x;7" for i in range(24 * 14)]
    path.write_text("\n".join(["zeit;pm25;leer;wort;no", *rows]))
    whys = {row.name: row.why for row in explain(path).columns}
    assert "decimal comma" in whys["pm25"]
    said = made.from_string("{{ why | why }}")
    assert not [why for why in whys.values() if re.search("[a-z]{3}", said.render(why=why))]
    assert alert_words("Tuesday 2026-11-17: load > 5 kW: 8 %", catalogue("zh_CN").gettext) == (
        "星期二 2026-11-17: 负荷 > 5 kW: 8 %"
    )
    alert = (
        "the 24 hours from 2022-12-21 22:00: "
        "traffic volume > 60 veh/h: over 99 %, top 5 % of speed: 9 %"
    )
    said = alert_words(alert, catalogue("zh_CN").gettext)
    assert said == (
        "自 2022-12-21 22:00 起的 24 小时: 交通流量 > 60 veh/h: 高于 99 %, 速度最高的 5 %: 9 %"
    )
    day = made.from_string("{{ 'Friday 2025-12-26' | alert }}")
    assert day.render() == "星期五 2025-12-26"


def test_sensors_whose_place_is_known_are_on_a_map(
    visitor: httpx.Client, served: Served, frame: SensorFrame, tmp_path: Path
) -> None:
    assert '<svg class="places"' not in visitor.get("/").text
    places = np.array([[59.91, 10.75], [59.93, 10.70]])
    config = replace(served.config, folder=tmp_path)
    forecast = tune(frame, horizon=24, backbone="lags", strategy="zero-shot").forecast(frame)
    keep_recent(config, 1, replace(frame, places=places), forecast)
    kept = day_of(config, 1)
    assert kept is not None
    assert kept["places"] == dict(zip(frame.sensors, places.tolist(), strict=True))
    path = served.config.place(RUNS, "1", "day.json")
    before = path.read_text()
    path.write_text(json.dumps(json.loads(before) | {"places": kept["places"]}))
    page = visitor.get("/").text
    path.write_text(before)
    drawn = re.search(r'<svg class="places".*?</svg>', page, re.DOTALL)
    assert drawn is not None
    marks = re.findall(r'<circle class="\w*" cx="([\d.]+)" cy="([\d.]+)"', drawn[0])
    (x, y), (right, down) = sorted([float(one) for one in mark] for mark in marks)
    assert x < right  # east is on the right
    # A name at an edge is written inwards.
    assert re.findall(r'<text class="(\w+)"', drawn[0]) in (["start", "end"], ["end", "start"])
    assert y < down  # north is up
    assert EVIL not in drawn[0]


def test_one_place_and_no_forecast_make_no_map() -> None:
    day = Day("a", 5.0, 4.0, 6.0, "2024-05-01 08:00", 3.0, (), "", "")
    dark = day._replace(sensor="b", peak=math.nan)
    assert place_map([day, dark], {"a": [59.9, 10.7], "b": [59.8, 10.6]}) == ""
    same = place_map([day, day._replace(sensor="b")], {"a": [59.9, 10.7], "b": [59.9, 10.7]})
    assert same.count("<circle") == 2
    assert "nan" not in same


def test_an_unknown_address_is_answered_with_a_page_in_a_browser(visitor: httpx.Client) -> None:
    page = visitor.get("/nowhere", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.status_code == 404
    assert "There is no such page" in unescape(page.text)
    document = visitor.get("/nowhere", headers={"Accept": "application/json"})
    assert document.headers["content-type"] == "application/problem+json"


def test_a_bug_is_told_on_a_page_in_a_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("weights")

    monkeypatch.setattr("citytune.serving.web.routes._tokens.page", broken)
    with (
        new_database(in_folder(tmp_path)) as database,
        serving(database, new_folder(tmp_path, database), needs_token=False) as found,
        browser(found) as visitor,
    ):
        answer = visitor.get("/tokens")
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html")
    assert "An internal error (a bug in citytune)" in unescape(answer.text)
    assert "weights" not in answer.text
    assert "KeyError: 'weights'" in caplog.text


def test_names_of_large_values_have_room_in_a_chart() -> None:
    times = [dt.datetime(2024, 5, 1, hour) for hour in range(3)]
    for top in (90.0, 600_000.0):
        svg = chart("a", [Line("measured", times, [0.0, top, 1.0])])
        found = re.findall(r'class="end" x="([\d.]+)"[^>]*>([\d,]+)<', svg)
        assert found
        for x, text in found:
            assert float(x) >= 11 * len(text)  # letters of 20 units, as on a phone


def test_a_threshold_is_drawn_where_it_is_near_what_is_shown() -> None:
    times = [dt.datetime(2024, 5, 1, hour) for hour in range(3)]
    svg = chart("a", [Line("measured", times, [20.0, 50.0, 30.0])], None, [70.0, math.nan, 900.0])
    (height,) = re.findall(r'class="threshold" d="M[\d.]+ ([\d.]+)H', svg)
    (highest,) = re.findall(r'class="measured" d="M\S+ \S+L\S+ ([\d.]+)L', svg)
    assert 0 < float(height) < float(highest)


@pytest.mark.parametrize("hours", range(1, 24, 4))
def test_dates_have_room_in_a_chart(hours: int) -> None:
    times = [dt.datetime(2024, 5, 1) + dt.timedelta(hours=i) for i in range(24 * 5 + hours)]
    svg = chart("a", [Line("measured", times, [1.0] * len(times))])
    found = re.findall(r'<text x="([\d.]+)"[^>]*>\d\d-\d\d<', svg)
    assert len(found) >= 5
    assert all(float(x) + 11 * len("05-01") <= 720 for x in found)


WIDEST = """[...document.querySelectorAll('main *')].filter(
    one => one.getBoundingClientRect().right > innerWidth).map(
    one => one.tagName + '.' + one.className).slice(0, 9).join(' ')"""
FITS = "document.documentElement.scrollWidth - innerWidth <= 0"


def messy(table: bytes) -> bytes:
    """The same as an export may be: a title, semicolons, decimal commas, markers, other dates."""
    head, *rows = table.decode().splitlines()
    cells = [row.split(",") for row in rows]
    for row in cells[::50]:
        row[1] = "-999"
    lines = [
        ";".join([f"{dt.datetime.fromisoformat(time):%d.%m.%Y %H:%M}",
                  *(one.replace(".", ",") for one in rest)])
        for time, *rest in cells
    ]  # fmt: skip
    return "\n".join(["Loops of the city, hourly", "", head.replace(",", ";"), *lines]).encode()


@pytest.mark.extras
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_in_a_browser_a_file_becomes_tomorrow(tmp_path: Path) -> None:
    """From a messy file to tomorrow, through a day of readings and a broken sensor, and back.

    Wide and narrow: the reading is corrected, a model is tuned while one looks on.
    """
    frame = replace(make_city(2, 80, gaps=0.0), sensors=("bridge", EVIL))
    (tmp_path / "loops.csv").write_bytes(messy(csv_of(frame.until(24 * 70))))
    folder = tmp_path / "server"
    folder.mkdir()
    with (
        new_database(in_folder(folder)) as database,
        serving(database, new_folder(folder, database), needs_token=False) as served,
        chromium(tmp_path) as tab,
    ):

        def look(name: str) -> None:
            for width in (375, 1280):
                tab.size(width)
                assert tab.run(FITS), (name, width, tab.run(WIDEST))
                assert AXE is None or tab.violations() == [], (name, width)
                tab.picture(tmp_path / f"{name}-{width}.png")

        def send(button: str) -> None:
            words = f"[...document.querySelectorAll('button')].find(b => b.innerText == '{button}')"
            tab.run(f"{words}.click()")

        def fill(name: str, value: str) -> None:
            tab.run(f"document.querySelector('[name=\"{name}\"]').value = '{value}'")

        tab.go(f"{served.url}/")
        assert tab.run("document.body.innerText.includes('Nothing is forecast yet.')")
        look("empty")
        tab.go(f"{served.url}/sources")
        tab.choose_file("[name=file]", tmp_path / "loops.csv")
        look("upload")
        send("Upload")
        tab.until("document.querySelector('[data-job]') !== null")
        served.do_jobs()
        tab.until("document.querySelector('[name=\"role:sky\"]') !== null")  # by itself
        look("reading")
        for name, value in (("role:sky", "not used"), ("timezone", "Europe/Oslo"),
                            ("quantity", "traffic_volume"), ("unit", "veh/h")):  # fmt: skip
            fill(name, value)
        send("Read it this way")
        tab.until("document.querySelector('[data-job]') !== null")
        served.do_jobs()
        tab.until("document.body.innerText.includes('traffic volume (veh/h)')")
        for name, value in (("name", "loops"), ("alerts", ">9; top 5%"), ("backbone", "lags"),
                            ("strategy", "zero-shot")):  # fmt: skip
            fill(name, value)
        send("Tune")
        tab.until("document.querySelector('progress') !== null")
        with database.writing() as session:
            row = session.get_one(Job, 3)
            row.stage, row.share = "Fitting", 0.4
        tab.until("document.querySelector('progress')?.value === 0.4")
        look("tuning")
        served.do_jobs()
        tab.until("document.body.innerText.includes('See tomorrow')")
        look("tuned")
        tab.run("document.querySelector('main a.button').click()")
        tab.until("document.querySelectorAll('tr th[scope=row]').length === 2")
        look("tomorrow")
        for _ in ("ascending", "descending"):
            tab.run("document.querySelector('thead button').click()")
        assert tab.run("document.querySelector('tbody th').dataset.v") == "bridge"
        tab.run("document.querySelector('tbody th a').click()")
        tab.until("document.querySelector('svg.graph') !== null")
        look("sensor")

        def push(first: int, until: int) -> None:
            """Readings come in, and what follows them is done."""
            sent = {"source": 1, "readings": [
                {"sensor": one.sensor, "time": one.time.isoformat(), "value": one.value}
                for one in readings_of(frame, first, until)
            ]}  # fmt: skip
            with served.client() as client:
                client.post("/v1/readings", json=sent).raise_for_status()
            served.do_jobs()

        def day() -> tuple[str, str]:
            """The day that is shown of the first sensor, and the height of its peak."""
            tab.go(f"{served.url}/")
            row = (
                "[...document.querySelectorAll('tbody tr')].find(r => r.innerText.match('bridge'))"
            )
            return tab.run(f"{row}.children[3].dataset.v"), tab.run(f"{row}.children[2].dataset.v")

        before = day()
        push(24 * 70, 24 * 71)
        after = day()
        assert after[0] > before[0]
        assert after[1] != before[1]
        tab.go(f"{served.url}/runs/1")
        send("Learn from new readings")
        tab.until("location.pathname.startsWith('/jobs/')")
        served.do_jobs()
        frame.values[24 * 71 :, 0] = frame.values[24 * 71 - 1, 0]
        push(24 * 71, 24 * 80)
        day()
        tab.until("document.body.innerText.includes('has sent nothing') || "
                  "document.body.innerText.includes('repeats one value')")  # fmt: skip
        assert "fallback: last good week" in tab.run("document.body.innerText")
        look("alarm")
        tab.go(f"{served.url}/runs/1")
        forecasts = "document.querySelector('tr.tuned th').innerText"
        assert tab.run(forecasts).startswith("2")
        look("versions")
        send("Roll back to the version before")
        tab.until(f"{forecasts}.startsWith('1')")
        look("back")
        for path in ("runs", "runs/1", "tokens", "sources/1", "?lang=zh_CN", "runs/1"):
            tab.go(f"{served.url}/{path}")
            look(f"page-{path.replace('/', '-').replace('?', '')}")
        assert tab.complaints == []
