"""The shelf of baselines: what a tuned model has to beat to be worth having."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from citytune._errors import InputError, UnknownName
from citytune.evaluation._arrays import Floats
from citytune.evaluation._boosting import HOW, boosting
from citytune.evaluation._naive import historical_average, naive_day, naive_week, naive_weeks4
from citytune.evaluation._ridge import lag_ridge
from citytune.frame import SensorFrame
from citytune.tuning import lightgbm_here


class Baseline(Protocol):
    """A forecast from rows before each origin; what it learns, it learns before `train_end`."""

    def __call__(
        self, frame: SensorFrame, origins: Sequence[int], horizon: int, train_end: int
    ) -> Floats:
        """(origin, horizon, sensor), in the unit of the data; NaN only for a sensor without any."""
        ...


baselines: dict[str, Baseline] = {
    "naive-day": naive_day,
    "naive-week": naive_week,
    "naive-weeks4": naive_weeks4,
    "historical-average": historical_average,
    "lag-ridge": lag_ridge,
    "boosting": boosting,
}


def choose(names: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The baselines to run and what to say about those left out.

    Args:
        names: What was asked for; None is every baseline that can run here.
    """
    if names is None:
        if lightgbm_here():
            return list(baselines), []
        return [n for n in baselines if n != "boosting"], [f"not compared with boosting: {HOW}"]
    for name in names:
        if name not in baselines and name != "zero-shot":
            raise UnknownName("baseline", name, baselines)
    if "boosting" in names and not lightgbm_here():
        raise InputError(HOW)
    return [name for name in baselines if name in names], []
