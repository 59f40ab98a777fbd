"""Where a tuned model has too little to go by, and what is forecast there instead."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from citytune._graph import anywhere, exporting
from citytune.frame import SensorFrame
from citytune.windows import Examples, Seasonal, WindowSpec, cut_past

SHARE_MEASURED = 0.1
"""Share of a context that must have been measured for more than the naive rule …"""
DAYS_MEASURED = 2.0
"""… and days of measurements, at the least."""
WEEKS_LOOKED_AT = 9
"""Weeks before an origin in which an hour of the week must have been measured, …"""
FEWEST_WEEKS = 3
"""… and the fewest from which it is told that it never is."""
CHANCE_OF_GAPS = 0.01
"""Largest chance that an hour of the week that is measured was a gap each time."""


def short_of_history(frame: SensorFrame, spec: WindowSpec) -> tuple[str, ...]:
    """Sensors with too little measured before the frame's end for more than the naive rule."""
    known, day = np.isfinite(frame.values), frame.clock.steps_per_day
    few = known[max(0, len(frame) - spec.context) :].sum(0) < enough(spec, day)
    few |= len(frame) < known.argmax(0) + day  # its first day is not over
    return tuple(name for name, short in zip(frame.sensors, few, strict=True) if short)


def last_measured(frame: SensorFrame) -> NDArray[np.int64]:
    """(sensor,) the row of each one's last value; -1 where there is none."""
    known = np.isfinite(frame.values)
    return np.where(known.any(0), len(frame) - 1 - known[::-1].argmax(0), -1)


def too_few(seasonal: Seasonal, examples: Examples, spec: WindowSpec) -> Tensor:
    """(example,) bool: next to nothing was measured lately, or the first day is not over."""
    day = seasonal.history.steps_per_day
    first = seasonal.known.to(torch.uint8).argmax(1)[examples.sensor]
    lately = _measured(seasonal, examples, spec.context)
    return (lately < enough(spec, day)) | (examples.origin < first + day)


def fall_back(
    point: Tensor, few: Tensor, seasonal: Seasonal, examples: Examples, spec: WindowSpec
) -> Tensor:
    """For the `few` (example,), the last known value at the same time of day.

    A sensor without a single value has no forecast: NaN.
    """
    if not anywhere(few):
        return point
    if exporting():
        return torch.where(few[:, None], _naive(seasonal, examples, spec), point)
    point = point.clone()
    point[few] = _naive(seasonal, examples.pick(few), spec)
    return point


def _naive(seasonal: Seasonal, short: Examples, spec: WindowSpec) -> Tensor:
    """(example, horizon) the last known value at the same time of day; NaN without any."""
    day = seasonal.history.steps_per_day
    rule = seasonal.ahead(short, spec.horizon)["yesterday"]
    last_day = cut_past(seasonal.history.filled, short, day, period=day)
    again = last_day.repeat(1, -(-spec.horizon // day))[:, : spec.horizon]
    rule = torch.where(_measured(seasonal, short, 7 * day)[:, None] > 0, rule, again)  # long dead
    none = _measured(seasonal, short, seasonal.history.length) == 0
    return rule.masked_fill(none[:, None], torch.nan)


def never_measured(seasonal: Seasonal, examples: Examples, horizon: int) -> Tensor:
    """(example, horizon) bool: hours of the week at which a sensor is never measured.

    An office counter that is off at night has nothing to forecast there. It takes some weeks to
    tell that from gaps: all of them must lack the hour, though the sensor is measured again a week
    later as a rule.
    """
    history, known = seasonal.history, seasonal.known
    found = torch.zeros(examples.origin.shape[0], horizon, dtype=torch.bool)
    week = 7 * history.steps_per_day
    gaps = ~known.all(1)[examples.sensor]
    if not anywhere(gaps) or history.length <= FEWEST_WEEKS * week:
        return found
    some = examples if exporting() else examples.pick(gaps)
    again = _measured_again(seasonal, some, week)
    first = known.to(torch.uint8).argmax(1)[some.sensor, None]
    when = some.origin[:, None] + torch.arange(horizon)
    ahead = 7 * (1 + (when - some.origin[:, None]) // week)  # days back to before the origin
    weeks, ever = torch.zeros(when.shape), torch.zeros(when.shape, dtype=torch.bool)
    for back in range(WEEKS_LOOKED_AT):
        then = history.days_before(when, ahead + 7 * back)
        there = (then >= first) & (then < some.origin[:, None])
        weeks += there
        ever |= there & known[some.sensor[:, None], then.clamp(0, history.length - 1)]
    by_chance = (1 - again[:, None]) ** weeks
    never = ~ever & (weeks >= FEWEST_WEEKS) & (by_chance < CHANCE_OF_GAPS)
    if exporting():
        return never
    found[gaps] = never
    return found


def _measured_again(seasonal: Seasonal, examples: Examples, week: int) -> Tensor:
    """(example,) how often what was measured is measured a week later too, before the origin."""
    known, then = seasonal.known, (examples.origin - week).clamp_min(0)
    both = torch.nn.functional.pad((known[:, week:] & known[:, :-week]).cumsum(1), (1, 0))
    first, second = (part[examples.sensor, then] for part in (seasonal.counted, both))
    return second / first.clamp_min(1)


def enough(spec: WindowSpec, steps_per_day: int) -> float:
    """Measured steps a context must hold for more than the naive rule."""
    return min(max(SHARE_MEASURED * spec.context, 3), DAYS_MEASURED * steps_per_day)


def _measured(seasonal: Seasonal, examples: Examples, steps: int) -> Tensor:
    """(example,) how much was measured in the last so many steps."""
    seen = seasonal.counted
    start = (examples.origin - steps).clamp_min(0)
    return seen[examples.sensor, examples.origin] - seen[examples.sensor, start]
