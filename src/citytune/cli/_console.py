"""Speak to a person: results on stdout, everything else on stderr, bars only on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Progress = Callable[[str, float], None]
"""Told the stage, such as "Scoring" or "Scoring: 3 of 14", and the share of it done."""


def stdout() -> Console:
    """A console on today's stdout; colours only on a terminal."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def say(what: RenderableType = "") -> None:
    """A line, or a table, on stdout; lines are never broken."""
    stdout().print(what, soft_wrap=isinstance(what, str))


def complain(text: str, kind: str = "Error") -> None:
    """One message on stderr."""
    from rich.console import Console
    from rich.text import Text

    style = "bold red" if kind == "Error" else "bold yellow"
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    console.print(Text.assemble((f"{kind}: ", style), text), soft_wrap=True)


def note(text: str) -> None:
    """Something worth knowing, on stderr, so that stdout stays the result."""
    complain(text, kind="Note")


def say_json(value: Any) -> None:
    """A machine-readable result on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def stages() -> Iterator[Progress]:
    """Progress bars on stderr, one a stage, gone when done; nothing where nobody looks."""
    if not sys.stderr.isatty():
        yield lambda _stage, _share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        TextColumn("{task.fields[part]}", style="dim"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:

        def tell(stage: str, share: float) -> None:
            name, _, part = stage.partition(": ")
            if not bars.tasks or bars.tasks[-1].description != name:
                for task in bars.tasks:
                    bars.update(task.id, total=1, completed=1, part="")
                bars.add_task(name, total=None, part="")  # it pulses until it can tell
            if part or share:
                bars.update(bars.tasks[-1].id, total=1, completed=share, part=part)

        yield tell
