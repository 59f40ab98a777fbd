"""Say of every forecast value what it is: the model's, a fallback's, or that of a new sensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from citytune.forecasting._door import Admitted
from citytune.forecasting._fallback import last_measured, short_of_history
from citytune.forecasting._known_ahead import unknown
from citytune.frame import SensorFrame
from citytune.windows import WindowSpec

MODEL = "model"
NEW = "new: untuned model"
ABSENT = "absent"
EMPTY = "no readings"
FALLBACK = "fallback: yesterday"
LAST_DAY = "fallback: last day measured"
NEVER = "never measured at this hour"
Words = NDArray[np.object_]


def quality_of(admitted: Admitted, spec: WindowSpec, forecast: NDArray[np.float32]) -> Words:
    """What each value (horizon, sensor) is, for the sensors of the model.

    Args:
        admitted: What it was made from.
        spec: Of the model.
        forecast: (horizon, sensor) in the model's order; NaN where there is none.
    """
    frame = admitted.frame
    there = {*admitted.whole.sensors}
    words = _of_sensors(frame, spec, MODEL)
    absent = np.array([name not in there for name in frame.sensors])
    words[absent] = ABSENT
    found = np.broadcast_to(words, forecast.shape)
    asked = {*admitted.wanted}
    never = np.isnan(forecast) & _has_forecast(words) & [name in asked for name in frame.sensors]
    lacking = [(name, unknown(frame, name, spec.horizon)) for name in frame.covariates]
    if not never.any() and not any(cells.any() for _, cells in lacking):
        return found
    found = found.copy()
    for name, cells in lacking:
        cells = cells & np.array([str(word).startswith(MODEL) for word in words])
        found[cells] = [
            f"{word} {'and' if ' without ' in word else 'without'} {name}" for word in found[cells]
        ]
    found[never] = NEVER
    return found


def quality_of_new(frame: SensorFrame, spec: WindowSpec, forecast: NDArray[np.float32]) -> Words:
    """The same for sensors the model does not know."""
    words = _of_sensors(frame, spec, NEW)
    return np.where(np.isnan(forecast) & _has_forecast(words), NEVER, words)


def is_fallback(word: object) -> bool:
    """Whether a value is that of the naive rule, or would be if there were a single reading."""
    return "fallback" in str(word) or word == EMPTY


def silent_sentence(frame: SensorFrame, sensors: Sequence[str]) -> list[str]:
    """A sentence if some of the sensors have been silent for a day or more."""
    since = _silent_since(frame)
    found = [f"{name!r} since {since[name]}" for name in sensors if name in since]
    if not found:
        return []
    shown = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
    return [f"{len(found)} sensor{'s are' if len(found) > 1 else ' is'} silent: {shown}"]


def _of_sensors(frame: SensorFrame, spec: WindowSpec, usual: str) -> Words:
    """(sensor,) what is said of the whole forecast of each."""
    few, since = {*short_of_history(frame, spec)}, _silent_since(frame)
    week_ago = len(frame) - 7 * frame.clock.steps_per_day
    found = []
    for name, last in zip(frame.sensors, last_measured(frame), strict=True):
        rule = FALLBACK if last >= week_ago else LAST_DAY
        word = rule if name in few else usual
        if name in since:
            word = f"silent since {since[name]}" + (f"; {rule}" if name in few else "")
        found.append(EMPTY if last < 0 else word)
    return np.array(found, object)


def _has_forecast(words: Words) -> NDArray[np.bool_]:
    """Where there is one at every hour that is ever measured."""
    return (words != ABSENT) & (words != EMPTY)


def _silent_since(frame: SensorFrame) -> dict[str, str]:
    """Sensor → wall time of the first of at least a day of missing steps at the end.

    A week earlier something was measured in them: an office is not silent on a Sunday.
    """
    week, known = 7 * frame.clock.steps_per_day, np.isfinite(frame.values)
    found = {}
    for i, (name, last) in enumerate(zip(frame.sensors, last_measured(frame), strict=True)):
        first = int(last) + 1
        usual = known[max(0, first - week) : len(frame) - week, i] if first >= week else known
        if last >= 0 and len(frame) - first >= _a_day(frame) and usual.any():
            found[name] = frame.clock.text(first)
    return found


def _a_day(frame: SensorFrame) -> int:
    """Steps without a reading that make a sensor silent: a day, and at least three."""
    return max(3, frame.clock.steps_per_day)
