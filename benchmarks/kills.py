"""Kill real commands at random moments, and count what is left: the old, the new, or neither.

`python benchmarks/kills.py` kills `tune --overwrite`, `update` and `forecast --out` 200 times by
SIGKILL, SIGTERM and SIGINT. After each, the run or the table must be the old or the new one, whole;
after the next command nothing may be left behind; and the message must tell which of them stands.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

import citytune as ct

TUNE = ("--horizon", "6", "--backbone", "lags", "--strategy", "zero-shot")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
CODES = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}


def write_hours(path: Path, days: int) -> None:
    """One sensor with a daily rhythm."""
    rng = np.random.default_rng(5)
    start = np.datetime64("2024-01-01T00:00")
    lines = ["time,north"]
    for i in range(24 * days):
        value = 100 + 40 * np.sin(2 * np.pi * i / 24) + rng.normal(0, 3)
        lines.append(f"{start + np.timedelta64(i, 'h')},{value:.1f}")
    path.write_text("\n".join(lines) + "\n")


def citytune(*words: object) -> list[str]:
    return [sys.executable, "-m", "citytune", *map(str, words)]


def commands(folder: Path) -> dict[str, list[str]]:
    run, newer = folder / "run", folder / "newer.csv"
    return {
        "tune": citytune("tune", newer, "--out", run, "--overwrite", *TUNE),
        "update": citytune("update", run, newer),
        "forecast": citytune("forecast", run, newer, "--out", folder / "next.csv", "--overwrite"),
    }


def kill(words: list[str], number: signal.Signals, after: float) -> tuple[int, str]:
    """Run a command and send it a signal; its exit code and what it said on stderr."""
    pipe = subprocess.PIPE
    started = subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True)
    try:
        return started.wait(after), started.communicate()[1]
    except subprocess.TimeoutExpired:
        started.send_signal(number)
        _, said = started.communicate()
        return started.returncode, said


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    draw, found = random.Random(asked.seed), Counter[tuple[str, str]]()
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / "made"
        made.mkdir()
        write_hours(made / "loops.csv", 12)
        write_hours(made / "newer.csv", 14)
        words = ("tune", made / "loops.csv", "--out", made / "run", *TUNE)
        subprocess.run(citytune(*words), check=True, capture_output=True)
        (made / "loops.csv").unlink()
        took = {}
        for kill_number in range(asked.kills):
            folder = Path(shutil.copytree(made, Path(name) / "now"))
            kind, words_of = draw.choice(["tune", "update", "forecast"]), commands(folder)
            if kind not in took:
                began = time.perf_counter()
                subprocess.run(words_of[kind], check=True, capture_output=True)
                took[kind] = time.perf_counter() - began
                shutil.rmtree(folder)
                shutil.copytree(made, folder)
            # Half of them in the last part, in which it writes.
            share = draw.choice([draw.uniform(0.1, 1), draw.uniform(0.7, 1.05)])
            number, old = draw.choice(SIGNALS), state(folder)
            code, said = kill(words_of[kind], number, share * took[kind])
            found[kind, check(folder, number, code, said, old)] += 1
            shutil.rmtree(folder)
            print(f"\r{kill_number + 1} kills", end="", file=sys.stderr, flush=True)
    for (kind, what), count in sorted(found.items()):
        print(f"{kind:10}{what:12}{count:5}")
    print(f"{asked.kills} kills, nothing lost and nothing left behind")


if __name__ == "__main__":
    main()
