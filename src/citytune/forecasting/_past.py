"""Forecast past days again, to learn how errors go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from citytune.forecasting._copula import FEWEST, MOST, MOST_WINDOWS, Copula
from citytune.frame import SensorFrame

if TYPE_CHECKING:
    from citytune.forecasting._model import TunedModel

BEFORE_DAYS = 14
"""History that the first of them has before it."""


def learn_copula(
    model: TunedModel, frame: SensorFrame, *, after: np.datetime64 | None = None
) -> Copula | None:
    """The copula of a model's errors on past days, forecast at the hour at which the frame ends.

    Args:
        model: Best one that was not fitted on those days.
        frame: What was measured, with the model's sensors.
        after: Only forecasts of rows after this moment.

    Returns:
        None if there are too few days.
    """
    clock, horizon = frame.clock, model.spec.horizon
    first = BEFORE_DAYS * clock.steps_per_day
    if after is not None:
        first = max(first, clock.index(after) + 1)
    most = min(MOST, max(FEWEST, MOST_WINDOWS // len(model.sensors)))
    origins = range(len(frame) - horizon, max(first, 1) - 1, -clock.steps_per_day)[:most][::-1]
    if len(origins) < (1 if after is not None else FEWEST):
        return None
    rows = np.array(origins)
    actual = frame.values[rows[:, None] + np.arange(horizon)]
    found = model.predict(frame, rows)
    where = {name: i for i, name in enumerate(frame.sensors)}
    columns = [where[name] for name in model.sensors]
    low, high = model.predictor.lowest(model.sensors), model.quantity.high
    return Copula.of(found.quantiles, actual[:, :, columns], low=low, high=high)
