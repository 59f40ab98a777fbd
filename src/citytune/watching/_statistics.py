"""What is tested every day: numbers that are stable from week to week where nothing is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from citytune.watching._day import Day, Floats


class Statistic(NamedTuple):
    """How a statistic is tested."""

    both_sides: bool
    """Whether low values are as bad as high ones."""
    resolution: float
    """Differences that mean nothing."""


READINGS = {
    "missing": Statistic(both_sides=False, resolution=0.05),
    "frozen": Statistic(both_sides=False, resolution=0.1),
    "level": Statistic(both_sides=True, resolution=0.01),
    "noise": Statistic(both_sides=False, resolution=0.05),
    "range": Statistic(both_sides=False, resolution=0.02),
    "clock": Statistic(both_sides=True, resolution=0.05),
}
"""Of what was measured."""
FORECASTS = {
    "error": Statistic(both_sides=False, resolution=0.05),
    "naive": Statistic(both_sides=False, resolution=0.05),
    "bias": Statistic(both_sides=True, resolution=0.02),
    "coverage": Statistic(both_sides=False, resolution=0.04),
}
"""Of forecasts and what came true."""
ALL = {**READINGS, **FORECASTS}
LIKE_DAYS = 4
"""Days of the same kind that a day is compared with."""
TINY = 0.0001
"""Share of the usual level below which a value is as good as zero."""
STUCK_SHARE, STUCK_TIMES, STUCK_DAYS, STUCK_LEAST = 0.25, 3, 14, 6
"""Share of a day, times the longest run of so many days, and steps that make a run a fault."""


def alike(days: Sequence[Day], day: Day) -> list[Day]:
    """The latest days of the same weekday; none if there are not two of them."""
    same: list[Day] = []
    for one in reversed(days):
        if one.kind == day.kind and not one.special and one.missing < 0.5:
            same.append(one)
            if len(same) == LIKE_DAYS:
                break
    return same[::-1] if len(same) > 1 else []


def is_stuck(day: Day, days: Sequence[Day]) -> bool:
    """Whether one value goes on for longer than ever happens here: no need to wait for more.

    Args:
        day: The day.
        days: Ordinary ones before it.
    """
    if day.still < STUCK_SHARE or len(days) < STUCK_DAYS:
        return False
    return day.run >= max(STUCK_LEAST, STUCK_TIMES * max(one.run for one in days))


def of_readings(day: Day, days: Sequence[Day], *, signed: bool) -> dict[str, float]:
    """Statistic → its value on a day, compared with the days before.

    Args:
        day: The day.
        days: Ordinary ones before it, the oldest first.
        signed: Whether the sensor measures values below zero; levels then differ by what is added,
            otherwise by what they are multiplied with.
    """
    before = alike(days, day)
    if not before:
        return {}
    found = {"missing": day.missing - _middle([one.missing for one in before])}
    if day.missing > 0.75:
        return found
    found["frozen"] = _longer(day, before)
    if day.special:
        return found
    now, usual = day.profile, _median(before)
    slots = len(usual)
    if not (whole := day.whole and np.isfinite(usual).all()):
        known = np.isfinite(now) & np.isfinite(usual)
        now, usual = now[known], usual[known]
    if len(now) * 2 < slots:
        return found
    found["level"] = _level(now, usual, signed=signed)
    found["range"] = _top(day, before)
    if slots >= 12 and whole:
        found["noise"] = day.rough - _middle([one.rough for one in before])
        found |= _shift(now, usual)
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _longer(day: Day, before: Sequence[Day]) -> float:
    return math.log1p(day.run) - math.log1p(_middle([one.run for one in before]))


def _middle(values: Sequence[float]) -> float:
    """The median; NaN if one of them is.

    >>> _middle([3, 1, 2]), _middle([1, 4])
    (2.0, 2.5)
    """
    if any(map(math.isnan, values)):
        return math.nan
    ordered, half = sorted(values), len(values) // 2
    return float(ordered[half] + ordered[~half]) / 2


def _median(days: Sequence[Day]) -> Floats:
    """Slot by slot, of the days that have it; NaN where none has."""
    ordered = np.sort([one.profile for one in days], axis=0)  # NaN goes last
    if all(one.whole for one in days):
        return (ordered[(len(days) - 1) // 2] + ordered[len(days) // 2]) / 2
    known = np.isfinite(ordered).sum(0)
    slots = np.arange(ordered.shape[1])
    low, high = np.maximum(known - 1, 0) // 2, known // 2 % len(days)
    middle = (ordered[low, slots] + ordered[high, slots]) / 2
    return np.where(known > 0, middle, np.nan)


def _level(now: Floats, usual: Floats, *, signed: bool) -> float:
    if signed:
        spread = float(np.abs(usual - usual.mean()).mean())
        return float(now.mean() - usual.mean()) / max(spread, 1e-9)
    least = TINY * _mean(np.abs(usual)) + 1e-9
    return math.log(max(_mean(now), 0) + least) - math.log(max(_mean(usual), 0) + least)


def _top(day: Day, before: Sequence[Day]) -> float:
    """How far the highest value is above those of other days."""
    usual = _middle([one.top for one in before])
    return math.log(day.top + TINY * usual + 1e-9) - math.log(usual * (1 + TINY) + 1e-9)


def _shift(now: Floats, usual: Floats) -> dict[str, float]:
    """By how many hours the day's profile is late, to first order in the slope of the usual one."""
    slope = (usual[2:] - usual[:-2]) / 2
    power, scale, level = float((slope * slope).sum()), _mean(usual), _mean(now)
    if power <= 0 or scale <= 0 or level <= 0:
        return {}
    off = now[1:-1] / level * scale - usual[1:-1]
    late = -float((off * slope).sum()) / power * 24 / len(usual)
    return {"clock": min(max(late, -3.0), 3.0)}


def _mean(values: Floats) -> float:
    """Of what is known throughout, without the checks of numpy's own."""
    return float(values.sum()) / len(values)
