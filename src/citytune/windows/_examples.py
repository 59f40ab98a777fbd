"""Which windows to learn from, and cutting them without ever laying all of them out."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from citytune._graph import anywhere
from citytune.windows._history import History
from citytune.windows._spec import WindowSpec

MEASURED = 0.6
"""Least share of a context that must have been measured, of what its sensor usually measures."""
COVERAGE_DAYS = 63
"""Days before a context from which is taken how much its sensor usually measures."""
PLASTIC = 0.7548776662466927
"""1/ρ of the plastic number ρ."""
GOLDEN = 0.6180339887498949


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


def stride_of(history: History) -> int:
    """Steps between starts: 8 a day, 24 where there are but one or two sensors."""
    sensors, steps = history.raw.shape[0], history.steps_per_day
    return max(1, steps // (24 if sensors <= 2 else 8))


def candidates(
    history: History, spec: WindowSpec, *, days: int, stride: int, after: int | None = None
) -> tuple[Examples, Tensor]:
    """Windows with targets, a day of their sensor's past, and how long a context each one covers.

    Args:
        history: Holds them.
        spec: How they are cut.
        days: How far back from the end they may start.
        stride: Steps of the absolute clock between starts.
        after: Only starts beyond this absolute step.

    Returns:
        The windows, origin by origin, and (example,) the steps of context of which 60 % of the
        usual were measured: it depends on nothing but what lies before each start.
    """
    first = max(1, history.length - days * history.steps_per_day)
    if after is not None:
        first = max(first, after + 1 - history.first)
    first += -(first + history.first) % stride
    origins = torch.arange(first, max(first, history.length - spec.horizon + 1), stride)
    covered = _covered(history, spec, origins).T  # (origin, sensor)
    place = covered.nonzero()
    return Examples(place[:, 1], origins[place[:, 0]]), covered[place[:, 0], place[:, 1]]


def first_known(history: History) -> Tensor:
    """(sensor,) long: absolute step of each one's first value; where there is none, the end."""
    known = ~history.raw.isnan()
    first = known.to(torch.uint8).argmax(1) + history.first
    return first.where(known.any(1), history.end)


def needed(first: Tensor, end: int, spec: WindowSpec) -> Tensor:
    """(sensor,) steps of context that a window must cover.

    A new sensor has no whole context yet: half of what there is must do.

    Args:
        first: (sensor,) absolute step of each one's first value.
        end: Absolute step after the last row.
        spec: How windows are cut.
    """
    return ((end - first) // 2).clamp(1, spec.context).double()


def thin(
    sensor: Tensor,
    origin: Tensor,
    stride: int,
    limit: int,
    sensors: int,
    weight: Tensor | float = 1.0,
    *,
    span: tuple[int, int] | None = None,
) -> Tensor:
    """(example,) bool: which windows to keep for about `limit` of them, evenly spread.

    From start to start each sensor turns on in a circle by the plastic number, from sensor to
    sensor by the golden ratio (Roberts 2018): sequences that never fall in step with the day, the
    week or the number of sensors. What has come round to the first part of the circle is kept, so
    that another sensor leaves the others the windows they had, but for its own share of them.

    Args:
        sensor: (example,) long.
        origin: (example,) long, absolute; ascending.
        stride: Steps between starts.
        limit: How many to keep of all.
        sensors: How many there are.
        weight: (example,) how much more often than `limit` says each one is kept.
        span: First and last origin of all, where these windows are but some.
    """
    if not len(origin):
        return torch.zeros(0, dtype=torch.bool)
    start = origin.div(stride, rounding_mode="floor")
    first, last = (int(start[0]), int(start[-1])) if span is None else _starts(span, stride)
    share = limit / (last - first + 1) / sensors
    return (start.double() * PLASTIC + sensor.double() * GOLDEN) % 1 < share * weight


def _starts(span: tuple[int, int], stride: int) -> tuple[int, int]:
    return span[0] // stride, span[1] // stride


def _covered(history: History, spec: WindowSpec, origins: Tensor) -> Tensor:
    """(sensor, origin) steps of context that are measured as usual; 0 if there is no window."""
    known = ~history.raw.isnan()
    seen = torch.nn.functional.pad(known.cumsum(1, dtype=torch.int32), (1, 0))  # (sensor, time + 1)
    past = seen[:, origins] - seen[:, (origins - spec.context).clamp_min(0)]
    future = seen[:, (origins + spec.horizon).clamp_max(history.length)] - seen[:, origins]
    far = (origins - spec.context - COVERAGE_DAYS * history.steps_per_day).clamp_min(0)
    since = origins - _next_known(known, far)
    # A sensor that sleeps every night is judged by its own habit, not by a full day.
    usual = (seen[:, origins] - seen[:, far]) / since.clamp_min(1).double()
    good = (past > 0) & (future > 0) & (since >= history.steps_per_day)
    return torch.where(good, past / (MEASURED * usual).clamp_min(1e-9), 0.0)


def _next_known(known: Tensor, when: Tensor) -> Tensor:
    """(sensor, place) the first step from each of `when` (place,) on at which something is known.

    Where there is none, it is beyond the last step.
    """
    steps = torch.arange(known.shape[1], dtype=torch.int32)
    at = torch.where(known, steps, known.shape[1])
    return at.flip(1).cummin(1).values.flip(1)[:, when.clamp_max(known.shape[1] - 1)]


def cut_past(series: Tensor, examples: Examples, context: int, *, period: int = 1) -> Tensor:
    """The last `context` steps of (sensor, time) before each origin: (example, context).

    What lies before the first step repeats the first `period` steps: a day of them leaves a
    network a daily cycle to see where a history is shorter than its context.
    """
    start = examples.origin - context
    whole = context <= series.shape[1] and not anywhere(start < 0)
    if whole:  # stretches copied at once
        return series.unfold(1, context, 1)[examples.sensor, start]
    when = start[:, None] + torch.arange(context)
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
