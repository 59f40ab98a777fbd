"""Draw a learning curve: tune on ever longer histories before some held-back stretches."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from torch import Tensor

from citytune.advice._enough import Enough, Point, needed, next_week
from citytune.engines import Engine
from citytune.forecasting import STRATEGY
from citytune.settings import Progress
from citytune.tuning import Task, make_strategy
from citytune.windows import evenly

CURVE_DAYS = (3, 7, 14, 28, 56)
"""Lengths of history that are tried."""
BLOCKS = 5
"""Stretches held back in turn, the last ones …"""
BLOCK_DAYS = 3
"""… of so many days, or as long as the horizon."""
CURVE_WINDOWS = 400
"""Most windows of a fit or a block, which also bounds the work: a curve is about days."""


@dataclass(frozen=True, eq=False)
class Curve:
    """What is done to each length of history, in days, and each held-back block."""

    task: Task
    block: int

    def __call__(self, tried: tuple[int, int]) -> tuple[float, float]:
        """See `errors`; of (days, where the block starts, in steps)."""
        days, start = tried
        first = start - days * self.task.history.steps_per_day
        return errors(self.task, first, start, start + self.block)


def enough_of(
    task: Task, have: float, progress: Progress | None = None, engine: Engine | None = None
) -> Enough:
    """Tune on the windows of the last 3, 7, 14 … days before each of some held-back blocks.

    The backbone is not asked anew. A window's own past may reach further back than the days it is
    learnt from, so the curve tells the value of windows to learn from, not that of a past.

    Args:
        task: All of the city's windows.
        have: Days that were measured.
        progress: Called with what is being done and the share done, 0 … 1.
        engine: Tries lengths and blocks side by side.
    """
    day, horizon = task.history.steps_per_day, task.spec.horizon
    block = max(BLOCK_DAYS * day, horizon)
    tried, starts = plan_of(task, block)
    if not tried:
        return Enough(have, (), float(CURVE_DAYS[0] + math.ceil((block + horizon) / day)), None)
    points, asked = list[Point](), [(days, start) for days in tried for start in starts]
    curve = Curve(task, block)
    found = iter(map(curve, asked) if engine is None else engine.map(curve, asked))
    for done, days in enumerate(tried):
        if progress is not None:
            progress(f"with {days} days", done / len(tried))
        tuned, untouched = zip(*itertools.islice(found, len(starts)), strict=True)
        points.append(Point(days, tuned, untouched))
    return Enough(have, tuple(points), needed(points), next_week(points, task.days))


def plan_of(task: Task, block: int) -> tuple[list[int], list[int]]:
    """Lengths of history to try, in days, and where the held-back blocks start, in steps."""
    if not len(task.examples):
        return [], []
    day = task.history.steps_per_day
    first, last = (int(edge) for edge in task.examples.origin.aminmax())
    most = (last + 1 - first - task.spec.horizon - block) // day  # with one block
    tried = [
        days
        for days in CURVE_DAYS
        if days <= most - block // day * (BLOCKS - 1) * (most > CURVE_DAYS[1])
    ]
    if not tried:
        return [], []
    room = (last + 1 - first - task.spec.horizon - tried[-1] * day) // block
    starts = [last + 1 - (i + 1) * block for i in range(min(BLOCKS, max(room, 1)))]
    origin = task.examples.origin
    return tried, [s for s in starts if bool(((origin >= s) & (origin < s + block)).any())]


def errors(task: Task, first: int, start: int, end: int) -> tuple[float, float]:
    """Scaled errors on the block of origins from `start` to `end`: tuned before it, and pretrained.

    Windows to learn from start at `first` and end before the block does.
    """
    origin = task.examples.origin
    before = (origin >= first) & (origin <= start - task.spec.horizon)
    learn = task.part(_at_most(CURVE_WINDOWS, before))
    block = task.part(_at_most(CURVE_WINDOWS, (origin >= start) & (origin < end)))
    learnt = make_strategy(STRATEGY).fit(learn).mixture if len(learn.examples) else None
    untouched = block.forecast_of(task.prior)
    tuned = untouched if learnt is None else block.replay(learnt)

    def error(forecasts: Tensor) -> float:
        return float(((forecasts - block.actual).abs() / block.scale)[block.known].mean())

    return error(tuned), error(untouched)


def _at_most(most: int, which: Tensor) -> Tensor:
    """Indices where `which` is true, at most so many, evenly spread."""
    places = which.nonzero()[:, 0]
    return places[evenly(len(places), most)]
