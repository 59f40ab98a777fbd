"""Is the data enough? A learning curve: what more days of history have bought, and would buy."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from citytune.forecasting import DEFAULT
from citytune.tuning import Task, make_strategy, says_again

DAYS = (3, 7, 14, 28, 56)
"""Lengths of history that are tried."""
BLOCKS = 5
"""Stretches held back in turn, the last ones …"""
BLOCK_DAYS = 3
"""… of so many days, or as long as the horizon."""
WINDOWS = 400
"""Most windows of a fit or a block: a curve is about days."""
PAYS = 0.01
"""Share of the untouched model's error that tuning must save to have paid."""
SECONDS = 30.0
"""Time for all of it, about; what is not done by then is left out."""
WEEK = 7
GOLDEN = 0.6180339887498949

Progress = Callable[[str, float], None]


class Point(NamedTuple):
    """One length of history, measured on each held-back block, in each sensor's usual spread."""

    days: int
    tuned: tuple[float, ...]
    untouched: tuple[float, ...]
    """Of the untouched model (the best seasonal rule, where it cannot forecast)."""

    @property
    def error(self) -> float:
        """Of the tuned model, over all blocks."""
        return float(np.nanmean(self.tuned))

    @property
    def gain(self) -> float:
        """Share of the untouched model's error that tuning saves."""
        return 1 - self.error / max(float(np.nanmean(self.untouched)), 1e-12)


@dataclass(frozen=True)
class Enough:
    """What a learning curve says."""

    have: float
    """Days in the frame."""
    points: tuple[Point, ...]
    needs: float | None
    """Days from which tuning pays, about; None if that is not in sight."""
    next_week: tuple[float, float] | None
    """Share of the error that a week more would save: least and most over the blocks."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "days": round(self.have, 1),
            "curve": [
                {"days": p.days, "error": round(p.error, 5), "saves": round(p.gain, 5)}
                for p in self.points
            ],
            "needs_days": None if self.needs is None else round(self.needs),
            "next_week": None if self.next_week is None else [round(x, 5) for x in self.next_week],
            "words": str(self),
        }

    def __str__(self) -> str:
        if not self.points:
            return f"{self.have:.0f} days are too few to hold any back: {_stay(self.needs)}."
        curve = ", ".join(f"{p.days} d {p.error:.3f} ({_percent(p.gain)})" for p in self.points)
        said = f"error by days learnt from, and what tuning saves of it: {curve}. "
        if self.needs is None:
            said += f"With {self.have:.0f} days, zero-shot does as well: tuning has not paid yet. "
        elif self.needs > self.have:
            said += f"With {self.have:.0f} days, {_stay(self.needs)}. "
        elif self.needs <= DAYS[0]:
            said += f"Tuning pays from {DAYS[0]} days on; there are {self.have:.0f}. "
        else:
            said += f"Tuning pays from about {self.needs:.0f} days on; there are {self.have:.0f}. "
        if self.next_week is not None:
            most, least = (f"{-100 * x:+.1f} %" for x in self.next_week)
            said += f"A week more would change the error by about {least} to {most}."
        return said.strip()


def enough_of(
    task: Task, have: float, progress: Progress | None = None, *, seconds: float = SECONDS
) -> Enough:
    """Tune on the windows of the last 3, 7, 14 … days before each of some held-back blocks.

    The backbone is not asked anew. A window's own past may reach further back than the days it is
    learnt from, so the curve tells what windows to learn from are worth, not what a past is.

    Args:
        task: All of the city's windows.
        have: Days that were measured.
        progress: Called with what is being done and the share done, 0 … 1.
        seconds: About how long it may take; the longest histories are left out first.
    """
    started = time.perf_counter()
    day, horizon = task.history.steps_per_day, task.spec.horizon
    block = max(BLOCK_DAYS * day, horizon)
    tried, starts = plan_of(task, block)
    if not tried:
        return Enough(have, (), float(DAYS[0] + math.ceil((block + horizon) / day)), None)
    points: list[Point] = []
    for done, days in enumerate(tried):
        if points and time.perf_counter() - started > seconds * (done / (done + 1)):
            break
        if progress is not None:
            progress(f"with {days} days", done / len(tried))
        found = [errors(task, start - days * day, start, start + block) for start in starts]
        tuned, untouched = (tuple(part) for part in zip(*found, strict=True))
        points.append(Point(days, tuned, untouched))
    return Enough(have, tuple(points), needed(points), next_week(points, task.days))


def plan_of(task: Task, block: int) -> tuple[list[int], list[int]]:
    """Lengths of history to try, in days, and where the held-back blocks start, in steps."""
    if not len(task.examples):
        return [], []
    day = task.history.steps_per_day
    first, last = (int(edge) for edge in task.examples.origin.aminmax())
    most = (last + 1 - first - task.spec.horizon - block) // day  # with one block
    tried = [days for days in DAYS if days <= most - block // day * (BLOCKS - 1) * (most > DAYS[1])]
    if not tried:
        return [], []
    room = (last + 1 - first - task.spec.horizon - tried[-1] * day) // block
    starts = [last + 1 - (i + 1) * block for i in range(min(BLOCKS, max(room, 1)))]
    origin = task.examples.origin
    return tried, [s for s in starts if bool(((origin >= s) & (origin < s + block)).any())]


def errors(task: Task, first: int, start: int, end: int) -> tuple[float, float]:
    """Scaled errors on the block of origins from `start` to `end`: tuned before it, and untouched.

    Windows to learn from start at `first` and end before the block does.
    """
    origin = task.examples.origin
    before = (origin >= first) & (origin <= start - task.spec.horizon)
    learn = task.part(_at_most(WINDOWS, before))
    block = task.part(_at_most(WINDOWS, (origin >= start) & (origin < end)))
    learnt = make_strategy(DEFAULT).fit(learn).mixture if len(learn.examples) else None
    untouched = block.said_by(task.prior)
    tuned = untouched if learnt is None else says_again(learnt, block)

    def error(says: Tensor) -> float:
        return float(((says - block.actual).abs() / block.scale)[block.known].mean())

    return error(tuned), error(untouched)


def _at_most(most: int, which: Tensor) -> Tensor:
    """Places where `which` is true, at most so many, evenly spread."""
    places = which.nonzero()[:, 0]
    turn = torch.arange(len(places), dtype=torch.float64) * GOLDEN % 1
    return places[turn.argsort()[:most].sort().values]


def needed(points: Sequence[Point]) -> float | None:
    """Days from which tuning pays and goes on paying, between two points or beyond the last.

    Beyond the last, where the gain goes on growing with the logarithm of the days as it did.
    """
    paying = [p.gain >= PAYS for p in points]
    if all(paying):
        return float(points[0].days)
    last = max(i for i, pays in enumerate(paying) if not pays)
    if last + 1 < len(points):
        return _crossing(points[last], points[last + 1])
    if len(points) > 1 and points[-1].gain > points[-2].gain:
        found = _crossing(points[-2], points[-1])
        return found if found < 4 * points[-1].days else None
    return None


def _crossing(before: Point, after: Point) -> float:
    slope = (after.gain - before.gain) / math.log(after.days / before.days)
    return before.days * math.exp(min((PAYS - before.gain) / slope, 20.0))


def next_week(points: Sequence[Point], days_now: float) -> tuple[float, float] | None:
    """What a week more would save, by a power law through each block's errors: least and most."""
    if len(points) < 2:
        return None
    days = np.log([p.days for p in points])
    found = []
    for block in zip(*(p.tuned for p in points), strict=True):
        if np.isfinite(block).all() and min(block) > 0:
            power = float(np.polyfit(days, np.log(block), 1)[0])
            found.append(1 - ((days_now + WEEK) / days_now) ** power)
    return (min(found), max(found)) if found else None


def _stay(needs: float | None) -> str:
    return f"zero-shot does as well, and fine-tuning needs about {needs:.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
