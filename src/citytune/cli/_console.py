"""Speak to a person: results on stdout, everything else on stderr, bars only on a terminal."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, Any

import typer

from citytune.cli._words import for_terminal

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

BAR, STAGE, ELAPSED = 16, 25, 7
"""Columns of a terminal for a bar, a stage's name, and the time such as 0:00:37; what is being done
within the stage has the rest."""
Progress = Callable[[str, float], None]
"""Told the stage, such as "Scoring" or "Scoring: 3 of 14", and the share of it done."""


_SILENT: ContextVar[bool] = ContextVar("silent", default=False)


def be_quiet(wanted: bool) -> bool:
    """Whether nothing but errors is to be said from now on."""
    _SILENT.set(wanted)
    return wanted


Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", callback=be_quiet, help="Print nothing but errors.")
]


def stdout() -> Console:
    """A console on today's stdout; colours only on a terminal."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def say(what: RenderableType = "") -> None:
    """A line, or a table, on stdout; a terminal breaks lines between words, a file not at all."""
    if not _SILENT.get():
        console = stdout()
        what = for_terminal(what) if isinstance(what, str) else what
        console.print(what, soft_wrap=isinstance(what, str) and not console.is_terminal)


def room() -> int:
    """Columns of the terminal; in a file or a pipe as many as you like."""
    console = stdout()
    return console.width if console.is_terminal else sys.maxsize


def say_point(text: str) -> None:
    """One of several points on stdout; its further lines stand under the first."""
    say(textwrap.fill(for_terminal(text), room(), initial_indent="  - ", subsequent_indent="    ",
                      break_long_words=False, break_on_hyphens=False))  # fmt: skip


def say_whole(text: str) -> None:
    """Lines on stdout that are never broken, such as a command to copy."""
    if not _SILENT.get():
        stdout().print(text, soft_wrap=True)


def complain(text: str, kind: str = "Error") -> None:
    """One message on stderr."""
    from rich.console import Console
    from rich.text import Text

    if _SILENT.get() and kind != "Error":
        return
    style = "bold red" if kind == "Error" else "bold yellow"
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    said = Text.assemble((f"{kind}: ", style), for_terminal(text))
    console.print(said, soft_wrap=not console.is_terminal)


def note(text: str) -> None:
    """Something worth knowing, on stderr, so that stdout stays the result."""
    complain(text, kind="Note")


def say_json(value: Any) -> None:
    """A machine-readable result on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def stages() -> Iterator[Progress]:
    """Progress bars on stderr, one a stage, gone when done; nothing where nobody looks."""
    if _SILENT.get() or not sys.stderr.isatty():
        yield lambda _stage, _share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars
    from rich.table import Column

    console = Console(stderr=True)
    rest = max(1, console.width - STAGE - BAR - ELAPSED - 4)
    columns = (
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=BAR),
        TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=ELAPSED)),
        TextColumn(
            "{task.fields[part]}",
            style="dim",
            table_column=Column(no_wrap=True, overflow="ellipsis", max_width=rest),
        ),
    )
    with Bars(*columns, console=console, transient=True) as bars:

        def tell(stage: str, share: float) -> None:
            name, _, part = stage.partition(": ")
            if not bars.tasks or bars.tasks[-1].description != name:
                for task in bars.tasks:
                    bars.update(task.id, total=1, completed=1, part="")
                bars.add_task(name, total=None, part="")  # it pulses until it can tell
            if part or share:
                bars.update(bars.tasks[-1].id, total=1, completed=share, part=part)

        yield tell
