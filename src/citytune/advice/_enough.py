"""What a learning curve shows: from how many days on tuning pays, and what another week brings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from citytune._text import more_or_less, percent

PAYS = 0.01
"""Share of the pretrained model's error that tuning must save to have paid."""
WEEK = 7


class Point(NamedTuple):
    """One length of history, measured on each held-back block, in each sensor's usual spread."""

    days: int
    tuned: tuple[float, ...]
    untouched: tuple[float, ...]
    """Of the pretrained model (the best seasonal rule, where it cannot forecast)."""

    @property
    def error(self) -> float:
        """Of the tuned model, over all blocks."""
        return float(np.nanmean(self.tuned))

    @property
    def gain(self) -> float:
        """Share of the pretrained model's error that tuning saves."""
        return 1 - self.error / max(float(np.nanmean(self.untouched)), 1e-12)


@dataclass(frozen=True)
class Enough:
    """What a learning curve shows."""

    have: float
    """Days in the frame."""
    points: tuple[Point, ...]
    needs: float | None
    """Days from which tuning pays, about; None if that is not in sight."""
    next_week: tuple[float, float] | None
    """Share of the error that another week would save: least and most over the blocks."""

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
        rows = ", ".join(
            f"{p.days} days: {p.error:.3f} ({more_or_less(p.gain)})" for p in self.points
        )
        curve = f"error by days learnt from, and what tuning does to it: {rows}."
        return " ".join(part for part in (curve, self._pays(), self._week()) if part)

    def _pays(self) -> str:
        have = f"{self.have:.0f}"
        if self.needs is None:
            return f"With {have} days, zero-shot does as well: tuning does not pay yet."
        if self.needs > self.have:
            return f"With {have} days, {_stay(self.needs)}."
        about = "" if self.needs <= self.points[0].days else "about "
        return f"Tuning pays from {about}{self.needs:.0f} days on; there are {have}."

    def _week(self) -> str:
        if self.next_week is None:
            return ""
        least, most = self.next_week
        if round(100 * least, 1) == round(100 * most, 1) == 0:
            return "Another week of data would hardly change the error."
        if least < 0 < most:
            worse, less = percent(-least, 1), percent(-most, 1)
            return f"Another week of data would change the error by between {less} and +{worse}."
        ends = sorted((abs(least), abs(most)))
        span = " to ".join(dict.fromkeys(percent(end, 1) for end in ends))
        return f"Another week of data would {'lower' if most > 0 else 'raise'} the error by {span}."


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
    """What another week would save, by a power law through each block's errors: least and most."""
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
    return f"zero-shot does as well, and fine-tuning needs about {needs:,.0f}"
