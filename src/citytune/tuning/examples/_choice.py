"""Which windows a fit learns from: those it remembers and still looks at, and new ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from citytune.tuning.examples._memory import Memory, Windows, beginnings
from citytune.windows import (
    Examples,
    History,
    Seasonal,
    WindowSpec,
    candidates,
    needed,
    stride_of,
    thin,
)

WINDOW_DAYS = 120
"""Windows older than this are no evidence for the weights of a mixture."""
SENSORS_AT_ONCE = 1024
"""Most sensors whose possible windows are laid out at a time."""
DAYS_PER_YEAR = 365.25
SEASONAL_WEEKS = 9
"""Weeks before a context that the seasonal rules look at."""
MOST_YEARS = 4
"""Years of history that weights of the network itself are learnt from …"""
MOST_READINGS = 12_000_000
"""… and most readings, sensor times step: memory is bounded."""


def rows_looked_at(spec: WindowSpec, steps_per_day: int) -> int:
    """How many rows a fit looks at: its windows, a context and the rules' weeks before them."""
    days = WINDOW_DAYS + 7 * SEASONAL_WEEKS
    context = spec.context * max(1, steps_per_day // 24)
    return max(days * steps_per_day + context + spec.horizon, 2 * spec.context)


def rows_learnt_from(spec: WindowSpec, steps_per_day: int, sensors: int) -> int:
    """How many rows a fit holds: all that `rows_looked_at`, and years where there are."""
    years = math.ceil(MOST_YEARS * DAYS_PER_YEAR) * steps_per_day + spec.context
    return max(rows_looked_at(spec, steps_per_day), min(years, MOST_READINGS // max(sensors, 1)))


@dataclass(frozen=True, eq=False)
class Choice:
    """The windows of a fit: remembered ones first, then those of a history."""

    remembered: Memory | None
    """What a memory holds of windows that are still learnt from."""
    windows: Windows
    """All of them."""
    seasonal: Seasonal
    """The seasonal rules over the sensors with new windows …"""
    live: Examples
    """… and these windows there, whose history is at hand."""

    @classmethod
    def of(
        cls,
        history: History,
        spec: WindowSpec,
        most: int,
        memory: Memory | None,
        *,
        whole: bool = False,
    ) -> Self:
        """About `most` windows, evenly spread over sensors and starts.

        `whole` keeps the sensors without windows in the rules' history.
        """
        stride = stride_of(history)
        after = None if memory is None else memory.after(spec)
        enough = needed(beginnings(history, memory), history.end, spec)
        if memory is None and len(history.raw) > SENSORS_AT_ONCE:
            fresh, covered = _in_blocks(history, spec, stride, most, enough)
            windows = Windows.of(history, fresh, covered, spec.horizon)
            return cls(None, windows, *_place(history, fresh, whole))
        fresh, covered = candidates(history, spec, days=WINDOW_DAYS, stride=stride, after=after)
        good = covered >= enough[fresh.sensor]
        fresh, covered = fresh.pick(good), covered[good]
        old = None if memory is None else _still_looked_at(memory, history, enough)
        sensor, origin = fresh.sensor, fresh.origin + history.first
        if old is not None:
            sensor = torch.cat([old.windows.sensor, sensor])
            origin = torch.cat([old.windows.origin, origin])
        keep = thin(sensor, origin, stride, most, len(history.raw))
        count = len(keep) - len(fresh)
        old = None if old is None else old.pick(keep[:count])
        fresh, covered = fresh.pick(keep[count:]), covered[keep[count:]]
        windows = Windows.of(history, fresh, covered, spec.horizon)
        windows = windows if old is None else old.windows.then(windows)
        return cls(old, windows, *_place(history, fresh, whole))

    def pick(self, which: Tensor) -> Self:
        """Some of the windows, by index."""
        assert self.remembered is None, "what is remembered is learnt from as a whole"
        return replace(self, windows=self.windows.pick(which), live=self.live.pick(which))


def _still_looked_at(memory: Memory, history: History, enough: Tensor) -> Memory:
    """The remembered windows that are recent, and long enough by what is known today."""
    seen = memory.windows
    recent = seen.origin >= history.end - WINDOW_DAYS * history.steps_per_day
    return memory.pick(recent & (seen.covered >= enough[seen.sensor]))


def _in_blocks(
    history: History, spec: WindowSpec, stride: int, most: int, enough: Tensor
) -> tuple[Examples, Tensor]:
    """The same windows as of all sensors at once, and what they cover, in less memory."""

    def blocks() -> Iterator[tuple[Examples, Tensor]]:
        for first in range(0, len(history.raw), SENSORS_AT_ONCE):
            part = replace(history, raw=history.raw[first : first + SENSORS_AT_ONCE])
            found, covered = candidates(part, spec, days=WINDOW_DAYS, stride=stride)
            sensor = found.sensor + first
            good = covered >= enough[sensor]
            yield Examples(sensor[good], found.origin[good]), covered[good]

    ends = [one.origin[[0, -1]] for one, _ in blocks() if len(one)]
    if not ends:
        return next(blocks())
    low, high = (int(end) + history.first for end in torch.cat(ends).aminmax())
    found, cover = [], []
    for one, covered in blocks():
        where = one.sensor, one.origin + history.first
        keep = thin(*where, stride, most, len(history.raw), span=(low, high))
        found.append(one.pick(keep))
        cover.append(covered[keep])
    sensor, origin = (torch.cat(parts) for parts in zip(*found, strict=True))
    order = (origin * len(history.raw) + sensor).argsort()  # origin by origin, as of all at once
    return Examples(sensor[order], origin[order]), torch.cat(cover)[order]


def _place(history: History, fresh: Examples, whole: bool) -> tuple[Seasonal, Examples]:
    """The rules over the sensors that have windows, and the windows among these sensors."""
    if whole:
        return Seasonal(history), fresh
    some, where = fresh.sensor.unique(return_inverse=True)
    history = history if len(some) == len(history.raw) else history.part(some)
    return Seasonal(history), Examples(where, fresh.origin)
