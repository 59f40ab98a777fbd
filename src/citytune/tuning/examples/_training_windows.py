"""Windows to learn the network's own weights from: drawn from all of a city's history."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from citytune.tuning.examples._choice import DAYS_PER_YEAR
from citytune.windows import (
    Examples,
    History,
    WindowSpec,
    candidates,
    first_known,
    needed,
    thin,
)

STARTS_PER_DAY = 48
"""Times of day at which windows may start, of which few are drawn: all are to be learnt."""
MOST_STARTS = 1_500_000
"""Most starts, of all sensors, that windows are drawn from."""
RECENT_DAYS, RECENT_TIMES = 60.0, 1.0
"""Windows that are as old as this count half as many times more than those of long ago …"""
SEASON_DAYS, SEASON_TIMES = 45.0, 1.0
"""… and so do those within about so many days of today's date, in every year."""


class Span(NamedTuple):
    """A stretch of absolute steps, from the first to before the last one."""

    first: int
    last: int


def training_windows(
    history: History, spec: WindowSpec, most: int, *, but: Sequence[Span] = ()
) -> Examples:
    """About `most` windows, spread over sensors, days and hours.

    Recent ones, and those of the same season of earlier years, are drawn more often. In a hole of
    months there are none, and none whose context lies mostly within it.

    Args:
        history: What was measured.
        spec: How windows are cut.
        most: About how many to draw; fewer where there are no more.
        but: Spans of absolute steps that no target may lie in.
    """
    day = history.steps_per_day
    stride = _stride(history)
    found, covered = candidates(history, spec, days=-(-history.length // day), stride=stride)
    enough = needed(first_known(history), history.end, spec)
    good = covered >= enough[found.sensor]
    origin = found.origin + history.first
    for span in but:
        good &= (origin + spec.horizon <= span.first) | (origin >= span.last)
    found, origin = found.pick(good), origin[good]
    weight = _times((history.end - origin) / day)
    weight = weight / weight.mean().clamp_min(1e-9)
    return found.pick(_drawn(found, origin, stride, most, weight, history))


def _stride(history: History) -> int:
    """Steps between starts: a few a day at least, and at every time of day in turn."""
    day = history.steps_per_day
    stride = max(1, day // STARTS_PER_DAY)
    if history.raw.numel() // stride <= MOST_STARTS:
        return stride
    stride = -(-history.raw.numel() // MOST_STARTS)
    while math.gcd(stride, day) > 1:
        stride += 1
    return stride


def _drawn(
    found: Examples, origin: Tensor, stride: int, most: int, weight: Tensor, history: History
) -> Tensor:
    """(example,) bool: those of `found` that are drawn; many are not there, such as in gaps."""
    if not len(origin):
        return torch.zeros(0, dtype=torch.bool)
    sensors = len(history.raw)
    starts = int(origin[-1] - origin[0]) // stride + 1
    there = len(origin) / (starts * sensors)  # of all that could be
    return thin(found.sensor, origin, stride, math.ceil(most / there), sensors, weight)


def _times(age: Tensor) -> Tensor:
    """(example,) how often a window so many days old is drawn, against one of long ago."""
    recent = RECENT_TIMES * 2.0 ** (-age / RECENT_DAYS)
    from_season = (age + DAYS_PER_YEAR / 2) % DAYS_PER_YEAR - DAYS_PER_YEAR / 2
    return 1 + recent + SEASON_TIMES * torch.exp(-0.5 * (from_season / SEASON_DAYS).square())
