"""What a pretraining run has been: one line of JSON for each of its checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from citytune._text import plain as finite
from citytune.pretraining._write import replacing


class Log:
    """The lines of a run up to the checkpoint it goes on from; replaced as a whole."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        self.lines = [line for line in _lines(path) if line["step"] <= step]

    def total(self, name: str) -> float:
        """How far a number that adds up had come before this session, 0 if nothing is known."""
        return float(self.lines[-1].get(name) or 0) if self.lines else 0.0

    def add(self, line: dict[str, Any]) -> None:
        """Write one more line."""
        self.lines.append(plain(line))
        with replacing(self.path) as draft:
            draft.write_text("".join(json.dumps(one) + "\n" for one in self.lines), "utf-8")


def plain(value: Any) -> Any:
    """The value for JSON: numbers to six digits, None for those that are none."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return finite(value, digits=6) if isinstance(value, float) else value


def _lines(path: Path) -> list[dict[str, Any]]:
    """All lines that can be read: a log that was tampered with costs no run."""
    try:
        text = path.read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    found = []
    for line in text.splitlines():
        try:
            one = json.loads(line)
        except ValueError:
            continue
        if isinstance(one, dict) and isinstance(one.get("step"), int):
            found.append(one)
    return found
