"""What scoring by groups of sensors found: the same numbers as of all at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from citytune._text import counted, number, plain
from citytune.evaluation._metrics import METRICS
from citytune.evaluation._text import as_sentences, table
from citytune.evaluation._totals import Totals

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False)
class GroupScores:
    """Errors in the test period, added up over groups of sensors."""

    totals: Totals
    holdout_start: str
    """Wall time of the first step forecast."""
    holdout_end: str
    """Wall time of the last step forecast."""
    origins: int
    """How many times a forecast was made."""
    unit: str
    notes: tuple[str, ...] = ()
    """What was not compared or not scored, and why."""

    @property
    def models(self) -> dict[str, dict[str, float]]:
        """Model name → metric → value, in the unit of the data; NaN where it is unknown."""
        return self.totals.metrics()

    @property
    def sensors(self) -> int:
        """How many were scored."""
        return len(self.totals.sensors)

    def summary(self) -> dict[str, Any]:
        """`holdout`, `models`, `regions` and `alerts` of scores.json; None for NaN."""
        when = {"start": self.holdout_start, "end": self.holdout_end, "origins": self.origins}
        return {
            "holdout": when,
            "models": {
                name: {metric: plain(value) for metric, value in found.items()}
                for name, found in self.models.items()
            },
            "regions": {
                name: {
                    "values": count,
                    "mae": {
                        model: error / count if count else None for model, error in sums.items()
                    },
                }
                for name, (count, sums) in self.totals.regions.items()
            },
            "alerts": [],
        }

    def to_polars(self) -> pl.DataFrame:
        """The mean absolute error of each model and sensor: columns model, sensor, values, mae."""
        import polars as pl

        found = self.totals
        known = found.count > 0
        names = np.array(found.sensors, object)[known].tolist()
        parts = [
            pl.DataFrame({
                "model": [name] * len(names),
                "sensor": names,
                "values": found.count[known],
                "mae": model.error[known] / found.count[known],
            })
            for name, model in found.models.items()
        ]  # fmt: skip
        return pl.concat(parts)

    def __str__(self) -> str:
        head = (
            f"{counted(self.sensors, 'sensor')}, {counted(self.origins, 'forecast')} each, "
            f"{self.holdout_start} to {self.holdout_end}{f', in {self.unit}' if self.unit else ''}"
        )
        rows = [[name, *(number(m[k], 4) for k in METRICS)] for name, m in self.models.items()]
        return "\n".join([head, *table([["", *METRICS], *rows]), *as_sentences(self.notes)])
