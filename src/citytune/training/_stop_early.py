"""Ctrl-C while weights are learnt: stop there, and go on with what was learnt so far."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from citytune.training._machine import Machine

ANSWER = (
    "\nLearning stops here, and the work goes on with what was learnt so far; "
    "press Ctrl-C again to give up.\n"
)


@contextmanager
def stopping_early() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C stop a training, not the program; the second one is as usual.

    The first is answered on stderr at once, as what follows may take minutes. What comes back tells
    whether the first has come. Within a program that answers Ctrl-C by a handler of its own (unless
    this has a true `interrupts`), in a thread, or in one of several processes, nothing is changed,
    and it never comes.
    """
    asked, usual = threading.Event(), signal.getsignal(signal.SIGINT)
    interrupts = usual is signal.default_int_handler or getattr(usual, "interrupts", False)
    in_main = threading.current_thread() is threading.main_thread()
    if not (interrupts and callable(usual) and in_main and Machine().processes == 1):
        yield asked.is_set
        return

    def first(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            usual(number, frame)
        asked.set()
        with suppress(RuntimeError, AttributeError, ValueError, OSError):  # stderr is busy or gone
            sys.stderr.write(ANSWER)

    signal.signal(signal.SIGINT, first)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, usual)
