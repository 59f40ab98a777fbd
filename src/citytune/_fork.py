"""Answer at once in a process forked after use, where polars and torch would wait for ever."""

from __future__ import annotations

import os

from citytune._errors import RunError

_state = {"used": False, "lost": False}


def refuse_after_fork() -> None:
    """Called where polars or torch begin to work.

    Raises:
        RunError: they worked in a process that this one was forked from: their threads did not
            come along, and whoever waits for them waits for ever.
    """
    if _state["lost"]:
        raise RunError(
            "this process was forked from one that had used citytune already, whose threads are "
            'not here, so it would hang; start workers by multiprocessing.get_context("spawn"), '
            "or let each of them read and load for itself before anything else does (gunicorn "
            "without --preload)"
        )
    _state["used"] = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _state.update(lost=_state["used"]))
