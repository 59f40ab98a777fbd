"""What a backtest found: errors of the tuned model beside those of its rivals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from citytune._errors import UnknownName
from citytune.evaluation._alerts import AlertScore
from citytune.evaluation._detail import Detail
from citytune.evaluation._rare import Region
from citytune.evaluation._rare_words import alert_said, rare_table, regions_said
from citytune.evaluation._text import beside, cell, change, count, table

METRICS = ("mae", "rmse", "mase", "wql", "coverage_90", "width_90")
NAIVE = ("naive-day", "naive-week", "naive-weeks4")
"""Forecasts that anyone could make with a pencil."""
WORDS = {
    "tuned": "the tuned model",
    "tuned-plain": "the same model without care for rare values",
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
    regions: tuple[Region, ...] = ()
    """The errors where values were rare, less rare and usual."""
    alerts: tuple[AlertScore, ...] = ()
    """What was asked to be warned of, and what the warnings would have been worth."""

    def summary(self) -> dict[str, Any]:
        """`holdout`, `models`, `regions` and `alerts` of scores.json; None for NaN."""
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
            "regions": {
                region.name: {
                    "values": region.values,
                    "mae": {name: _plain(error) for name, error in region.errors.items()},
                }
                for region in self.regions
            },
            "alerts": [
                alert.summary() | {"said": said}
                for alert, said in zip(self.alerts, self.alert_sentences(), strict=True)
            ],
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
        return f"{beside(saved, name)}, on {_spell_days(self.days)} it had not seen"

    @property
    def shown(self) -> list[str]:
        """The models shown where all would be too many; tuned also without care for rare values."""
        return [
            n
            for n in ("tuned", "tuned-plain", "zero-shot", self.best_naive)
            if n and n in self.models
        ]

    def rare_sentence(self) -> str:
        """What is gained where values are rare beside what that costs where they are usual."""
        rivals = [name for name in reversed(self.shown) if name != "tuned"]
        if "tuned-plain" in self.models:
            rivals = ["tuned-plain"]
        return regions_said(self.regions, rivals, self.call)

    def price_sentence(self) -> str:
        """What care for rare values gains in them beside what it costs; empty without."""
        if "tuned-plain" not in self.models:
            return ""
        few = next((r.errors for r in self.regions if r.name == "few" and r.values), None)
        told = []
        if few is not None and few["tuned-plain"] > 0:
            saved = 1 - few["tuned"] / few["tuned-plain"]
            told.append(f"{change(saved)} in the rarest 10 % of values")
        if math.isfinite(saved := self.skill("tuned-plain")):
            told.append(f"{change(saved)} over all")
        return f"Care for rare values changed the error by {', '.join(told)}." if told else ""

    def alert_sentences(self) -> list[str]:
        """What each alert would have been worth, in words; plain where no value ever passed it."""
        rival, unit = self.best_naive, self.detail.frame.quantity.unit
        return [alert_said(alert, rival, self.call, unit) for alert in self.alerts]

    def rare_lines(self) -> list[str]:
        """Regions and alerts as small tables, line by line."""
        return rare_table(self.regions, self.alerts, self.shown, self.detail.frame.quantity.unit)

    def __str__(self) -> str:
        quantity = self.detail.frame.quantity
        unit = f" in {quantity.unit}" if quantity.unit else ""
        head = f"{quantity.name.replace('_', ' ')}{unit}, {self.sentence()}"
        span = f"{self.holdout_start} to {self.holdout_end}, {count(self.origins, 'forecast')}"
        rows = [["", *METRICS]]
        rows += [[name, *(cell(m[k]) for k in METRICS)] for name, m in self.models.items()]
        lines = self.rare_lines()
        rare = [*lines, ""] if lines and self.notes else lines
        return "\n".join([head, span, *table(rows), *rare, *self.notes])


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _spell_days(days: float) -> str:
    return count(round(days), "day") if days >= 1 else count(max(1, round(24 * days)), "hour")
