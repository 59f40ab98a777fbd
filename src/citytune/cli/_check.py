"""`citytune check`: every fault of a file, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from citytune._errors import TableError
from citytune._text import counted
from citytune.cli._console import complain, say, say_json
from citytune.cli._reading import File, Json, reads_a_file
from citytune.cli._words import about, for_terminal
from citytune.runs import Reading

if TYPE_CHECKING:
    from citytune.frame import Fault, SensorFrame
    from citytune.readers import Explanation

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
    if frame is None:
        errors = counted(sum(fault.severity == "error" for fault in faults), "error")
        complain(f"{name} cannot be used: fix the {errors} listed above first")
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
        for line in str(shown).splitlines():
            say(f"  {for_terminal(line)}")
    for severity, heading in HEADINGS:
        found = [fault for fault in faults if fault.severity == severity]
        if found:
            say(f"\n{heading}")
        for fault in found:
            say(f"  - {for_terminal(str(fault))}")
    if not faults:
        say("No problems found.")
