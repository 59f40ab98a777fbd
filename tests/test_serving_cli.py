"""Promise: one command starts a server, which others cannot use without a token."""

from __future__ import annotations

import serving_parts  # noqa: F401 - skips all of this where the extra is not installed

# isort: split

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from postgres import free_port

import citytune as ct
from citytune.serving import opened


def test_tokens_are_made_listed_and_revoked(run: Callable[..., Any], tmp_path: Path) -> None:
    where = ("--folder", tmp_path / "city")
    made = run("token", "add", "dashboard", "--role", "write", "--days", "30", *where)
    assert made.code == 0, made.err
    assert re.fullmatch(r"ct_1_[\w-]{43}\n", made.out)
    assert "only time" in made.err
    assert "dashboard: write, good until" in run("token", "list", *where).out
    again = run("token", "add", "dashboard", *where)
    assert again.code == 2
    assert "already there" in again.err
    assert run("token", "revoke", "dashboard", *where).code == 0
    assert "dashboard: write, revoked" in run("token", "list", *where).out
    unknown = run("token", "revoke", "dashboardd", *where)
    assert unknown.code == 2
    assert "Did you mean 'dashboard'" in unknown.err


@pytest.mark.parametrize(
    "words", [("add",), ("revoke",), ("list", "x"), ("add", "x\ny"), ("add", "x", "--days", "0")]
)
def test_a_token_that_cannot_be_is_refused(
    run: Callable[..., Any], tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert run("token", *words, "--folder", tmp_path / "city").code == 2


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "city.example"])
def test_a_server_for_others_does_not_start_without_a_token(
    run: Callable[..., Any], tmp_path: Path, host: str
) -> None:
    found = run("serve", tmp_path / "city", "--host", host)
    assert found.code == 2
    assert f"citytune token add NAME --role admin --folder {tmp_path / 'city'}" in found.err


def test_a_folder_that_cannot_be_used_is_said(run: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    for words, why in (
        ((file,), "is a file"),
        ((tmp_path / "city", "--database", "mysql://x/y"), "no database that citytune"),
        ((tmp_path / "city", "--database", "postgresql://x@127.0.0.1:1/y"), "cannot be reached"),
    ):
        found = run("serve", *words)
        assert found.code == 2
        assert why in found.err


def test_without_the_extra_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [one for one in sys.modules if one.startswith("citytune.serving.")]:
        if name.split(".")[2] not in ("_serve", "_config", "_client"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(ct.InputError, match=r"citytune\[serve\]"):
        opened(tmp_path)


@pytest.mark.extras
def test_a_server_does_its_jobs_survives_kills_and_stops_when_told(tmp_path: Path) -> None:
    folder, port = tmp_path / "city", free_port()
    command = [sys.executable, "-m", "citytune", "serve", str(folder), "--port", str(port)]
    url, output = f"http://127.0.0.1:{port}", tmp_path / "output"

    def start() -> subprocess.Popen[bytes]:
        with output.open("ab") as out:
            server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        until = time.monotonic() + 120
        while time.monotonic() < until and server.poll() is None:
            try:
                httpx.get(f"{url}/v1/health").raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return server
        raise AssertionError(output.read_text())

    server = start()
    hours = "".join(f"2024-01-{d:02d} {h:02d}:00,{h}\n" for d in range(1, 15) for h in range(24))
    path = tmp_path / "loops.csv"
    path.write_text("time,a\n" + hours)
    with ct.connect(url) as city:
        job = city.upload(path)["check_job"]
    server.send_signal(signal.SIGKILL)
    server.wait()
    server = start()
    with ct.connect(url) as city:
        assert city.wait(job, seconds=120)["result"]["usable"]
    server.send_signal(signal.SIGTERM)
    server.wait(60)
    said = output.read_text()
    assert server.returncode in (0, 143), said
    assert "Serving" in said
    assert "Traceback" not in said
    assert not _children_left(folder)


def _children_left(folder: Path) -> list[str]:
    """Processes that still have the database open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            opened_ = [str(one.readlink()) for one in (process / "fd").iterdir()]
        except OSError:
            continue
        found += [process.name] if any(str(folder) in one for one in opened_) else []
    return found
