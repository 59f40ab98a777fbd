"""Kill real commands at random moments, and count what is left: the old, the new, or neither.

`python benchmarks/kills.py` kills `tune --overwrite`, `update`, `refresh` and `forecast --out` 200
times by SIGKILL, SIGTERM and SIGINT (`--only refresh`: one of them). After each, the run or the
table must be the old or the new one, whole; nothing may be left behind; and the message must tell
which of them stands. Commands are started from a process that has loaded everything, so that they
are killed at work and not while loading.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hours import hours

import citytune as ct

TUNE = ("--horizon", "6", "--backbone", "lags", "--strategy", "zero-shot")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
CODES = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}
FORKS = get_context("forkserver")
LOADED = [
    "citytune.cli", "citytune.runs", "citytune.forecasting", "citytune.reporting", "lightgbm",
    "plotly.graph_objects", "polars", "rich.progress", "safetensors.torch",
]  # fmt: skip


def commands(folder: Path) -> dict[str, list[str]]:
    run, newer = folder / "run", folder / "newer.csv"
    words = {
        "tune": ["tune", newer, "--out", run, "--overwrite", *TUNE],
        "update": ["update", run, newer],
        "refresh": ["refresh", run, newer],
        "forecast": ["forecast", run, newer, "--out", folder / "next.csv", "--overwrite"],
    }
    return {name: list(map(str, said)) for name, said in words.items()}


def command(words: list[str], said: Path) -> None:
    """Run `citytune` in this process, whose two outputs go into a file.

    A signal that comes before the command answers signals is not one to it, and is let pass.
    """
    from citytune.__main__ import main

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    sys.argv = ["citytune", *words]
    file = os.open(said, os.O_CREAT | os.O_WRONLY)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.exit(main())


def start(words: list[str], said: Path) -> BaseProcess:
    """Start a command, and wait until it begins."""
    started = FORKS.Process(target=command, args=(words, said))
    started.start()
    while started.is_alive() and not said.exists():
        time.sleep(0.005)
    return started


def seconds_of(words: list[str], said: Path) -> float:
    """How long a command takes that nobody stops."""
    started, began = start(words, said), time.perf_counter()
    started.join()
    assert started.exitcode == 0, said.read_text()
    said.unlink()
    return time.perf_counter() - began


def kill(words: list[str], said: Path, number: signal.Signals, after: float) -> tuple[int, str]:
    """Run a command and send it a signal; its exit code and what it said."""
    started = start(words, said)
    started.join(after)
    if started.is_alive() and started.pid:
        os.kill(started.pid, number)
    started.join()
    text = said.read_text()
    said.unlink()
    return int(started.exitcode or 0), text


def state(folder: Path) -> str:
    """Whether the run and the table are old or new; a run that is neither raises."""
    run = ct.open_run(folder / "run")
    if run.changed():
        raise AssertionError(f"{run.changed()} are not what was written")
    until = str(run.model.trained_until)[:10]
    table = folder / "next.csv"
    rows = len(table.read_text().splitlines()) if table.exists() else 0
    assert rows in (0, 7), f"next.csv has {rows} rows"
    return f"{until}, {'a' if rows else 'no'} table"


def check(folder: Path, number: signal.Signals, code: int, said: str, old: str) -> str:
    """What stands after a kill; `AssertionError` if it is not whole or the message is untrue."""
    now = state(folder)
    left = {path.name for path in folder.iterdir()} - {"run", "newer.csv", "next.csv"}
    assert not left, f"left behind: {left}"
    if code == 0:
        return "done before"
    assert code == CODES[number], (code, said)
    if number != signal.SIGKILL:
        changed = (
            "nothing that was there has changed" not in said and "nothing had begun" not in said
        )
        assert changed == (now != old), (said, old, now)
        assert "Traceback" not in said, said
    return "old" if now == old else "new"


def make(folder: Path) -> None:
    """A run of twelve days, and a file of fourteen."""
    folder.mkdir()
    old = folder / "loops.csv"
    old.write_text(hours(days=12, sensors=["north"]))
    (folder / "newer.csv").write_text(hours(days=14, sensors=["north"]))
    seconds_of(["tune", str(old), "--out", str(folder / "run"), *TUNE], folder / "said")
    old.unlink()


def times(made: Path, place: Path, kinds: list[str]) -> dict[str, float]:
    """How long each command takes."""
    found = {}
    for kind in kinds:
        folder = Path(shutil.copytree(made, place / "timed"))
        found[kind] = seconds_of(commands(folder)[kind], place / "said")
        shutil.rmtree(folder)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    kinds = [*commands(Path())]
    parser.add_argument("--only", nargs="+", choices=kinds, default=kinds)
    asked = parser.parse_args()
    FORKS.set_forkserver_preload(LOADED)
    draw, found = random.Random(asked.seed), Counter[tuple[str, str]]()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        make(place / "made")
        took = times(place / "made", place, asked.only)
        for kill_number in range(asked.kills):
            folder = Path(shutil.copytree(place / "made", place / "now"))
            kind = draw.choice(list(took))
            # Half of them in the last part, in which it writes.
            share = draw.choice([draw.uniform(0.1, 1), draw.uniform(0.7, 1.05)])
            number, old = draw.choice(SIGNALS), state(folder)
            code, said = kill(commands(folder)[kind], place / "said", number, share * took[kind])
            found[kind, check(folder, number, code, said, old)] += 1
            shutil.rmtree(folder)
            print(f"\r{kill_number + 1} kills", end="", file=sys.stderr, flush=True)
    for (kind, what), count in sorted(found.items()):
        print(f"{kind:10}{what:12}{count:5}")
    print(f"{asked.kills} kills, nothing lost and nothing left behind")


if __name__ == "__main__":
    main()
