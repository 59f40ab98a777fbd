"""Is the data enough? A learning curve: what more days of history have bought, and would buy."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from citytune.forecasting import fit_task, task_of
from citytune.frame import SensorFrame

DAYS = (3, 7, 14, 28, 56)
"""Lengths of history that are tried."""
BLOCKS = 3
"""Stretches held back in turn, the last ones …"""
BLOCK_DAYS = 3
"""… of so many days, or as long as the horizon."""
SENSORS, WINDOWS = 6, 300
"""Most sensors, and windows of a fit: a curve is about days."""
PAYS = 0.01
"""Share of the untouched model's error that tuning must save to have paid."""
SECONDS = 30.0
"""Time for all of it, about; what is not done by then is left out."""
WEEK = 7

Progress = Callable[[str, float], None]


class Point(NamedTuple):
    """One length of history."""

    days: int
    error: float
    """Of the tuned model on the held-back blocks, in each sensor's usual spread."""
    untouched: float
    """The same of the untouched model (the best seasonal rule, where it cannot forecast)."""
    blocks: tuple[float, ...]
    """Errors of the tuned model, block by block."""

    @property
    def gain(self) -> float:
        """Share of the untouched model's error that tuning saves."""
        return 1 - self.error / self.untouched


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
                {"days": p.days, "error": round(p.error, 5), "untouched": round(p.untouched, 5)}
                for p in self.points
            ],
            "needs_days": None if self.needs is None else round(self.needs),
            "next_week": None if self.next_week is None else [round(x, 5) for x in self.next_week],
            "words": str(self),
        }

    def __str__(self) -> str:
        if not self.points:
            return f"{self.have:.0f} days are too few to hold any back; {_stay(self.needs)}."
        curve = ", ".join(f"{p.days} d {p.error:.3f} ({_percent(p.gain)})" for p in self.points)
        said = f"error by days learnt from, and what tuning saves of it: {curve}. "
        if self.needs is None:
            said += f"With {self.have:.0f} days, stay with zero-shot: tuning has not paid yet. "
        elif self.needs > self.have:
            said += f"With {self.have:.0f} days, {_stay(self.needs)}. "
        elif self.needs <= DAYS[0]:
            said += f"Tuning pays from {DAYS[0]} days on; there are {self.have:.0f}. "
        else:
            said += f"Tuning pays from about {self.needs:.0f} days on; there are {self.have:.0f}. "
        if self.next_week is not None:
            low, high = (_percent(x) for x in self.next_week)
            said += f"A week more would save about {low} to {high} of the error."
        return said.strip()


def enough_of(
    frame: SensorFrame,
    backbone: str,
    dials: Mapping[str, Any],
    progress: Progress | None = None,
    *,
    seconds: float = SECONDS,
) -> Enough:
    """Tune on the last 3, 7, 14 … days before each held-back block, with nothing before them.

    Args:
        frame: What the city measured.
        backbone: To tune.
        dials: `horizon` and more, as for `fit_model`.
        progress: Called with what is being done and the share done, 0 … 1.
        seconds: About how long it may take.
    """
    started = time.perf_counter()
    day, horizon = frame.clock.steps_per_day, dials["horizon"]
    block = max(BLOCK_DAYS, math.ceil(horizon / day)) * day
    have = len(frame) / day
    starts = [len(frame) - (i + 1) * block for i in range(BLOCKS)]
    starts = [start for start in starts if start >= DAYS[0] * day]
    tried = [days for days in DAYS if starts and starts[-1] >= days * day]
    if not tried:
        return Enough(have, (), float(DAYS[0] + block // day), None)
    frame = _few(frame)
    scale = np.nanstd(frame.values, 0) + 1e-9
    points = []
    for done, days in enumerate(tried):
        if time.perf_counter() - started > seconds * (1 - 1 / len(DAYS)):
            break
        if progress is not None:
            progress(f"with {days} days", done / len(tried))
        spans = [(start - days * day, start, start + block) for start in starts]
        points.append(_point(frame, days, spans, backbone, dials, scale))
    return Enough(have, tuple(points), needed(points), next_week(points, have))


def _point(
    frame: SensorFrame,
    days: int,
    spans: Sequence[tuple[int, int, int]],
    backbone: str,
    dials: Mapping[str, Any],
    scale: NDArray[np.float32],
) -> Point:
    found = [
        errors(frame.since(first).until(end - first), start - first, backbone, dials, scale)
        for first, start, end in spans
    ]
    tuned, untouched = (tuple(part) for part in zip(*found, strict=True))
    return Point(days, float(np.nanmean(tuned)), float(np.nanmean(untouched)), tuned)


def errors(
    frame: SensorFrame,
    today: int,
    backbone: str,
    dials: Mapping[str, Any],
    scale: NDArray[np.float32],
) -> tuple[float, float]:
    """Scaled errors on the rows from `today` on, tuned on those before it and untouched."""
    past, horizon = frame.until(today), dials["horizon"]
    task = task_of(past, backbone=backbone, **dials)
    count = len(task.examples)
    task = task.part(torch.linspace(0, count - 1, min(count, WINDOWS)).long())
    step = max(1, frame.clock.steps_per_day // 4)
    origins = list(range(today, len(frame) - horizon + 1, step))
    actual = frame.values[np.array(origins)[:, None] + np.arange(horizon)]

    def error(strategy: str) -> float:
        said = fit_task(past, task, strategy=strategy).predict(frame, origins).mean
        return float(np.nanmean(np.abs(said - actual) / scale))

    return error("auto"), error("zero-shot")


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


def next_week(points: Sequence[Point], have: float) -> tuple[float, float] | None:
    """What a week more would save, by a power law through each block's errors: least and most."""
    if len(points) < 2:
        return None
    days = np.log([p.days for p in points])
    found = []
    for block in zip(*(p.blocks for p in points), strict=True):
        if np.isfinite(block).all() and min(block) > 0:
            power = float(np.polyfit(days, np.log(block), 1)[0])
            found.append(1 - ((have + WEEK) / have) ** power)
    return (min(found), max(found)) if found else None


def _few(frame: SensorFrame) -> SensorFrame:
    """Some sensors, evenly chosen among those that were measured."""
    measured = np.flatnonzero(np.isfinite(frame.values).mean(0) > 0.2)
    kept = measured if len(measured) else np.arange(len(frame.sensors))
    places = np.linspace(0, len(kept) - 1, min(SENSORS, len(kept))).round().astype(int)
    return frame.select([frame.sensors[kept[i]] for i in places])


def _stay(needs: float | None) -> str:
    return f"stay with zero-shot: fine-tuning needs about {needs:.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
