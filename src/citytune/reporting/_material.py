"""What the sections of a report are written from, and the few facts that several of them need."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from citytune.forecasting import Outlook, Watch, outlook
from citytune.reporting import _measures as measures
from citytune.reporting._measures import SensorError

if TYPE_CHECKING:
    import polars as pl

    from citytune.evaluation import Scores, Verified
    from citytune.forecasting import Forecast, TunedModel
    from citytune.frame import SensorFrame


@dataclass(frozen=True, eq=False)
class Material:
    """Everything a report is written from; checked and counted once."""

    frame: SensorFrame
    model: TunedModel
    scores: Scores | None
    """None if the history is too short for a test period."""
    forecast: Forecast
    advice: object | None = None
    title: str | None = None
    record: pl.DataFrame | None = None
    """Earlier forecasts and what came; None if there are none."""
    unusual: tuple[str, ...] = ()
    """What is no longer as it was, such as a broken sensor: a sentence each."""

    @property
    def unit(self) -> str:
        """The unit of the data; empty if unknown."""
        return self.frame.quantity.unit

    def in_unit(self, label: str) -> str:
        """The head of a column of numbers in that unit."""
        return f"{label} ({self.unit})" if self.unit else label

    @property
    def anchored(self) -> bool:
        """Whether the backbone cannot forecast, so that a seasonal rule stands for "zero-shot"."""
        return self.model.card.horizon is None

    @cached_property
    def naive(self) -> str | None:
        """The simple rule with the smallest error; None if none was measured."""
        return None if self.scores is None else self.scores.best_naive

    @cached_property
    def sensors(self) -> list[SensorError]:
        """Errors of the sensors that were measured in the test period."""
        if self.scores is None:
            return []
        return measures.sensor_errors(self.scores.detail, self.naive)

    @cached_property
    def fallback(self) -> list[str]:
        """Sensors with too little history, in the forecast's order; all have a forecast."""
        found = {*self.forecast.fallback, *self.model.fallback}
        there = np.flatnonzero(np.isfinite(self.forecast.mean).any(0))
        return [name for name in (self.forecast.sensors[i] for i in there) if name in found]

    @cached_property
    def watched(self) -> Forecast:
        """The forecast with its alerts; without any, with those that were scored."""
        if self.forecast.alerts or self.scores is None:
            return self.forecast
        sensors = self.forecast.sensors
        found = [
            Watch(one.alert, tuple(one.thresholds.get(name, math.nan) for name in sensors))
            for one in self.scores.alerts
        ]
        return replace(self.forecast, alerts=tuple(found))

    @cached_property
    def outlook(self) -> Outlook:
        """The next day of every sensor."""
        return outlook(self.watched)

    @cached_property
    def verified(self) -> Verified | None:
        """How earlier forecasts did; None before anything came."""
        from citytune.evaluation import verified

        return None if self.record is None else verified(self.record)

    @cached_property
    def fitted_again(self) -> bool:
        """Whether the model that forecasts has also learnt from the test period."""
        if self.scores is None:
            return False
        detail = self.scores.detail
        learnt = detail.frame.clock.index(self.model.trained_until)
        return self.scores.refitted or learnt >= int(detail.origin_index.min())

    @property
    def source(self) -> str:
        """The name of what was read, without the folders of the machine it was read on."""
        return Path(self.frame.source).name

    @property
    def models(self) -> Mapping[str, Mapping[str, float]]:
        """Model → metric → value; empty without a test period."""
        return {} if self.scores is None else self.scores.models

    def call(self, name: str) -> str:
        """What a model is called in a sentence."""
        return name if self.scores is None else self.scores.call(name)

    def metric(self, name: str, metric: str) -> float:
        """A metric of a model; NaN if it was not measured."""
        return float(self.models.get(name, {}).get(metric, math.nan))

    def saved(self, rival: str | None) -> float:
        """Share of a rival's error that the tuned model saves: 0.31 is 31 % lower error."""
        if self.scores is None or rival is None or rival not in self.models:
            return math.nan
        return self.scores.skill(rival)
