"""Promise: who is to be told is told once, signed, until it has arrived, and not at night."""

from __future__ import annotations

import serving_parts  # noqa: F401 - skips all of this where the extra is not installed

# isort: split

import base64
import datetime as dt
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from serving_parts import T0, a_run, a_source, serving
from sqlalchemy import select, update

from citytune import InputError
from citytune.serving._channels import Mail, Notices, Webhook, check_secrets, notices_of
from citytune.serving._config import Configuration, read_configuration
from citytune.serving._severity import of_chance
from citytune.serving.database import Alarm, AuditLine, Database, Job, Notice
from citytune.serving.jobs import enqueue
from citytune.serving.jobs._queue import claim, fail
from citytune.serving.jobs._watch import Finding, note_alarms
from citytune.serving.notices import Message, _deliver, deliver_due, gather, send
from citytune.serving.notices._send import signed

HERE = "127.0.0.1"


class Receiver:
    """A web server that takes notices."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(outer.status)
                self.send_header("Location", "http://169.254.169.254/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer((HERE, 0), Handler)
        self.url = f"http://{HERE}:{self.server.server_address[1]}/hook?key=s3cr3t"

    @property
    def said(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@pytest.fixture
def told(config: Configuration, receiver: Receiver) -> Configuration:
    """A server that tells the receiver."""
    notices = Notices(
        webhooks=(Webhook(url=receiver.url, secret="${HOOK}", name="duty"),),
        page="https://city.example.org/",
    )
    return replace(config, hosts=(HERE,), notices=notices)


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "whsec_" + base64.b64encode(b"of the test").decode())


def raise_alarms(database: Database, run: int, *found: Finding) -> None:
    with database.writing() as session:
        note_alarms(session, run, {"watching": found}, database.now(session))


def notices(database: Database) -> list[Notice]:
    with database.reading() as session:
        return list(session.scalars(select(Notice).order_by(Notice.id)))


def make_due(database: Database) -> None:
    with database.writing() as session:
        session.execute(update(Notice).values(not_before=T0))


def test_alarms_of_a_run_are_told_in_one_signed_notice_once(
    database: Database, told: Configuration, receiver: Receiver
) -> None:
    run = a_run(database, a_source(database))
    raise_alarms(
        database, run, Finding("frozen", "s0", "s0 is stuck."), Finding("noise", "s1", "s1 jumps."),
        Finding("alert", "s0", "tomorrow: >9: 80 %"),
    )  # fmt: skip
    assert gather(database, told) == 2
    assert gather(database, told) == 0
    assert deliver_due(database, told) == 2
    assert deliver_due(database, told) == 0
    assert [one["data"]["title"] for one in receiver.said] == [
        "2 alarms of loops",
        "1 alert of loops",
    ]
    headers, body = receiver.got[0]
    event, at = headers["webhook-id"], headers["webhook-timestamp"]
    sum_ = hmac.new(b"of the test", f"{event}.{at}.".encode() + body, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(sum_).decode()}"
    said = receiver.said[0]
    assert said["data"]["link"] == f"https://city.example.org/runs/{run}"
    assert [one["sensor"] for one in said["data"]["items"]] == ["s0", "s1"]
    assert "s0 is stuck." in said["text"]
    with database.reading() as session:
        lines = session.scalars(select(AuditLine.action)).all()
    assert [one.startswith("sent notice") for one in lines] == [True, True]
    assert "s3cr3t" not in str(lines)


def test_an_alarm_that_ends_and_comes_back_is_not_told_again_at_once(
    database: Database, told: Configuration
) -> None:
    run = a_run(database, a_source(database))
    one = Finding("alert", "s0", "tomorrow")
    for expected in (1, 0, 0):
        raise_alarms(database, run, one)
        assert gather(database, told) == expected
        raise_alarms(database, run)
    with database.writing() as session:
        session.execute(update(Alarm).values(told_at=T0))
    raise_alarms(database, run, one)
    assert gather(database, told) == 1


def test_what_grows_clearly_worse_is_told_again_and_nothing_twice(
    database: Database, told: Configuration, receiver: Receiver
) -> None:
    run = a_run(database, a_source(database))
    found = []
    for severities in (
        {">50": of_chance(0.5)},
        {">50": of_chance(0.7)},  # higher, and not clearly
        {">50": of_chance(0.81)},
        {">50": of_chance(0.5)},
        {">50": of_chance(0.81)},  # known already
        {">50": of_chance(0.81), ">80": of_chance(0.3)},  # another threshold
        {">80": of_chance(0.3)},
        None,  # over, and back
        {">50": of_chance(0.81)},
        {">50": of_chance(0.95)},
    ):
        one = [Finding("alert", "s0", "x", {}, severities)] if severities else []
        raise_alarms(database, run, *one)
        found.append((gather(database, told), gather(database, told)))
    assert [first for first, _ in found] == [1, 0, 1, 0, 0, 1, 0, 0, 0, 1]
    assert {again for _, again in found} == {0}
    deliver_due(database, told)
    assert ["worse than told before" in one["text"] for one in receiver.said] == [
        False, True, True, True
    ]  # fmt: skip
    assert len({one["id"] for one in receiver.said}) == 4


def test_an_alarm_that_never_was_worse_than_told_is_not_told_after_the_night(
    database: Database, told: Configuration
) -> None:
    run = a_run(database, a_source(database))
    raise_alarms(database, run, Finding("error", "s0", "x", {}, {"error": 2.0}))
    assert gather(database, told) == 1
    for error in (5.0, 2.5):  # in the hours in which nobody gathers
        raise_alarms(database, run, Finding("error", "s0", "x", {}, {"error": error}))
    assert gather(database, told) == 0
    raise_alarms(database, run, Finding("error", "s0", "x", {}, {"error": 4.0}))
    assert gather(database, told) == 1


def test_an_alarm_that_an_older_citytune_told_is_not_told_again(
    database: Database, told: Configuration
) -> None:
    run = a_run(database, a_source(database))
    with database.writing() as session:
        now = database.now(session)
        session.add(Alarm(run_id=run, watch="watching", kind="error", sensor="s0", text="x",
                          evidence={}, raised_at=now, told_at=now))  # fmt: skip
    expected = {2.0: 0, 3.0: 0, 4.0: 1}
    for error, count in expected.items():
        raise_alarms(database, run, Finding("error", "s0", "x", {}, {"error": error}))
        assert gather(database, told) == count


def test_a_webhook_keeps_its_name_wherever_it_stands_in_the_list() -> None:
    one, two = Webhook(url="https://a.org/x"), Webhook(url="https://b.org/x")
    both = Notices(webhooks=(one, two)).channels
    assert [name for name, hook in both.items() if hook is two] == [
        *Notices(webhooks=(two,)).channels
    ]
    named = Notices(webhooks=(replace(one, name="duty"),))
    assert [*named.channels] == ["duty"]


def test_people_are_told_in_the_language_that_is_set(
    database: Database, told: Configuration, receiver: Receiver
) -> None:
    chinese = replace(told, notices=replace(told.notices, language="zh_CN"))
    run = a_run(database, a_source(database))
    evidence = {"run": 12, "evidence": 900.0, "since": "2024-05-01"}
    raise_alarms(database, run, Finding("frozen", "s0", "s0 is stuck.", evidence),
                 Finding("our own", "s1", "As we wrote it."))  # fmt: skip
    gather(database, chinese)
    deliver_due(database, chinese)
    (said,) = receiver.said
    assert said["data"]["title"] == "loops：2 个报警"
    texts = [one["text"] for one in said["data"]["items"]]
    assert texts[1] == "As we wrote it."
    assert texts[0] == (
        "自 2024-05-01 起，'s0' 重复同一个值，最多连续 12 步；若属偶然，平均每 2.5 年才会出现一次。"
        "请检查传感器：它似乎卡住了。"
    )


def test_a_standing_alarm_says_what_was_found_last(database: Database, told: Configuration) -> None:
    run = a_run(database, a_source(database))
    for text in ("Monday: >50: 60 %", "Tuesday: >50: 90 %"):
        raise_alarms(database, run, Finding("alert", "s0", text, {"text": text}))
    with database.reading() as session:
        one = session.scalars(select(Alarm)).one()
    assert (one.text, one.evidence, one.ended_at) == (text, {"text": text}, None)


def test_a_failed_job_is_told_once_though_it_fails_every_hour(
    database: Database, told: Configuration, receiver: Receiver
) -> None:
    source = a_source(database)
    for _ in range(2):
        with database.writing() as session:
            enqueue(session, "check", source, now=database.now(session))
        leased = claim(database)
        assert leased is not None
        fail(database, leased, "the portal is down", again=True)
        assert gather(database, told) == 0  # it is tried again
        with database.writing() as session:
            session.execute(update(Job).values(attempts=3))
        leased = claim(database)
        assert leased is not None
        fail(database, leased, "the portal is down", again=True)
        gather(database, told)
    deliver_due(database, told)
    assert [one["data"]["title"] for one in receiver.said] == ["1 job of loops failed"]
    assert "the portal is down" in receiver.said[0]["text"]


def test_of_two_runs_on_one_source_the_failed_jobs_of_both_are_told(
    database: Database, told: Configuration
) -> None:
    source = a_source(database)
    for run in (a_run(database, source, "one"), a_run(database, source, "two")):
        with database.writing() as session:
            enqueue(session, "tune", source, run_id=run, now=database.now(session))
        leased = claim(database)
        assert leased is not None
        fail(database, leased, "no rows", again=False)
    assert gather(database, told) == 2
    assert [one.title for one in notices(database)] == [
        "1 job of one failed",
        "1 job of two failed",
    ]


def test_at_night_nobody_is_told_and_in_the_morning_of_all_of_it(
    database: Database, told: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(database, a_source(database))
    quiet = replace(told, notices=replace(told.notices, quiet="22:00-06:00"))
    day = dt.datetime(2024, 5, 3, tzinfo=dt.UTC)
    found = []
    for i, hours in enumerate((23, 26, 31)):
        monkeypatch.setattr(database, "now", lambda _, h=hours: day + dt.timedelta(hours=h))
        with database.writing() as session:
            one = Alarm(run_id=run, watch="x", kind="noise", sensor=f"s{i}", text="jumps",
                        evidence={}, raised_at=database.now(session))  # fmt: skip
            session.add(one)
        found.append(gather(database, quiet))
    assert found == [0, 0, 1]
    assert len(notices(database)[0].items) == 3
    monkeypatch.setattr(database, "now", lambda _: day + dt.timedelta(hours=47))
    assert deliver_due(database, quiet) == 0  # nor is it tried again
    assert notices(database)[0].attempts == 0


def test_what_did_not_arrive_is_sent_again_later_and_later_with_the_same_id(
    database: Database, told: Configuration, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_deliver, "MOST_ATTEMPTS", 3)
    raise_alarms(database, a_run(database, a_source(database)), Finding("noise", "s0", "jumps"))
    gather(database, told)
    pauses = []
    for status in (500, 302, 200):  # a redirect is not followed
        receiver.status = status
        deliver_due(database, told)
        one = notices(database)[0]
        with database.reading() as session:
            pauses.append((one.not_before - database.now(session)).total_seconds())
        assert one.state == ("sent" if status == 200 else "queued")
        assert one.error == (None if status == 200 else f"duty answered {status}, not 200")
        assert deliver_due(database, told) == 0  # not due yet
        make_due(database)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert [round(one / 60) for one in pauses] == [1, 2, 4]


def test_what_never_arrives_is_given_up_and_noted(
    database: Database, told: Configuration, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_deliver, "MOST_ATTEMPTS", 1)
    receiver.status = 500
    raise_alarms(database, a_run(database, a_source(database)), Finding("noise", "s0", "jumps"))
    gather(database, told)
    deliver_due(database, told)
    assert notices(database)[0].state == "failed"
    with database.reading() as session:
        assert "gave up notice 1" in session.scalars(select(AuditLine.action)).one()


def test_what_waits_for_a_channel_of_another_name_is_not_given_up_in_silence(
    database: Database,
    told: Configuration,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(_deliver, "MOST_ATTEMPTS", 1)
    raise_alarms(database, a_run(database, a_source(database)), Finding("noise", "s0", "jumps"))
    gather(database, told)
    renamed = replace(told.notices.webhooks[0], name="night")
    deliver_due(database, replace(told, notices=replace(told.notices, webhooks=(renamed,))))
    one = notices(database)[0]
    said = "duty is in serve.toml no longer, so nobody is told by it"
    assert (one.state, said in (one.error or "")) == ("failed", True)
    assert f"by duty: {said}" in caplog.text


def test_of_many_workers_one_tells(
    database: Database, told: Configuration, receiver: Receiver
) -> None:
    run = a_run(database, a_source(database))
    raise_alarms(database, run, *(Finding("noise", f"s{i}", "jumps") for i in range(60)))

    def look() -> None:
        gather(database, told)
        deliver_due(database, told)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(receiver.got) == 1
    assert receiver.said[0]["data"]["title"] == "60 alarms of loops"
    assert receiver.said[0]["data"]["items"][-1]["text"] == "… and 10 more"


def test_a_webhook_does_not_lead_inside_unless_its_host_is_named(
    database: Database, told: Configuration, receiver: Receiver
) -> None:
    channel = told.notices.webhooks[0]
    message = Message("test 1", "test", "A test", [], "")
    with pytest.raises(InputError, match="leads into the server's own network"):
        send(message, channel, "webhook 1", ())
    assert not receiver.got
    gone = replace(channel, url="http://127.0.0.1:9/")
    with pytest.raises(InputError, match=r"^webhook 1 cannot be reached"):
        send(message, gone, "webhook 1", (HERE,))


@pytest.fixture
def postbox() -> Iterator[tuple[int, list[Any]]]:
    """A mail server that asks for a password."""
    aiosmtpd = pytest.importorskip("aiosmtpd.controller", reason="aiosmtpd is not installed")
    from aiosmtpd.smtp import AuthResult

    got: list[Any] = []

    class Handler:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
            got.append(envelope)
            return "250 OK"

    def known(_server: Any, _session: Any, _envelope: Any, _kind: str, data: Any) -> Any:
        right = (data.login, data.password) == (b"city", b"pass")
        return AuthResult(success=right, handled=right)

    server = aiosmtpd.Controller(Handler(), hostname=HERE, port=0, authenticator=known,
                                 auth_require_tls=False)  # fmt: skip
    server.port = serving_port()
    server.start()
    yield server.port, got
    server.stop()


def serving_port() -> int:
    from postgres import free_port

    return free_port()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_an_email_arrives_and_a_wrong_password_is_said_without_it(
    database: Database, config: Configuration, postbox: tuple[int, list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    port, got = postbox
    mail = Mail(host=HERE, port=port, security="none", sender="citytune@city.org", user="city",
                to=("duty@city.org", "night@city.org"), password="${MAIL}")  # fmt: skip
    told = replace(config, notices=Notices(email=mail))
    raise_alarms(database, a_run(database, a_source(database, "桥\nX-Evil: 1"), "桥"),
                 Finding("noise", "s0", "jumps\n.\nQUIT"))  # fmt: skip
    gather(database, told)
    monkeypatch.setenv("MAIL", "wr0ng")
    deliver_due(database, told)
    error = str(notices(database)[0].error)
    assert error.startswith(f"email was not taken by {HERE} (535")
    assert "wr0ng" not in error
    make_due(database)
    monkeypatch.setenv("MAIL", "pass")
    deliver_due(database, told)
    assert notices(database)[0].state == "sent"
    import email
    import email.policy

    (one,) = got
    assert one.rcpt_tos == ["duty@city.org", "night@city.org"]
    made = email.message_from_bytes(one.content, policy=email.policy.default)
    assert made["subject"] == "citytune: 1 alarm of 桥"
    assert made["auto-submitted"] == "auto-generated"
    assert "QUIT" in made.get_content()
    assert "X-Evil" not in made


def test_a_test_says_what_arrived_at_the_server_over_http_and_on_its_page(
    database: Database, told: Configuration, receiver: Receiver, run: Callable[..., Any],
    tmp_path: Path,
) -> None:  # fmt: skip
    wrong = Webhook(url="http://127.0.0.1:9/x?key=s3cr3t")
    both = replace(told, notices=replace(told.notices, webhooks=(*told.notices.webhooks, wrong)))
    with serving(database, both, needs_token=False) as served, served.client() as client:
        found = client.post("/v1/notices/test").json()
        assert [one["arrived"] for one in found] == [True, False]
        assert "s3cr3t" not in str(found)
        own = {"Origin": served.url, "Sec-Fetch-Site": "same-origin"}
        page = client.post("/notices/test", headers=own).text
        assert "the test arrived" in page
        assert "did not arrive" in page
        assert "s3cr3t" not in page
        assert client.get("/v1/notices").json()["items"] == []
    folder = tmp_path / "other"
    folder.mkdir()
    lines = f'hosts = ["{HERE}"]\n[[notices.webhooks]]\nurl = "{receiver.url}"\n'
    (folder / "serve.toml").write_text(lines)
    answer = run("serve", folder, "--test-notice")
    assert (answer.code, "arrived" in answer.out) == (0, True), answer
    receiver.status = 500
    answer = run("serve", folder, "--test-notice")
    assert (answer.code, "answered 500" in answer.err) == (2, True), answer


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[notices]\nkinds = ["alarms"]', "Did you mean 'alarm'"),
        ('[notices]\nquiet = "late"', "quiet hours are two times"),
        ('[notices]\ntimezone = "Oslo"', "no time zone"),
        ("[notices]\nstale_hours = 0", "at least 1"),
        ("notices = 3", "notices in serve.toml is a table"),
        ("[[notices.webhooks]]\nsecret = 'x'", "lacks url"),
        ("[[notices.webhooks]]\nurl = 'https://x'\nname = 'email'", "and not 'email'"),
        ("[[notices.webhooks]]\nurl = 'https://x'\n" * 2, "two webhooks in serve.toml are called"),
        ('[notices]\nlanguage = "zh"', "Did you mean 'zh_CN'"),
        ("[[notices.webhooks]]\nurl = 'ftp://x'", "begins with https"),
        ("[[notices.webhooks]]\nurl = 'https://[x'", "is no address"),
        ("[notices.webhooks]\nurl = 'https://x'", "written as"),
        ("[notices.email]\nhost = 'x'\nto = ['a@b.c']", "lacks from"),
        ("[notices.email]\nhost = 'x'\nfrom = 'a@b.c'\nto = []", "names nobody"),
        ("[notices.email]\nhost = 'x'\nfrom = 'ab'\nto = ['a@b.c']", "are addresses"),
        ("[notices.email]\nhost = 'x'\nfrom = 'a@b.c'\nto = 'a@b.c'", "is a list of texts"),
        ("[notices.email]\nhost = 1", "is a text"),
        ("[notices.email]\nhots = 'x'", "Did you mean 'host'"),
        ("[notices.email]\nhost='x'\nfrom='a@b.c'\nto=['a@b.c']\nsecurity='ssl'", "security"),
        ("policy = 'always'", "one of nothing, propose, retune"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_the_key(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "serve.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_configuration(tmp_path)


def test_a_secret_that_is_not_there_is_said_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = {"webhooks": [{"url": "https://x.org/${NOT_THERE}"}]}
    with pytest.raises(InputError, match="variable NOT_THERE, which is not set"):
        check_secrets(notices_of(said))
    monkeypatch.setenv("NOT_THERE", "")  # as Compose sets it; nothing is signed by an empty secret
    with pytest.raises(InputError, match="variable NOT_THERE, which is not set, or empty"):
        check_secrets(notices_of(said))
    with pytest.raises(InputError, match="base64"):
        signed("whsec_ü", "1", 1, b"")
