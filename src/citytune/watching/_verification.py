"""What came of forecasts, day by day: the statistics of forecasts that are tested."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from citytune._errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from citytune.evaluation import Scores

COLUMNS = ("sensor", "time", "issued", "actual", "point", "naive", "q05", "q95")
"""What a record of forecasts must have; more is passed over, but for `quality` and `model`."""
FEWEST = 0.25
"""Share of a day's forecasts that must have come true for it to count."""


class VerifiedDay(NamedTuple):
    """One day of one sensor, in the unit of the data."""

    date: int
    """Days since 1970-01-01."""
    values: int
    mae: float
    """Mean absolute error of the model."""
    naive: float
    """That of the naive forecast."""
    bias: float
    """Mean of what came minus what was forecast."""
    outside: float
    """Share outside of the 90 % interval."""
    width: float
    """Mean width of the interval."""

    @property
    def statistics(self) -> dict[str, float]:
        """Statistic → value, as in `FORECASTS`."""
        least = 0.02 * self.width + 1e-9
        mae = float(np.log(self.mae + least))
        return {
            "error": mae,
            "naive": mae - float(np.log(self.naive + least)),
            "bias": self.bias / (self.width + 1e-9),
            "coverage": self.outside,
        }


def verified_days(record: pl.DataFrame, after: int | None = None) -> dict[str, list[VerifiedDay]]:
    """Sensor → its days on which forecasts came true, the oldest first.

    Of several forecasts of a value, the one issued last counts. Where a safe forecast was served,
    the column `model` has what the model would have said, and that is verified.

    Raises:
        InputError: a column is missing.
    """
    import polars as pl

    from citytune.evaluation import newest_forecasts

    if record.is_empty():
        return {}
    if lacking := [name for name in COLUMNS if name not in record.columns]:
        raise InputError(
            f"the record has no column {lacking[0]!r}; a record has {', '.join(COLUMNS)}"
        )
    found: dict[str, list[VerifiedDay]] = {}
    days = _days(newest_forecasts(record, own=True))
    if after is not None:
        days = days.filter(pl.col("date") > after)
    for sensor, *row in days.select("sensor", *VerifiedDay._fields).iter_rows():
        found.setdefault(str(sensor), []).append(VerifiedDay(*row))
    return found


def record_of(scores: Scores, naive: str = "naive-day") -> pl.DataFrame:
    """The test period of a backtest as a record, to calibrate with.

    Args:
        scores: What `backtest` gave.
        naive: Its rival that counts as the naive forecast.
    """
    import polars as pl

    from citytune.forecasting import LEVELS

    detail = scores.detail
    origins, horizon, sensors = detail.actual.shape
    clock = detail.frame.clock
    rows = detail.origin_index[:, None] + np.arange(horizon)
    local = clock.local(0, int(rows.max()) + 1)
    shape = (origins, horizon, sensors)

    def wide(times: np.ndarray) -> np.ndarray:
        return np.broadcast_to(times[..., None], shape).reshape(-1)

    return pl.DataFrame(
        {
            "issued": wide(np.broadcast_to(local[rows[:, :1]], rows.shape)),
            "time": wide(local[rows]),
            "sensor": list(detail.frame.sensors) * (origins * horizon),
            "actual": detail.actual.reshape(-1),
            "point": detail.points["tuned"].reshape(-1),
            "naive": detail.points[naive].reshape(-1),
            "q05": detail.quantiles[..., LEVELS.index(0.05)].reshape(-1),
            "q95": detail.quantiles[..., LEVELS.index(0.95)].reshape(-1),
        }
    )


def _days(record: pl.DataFrame) -> pl.DataFrame:
    """Means of each sensor and day."""
    import polars as pl

    numbers = [name for name in COLUMNS if name not in ("sensor", "time", "issued")]
    known = pl.all_horizontal([pl.col(name).is_finite() for name in numbers])
    off = pl.col("actual") - pl.col("point")
    outside = (pl.col("actual") < pl.col("q05")) | (pl.col("actual") > pl.col("q95"))
    date = pl.col("time").cast(pl.Date).cast(pl.Int32)
    groups = record.with_columns(
        pl.col(numbers).cast(pl.Float64), date=date, asked=pl.len().over("sensor", date)
    )
    return (
        groups.filter(known)
        .group_by("sensor", "date")
        .agg(
            values=pl.len(),
            mae=off.abs().mean(),
            naive=(pl.col("actual") - pl.col("naive")).abs().mean(),
            bias=off.mean(),
            outside=outside.cast(pl.Float64).mean(),
            width=(pl.col("q95") - pl.col("q05")).mean(),
            asked=pl.col("asked").first(),
        )
        .filter(pl.col("values") >= FEWEST * pl.col("asked"))
        .sort("sensor", "date")
    )
