"""Forecast past days again, to learn how errors go together, and to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune.forecasting._copula import FEWEST_DATES, MOST_DATES, MOST_WINDOWS, Copula
from citytune.frame import SensorFrame

if TYPE_CHECKING:
    from citytune.forecasting._model import TunedModel
    from citytune.forecasting._predict import Prediction

BEFORE_DAYS = 14
"""History that the first of them has before it."""


class Past(NamedTuple):
    """What a model says of past days, each forecast at the hour at which a frame ends."""

    rows: NDArray[np.intp]
    """(origin,) the first row of each; the oldest first."""
    found: Prediction
    """Of the model's sensors."""


def past_of(
    model: TunedModel, frame: SensorFrame, *, after: np.datetime64 | None = None
) -> Past | None:
    """What a model says of past days of a frame; None if they are too few.

    Args:
        model: Best one that was not fitted on those days.
        frame: What was measured, with the model's sensors.
        after: Only forecasts of rows after this moment.
    """
    clock, horizon = frame.clock, model.spec.horizon
    first = BEFORE_DAYS * clock.steps_per_day
    if after is not None:
        first = max(first, clock.index(after) + 1)
    most = min(MOST_DATES, max(FEWEST_DATES, MOST_WINDOWS // len(model.sensors)))
    origins = range(len(frame) - horizon, max(first, 1) - 1, -clock.steps_per_day)[:most][::-1]
    if len(origins) < (1 if after is not None else FEWEST_DATES):
        return None
    rows = np.array(origins)
    return Past(rows, model.predict(frame, rows))


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
