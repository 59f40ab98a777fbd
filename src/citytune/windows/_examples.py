"""Which windows to learn from, and cutting them without ever laying all of them out."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from citytune.windows._history import History
from citytune.windows._spec import WindowSpec

MEASURED = 0.6
"""Least share of a context that must have been measured, of what its sensor usually measures."""
PLASTIC = torch.tensor([0.7548776662466927, 0.5698402909980532], dtype=torch.float64)
"""1/ρ and 1/ρ² of the plastic number ρ, for (origin, sensor)."""


class Examples(NamedTuple):
    """Windows named by sensor and by the first step to forecast; nothing is copied."""

    sensor: Tensor  # (example,) long
    origin: Tensor  # (example,) long: index of the first step forecast

    def __len__(self) -> int:
        return len(self.origin)

    def pick(self, which: Tensor) -> Examples:
        """Some of the windows, by index or mask."""
        return Examples(self.sensor[which], self.origin[which])


def all_sensors(history: History, origins: Tensor) -> Examples:
    """Every sensor at every origin, origin-major: example = origin · sensors + sensor."""
    sensors = torch.arange(history.raw.shape[0])
    return Examples(sensors.repeat(len(origins)), origins.repeat_interleave(len(sensors)))


def choose_examples(
    history: History, spec: WindowSpec, *, limit: int, days: int = 120, stride: int | None = None
) -> Examples:
    """Windows to learn from: evenly spread over the last `days`, at most `limit` of them.

    A window is left out if less than 60 % of what its sensor usually measures was measured in its
    context (in half of its history, where that is shorter) or none of its targets were. If every
    sensor at every start would be too many, each start takes a different, evenly spread share.
    """
    sensors, steps = history.raw.shape[0], history.steps_per_day
    stride = stride or max(1, steps // (24 if sensors <= 2 else 8))
    first = max(1, history.length - days * steps)
    backward = range(history.length - spec.horizon, first - 1, -stride)
    origins = torch.tensor(backward[::-1], dtype=torch.long)
    place = _usable(history, spec, origins).T.nonzero()  # (window, 2): origin, sensor; origin-major
    if len(place) > limit:
        place = place[_spread(place, limit)]
    return Examples(place[:, 1], origins[place[:, 0]])


def _spread(place: Tensor, limit: int) -> Tensor:
    """Which `limit` of `place` (window, 2), origin and sensor, to keep: every part gets its share.

    The plastic number's low-discrepancy sequence in two dimensions (Roberts 2018) never falls in
    step with the day, the week or the number of sensors.
    """
    turn = (place.double() @ PLASTIC) % 1
    return turn.argsort()[:limit].sort().values


def _usable(history: History, spec: WindowSpec, origins: Tensor) -> Tensor:
    known = ~history.raw.isnan()
    seen = torch.nn.functional.pad(known.cumsum(1, dtype=torch.int32), (1, 0))  # (sensor, time + 1)
    past = seen[:, origins] - seen[:, (origins - spec.context).clamp_min(0)]
    future = seen[:, (origins + spec.horizon).clamp_max(history.length)] - seen[:, origins]
    first = known.to(torch.uint8).argmax(1, keepdim=True)
    since = history.length - first  # (sensor, 1) steps since its first value
    # A sensor that sleeps every night is judged by its own habit, not by a full day.
    usual = seen[:, -1:] / since.clamp_min(1)
    # A new sensor has no whole context yet: half of what there is must do, and a day at least.
    context = (since // 2).clamp_max(spec.context)
    settled = origins >= first + history.steps_per_day
    return (past >= MEASURED * usual * context) & (past > 0) & (future > 0) & settled


def cut_past(series: Tensor, examples: Examples, context: int, *, period: int = 1) -> Tensor:
    """The last `context` steps of (sensor, time) before each origin: (example, context).

    What lies before the first step repeats the first `period` steps: a day of them leaves a
    network a daily cycle to see where a history is shorter than its context.
    """
    when = examples.origin[:, None] + torch.arange(-context, 0)
    when = torch.where(when < 0, when % min(period, series.shape[1]), when)
    return series[examples.sensor[:, None], when]


def cut_measured(known: Tensor, examples: Examples, context: int) -> Tensor:
    """Whether each of the last `context` steps before each origin was measured: (example, context).

    Args:
        known: (sensor, time) bool. Before its first step nothing was.
    """
    there = examples.origin[:, None] + torch.arange(-context, 0) >= 0
    return cut_past(known, examples, context) & there


def cut_future(series: Tensor, examples: Examples, horizon: int) -> Tensor:
    """The `horizon` steps from each origin on: (example, horizon); NaN beyond the last row."""
    when = examples.origin[:, None] + torch.arange(horizon)
    values = series[examples.sensor[:, None], when.clamp_max(series.shape[1] - 1)]
    return values.masked_fill(when >= series.shape[1], torch.nan)
