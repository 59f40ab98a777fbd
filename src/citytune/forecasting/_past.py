"""Forecast past days again, to learn how errors go together, and to compare."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune.forecasting._copula import FEWEST_DATES, MOST_DATES, MOST_WINDOWS, Copula
from citytune.frame import SensorFrame
from citytune.settings import Progress

if TYPE_CHECKING:
    from citytune.forecasting._model import TunedModel
    from citytune.forecasting._predict import Prediction

ASKING = "forecasting the new days"
"""The stage, as it is told."""
BEFORE_DAYS = 14
"""History that the first of them has before it."""
MANY = 200
"""Sensors beyond which an update looks at every other of the days that are new to the model."""


class Past(NamedTuple):
    """What a model says of past days, each forecast at the hour at which a frame ends."""

    rows: NDArray[np.intp]
    """(origin,) the first row of each; the oldest first."""
    found: Prediction
    """Of the model's sensors."""


def days_to_ask(
    model: TunedModel, frame: SensorFrame, *, after: np.datetime64 | None = None
) -> NDArray[np.intp]:
    """(origin,) the first row of each past day that `past_of` may ask about; the oldest first."""
    clock, horizon = frame.clock, model.spec.horizon
    first = BEFORE_DAYS * clock.steps_per_day
    if after is not None:
        first = max(first, clock.index(after) + 1)
    most = min(MOST_DATES, max(FEWEST_DATES, MOST_WINDOWS // len(model.sensors)))
    origins = range(len(frame) - horizon, max(first, 1) - 1, -clock.steps_per_day)[:most][::-1]
    return np.array(origins, np.intp)


def past_of(
    model: TunedModel,
    frame: SensorFrame,
    *,
    after: np.datetime64 | None = None,
    progress: Progress | None = None,
) -> Past | None:
    """What a model says of past days of a frame; None if they are too few.

    Of days that are new to a model of many sensors it is every other one, the newest among them.

    Args:
        model: Best one that was not fitted on those days.
        frame: What was measured, with the model's sensors.
        after: Only forecasts of rows after this moment.
        progress: Called with the stage and the share done.
    """
    rows = days_to_ask(model, frame, after=after)
    if len(rows) < (1 if after is not None else FEWEST_DATES):
        return None
    if after is not None and len(model.sensors) > MANY:
        rows = rows[::-2][::-1]
    told = None if progress is None else functools.partial(progress, ASKING)
    return Past(rows, model.predict(frame, rows, told))


def learn_copula(
    model: TunedModel,
    frame: SensorFrame,
    *,
    after: np.datetime64 | None = None,
    past: Past | None = None,
) -> Copula | None:
    """The copula of a model's errors on past days; None if they are too few.

    Args:
        model: See `past_of`, …
        frame: … and …
        after: … too.
        past: What it gave, if it was asked before.
    """
    past = past or past_of(model, frame, after=after)
    if past is None:
        return None
    actual = frame.values[past.rows[:, None] + np.arange(model.spec.horizon)]
    where = {name: i for i, name in enumerate(frame.sensors)}
    columns = [where[name] for name in model.sensors]
    low, high = model.predictor.lowest(model.sensors), model.quantity.high
    return Copula.of(past.found.quantiles, actual[:, :, columns], low=low, high=high)
