"""What needs PyTorch is asked of a process of its own.

Loading it takes seconds, in which a server would answer others late, and memory for good.
"""

from __future__ import annotations

import multiprocessing
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, TypeVar

from citytune._errors import MissingWeights, UnknownName
from citytune.runs import Named, named
from citytune.serving._process import make_way
from citytune.serving.http._problems import Problem
from citytune.settings import Settings

HOLDS = 600.0
"""Seconds after which it is looked anew what models there are; meanwhile the former list counts."""
LIST_TOO_OLD = 10.0
"""Seconds after which nothing is refused by that list, before it is looked anew."""

P = ParamSpec("P")
Result = TypeVar("Result")
_one_at_a_time = threading.Lock()


def elsewhere(function: Callable[P, Result], *given: P.args, **more: P.kwargs) -> Result:
    """What a function gives, called in another process unless PyTorch is in this one already.

    Raises:
        Problem: that process ended before it had answered.
    """
    if "torch" in sys.modules:
        return function(*given, **more)
    spawn = multiprocessing.get_context("spawn")
    try:
        with _one_at_a_time, ProcessPoolExecutor(1, spawn, make_way) as pool:
            return pool.submit(function, *given, **more).result()
    except BrokenProcessPool:
        raise Problem(503, "this could not be checked just now; ask again", RETRY) from None


RETRY = {"Retry-After": "5"}


class Names:
    """What models, families and strategies there are on this machine."""

    def __init__(self) -> None:
        self._found: Named | None = None
        self._at = 0.0
        self._lock = threading.Lock()

    def get(self) -> Named:
        """As it was looked up last; the first one who asks waits for that."""
        found = self._found
        if found is None:
            return self._look()
        if time.monotonic() - self._at > HOLDS:
            self._at = time.monotonic()
            threading.Thread(target=self._look, args=(True,), daemon=True).start()
        return found

    def check(self, settings: Settings) -> None:
        """Refuse what is not here; a backbone is a name, and never a path.

        Raises:
            InputError: nobody knows it, or its weights are not here.
        """
        if settings.backbone == "auto" and settings.strategy == "auto":
            return
        try:
            _check(settings, self.get())
        except (UnknownName, MissingWeights):
            if time.monotonic() - self._at < LIST_TOO_OLD:
                raise
            _check(settings, self._look(again=True))  # it may have been put there since

    def _look(self, again: bool = False) -> Named:
        with self._lock:
            if self._found is None or again:
                self._found, self._at = elsewhere(named), time.monotonic()
            return self._found


def _check(settings: Settings, found: Named) -> None:
    needs = {one["name"]: one["how_to_get"] for one in found.models}
    _check_name("strategy", settings.strategy, found.strategies)
    _check_name("backbone", settings.backbone, [*needs, *found.families])
    if needed := needs.get(settings.backbone):
        raise MissingWeights(needed)


def _check_name(kind: str, name: str, known: list[str] | tuple[str, ...]) -> None:
    if name != "auto" and name not in known:
        raise UnknownName(kind, name[:100], known if kind == "backbone" else ["auto", *known])


NAMES = Names()
"""Of this machine, whatever is served."""
