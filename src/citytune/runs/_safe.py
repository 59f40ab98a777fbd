"""Before a forecast is handed out: a broken sensor gets a safe one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import polars as pl

    from citytune.evaluation import Scores
    from citytune.forecasting import Forecast
    from citytune.frame import SensorFrame
    from citytune.watching import Alarm, Watch

MOST_ALARMS = 5
"""Alarms that are told one by one."""


class Served(NamedTuple):
    """A forecast as it is handed out."""

    forecast: Forecast
    """With the naive forecast for sensors that something is wrong with."""
    own: Forecast
    """What the model says of all of them."""
    alarms: tuple[Alarm, ...]
    """What of the last four weeks is not as it was."""

    @property
    def unusual(self) -> tuple[str, ...]:
        """A sentence for each of the first alarms, with what to do."""
        return tuple(f"{one.sentence}. {one.advice}" for one in self.alarms[:MOST_ALARMS])


def served(
    forecast: Forecast, frame: SensorFrame, record: pl.DataFrame, seen: Watch | None = None
) -> Served:
    """A forecast made safe; see `citytune.watching.safe_forecast`.

    Args:
        forecast: What the model says.
        frame: All that it was made from, in the unit of the model.
        record: Past forecasts and what came; an empty table if there are none.
        seen: What `watch` says of these two, if it was asked before.
    """
    from citytune.watching import safe_forecast, watch

    found = seen or watch(record, frame)
    return Served(safe_forecast(forecast, frame, found), forecast, found.alarms)


def record_of_test(scores: Scores | None) -> pl.DataFrame:
    """The test period as a record; an empty table without one."""
    import polars as pl

    from citytune.watching import record_of

    return pl.DataFrame() if scores is None else record_of(scores)
