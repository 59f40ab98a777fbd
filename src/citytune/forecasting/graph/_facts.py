"""What an exported model says of itself: all that whoever asks it has to know."""

from __future__ import annotations

import datetime as dt
import math
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from citytune.backbones import LEVELS
from citytune.forecasting._fallback import enough
from citytune.frame import Calendar, Clock

if TYPE_CHECKING:
    from citytune.forecasting._model import TunedModel

FORMAT = 1
"""Of what is written here; `citytune_edge.py` reads it."""
YEARS_AHEAD = 5
"""Whole years after that of the last row for which public holidays are named."""


def facts_of(model: TunedModel, *, opset: int, int8: bool) -> dict[str, Any]:
    """What describes an exported model, in terms that JSON knows."""
    clock, quantity = model.clock, model.quantity
    first, last = calendar_span(model)
    return {
        "format": FORMAT,
        "citytune": version("citytune"),
        "model": f"{model.card.name}, {model.strategy}",
        "experts": model.words(),
        "int8": int8,
        "opset": opset,
        "quantity": quantity.name,
        "unit": quantity.unit,
        "sensors": list(model.sensors),
        "horizon": model.spec.horizon,
        "reach": model.reach,
        "least_rows": least_rows(model),
        "step": clock.freq,
        "step_seconds": clock.step.total_seconds(),
        "steps_per_day": clock.steps_per_day,
        "same_slots_every_day": clock.steps_per_day > 1
        and clock.step * clock.steps_per_day == dt.timedelta(days=1),
        "phase_seconds": _phase(clock),
        "timezone": clock.timezone,
        "country": model.country,
        "holidays": holidays_of(model),
        "calendar": [str(first), str(last)],
        "levels": list(LEVELS),
        "moved": model.tuned.tilt is not None,
        "trained_until": str(model.trained_until.astype("datetime64[s]")),
    }


def calendar_span(model: TunedModel) -> tuple[np.datetime64, np.datetime64]:
    """First and last local day for which public holidays are named, or would be."""
    last = model.trained_until.astype("datetime64[Y]") + 1 + YEARS_AHEAD
    first = np.datetime64(model.clock.start, "Y") - 1
    return first.astype("datetime64[D]"), last.astype("datetime64[D]") - 1


def holidays_of(model: TunedModel) -> list[str]:
    """The public holidays of those days."""
    if model.country is None:
        return []
    first, last = calendar_span(model)
    days = Clock(first.astype("datetime64[us]").item(), dt.timedelta(days=1))
    found = days_of(days, int((last - first) / np.timedelta64(1, "D")) + 1, model.country)
    return [str(first + int(i)) for i in np.flatnonzero(found.holiday)]


def days_of(clock: Clock, count: int, country: str) -> Calendar:
    """The calendar of `count` days."""
    from citytune.frame import calendar

    return calendar(clock, 0, count, country)


def least_rows(model: TunedModel) -> int:
    """Rows from which the model itself forecasts: with fewer it would be the naive rule."""
    day = model.clock.steps_per_day
    return max(math.ceil(enough(model.spec, day)), day + 1)


def forward_of(model: TunedModel) -> int:
    """By how many steps the model's clock goes forward at most at once; 0: it never changes."""
    clock, day = model.clock, dt.timedelta(days=1)
    comes_back = clock.steps_per_day > 1 and clock.step * clock.steps_per_day == day
    if clock.timezone is None or not comes_back:
        return 0
    first, last = calendar_span(model)
    days = Clock(first.astype("datetime64[us]").item(), day, clock.timezone)
    count = int((last - first) / np.timedelta64(1, "D"))
    moved = np.diff(days.local(0, count) - days.moments(0, count))
    if not moved.any():
        return 0
    most = max(moved.max(), -moved.min())
    return math.ceil(most / np.timedelta64(clock.step, "us"))


def _phase(clock: Clock) -> float:
    """Seconds from a whole number of steps since 1970 to the clock's own steps."""
    start = np.datetime64(clock.start, "us").astype(np.int64)
    return float(start % np.timedelta64(clock.step, "us").astype(np.int64)) / 1e6
