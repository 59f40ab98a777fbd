"""What a backtest found: the errors of the tuned model and of its rivals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from citytune._errors import UnknownName
from citytune._tables import html_block, html_lines, html_table, pandas_of
from citytune._text import counted, number, percent, plain
from citytune.evaluation._alerts import AlertScore
from citytune.evaluation._detail import Detail
from citytune.evaluation._leaderboard import Leaderboard, leaderboard_of
from citytune.evaluation._metrics import METRICS
from citytune.evaluation._rare import Region
from citytune.evaluation._rare_words import alert_said, rare_table, regions_said
from citytune.evaluation._text import as_sentences, compared, judge_error, table
from citytune.evaluation._tidy import tidy

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from citytune.pictures import Chart

NAIVE = ("naive-day", "naive-week", "naive-weeks4")
"""Simple rules that anyone could use."""
WORDS = {
    "tuned": "the tuned model",
    "tuned-plain": "the same model without emphasis on rare values",
    "zero-shot": "the pretrained model without fine-tuning",
    "naive-day": "yesterday's values",
    "naive-week": "last week's values",
    "naive-weeks4": "the mean of the last four weeks",
    "historical-average": "the historical average",
    "lag-ridge": "a ridge regression on lags",
    "boosting": "gradient boosting",
}
"""What each model is called in a sentence."""
ANCHORED = "the seasonal rule that tuning started from"
"""What "zero-shot" is for a backbone that cannot forecast by itself."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Errors in the test period: rows that no model had seen.

    Every model is scored at the same moments: where there is a measurement and each of them has a
    forecast.
    """

    models: dict[str, dict[str, float]]
    """Model name → metric → value, in the unit of the data; NaN where it is unknown."""
    holdout_start: str
    """Wall time of the first step forecast."""
    holdout_end: str
    """Wall time of the last step forecast."""
    origins: int
    """How many times a forecast was made."""
    detail: Detail
    refitted: bool = False
    """Whether the model was refitted on the rows before the test period, rather than given."""
    anchored: bool = False
    """Whether "zero-shot" is a seasonal rule, because the backbone cannot forecast by itself."""
    notes: tuple[str, ...] = ()
    """What was not compared or not scored, and why."""
    regions: tuple[Region, ...] = ()
    """The errors on rare, less rare and typical values."""
    alerts: tuple[AlertScore, ...] = ()
    """Each alert, and how good its warnings were."""

    def summary(self) -> dict[str, Any]:
        """`holdout`, `models`, `regions` and `alerts` of scores.json; None for NaN."""
        return {
            "holdout": {
                "start": self.holdout_start,
                "end": self.holdout_end,
                "origins": self.origins,
            },
            "models": {
                name: {metric: plain(value) for metric, value in found.items()}
                for name, found in self.models.items()
            },
            "regions": {
                region.name: {
                    "values": region.values,
                    "mae": {name: plain(error) for name, error in region.errors.items()},
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

    def to_polars(
        self, by: Sequence[str] = ("model", "sensor"), metrics: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Errors as a tidy table: a row for each model, sensor and metric, or as `by` says.

        Args:
            by: "model", and any of "sensor", "origin" (when the forecast was made) and "lead" (how
                many steps ahead, from 1).
            metrics: Of "mae", "rmse", "bias" (forecast less measurement), and of the tuned model
                "coverage_90" and "width_90"; with by="model" all of `models`. None is all.

        Returns:
            Columns model, those of `by`, metric and value, in the unit of the data; nothing
            measured, no row. Every model is measured at the same moments.

        Raises:
            InputError: there is no such level or metric, or it would be over 20 million rows.
        """
        return tidy(self.detail, self.models, by, metrics)

    def to_pandas(
        self, by: Sequence[str] = ("model", "sensor"), metrics: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """The same table of pandas, which must be installed."""
        return pandas_of(self.to_polars(by, metrics))

    def leaderboard(self, reference: str | None = None) -> Leaderboard:
        """The models by error, with the chance that a difference from the reference is noise.

        Args:
            reference: A model of these scores; the best simple rule if None.
        """
        reference = reference or self.best_naive or next(iter(self.models))
        return leaderboard_of(self.models, self.detail, reference, self.notes)

    def plot(self, reference: str | None = None) -> Chart:
        """Each model's error over that of a reference, with its confidence interval."""
        from citytune.evaluation._pictures import board_picture

        return board_picture(self.leaderboard(reference), self.call)

    def plot_hours(self) -> Chart:
        """Mean absolute error by how far ahead, and by hour of the day, in local time."""
        from citytune.evaluation._pictures import hours_picture

        return hours_picture(self.detail, self.shown)

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
        """One comparison in plain words; with the best simple rule unless told otherwise.

        "On 14 test days, the tuned model's mean error was 31 % lower than that of last week's
        values."
        """
        rival = rival or self.best_naive or "zero-shot"
        saved = self.skill(rival)
        name = self.call(rival)
        if not math.isfinite(saved):
            return f"There is no error to compare with {name}."
        if judge_error(saved) == "same":
            found = "about the same as"
        else:
            found = f"{percent(abs(saved))} {'lower' if saved > 0 else 'higher'} than"
        return f"On {self._span}, the tuned model's mean error was {found} that of {name}."

    def zero_shot_sentence(self) -> str:
        """The comparison with the pretrained model; empty if `sentence` makes it or none can."""
        if not self.best_naive or "zero-shot" not in self.models:
            return ""
        saved = self.skill("zero-shot")
        return f"It has {compared(saved, self.call('zero-shot'))}." if math.isfinite(saved) else ""

    @property
    def _span(self) -> str:
        """How much was tested: "14 test days"."""
        days = self.days
        return counted(round(days), "test day") if days >= 1 else _hours(days)

    @property
    def shown(self) -> list[str]:
        """The models shown where all would be too many."""
        return [
            n
            for n in ("tuned", "tuned-plain", "zero-shot", self.best_naive)
            if n and n in self.models
        ]

    def rare_sentence(self) -> str:
        """What the tuned model gains on rare values, and on typical ones."""
        rivals = [name for name in reversed(self.shown) if name != "tuned"]
        if "tuned-plain" in self.models:
            rivals = ["tuned-plain"]
        return regions_said(self.regions, rivals, self.call)

    def price_sentence(self) -> str:
        """What emphasis on rare values gains on them, and costs overall; empty without."""
        if "tuned-plain" not in self.models:
            return ""
        few = next((r.errors for r in self.regions if r.name == "few" and r.values), None)
        parts = []
        if few is not None and few["tuned-plain"] > 0:
            change = few["tuned"] / few["tuned-plain"] - 1
            parts.append(f"{percent(change, 1, signed=True)} for the rarest 10 % of values")
        if math.isfinite(saved := self.skill("tuned-plain")):
            parts.append(f"{percent(-saved, 1, signed=True)} overall")
        changed = "Emphasis on rare values changed the mean error by"
        return f"{changed} {' and '.join(parts)}." if parts else ""

    def alert_sentences(self) -> list[str]:
        """How good the warnings of each alert were, in words."""
        rival, unit = self.best_naive, self.detail.frame.quantity.unit
        return [alert_said(alert, rival, self.call, unit) for alert in self.alerts]

    def rare_lines(self, *, alerts: bool = True) -> list[str]:
        """Regions, and alerts if you like, as small tables, line by line."""
        shown = self.alerts if alerts else ()
        return rare_table(self.regions, shown, self.shown, self.detail.frame.quantity.unit)

    def __repr__(self) -> str:
        tuned = number(self.models["tuned"]["mae"])
        unit = self.detail.frame.quantity.unit
        return (
            f"Scores({', '.join(self.models)}; {counted(self.origins, 'forecast')} from "
            f"{self.holdout_start} to {self.holdout_end}; tuned mae {tuned}"
            f"{f' {unit}' if unit else ''})"
        )

    @property
    def _head(self) -> tuple[str, str]:
        """What was measured and found; when."""
        quantity = self.detail.frame.quantity
        unit = f" in {quantity.unit}" if quantity.unit else ""
        found = f"{self.sentence()} {self.zero_shot_sentence()}".rstrip()
        head = f"{quantity.name.replace('_', ' ')}{unit}: {found}"
        return (
            head,
            f"{self.holdout_start} to {self.holdout_end}, {counted(self.origins, 'forecast')}",
        )

    @property
    def _rows(self) -> list[list[str]]:
        return [[name, *(number(m[k], 4) for k in METRICS)] for name, m in self.models.items()]

    def _repr_html_(self) -> str:
        head, span = self._head
        words = html_lines([*self.alert_sentences(), *as_sentences(self.notes)])
        return html_block(head, html_lines([span]), html_table(["", *METRICS], self._rows), words)

    def __str__(self) -> str:
        head, span = self._head
        rows = [["", *METRICS], *self._rows]
        lines = self.rare_lines()
        rare = [*lines, ""] if lines and self.notes else lines
        return "\n".join([head, span, *table(rows), *rare, *as_sentences(self.notes)])


def _hours(days: float) -> str:
    return counted(max(1, round(24 * days)), "test hour")
