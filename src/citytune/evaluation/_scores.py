"""What a backtest found: errors of the tuned model beside those of its rivals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from citytune._errors import UnknownName
from citytune.frame import SensorFrame

METRICS = ("mae", "rmse", "mase", "wql", "coverage_90", "width_90")
NAIVE = ("naive-day", "naive-week", "naive-weeks4")
"""Forecasts that anyone could make with a pencil."""
SAME = 0.01
"""Errors closer than this share of each other are called the same."""
WORDS = {
    "tuned": "the tuned model",
    "zero-shot": "the pretrained model untouched",
    "naive-day": "yesterday's values",
    "naive-week": "last week's values",
    "naive-weeks4": "the mean of the last four weeks",
    "historical-average": "the historical average",
    "lag-ridge": "a ridge regression on lags",
    "boosting": "gradient boosting",
}
"""What each model is called in a sentence."""
ANCHORED = "the seasonal rule it started from"
"""What "zero-shot" is for a backbone that cannot forecast by itself."""


@dataclass(frozen=True, eq=False)
class Detail:
    """Every forecast of a backtest beside what happened, in the unit of the data."""

    actual: NDArray[np.float32]
    """(origin, horizon, sensor); NaN where nothing was measured."""
    means: Mapping[str, NDArray[np.float32]]
    """Model name → (origin, horizon, sensor)."""
    quantiles: NDArray[np.float32]
    """(origin, horizon, sensor, level) of the tuned model; levels are those of a forecast."""
    origin_index: NDArray[np.int64]
    """(origin,): the row of `frame` that is the first step forecast, ascending."""
    frame: SensorFrame
    """What was scored."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Errors on rows that the forecasts had not seen.

    Every model is measured at the same moments: where something was measured and every one of them
    has a forecast.
    """

    models: dict[str, dict[str, float]]
    """Model name → metric → value, in the unit of the data; NaN where it cannot be told."""
    holdout_start: str
    """Wall time of the first step forecast."""
    holdout_end: str
    """Wall time of the last step forecast."""
    origins: int
    """How many times a forecast was made."""
    detail: Detail
    refitted: bool = False
    """Whether the model was fitted anew on the rows before the holdout, rather than given."""
    anchored: bool = False
    """Whether "zero-shot" is a seasonal rule, as the backbone cannot forecast by itself."""
    notes: tuple[str, ...] = ()
    """What was not compared or not scored, and why."""

    def summary(self) -> dict[str, Any]:
        """The `holdout` and `models` of scores.json: plain numbers, None for NaN."""
        return {
            "holdout": {
                "start": self.holdout_start,
                "end": self.holdout_end,
                "origins": self.origins,
            },
            "models": {
                name: {metric: _plain(value) for metric, value in found.items()}
                for name, found in self.models.items()
            },
        }

    def call(self, name: str) -> str:
        """What a model is called in a sentence."""
        if name == "zero-shot" and self.anchored:
            return ANCHORED
        return WORDS.get(name, name)

    def skill(self, rival: str, metric: str = "mae") -> float:
        """Share of a rival's error that the tuned model saves: 0.31 is 31 % less, −0.1 is more."""
        if rival not in self.models:
            raise UnknownName("model in these scores", rival, self.models)
        own, other = self.models["tuned"][metric], self.models[rival][metric]
        return 1 - own / other if other > 0 else math.nan

    @property
    def best_naive(self) -> str | None:
        """The naive forecast with the least error, chosen in hindsight; None without any."""
        known = {n: self.models[n]["mae"] for n in NAIVE if n in self.models}
        known = {name: mae for name, mae in known.items() if math.isfinite(mae)}
        return min(known, key=known.__getitem__) if known else None

    @property
    def days(self) -> float:
        """How many days' worth of steps were forecast, each counted once."""
        steps = self.detail.origin_index[:, None] + np.arange(self.detail.actual.shape[1])
        return len(np.unique(steps)) * self.detail.frame.clock.step.total_seconds() / 86400

    def sentence(self, rival: str | None = None) -> str:
        """One comparison in plain words; with the best naive forecast unless told otherwise.

        "31 % less error than last week's values, on 14 days it had not seen"
        """
        rival = rival or self.best_naive or "zero-shot"
        saved = self.skill(rival)
        name = self.call(rival)
        if not math.isfinite(saved):
            return f"no comparison with {name}: there is no error to compare with"
        if abs(saved) < SAME:
            said = "as much error as"
        else:
            said = f"{100 * abs(saved):.0f} % {'less' if saved > 0 else 'more'} error than"
        return f"{said} {name}, on {_spell_days(self.days)} it had not seen"

    def __str__(self) -> str:
        quantity = self.detail.frame.quantity
        unit = f" in {quantity.unit}" if quantity.unit else ""
        head = f"{quantity.name.replace('_', ' ')}{unit}, {self.sentence()}"
        span = f"{self.holdout_start} to {self.holdout_end}, {_count(self.origins, 'forecast')}"
        rows = [["", *METRICS]]
        rows += [[name, *(_cell(m[k]) for k in METRICS)] for name, m in self.models.items()]
        return "\n".join([head, span, *_table(rows), *self.notes])


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _spell_days(days: float) -> str:
    return _count(round(days), "day") if days >= 1 else _count(max(1, round(24 * days)), "hour")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _cell(value: float) -> str:
    """Four digits that matter: 1,234 and 0.01234; a dash for what is not known."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    places = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(places, 6)}f}"


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
