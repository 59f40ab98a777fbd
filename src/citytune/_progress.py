"""How far a long call has come: told to a function of the caller's, or shown in a line."""

from __future__ import annotations

import functools
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, ParamSpec, Self, TypeAlias, TypeVar

Progress: TypeAlias = Callable[[str, float], None]
"""Called with the stage ("Scoring", or "Scoring: yesterday") and the share done, 0 … 1."""
Asked: TypeAlias = Progress | Literal[False] | None
"""What a person may pass: a function, False for nothing, None for the line."""

VARIABLE = "CITYTUNE_PROGRESS"
"""Set it to 0 and no line is shown."""
AFTER, EVERY = 2.0, 0.5
"""Seconds until the line appears, and between its changes."""
BAR, TIME = 20, 8

P = ParamSpec("P")
Result = TypeVar("Result")
_shown = threading.Lock()
"""Held while a line is shown; what is called within that shows none of its own."""


def shows_progress(function: Callable[P, Result]) -> Callable[P, Result]:
    """Show a line on stderr while a function runs, unless it is given a `progress` by name.

    It appears after two seconds, on a terminal or in a notebook alone, and is gone when done.
    """

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Result:
        given = kwargs.pop("progress", None)
        if given is None and _is_wanted() and _shown.acquire(blocking=False):
            try:
                with Line() as line:
                    kwargs["progress"] = line
                    return function(*args, **kwargs)
            finally:
                _shown.release()
        if given is not None and given is not False:
            kwargs["progress"] = given
        return function(*args, **kwargs)

    return wrapped


class Line:
    """One line on stderr, drawn again and again: stage, bar, share, time."""

    def __init__(self) -> None:
        self._stage, self._share = "", 0.0
        self._started = time.monotonic()
        self._width = 0
        self._over = threading.Event()
        self._drawing = threading.Thread(target=self._draw_on, daemon=True)

    def __call__(self, stage: str, share: float) -> None:
        """Say where it is."""
        self._stage, self._share = stage, share

    def __enter__(self) -> Self:
        self._drawing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._drawing.join()
        if self._width:
            self._write("")

    def _draw_on(self) -> None:
        wait = AFTER
        while not self._over.wait(wait):
            self._write(self._text())
            wait = EVERY

    def _text(self) -> str:
        share = min(max(self._share, 0.0), 1.0)
        bar = ("#" * round(share * BAR)).ljust(BAR, ".")
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        end = f" [{bar}] {share:4.0%} {minutes}:{seconds:02d}"
        room = shutil.get_terminal_size().columns - len(end) - 1
        return self._stage[: max(room, 0)] + end

    def _write(self, text: str) -> None:
        """Draw over what is there; what the terminal has no letter for is a question mark."""
        text = text.ljust(self._width) + ("" if text else "\r")
        code = getattr(sys.stderr, "encoding", None) or "ascii"
        sys.stderr.write("\r" + text.encode(code, "replace").decode(code))
        sys.stderr.flush()
        self._width = len(text)


def _is_wanted() -> bool:
    if os.environ.get(VARIABLE, "1") == "0":
        return False
    stream: Any = sys.stderr
    return stream is not None and (
        stream.isatty() or type(stream).__module__.startswith("ipykernel")
    )
