"""Try strategies on a city: all on a share of the windows, the better half on all of them.

Successive halving (Jamieson and Talwalkar 2016). The incumbent is the usual strategy, and is left
only for one that beats it by more than a standard error on the same days, all out of fold.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from citytune._errors import CitytuneError
from citytune.advice._costs import LEAST_SECONDS, cost_of
from citytune.forecasting import TunedModel, fit_task
from citytune.frame import SensorFrame
from citytune.tuning import Task

Progress = Callable[[str, float], None]
SHARE = 0.25
"""Of the windows, on which all are tried first."""
GOLDEN = 0.6180339887498949


@dataclass(frozen=True, eq=False)
class Tried:
    """One strategy, as far as it got."""

    strategy: str
    share: float
    """Of the windows, at its last trial; 0 if it was not tried."""
    seconds: float
    error: float
    """Out of fold, over that of the best seasonal rule on the same windows."""
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
        if not self.share:
            return f"{self.strategy:12s} {self.note}"
        on = "all windows" if self.share == 1 else f"{100 * self.share:.0f} % of the windows"
        return (
            f"{self.strategy:12s} {self.error:.3f} × the best rule on {on}, "
            f"{self.seconds:.1f} s{self.note and '; '}{self.note}"
        )


def halve(
    frame: SensorFrame,
    task: Task,
    names: Sequence[str],
    *,
    blend_seconds: float,
    budget: float,
    progress: Progress | None = None,
) -> list[Tried]:
    """Try the strategies `names` within `budget` seconds, the most promising first.

    Args:
        frame: What the task was made of.
        task: Its windows, and what was said of them already.
        names: Strategies other than the incumbent.
        blend_seconds: What the incumbent took here: the unit of the guesses.
        budget: Seconds for all of it.
        progress: Called with what is being done and the share done, 0 … 1.
    """
    end = time.perf_counter() + budget
    kept, left_out = affordable(names, blend_seconds, budget)
    found: dict[str, Tried] = {}
    if len(kept) > 2:  # with one or two there is nothing to halve
        some = _Round(_thinned(len(task.examples)), SHARE, time.perf_counter() + budget / 3)
        found |= _try_all(frame, task, kept, some, _first_half(progress))
        kept = better_half(found)
    every = _Round(torch.arange(len(task.examples)), 1.0, end)
    found |= _try_all(frame, task, kept, every, progress)
    return [*found.values(), *left_out]


class _Round(NamedTuple):
    """Which windows a round tries on, and until when."""

    which: Tensor  # (window,) long
    share: float
    end: float  # s, by the performance counter


def _try_all(
    frame: SensorFrame, task: Task, names: Sequence[str], stage: _Round, progress: Progress | None
) -> dict[str, Tried]:
    found: dict[str, Tried] = {}
    for done, name in enumerate(names):
        left = stage.end - time.perf_counter()
        if progress is not None:
            progress(f"trying {name}", done / len(names))
        if left <= 0 and stage.share == 1 and cost_of(name).limited:
            continue  # what it showed on a share of the windows stands
        limit = max(left, 0.1) / (len(names) - done) if cost_of(name).limited else None
        found[name] = _try(frame, task.part(stage.which, max_seconds=limit), name, stage.share)
    return found


def better_half(found: Mapping[str, Tried]) -> list[str]:
    """Names of those with the least errors, one more than half of an odd number."""
    alive = sorted((t for t in found.values() if math.isfinite(t.error)), key=lambda t: t.error)
    return [tried.strategy for tried in alive[: -(-len(alive) // 2)]]


def _first_half(progress: Progress | None) -> Progress | None:
    return None if progress is None else lambda stage, share: progress(stage, share / 2)


def affordable(
    names: Sequence[str], blend_seconds: float, budget: float
) -> tuple[list[str], list[Tried]]:
    """Strategies that fit into the budget, in order, and the others with the reason.

    Those that take no gradient steps always do, so that the clock decides nothing among them.
    """
    fitting, left_out, spent = [], [], 0.0
    for name in names:
        usual = cost_of(name).times * blend_seconds
        needs = usual * LEAST_SECONDS if cost_of(name).limited else usual
        if not cost_of(name).limited or spent + needs <= budget:
            fitting.append(name)
            spent += needs
            continue
        note = f"not tried: it would take about {usual:.0f} s; give it time with --max-seconds"
        left_out.append(Tried(name, 0.0, 0.0, math.nan, f"{note} {math.ceil(usual + spent):d}"))
    return fitting, left_out


def _try(frame: SensorFrame, task: Task, name: str, share: float) -> Tried:
    started = time.perf_counter()
    try:
        model = fit_task(frame, task, strategy=name)
    except CitytuneError as error:  # such as a backbone without the layers it needs
        return Tried(name, share, time.perf_counter() - started, math.nan, str(error))
    seconds = time.perf_counter() - started
    return Tried(name, share, seconds, model.fold_error, model=model if share == 1 else None)


def _thinned(count: int) -> Tensor:
    """A share of windows, evenly spread; multiples of the golden ratio never fall in step."""
    turn = torch.arange(count, dtype=torch.float64) * GOLDEN % 1
    return turn.argsort()[: max(1, round(SHARE * count))].sort().values
