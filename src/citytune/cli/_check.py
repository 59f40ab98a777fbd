"""`citytune check`: every fault of a file, in words."""

from __future__ import annotations

import datetime as dt
import re
import shlex
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import typer

from citytune._errors import TableError
from citytune._text import counted
from citytune.cli._console import complain, room, say, say_json, say_point, say_whole
from citytune.cli._reading import File, Json, reads_a_file, words_of
from citytune.cli._words import about, unnamed
from citytune.runs import Reading

if TYPE_CHECKING:
    from citytune.frame import Fault, SensorFrame
    from citytune.readers import Explanation

FEWEST_COLUMNS = 20
"""Columns of a terminal that are needed to break the reasons of a table."""
HEADINGS = (
    ("error", "Errors: fix these before the file can be used"),
    ("warning", "Warnings: check these"),
    ("note", "Notes: what was guessed or corrected"),
)


@reads_a_file
def check(file: File, *, reading: Reading, json: Json = False) -> None:
    """List every fault of a file, in words: which sensor, how many, since when, what to do.

    Nothing is changed. The exit code is 0 if the file can be used, with or without findings, and 2
    if it cannot.

    ```
    citytune check loops.csv
    citytune check loops.csv --timezone Europe/Oslo --missing -1
    ```
    """
    from citytune.readers import masked

    frame: SensorFrame | None = None
    try:
        frame = reading.read(file)
        faults: Sequence[Fault] = frame.faults
    except TableError:
        faults = reading.check(file)
    shown = _explained(file, reading)
    name = masked(file)
    if json:
        columns = [] if shown is None else [*map(asdict, shown.columns)]
        say_json({"file": name, "usable": frame is not None, "columns": columns,
                  "faults": [*map(asdict, faults)]})  # fmt: skip
    else:
        _show(frame, shown, faults)
        if frame is not None:
            say_whole(f"\nNext: {_next(name, frame, reading)}")
    if frame is None:
        wrong = [fault for fault in faults if fault.severity == "error"]
        errors = counted(len(wrong), "error")
        elsewhere = all(fault.kind == "covariate-source" for fault in wrong)
        where = f"the covariates for {name}" if elsewhere else name
        complain(f"{where} cannot be used: fix the {errors} listed above first")
        raise typer.Exit(2)


def _explained(file: object, reading: Reading) -> Explanation | None:
    """The role of each column; None if they could not be told."""
    try:
        return reading.explain(file)
    except TableError:
        return None


def _show(frame: SensorFrame | None, shown: Explanation | None, faults: Sequence[Fault]) -> None:
    if frame is not None:
        say(about(frame))
    if shown is not None:
        say("\nHow its columns are understood")
        say(_columns(shown, room()))
    for severity, heading in HEADINGS:
        found = [fault for fault in faults if fault.severity == severity]
        if found:
            say(f"\n{heading}")
        for fault in found:
            say_point(str(fault))
    if not faults:
        say("No problems found.")
    if frame is not None and (advice := unnamed(frame)):
        say(f"\n{advice}")


def _columns(shown: Explanation, width: int) -> str:
    """As many cells of each column, and as much of each, as fit."""
    for count, letters in ((3, 99), (2, 99), (1, 99), (1, 16), (1, 8)):
        rows = [
            replace(one, cells=tuple(_shorter(cell, letters) for cell in one.cells[:count]))
            for one in shown.columns
        ]
        text = textwrap.indent(str(replace(shown, columns=tuple(rows))), "  ")
        if max(map(len, text.splitlines())) <= width:
            break
    return _reasons_broken(text, width)


def _reasons_broken(text: str, width: int) -> str:
    """The table with its last column in several lines where it does not fit."""
    lines = text.splitlines()
    start = lines[0].rindex("why")
    if width - start < FEWEST_COLUMNS:
        return text
    return "\n".join(
        line if len(line) <= width else textwrap.fill(
            line[start:], width, initial_indent=line[:start], subsequent_indent=" " * start
        )
        for line in lines
    )  # fmt: skip


def _shorter(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _next(name: str, frame: SensorFrame, reading: Reading) -> str:
    """The command that tunes a model to it, with what was said of the file."""
    horizon = "24h" if frame.clock.step < dt.timedelta(days=1) else "7d"
    words = ["citytune", "tune", name, "--horizon", horizon, *words_of(reading)]
    return shlex.join([*words, "--out", f"runs/{_stem(name)}"])


def _stem(name: str) -> str:
    """A word for a run of a source, from its name."""
    last = re.split(r"[?#]", name)[0].rstrip("/").rpartition("/")[2]
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in last.split(".")[0]) or "city"
