"""Tamper with run folders, and count what the commands make of them.

`python benchmarks/tampering.py` spoils 2,000 copies of a run: files gone, cut, changed, replaced by
links that lead out of it; models and seals forged by somebody who knows how they are sealed. Each
is then given to a command, which must refuse it in one sentence, or, where the forgery says
something possible or the file is none that it reads, do its work; nothing outside may be opened or
changed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hours import hours
from tampering import tamper

from citytune.cli import main as citytune

TUNE = ("--horizon", "6", "--backbone", "lags", "--strategy", "head")
COMMANDS = ("forecast", "forecast from the run", "score", "update")


class Opened:
    """Which files below a folder are opened by Python."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.names, self.on = str(folder), list[str](), False
        sys.addaudithook(self._note)

    def _note(self, event: str, given: tuple[object, ...]) -> None:
        if self.on and event == "open" and str(given[0]).startswith(self.folder):
            self.names.append(str(given[0]))


def words_of(kind: str, place: Path) -> list[str]:
    run, newer, out = place / "run", place / "newer.csv", ["--out", place / "next.csv"]
    words = {
        "forecast": ["forecast", run, newer, *out],
        "forecast from the run": ["forecast", run, *out],
        "score": ["score", run, newer],
        "update": ["update", run, newer],
    }
    return list(map(str, words[kind]))


def call(words: list[str]) -> tuple[int, str]:
    """Exit code and what is said on stderr."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = citytune(words)
    return code, said.getvalue()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def complaint(code: int, said: str, place: Path) -> str:
    """What is wrong with an answer, or nothing."""
    if code not in (0, 2):
        return f"exit code {code}"
    if "Traceback" in said:
        return "a traceback"
    if code == 2 and (not said.startswith("Error: ") or said.count("\n") != 1):
        return "not one sentence"
    names = {path.name for path in place.iterdir()} - {"run", "newer.csv", "outside"}
    return f"left behind: {sorted(names)}" if names - ({"next.csv"} if code == 0 else set()) else ""


def make(folder: Path) -> None:
    folder.mkdir()
    (folder / "loops.csv").write_text(hours(days=12, sensors=["north"]))
    (folder / "newer.csv").write_text(hours(days=14, sensors=["north"]))
    code, said = call(["tune", f"{folder}/loops.csv", "--out", f"{folder}/run", *TUNE])
    assert code == 0, said
    (folder / "loops.csv").unlink()
    (folder / "outside").mkdir()
    (folder / "outside" / "secret.csv").write_text("secret")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folders", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    found, wrong = Counter[tuple[str, str]](), 0
    with tempfile.TemporaryDirectory() as name:
        made, place = Path(name, "made"), Path(name, "now")
        make(made)
        opened = Opened(place / "outside")
        for seed in range(asked.first, asked.first + asked.folders):
            shutil.copytree(made, place)
            draw = np.random.default_rng(seed)
            way, what = tamper(place / "run", place / "outside", draw)
            kind = COMMANDS[draw.integers(len(COMMANDS))]
            before, opened.on = contents(place / "outside"), True
            code, said = call(words_of(kind, place))
            opened.on = False
            fault = complaint(code, said, place)
            fault = fault or ("read outside" if opened.names else "")
            fault = fault or ("wrote outside" if contents(place / "outside") != before else "")
            if fault:
                wrong += 1
                print(seed, way, what, kind, fault, said[:300], sep=" | ", flush=True)
            opened.names.clear()
            found[way, "refused" if code == 2 else "done"] += 1
            shutil.rmtree(place)
            done = seed + 1 - asked.first
            print(f"\r{done} runs, {wrong} wrong", end="", file=sys.stderr, flush=True)
    for (way, what), count in sorted(found.items()):
        print(f"{way:16}{what:10}{count:6}")
    print(f"{asked.folders} tampered runs, {wrong} answered wrongly")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
