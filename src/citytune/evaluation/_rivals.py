"""A person's own forecasts as rivals: functions that never see what they forecast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from citytune._errors import InputError
from citytune.evaluation._arrays import Floats
from citytune.evaluation._baselines import Baseline, baselines
from citytune.frame import SensorFrame

Forecaster: TypeAlias = Callable[..., Any]
"""Called with the rows before a moment and the horizon; gives (horizon, sensor)."""
TAKEN = ("tuned", "tuned-plain", "zero-shot")
"""Names of models in a backtest."""


def register_rival(name: str, forecast: Forecaster, *, fit: Forecaster | None = None) -> None:
    """Let a forecast of your own take part in every `backtest` and `compare`.

    Args:
        name: How it is called there.
        forecast: Called as `forecast(history, horizon)` for every moment that is forecast from.
            `history` is a frame of the rows before it and no others, so that nothing leaks.
            It gives (horizon, sensor), in the unit of the frame; NaN where it knows nothing.
        fit: Called as `fit(history, horizon)` with the rows to learn from, once for a test
            period; what it gives is the third argument of `forecast`.

    Raises:
        InputError: the name is taken, or the forecast cannot be called.

    Example:
        >>> def yesterday(history, horizon):
        ...     return history.values[-24:][:horizon]
        >>> register_rival("my-yesterday", yesterday)  # doctest: +SKIP
    """
    if name in baselines or name in TAKEN:
        raise InputError(f"{name!r} is already the name of a model in a backtest; choose another")
    baselines[name] = rival(name, forecast, fit)


def rival(name: str, forecast: Forecaster, fit: Forecaster | None = None) -> Baseline:
    """A baseline out of a function of (history, horizon)."""
    for one in (forecast, fit):
        if one is not None and not callable(one):
            raise InputError(
                f"{name!r} must be a function of (history, horizon), got a {type(one).__name__}"
            )

    def ask(frame: SensorFrame, origins: Sequence[int], horizon: int, train_end: int) -> Floats:
        learnt = () if fit is None else (fit(frame.until(train_end), horizon),)
        found = [
            _checked(name, forecast(frame.until(int(origin)), horizon, *learnt), frame, horizon)
            for origin in origins
        ]
        return np.stack(found)

    return ask


def _checked(name: str, found: object, frame: SensorFrame, horizon: int) -> Floats:
    """What a rival gave, as (horizon, sensor)."""
    shape = (horizon, len(frame.sensors))
    try:
        values = np.asarray(found, np.float32)
    except (TypeError, ValueError):
        raise InputError(
            f"the rival {name!r} gave a {type(found).__name__}; it must give numbers, {shape[0]} "
            f"steps by {shape[1]} sensors"
        ) from None
    if values.shape == (horizon,) and shape[1] == 1:
        return values[:, None]
    if values.shape != shape:
        raise InputError(
            f"the rival {name!r} gave an array of shape {values.shape}; it must be {shape}: steps "
            "by sensors, in the order of history.sensors"
        )
    return values
