"""Promise: nobody gets in without a token that allows it, and nothing that is sent does harm.

The routes are taken from the application, so that a new one is covered on the day it is added.
"""

from __future__ import annotations

import serving_parts  # noqa: F401 - skips all of this where the extra is not installed

# isort: split

import datetime as dt
import gzip
import io
import json
import re
import socket
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from serving_parts import Served, new_database, new_folder, serving
from sqlalchemy import select, update

from citytune.serving.database import AuditLine, Job, Source, Token, in_folder
from citytune.serving.http import ROLES, create_app
from citytune.serving.http import _audit as audit
from citytune.serving.http import _limits as limits
from citytune.serving.http import _tokens as tokens
from citytune.serving.http._access import Allowed
from citytune.serving.http._problems import Problem
from citytune.serving.http.routes import ROUTERS

Clients = dict[str, httpx.Client]
OPEN = {("GET", "/v1/health"), ("GET", "/v1/openapi.json")}
"""What anyone may ask."""
ROUTES = sorted(
    (method, route.path)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods
)


def role_of(method: str, path: str) -> str | None:
    """The role that a route asks for, as its dependencies say."""
    found = [
        inner.call.role
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and route.path == path and method in route.methods
        for inner in route.dependant.dependencies
        if isinstance(inner.call, Allowed)
    ]
    return found[0] if found else None


def asked(method: str, url: str, **request: Any) -> httpx.Response:
    """Asked by a new client each time."""
    return httpx.request(method, url, timeout=60, **request)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def filled(path: str) -> str:
    return re.sub(r"{\w+}", "1", path)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("server")
    with (
        new_database(in_folder(folder)) as database,
        serving(database, new_folder(folder, database), needs_token=True) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def clients(served: Served) -> Iterator[dict[str, httpx.Client]]:
    found = {role: served.client(role) for role in ROLES}
    yield found
    for one in found.values():
        one.close()


@pytest.fixture(autouse=True)
def patient(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong tokens and refusals of other tests do not count."""
    monkeypatch.setattr(audit, "MOST_OF_NOBODY", 1_000_000)
    served.app.state.doorkeeper._failures.clear()


def test_every_route_of_the_application_is_in_the_list(served: Served) -> None:
    described = served.app.openapi()["paths"]
    known = {(method.upper(), path) for path, one in described.items() for method in one}
    assert known == {*ROUTES}
    assert {r for r in ROUTES if role_of(*r) is None} == OPEN & {*ROUTES}


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_a_token_that_counts_nobody_gets_in(served: Served, method: str, path: str) -> None:
    if (method, path) in OPEN:
        pytest.skip("open to all")
    expired, revoked = served.token("admin", days=1), served.token("admin")
    with served.database.writing() as session:
        past = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
        number = int(expired.split("_")[1])
        session.execute(update(Token).where(Token.id == number).values(expires_at=past))
        number = int(revoked.split("_")[1])
        session.execute(update(Token).where(Token.id == number).values(revoked_at=past))
    good = served.token("admin")
    wrong = good[:-4] + ("aaaa" if good[-4:] != "aaaa" else "bbbb")
    headers = [
        {}, *(bearer(one) for one in (expired, revoked, wrong, "x", "ct_1_")),
        {"Authorization": f"Basic {good}"}, {"Authorization": good}, {"X-Token": good},
    ]  # fmt: skip
    for one in headers:
        answer = asked(method, served.url + filled(path), headers=one)
        assert answer.status_code == 401, (one, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for query in ({"token": good}, {"access_token": good}):
        assert asked(method, served.url + filled(path), params=query).status_code == 401


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_token_does_what_its_role_allows_and_no_more(
    clients: Clients, method: str, path: str
) -> None:
    needed = role_of(method, path)
    for role in ROLES:
        if needed is not None and ROLES.index(role) < ROLES.index(needed):
            answer = clients[role].request(method, filled(path))
            assert answer.status_code == 403, answer.text
        elif method == "GET" and "events" not in path:
            assert clients[role].request(method, filled(path)).status_code not in (401, 403)
    if method != "GET":
        assert needed in ("write", "admin")


def test_a_revoked_token_counts_no_more_at_once(clients: Clients, served: Served) -> None:
    made = clients["admin"].post("/v1/tokens", json={"name": "guest", "role": "read"}).json()
    with httpx.Client(
        base_url=served.url, headers={"Authorization": f"Bearer {made['token']}"}
    ) as guest:
        assert guest.get("/v1/runs").status_code == 200
        assert clients["admin"].delete(f"/v1/tokens/{made['id']}").status_code == 200
        assert guest.get("/v1/runs").status_code == 401


def test_no_token_is_kept_or_shown_in_plain(clients: Clients, served: Served) -> None:
    made = clients["admin"].post("/v1/tokens", json={"name": "shown", "role": "read"}).json()
    secret = made["token"].split("_", 2)[2]
    assert secret not in clients["admin"].get("/v1/tokens").text
    assert secret.encode() not in (served.config.folder / "citytune.db").read_bytes()
    with served.database.reading() as session:
        assert all(one.hash.startswith("$argon2id$") for one in session.scalars(select(Token)))


def test_who_guesses_is_told_to_wait(served: Served) -> None:
    codes = [
        asked("GET", f"{served.url}/v1/runs", headers={"Authorization": "Bearer x"}).status_code
        for _ in range(25)
    ]
    assert codes[0] == 401
    assert codes[-1] == 429


def test_who_guesses_locks_out_nobody_else_behind_the_same_proxy(served: Served) -> None:
    wrong = f"ct_1_{'x' * 43}"
    codes = [
        asked("GET", f"{served.url}/v1/runs", headers=bearer(wrong)).status_code for _ in range(25)
    ]
    assert codes[-1] == 429
    good = served.token("read")  # never seen before
    assert asked("GET", f"{served.url}/v1/runs", headers=bearer(good)).status_code == 200
    assert asked("GET", f"{served.url}/v1/runs", headers=bearer(wrong)).status_code == 429
    elsewhere = bearer(wrong) | {"X-Forwarded-For": "198.51.100.7"}
    assert asked("GET", f"{served.url}/v1/runs", headers=elsewhere).status_code == 401


def test_who_guesses_takes_no_more_than_free_turns_of_the_hash(served: Served) -> None:
    keeper, known, new = served.app.state.doorkeeper, served.token("read"), served.token("read")
    assert keeper.ask(f"Bearer {known}", "far").role == "read"
    for _ in range(tokens.MOST_FAILURES):
        with pytest.raises(Problem, match="not known"):
            keeper.ask("Bearer x", "far")
    with ExitStack() as busy:
        for _ in range(tokens.AT_ONCE):
            busy.enter_context(keeper._turns)
        with pytest.raises(Problem, match="wait a minute"):
            keeper.ask(f"Bearer {new}", "far")
        assert keeper.ask(f"Bearer {known}", "far").role == "read"
    assert keeper.ask(f"Bearer {new}", "far").role == "read"


@pytest.mark.parametrize(("role", "code"), [(None, b"401"), ("read", b"403")])
def test_no_body_is_read_before_the_token_is_right(
    served: Served, role: str | None, code: bytes
) -> None:
    host, port = served.url.removeprefix("http://").split(":")
    token = served.token(role) if role else "x"
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(
            f"POST /v1/sources/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000000\r\n\r\n"
            "--x".encode()
        )
        assert line.recv(1000).startswith(b"HTTP/1.1 " + code)


def test_nobody_can_fill_the_audit_log_and_old_lines_go(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    old = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
    with served.database.writing() as session:
        session.add(AuditLine(at=old, who="old", address="", action="GET /", status=401))
    monkeypatch.setattr(audit, "MOST_OF_NOBODY", 3)
    log = audit.Audit(served.database, 400)
    for number in range(10):
        log.write("-", "far", f"GET /filled/{number}", 401)
    log.write("somebody", "far", "POST /filled/last", 201)
    with served.database.reading() as session:
        lines = session.scalars(select(AuditLine).order_by(AuditLine.id)).all()
    filled = [one.action for one in lines if "/filled/" in one.action]
    assert filled == ["GET /filled/0", "GET /filled/1", "GET /filled/2", "POST /filled/last"]
    assert all(one.who != "old" for one in lines)
    assert caplog.text.count("more than 3 refusals in an hour") == 1


def test_changes_and_refusals_are_in_the_audit_log(clients: Clients, served: Served) -> None:
    clients["read"].post("/v1/sources", json={"name": "x"})
    clients["write"].post("/v1/sources", json={"name": "audited"})
    asked("GET", f"{served.url}/v1/runs")
    wanted = {("-", "GET /v1/runs", 401), ("write", "POST /v1/sources", 201),
              ("read", "POST /v1/sources", 403)}  # fmt: skip
    until, found = time.monotonic() + 30, set[tuple[str, str, int]]()
    while not wanted <= found and time.monotonic() < until:  # a line is written after the answer
        with served.database.reading() as session:
            lines = session.scalars(select(AuditLine).order_by(AuditLine.id.desc()).limit(20))
            found = {(line.who.split()[0], line.action, line.status) for line in lines}
    assert wanted <= found


def test_without_tokens_only_this_machine_and_no_other_page_may_ask(served: Served) -> None:
    with serving(served.database, served.config, needs_token=False) as near:
        port = near.url.rpartition(":")[2]
        for headers, code in (
            ({}, 200),
            ({"Host": f"localhost:{port}"}, 200),
            ({"Origin": near.url}, 200),
            ({"X-Forwarded-For": "198.51.100.7"}, 403),
            ({"Via": "1.1 proxy"}, 403),
            ({"Host": "evil.example"}, 403),
            ({"Host": "evil.example:80@127.0.0.1"}, 403),
            ({"Origin": "https://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
        ):
            for method, path in (("GET", "/v1/runs"), ("POST", "/v1/sources/1/checks")):
                answer = asked(method, near.url + path, headers=headers)
                assert (answer.status_code == 403) == (code == 403), (headers, answer.text)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"name": "x", "reading": ' + b'{"a":' * 500 + b"1" + b"}" * 501,
        b'{"name": "\\u0000"}',
        b'{"name": "\\ud800"}',
        b'{"name": "x", "reading": {"target": "\\ud800"}}',
        b'{"name": "x", "reading": {"target": "a\\u0000"}}',
        b'{"name": "x", "reading": {"missing": [1e999]}}',
        b'{"name": "x", "reading": {"missing": [' + b"9" * 5000 + b"]}}",
        b'{"name": NaN}',
        b'{"name": "' + b"x" * 1_000_000 + b'"}',
        b"\xff\xfe",
        "{'name': 'x'}".encode("utf-16"),
        b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>",
    ],
)  # fmt: skip
def test_a_body_that_is_no_good_is_refused(clients: Clients, body: bytes) -> None:
    for path in ("/v1/sources", "/v1/readings", "/v1/runs"):
        answer = clients["write"].post(
            path, content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (400, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.content) < 20_000


@pytest.mark.parametrize(
    "text",
    ["' OR 1=1 --", "'; DROP TABLE sources; --", '"; DROP TABLE sources; --', "%27%20OR%201=1",
     "<script>alert(1)</script>", "{{7*7}}", "${jndi:ldap://x}", "../../../etc/passwd", "\u202e"],
)  # fmt: skip
def test_what_looks_like_code_is_text(clients: Clients, text: str) -> None:
    made = clients["write"].post("/v1/sources", json={"name": text})
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    assert clients["read"].get(f"/v1/sources/{number}").json()["name"] == text
    rows = [{"sensor": text, "time": "2024-01-01T00:00:00", "value": 1}]
    assert (
        clients["write"].post("/v1/readings", json={"source": number, "readings": rows}).status_code
        == 200
    )
    found = clients["read"].get(f"/v1/sources/{number}/readings", params={"sensor": text}).json()
    assert [one["sensor"] for one in found["items"]] == [text]
    for path in ("/v1/sources", "/v1/jobs", "/v1/sources/1/readings", "/v1/audit"):
        for name in ("cursor", "state", "run", "limit"):
            answer = clients["admin"].get(path, params={name: text})
            assert answer.status_code in (200, 422), answer.text
    assert clients["read"].get("/v1/sources").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/v1/sources/../../etc/passwd", "/v1/runs/..%2f..%2fetc/report", "/v1/runs/-1", "/v1/runs/0",
     "/v1/runs/99999999999999999999", "/v1/runs/1e3", "/v1/runs/%00", "/%ff", "//etc/passwd",
     "/v1/runs/1/report?version=../x", "/static/../../etc/passwd"],
)  # fmt: skip
def test_no_path_leads_out(served: Served, path: str) -> None:
    host, port = served.url.removeprefix("http://").split(":")
    token = served.token("admin")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: line.recv(65_536), b""))
    assert re.match(rb"HTTP/1.1 4\d\d", answer), answer[:200]
    assert b"root:" not in answer


def upload(client: httpx.Client, name: str, data: bytes) -> httpx.Response:
    return client.post("/v1/sources/upload", data={"name": name}, files={"file": ("../../x", data)})


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", data)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["zip", "gzip", "deep", "nul", "xml", "duckdb-in-gzip"])
def test_a_file_that_is_a_bomb_ends_its_job_and_nothing_else(
    clients: Clients, served: Served, kind: str
) -> None:
    flood = b"2024-01-01,1\n" * 9_000_000
    data = {
        "zip": lambda: zipped(flood),
        "gzip": lambda: gzip.compress(flood),
        "deep": lambda: b"[" * 2_000_000,
        "nul": lambda: b"\0" * 100_000,
        "xml": lambda: (
            b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "xxxxxxxxxx">'
            + b"".join(b'<!ENTITY a%d "&a%d;&a%d;">' % (i, i - 1, i - 1) for i in range(2, 30))
            + b"]><feed>&a29;</feed>"
        ),
        "duckdb-in-gzip": lambda: gzip.compress(b"\0" * 8 + b"DUCK" + b"\0" * 1000),
    }[kind]()
    made = upload(clients["write"], f"bomb {kind}", data)
    assert made.status_code == 201, made.text
    served.do_jobs()
    with served.database.reading() as session:
        job = session.get(Job, made.json()["check_job"])
    assert job.state == "failed" or not job.result["usable"]
    assert "internal error" not in str(job.error)
    if kind in ("zip", "gzip"):
        assert [one["kind"] for one in job.result["faults"]] == ["zip-bomb"]
    assert [
        one.name for one in (served.config.folder / "uploads").iterdir() if "." in one.name
    ] == []


def test_a_duckdb_file_is_not_taken(clients: Clients, served: Served) -> None:
    before = len(list((served.config.folder / "uploads").iterdir()))
    answer = upload(clients["write"], "duck", b"\0" * 8 + b"DUCK" + b"\0" * 100)
    assert answer.status_code == 422
    assert len(list((served.config.folder / "uploads").iterdir())) == before


def test_too_much_is_not_taken_with_or_without_a_length(clients: Clients) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 1_000_000

    for body in (b" " * 17_000_000, endless()):
        answer = clients["write"].post("/v1/readings", content=body)
        assert answer.status_code == 413, answer.text
    rows = [{"sensor": "a", "time": "2024-01-01T00:00:00", "value": 1}] * 200_001
    answer = clients["write"].post("/v1/readings", json={"source": 1, "readings": rows})
    assert answer.status_code in (413, 422)


def test_a_head_without_an_end_is_cut_off(served: Served) -> None:
    host, port = served.url.removeprefix("http://").split(":")
    head = b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: "
    with socket.create_connection((host, int(port)), timeout=30) as line:
        said = b""
        with suppress(ConnectionError):  # it may be closed while more is sent
            line.sendall(head)
            for _ in range(1000):
                line.sendall(b"x" * 1_000)
                time.sleep(0.001)
        with suppress(ConnectionError):
            said = line.recv(100)
    assert b" 200 " not in said
    with socket.create_connection((host, int(port)), timeout=30) as line:
        line.sendall(head + b"x" * 9_000 + b"\r\nConnection: close\r\n\r\n")
        assert line.recv(12) == b"HTTP/1.1 200"


def test_who_sends_too_slowly_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SLOWEST", 0.3)
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(
            f"POST /v1/sources HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token('write')}"
            "\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
        )
        assert line.recv(1000).startswith(b"HTTP/1.1 408")


def test_who_asks_too_often_is_told_to_wait(served: Served) -> None:
    from dataclasses import replace

    config = replace(served.config, rate=1)
    with serving(served.database, config, needs_token=True) as slow, slow.client() as client:
        codes = [client.get("/v1/health").status_code for _ in range(40)]
    assert codes[0] == 200
    assert 429 in codes


def test_a_secret_in_an_address_is_not_shown(served: Served, clients: Clients) -> None:
    with served.database.writing() as session:
        place = "https://me:pass@example.org/a.csv?key=abc"
        source = Source(name="secret", kind="url", place=place, reading={},
                        created_at=dt.datetime(2024, 1, 1, tzinfo=dt.UTC))  # fmt: skip
        session.add(source)
        session.flush()
        number = source.id
    text = clients["admin"].get(f"/v1/sources/{number}").text
    assert "pass" not in text
    assert "abc" not in text


def test_the_headers_of_every_answer_are_safe(clients: Clients) -> None:
    for path in ("/v1/health", "/v1/runs", "/nowhere"):
        headers = clients["read"].get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers or "uvicorn" in headers["server"]


def test_a_fault_of_ours_says_so_and_shows_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: Any = create_app(served.database, served.config)

    @app.get("/v1/broken")
    def broken() -> None:
        raise RuntimeError("secret path /srv/x")

    app.add_api_route("/v1/changing", broken, methods=["POST"])
    answer = _asked(app, "GET", "/v1/broken")
    assert answer["status"] == 500
    assert "secret" not in json.dumps(answer)
    assert _asked(app, "POST", "/v1/changing", bearer(served.token("write")))["status"] == 500
    with served.database.reading() as session:
        line = session.scalars(select(AuditLine).order_by(AuditLine.id.desc())).first()
    assert line is not None
    assert (line.who.split()[0], line.action, line.status) == ("write", "POST /v1/changing", 500)


def _asked(
    app: Any, method: str, path: str, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    import asyncio

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(ask()).json()  # type: ignore[no-any-return]
