"""Try strategies on a city: all on a share of the windows, the better half on all of them.

Successive halving (Jamieson and Talwalkar 2016). What may be tried is counted in work, so that the
same city is tuned the same way on every machine; only a person's own limit is in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, NamedTuple

from torch import Tensor

from citytune._errors import CitytuneError
from citytune._text import percent
from citytune.advice._costs import cost_of
from citytune.forecasting import TunedModel, fit_task
from citytune.frame import SensorFrame
from citytune.settings import Progress
from citytune.tuning import Task
from citytune.windows import evenly

WORK = 2.0
"""What trying others may cost, in the work of `blend`."""
FIRST_SHARE = 0.25
"""Of the windows, on which all are tried first …"""
FIRST_TIME = 1 / 3
"""… in this share of a time limit."""
TIE = 0.001
"""Errors that differ by less, in the best seasonal rule's, are equal."""


@dataclass(frozen=True, eq=False)
class Tried:
    """One strategy, as far as it got."""

    strategy: str
    share: float = 0.0
    """Of the windows, at its last trial; 0 if it was not tried."""
    seconds: float = 0.0
    """How long it took here; nothing is decided by it."""
    error: float = math.nan
    """Cross-validated, over that of the best seasonal rule on the same windows."""
    note: str = ""
    """Why it went no further, or what it gained."""
    model: TunedModel | None = None
    """Of a trial on all windows."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "strategy": self.strategy,
            "share": self.share,
            "seconds": round(self.seconds, 3),
            "fold_error": round(self.error, 5) if math.isfinite(self.error) else None,
            "note": self.note,
        }

    def __str__(self) -> str:
        if not math.isfinite(self.error):
            return f"{self.strategy:12s} {self.note}"
        on = "" if self.share == 1 else f" on {percent(self.share)} of the windows"
        return (
            f"{self.strategy:12s} error {self.error:.3f} × that of the best seasonal rule{on}, "
            f"{self.seconds:.1f} s{self.note and '; '}{self.note}"
        )


class Limit:
    """How long strategies may be tried: in work, or until a person's time limit."""

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        self._began = perf_counter()

    def left(self, share: float = 1.0) -> float:
        """Seconds left of a share of the time limit; infinite without one."""
        if self.seconds is None:
            return math.inf
        return share * self.seconds - (perf_counter() - self._began)

    @property
    def reached(self) -> str:
        """Why something was not tried."""
        return f"not tried further: the time limit of {self.seconds:g} s was reached"


def halve(
    frame: SensorFrame,
    task: Task,
    names: Sequence[str],
    limit: Limit,
    progress: Progress | None = None,
) -> list[Tried]:
    """Try the strategies `names` as far as the limit goes, the most promising first.

    Args:
        frame: What the task was made of.
        task: Its windows, and the forecasts that were already made of them.
        names: Strategies other than the incumbent.
        limit: How much work, or how long.
        progress: Called with what is being done and the share done, 0 … 1.
    """
    kept, left_out = (list(names), []) if limit.seconds is not None else affordable(names)
    found: dict[str, Tried] = {}
    if len(kept) > 2:  # with one or two there is nothing to halve
        some = evenly(len(task.examples), max(1, round(FIRST_SHARE * len(task.examples))))
        first = _Round(some, FIRST_SHARE, FIRST_TIME)
        found = _try_all(frame, task, kept, first, limit, _first_half(progress))
        kept = better_half(found)
    every = evenly(len(task.examples), len(task.examples))
    last = _try_all(frame, task, kept, _Round(every, 1.0, 1.0), limit, progress)
    for name, row in last.items():
        before = found.get(name)
        # Where time was over, the trial on a share of the windows stands.
        found[name] = row if row.share or before is None else replace(before, note=row.note)
    return [*found.values(), *left_out]


def affordable(names: Sequence[str]) -> tuple[list[str], list[Tried]]:
    """Strategies that fit into the work allowed, in order, and the others with the reason."""
    fitting, left_out, spent = [], [], 0.0
    for name in names:
        work = cost_of(name).work
        if spent + work <= WORK:
            fitting.append(name)
            spent += work
            continue
        note = f"not tried: about {work:.0f} times the work of blend; max_seconds gives it time"
        left_out.append(Tried(name, note=note))
    return fitting, left_out


class _Round(NamedTuple):
    """Which windows a round tries on, and until when."""

    which: Tensor  # (window,) long
    share: float
    time: float
    """Share of a time limit at which it ends."""


def _try_all(
    frame: SensorFrame,
    task: Task,
    names: Sequence[str],
    stage: _Round,
    limit: Limit,
    progress: Progress | None,
) -> dict[str, Tried]:
    found: dict[str, Tried] = {}
    for done, name in enumerate(names):
        if progress is not None:
            progress(f"trying {name}", done / len(names))
        left = limit.left(stage.time)
        if left <= 0:
            found[name] = Tried(name, note=limit.reached)
            continue
        most = left / (len(names) - done) if cost_of(name).steps and left < math.inf else None
        found[name] = _try(frame, task.part(stage.which, max_seconds=most), name, stage.share)
    return found


def better_half(found: Mapping[str, Tried]) -> list[str]:
    """Names of those with the least errors, one more than half of an odd number.

    Whoever is equal to the last of them stays too, so that no rounding decides.
    """
    alive = [row for row in found.values() if math.isfinite(row.error)]
    if not alive:
        return []
    last = sorted(row.error for row in alive)[(len(alive) - 1) // 2]
    return [row.strategy for row in alive if row.error <= last + TIE]


def _first_half(progress: Progress | None) -> Progress | None:
    return None if progress is None else lambda stage, share: progress(stage, share / 2)


def _try(frame: SensorFrame, task: Task, name: str, share: float) -> Tried:
    try:
        model = fit_task(frame, replace(task, progress=None), strategy=name)  # told by trials
    except CitytuneError as error:  # such as a backbone without the layers it needs
        return Tried(name, note=str(error))
    kept = model if share == 1 else None
    return Tried(name, share, model.seconds["fit"], model.fold_error, model=kept)
