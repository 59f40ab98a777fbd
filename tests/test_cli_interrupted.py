"""Promise: a command that is stopped leaves the old or the new, whole, and tells which."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hours import hours

from citytune import __main__
from citytune.cli import _main, _tune, main

TUNE = ("--horizon", "6", "--backbone", "lags", "--strategy", "zero-shot")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, plainly: Callable[..., Any]) -> Path:
    folder = tmp_path_factory.mktemp("made")
    file = folder / "loops.csv"
    file.write_text(hours(days=12, sensors=["north"]))
    with plainly():
        assert main(["tune", str(file), "--out", str(folder / "run"), *TUNE]) == 0
    return folder


def start(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "citytune", *map(str, words)], stderr=subprocess.PIPE, text=True
    )


def wait_for(what: Callable[[], object]) -> None:
    for _ in range(1200):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("it never came")


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_stopped_tune_leaves_the_old_run(
    run: Callable[..., Any], made: Path, tmp_path: Path, number: int, code: int
) -> None:
    place = tmp_path / "runs"
    started = start("tune", made / "loops.csv", "--out", place / "x", *TUNE)
    wait_for(lambda: list(place.glob(".x.citytune-draft-*")))  # while it reads or fits
    os.kill(started.pid, number)
    _, err = started.communicate(timeout=60)
    assert started.returncode == code
    if number != signal.SIGKILL:
        assert err == (
            "Error: interrupted; nothing was left half-written, and nothing that was there has "
            "changed\n"
        )
        assert not place.exists()
    assert run("tune", made / "loops.csv", "--out", place / "x", *TUNE).code == 0
    assert {path.name for path in place.iterdir()} == {"x"}


def test_ctrl_c_after_the_run_was_written_says_so(
    run: Callable[..., Any], made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(_tune, "_tell", interrupted)
    out = tmp_path / "run"
    code, said, err = run("tune", made / "loops.csv", "--out", out, *TUNE)
    assert (code, said) == (143, "")
    assert err == f"Error: interrupted; {out} is new and whole, and nothing else changed\n"
    assert json.loads((out / "scores.json").read_text("utf-8"))["horizon"] == 6
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("at", ["as a command begins", "as it ends", "after it"])
def test_a_signal_at_either_end_of_a_command_is_answered_truly(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    genuine = _main._run

    def stopped(*words: Any) -> int:
        if at == "as a command begins":
            signal.raise_signal(signal.SIGTERM)
        code = genuine(*words)
        if at == "as it ends":
            signal.raise_signal(signal.SIGTERM)
        return code

    def after() -> int:
        code = main(["--version"])
        signal.raise_signal(signal.SIGINT)
        return code

    monkeypatch.setattr(_main, "_run", stopped)
    monkeypatch.setattr("citytune.cli.main", after)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        code, out, err = (__main__.main(), "", "") if at == "after it" else run("--version")
    finally:
        for number, how in before.items():
            signal.signal(number, how)
    assert code == (143 if at == "as a command begins" else 0)
    assert bool(out) == (at == "as it ends")
    begun = "interrupted; nothing was left half-written, and nothing that was there has changed"
    assert err == (f"Error: {begun}\n" if code else "")


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_while_the_command_is_loaded_gives_no_traceback(number: str, code: int) -> None:
    script = (
        "import sys, signal, runpy\n"
        "class Interrupts:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == 'typer': signal.raise_signal(signal.{number})\n"
        "sys.meta_path.insert(0, Interrupts())\n"
        "runpy.run_module('citytune', run_name='__main__')"
    )
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == "Error: interrupted; nothing had begun\n"


@contextlib.contextmanager
def limited(blocks: int) -> Iterator[None]:
    """No file may be larger than so many KiB."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (blocks * 1024, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processes are a matter of POSIX")
def test_a_file_larger_than_allowed_is_said_and_leaves_nothing(
    run: Callable[..., Any], made: Path, tmp_path: Path
) -> None:
    with limited(blocks=300):
        code, out, err = run("tune", made / "loops.csv", "--out", tmp_path / "run", *TUNE)
    assert (code, out) == (2, ""), err
    assert err.startswith("Error: a file would be larger than you may write here")
    assert err.count("\n") == 1
    assert "ulimit -f" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words", ["--version", "--help", "check FILE", "check FILE --json", "models", "check nowhere"]
)
def test_where_nobody_reads_any_more_a_command_ends_in_silence(
    made: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind `| head`, which may have both outputs."""
    read, write = os.pipe()
    os.close(read)
    with contextlib.ExitStack() as closing:
        for name in ("stdout", "stderr"):
            number = os.dup(write)
            stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            closing.callback(os.close, number)
            monkeypatch.setattr(sys, name, stream)
        closing.callback(os.close, write)
        assert main(words.replace("FILE", str(made / "loops.csv")).split()) == 141
        sys.stdout.flush()  # as Python does at its end
