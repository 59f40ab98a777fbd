"""The safe forecast that is served while something is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError
from citytune._text import listed

if TYPE_CHECKING:
    from citytune.forecasting import Forecast
    from citytune.frame import SensorFrame
    from citytune.watching._alarm import Alarm
    from citytune.watching._watch import Watch

RULES = {
    "naive-day": (1, "yesterday", "last good day"),
    "naive-week": (7, "last week", "last good week"),
}
"""Naive forecast → how many days it looks back, its name, and that for a sensor that is dead."""


def safe_forecast(forecast: Forecast, readings: SensorFrame, found: Watch) -> Forecast:
    """The forecast, with the naive one for sensors that have fallen back.

    For each of them it is yesterday's values or last week's, whichever was better before the
    alarm, with the quantiles of its past errors; `quality` says so: `fallback: last week (doubled
    since 2024-03-01)`. What a sensor that is silent or frozen has sent since counts for nothing:
    it gets its last good day or week.

    Args:
        forecast: What the model says.
        readings: What it was made from; ends where the forecast begins.
        found: What the watch found.

    Raises:
        InputError: the readings end elsewhere.
    """
    from citytune.forecasting import is_dead

    names = [
        name
        for name, word in zip(forecast.sensors, forecast.quality[0], strict=True)
        if name in found.fallback
        and name in readings.sensors
        and not str(word).endswith(_why(found.fallback[name]))  # it is safe already
    ]
    if not names:
        return forecast
    if (end := readings.clock.index(forecast.clock.start)) != len(readings):
        raise InputError(
            f"the forecast begins {end - len(readings)} steps after the end of the readings; give "
            "the readings that it was made from"
        )
    columns = [forecast.sensors.index(name) for name in names]
    mean, quantiles = forecast.mean.copy(), forecast.quantiles.copy()
    quality = forecast.quality.copy()
    moved = None if forecast.moved is None else forecast.moved.copy()
    for name, column in zip(names, columns, strict=True):
        alarm = found.fallback[name]
        since, own = np.datetime64(alarm.since), readings.select([name])
        rule, spread = _rule(own, since)
        dead = is_dead(_why(alarm))
        origin = _first_since(own, since) if dead else len(own)
        said = _ask(rule, own, origin, len(mean))
        mean[:, column] = said
        quantiles[:, column] = _bounded(said[:, None] + spread, forecast)
        quality[:, column] = f"fallback: {RULES[rule][1 + dead]} {_why(alarm)}"
        if moved is not None:
            moved[:, column] = said
    broken = listed([f"{name!r} {_why(found.fallback[name])}" for name in names])
    said_so = f"something is wrong with {broken}: the naive forecast is given, not the model's"
    return replace(
        forecast,
        mean=mean,
        quantiles=quantiles,
        quality=quality,
        moved=moved,
        notes=(*forecast.notes, said_so),
    )


def _why(alarm: Alarm) -> str:
    return f"({alarm.kind} since {alarm.since})"


def _rule(frame: SensorFrame, since: np.datetime64) -> tuple[str, NDArray[np.float32]]:
    """The better rule before the change, and quantiles of its errors (level,)."""
    from citytune.forecasting import LEVELS

    rows = frame.clock.local(0, len(frame)) < since
    values = frame.values[rows, 0]
    found = {}
    for rule, (days, *_) in RULES.items():
        back = days * frame.clock.steps_per_day
        errors = values[back:] - values[:-back]
        found[rule] = errors[np.isfinite(errors)]
    usable = {rule: errors for rule, errors in found.items() if len(errors) >= 20}
    if not usable:
        return "naive-day", np.zeros(len(LEVELS), np.float32)
    best = min(usable, key=lambda rule: float(np.abs(usable[rule]).mean()))
    off = usable[best] - np.median(usable[best])
    return best, np.quantile(off, LEVELS).astype(np.float32)


def _first_since(frame: SensorFrame, since: np.datetime64) -> int:
    """The first row since a change; the end of the frame if nothing was measured before."""
    first = int((frame.clock.local(0, len(frame)) < since).sum())
    return first if np.isfinite(frame.values[:first]).any() else len(frame)


def _ask(rule: str, frame: SensorFrame, origin: int, horizon: int) -> NDArray[np.float32]:
    """(horizon,) after the end of a frame of one sensor, asked at a row from which on it is broken.

    Asked at the end, a rule would look back four weeks only.
    """
    from citytune.evaluation import baselines

    steps = len(frame) - origin + horizon
    return baselines[rule](frame, [origin], steps, origin)[0, -horizon:, 0]


def _bounded(values: NDArray[np.float32], forecast: Forecast) -> NDArray[np.float32]:
    low, high = forecast.quantity.low, forecast.quantity.high
    if low is None and high is None:
        return values
    return np.clip(values, low, high)
