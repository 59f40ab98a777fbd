"""Say of every forecast value what it is: the model's, a fallback's, or that of a new sensor."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from citytune._text import counted, listed
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
    absent = np.array([name not in there for name in frame.sensors], bool)
    words[absent] = ABSENT
    found = np.broadcast_to(words, forecast.shape)
    asked = {*admitted.wanted}
    never = np.isnan(forecast) & _has_forecast(words)
    never &= np.array([name in asked for name in frame.sensors], bool)
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


def is_safe(word: object) -> bool:
    """Whether a value is the naive forecast that a broken sensor gets.

    >>> is_safe("fallback: last week (frozen since 2024-03-01)"), is_safe("fallback: yesterday")
    (True, False)
    """
    return str(word).startswith("fallback: ") and " since " in str(word)


def is_dead(word: object) -> bool:
    """Whether a value is of a sensor that measures nothing any more: silent, or stuck.

    >>> is_dead("fallback: last week (frozen since 2024-03-01)"), is_dead("silent since 2024-03-01")
    (True, True)
    >>> is_dead("fallback: last week (level shift since 2024-03-01)")
    False
    """
    return re.search(r"(^|\()(silent|frozen) since ", str(word)) is not None


def silent_sentence(frame: SensorFrame, sensors: Sequence[str]) -> list[str]:
    """A sentence if sensors have been silent for a day or more, and one if they read 0."""
    silent, zero = _silent_since(frame), _zero_since(frame)
    return [
        *_sentence({name: silent[name] for name in sensors if name in silent}, "is silent"),
        *_sentence({name: zero[name] for name in sensors if name in zero}, "reads nothing but 0"),
    ]


def _sentence(since: dict[str, str], what: str) -> list[str]:
    if not since:
        return []
    many, verb = len(since) > 1, what.replace("is ", "are ").replace("reads", "read")
    shown = listed([f"{name!r} since {first}" for name, first in since.items()], most=5)
    return [f"{counted(len(since), 'sensor')} {verb if many else what}: {shown}"]


def _of_sensors(frame: SensorFrame, spec: WindowSpec, usual: str) -> Words:
    """(sensor,) what is said of the whole forecast of each."""
    few, since, zero = {*short_of_history(frame, spec)}, _silent_since(frame), _zero_since(frame)
    week_ago = len(frame) - 7 * frame.clock.steps_per_day
    found = []
    for name, last in zip(frame.sensors, last_measured(frame), strict=True):
        rule = FALLBACK if last >= week_ago else LAST_DAY
        word = rule if name in few else usual
        if name in since:
            word = f"silent since {since[name]}" + (f"; {rule}" if name in few else "")
        elif name in zero:
            word = f"{word}; reads 0 since {zero[name]}"
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


def _zero_since(frame: SensorFrame) -> dict[str, str]:
    """Sensor → wall time of the first of at least a day of zeros at the end.

    Before, it was never 0 for even half as long.
    """
    found, day = {}, _a_day(frame)
    for i in np.flatnonzero((frame.values[-day:] == 0).all(0)):
        edges = np.flatnonzero(np.diff(np.r_[False, frame.values[:, i] == 0, False]))
        lengths = edges[1::2] - edges[::2]
        if edges[-2] > 0 and 2 * lengths[:-1].max(initial=0) < lengths[-1]:
            found[frame.sensors[int(i)]] = frame.clock.text(int(edges[-2]))
    return found


def _a_day(frame: SensorFrame) -> int:
    """Steps without a reading that make a sensor silent: a day, and at least three."""
    return max(3, frame.clock.steps_per_day)
