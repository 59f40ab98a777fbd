"""What a forecast is: mean and quantiles per sensor and step, with clock and unit."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from citytune._errors import UnknownName
from citytune._tables import in_zone, native_of, pandas_of
from citytune.forecasting._aggregate import Align, How, aggregate, total
from citytune.forecasting._alert import Watch, watches
from citytune.forecasting._copula import Copula
from citytune.forecasting._described import html_of, line_of
from citytune.forecasting._pieces import chance_of, one_sensor, quantile_of
from citytune.forecasting._quality import MODEL, Words, is_fallback
from citytune.forecasting._table import columns_of, parts_of, table_of
from citytune.forecasting._thresholds import thresholds_of
from citytune.frame import Clock, Quantity, SensorFrame
from citytune.settings import Alert
from citytune.tuning import LEVELS, MEDIAN
from citytune.writers import Choice, csv_table, read, write

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from citytune.forecasting._explain import Explainer
    from citytune.forecasting._explanation import Explanation
    from citytune.pictures import Chart


@dataclass(frozen=True, eq=False, repr=False)
class Forecast:
    """A forecast for every sensor, from the step after the last one measured.

    Example:
        >>> print(forecast)                                  # doctest: +SKIP
        traffic_volume (veh/h), 24 sensors, 24 steps of 1h from 2024-05-03 01:00 Europe/Oslo
        >>> forecast.plot(frame, sensors=["Ring road"])      # doctest: +SKIP
    """

    mean: NDArray[np.float32]
    """(horizon, sensor), in `quantity.unit`: the mean of the distribution, so that sums over hours
    and sensors add up. Squared errors are measured on it, absolute ones on `point`."""
    quantiles: NDArray[np.float32]
    """(horizon, sensor, level), never crossing; levels are `LEVELS`. The median is q50."""
    clock: Clock
    """Its step 0 is the first step forecast."""
    sensors: tuple[str, ...]
    quantity: Quantity
    moved: NDArray[np.float32] | None = None
    """(horizon, sensor): the median moved toward rare values; None without `rare`."""
    quality: Words = field(default_factory=lambda: np.array(MODEL, object))
    """(horizon, sensor) of words, what each value is: `model`, `model without temp`, `fallback:
    yesterday`, `silent since 2024-03-01 10:00`, `new: untuned model`, `absent`, `no readings`,
    `never measured at this hour`. The last three have no forecast: NaN."""
    notes: tuple[str, ...] = ()
    """What was done to make the data fit, and which sensors are silent, a sentence each."""
    alerts: tuple[Watch, ...] = ()
    """What to be warned of; tables have a column of chances for each."""
    model: str = ""
    """What made it: backbone and strategy."""
    run: str = ""
    """Name of the run folder whose model made it."""
    copula: Copula | None = None
    """How errors of different hours and sensors go together; `aggregate` and `total` need it."""
    library: str = "polars"
    """Whose table the data came as, and `to_native` gives: "pandas", "pyarrow" or "polars"."""
    explainer: Explainer | None = None
    """What it was made by and from, for `explain`; None for one that was read from a table."""

    def __post_init__(self) -> None:
        shape, levels = self.mean.shape, self.quantiles.shape
        if shape[1:] != (len(self.sensors),):
            raise ValueError(f"means of shape {shape} do not fit {len(self.sensors)} sensors")
        if levels != (*shape, len(LEVELS)):
            raise ValueError(
                f"quantiles of shape {levels} do not fit means of shape {shape} at "
                f"{len(LEVELS)} levels"
            )
        object.__setattr__(self, "quality", np.broadcast_to(self.quality, shape))

    @property
    def point(self) -> NDArray[np.float32]:
        """(horizon, sensor): the median, or with `rare` what it is moved to."""
        return self.quantiles[..., MEDIAN] if self.moved is None else self.moved

    @property
    def fallback(self) -> tuple[str, ...]:
        """Sensors with too little history, forecast by the naive rule."""
        first = zip(self.sensors, self.quality[0], strict=True)
        return tuple(name for name, word in first if is_fallback(word))

    def __str__(self) -> str:
        return line_of(self)

    def __repr__(self) -> str:
        return f"Forecast({self})"

    def _repr_html_(self) -> str:
        return html_of(self)

    @property
    def levels(self) -> tuple[float, ...]:
        """Quantile levels, ascending."""
        return LEVELS

    def __getitem__(self, sensor: str) -> Forecast:
        """The forecast of one sensor; an unknown name is answered with the nearest."""
        if sensor not in self.sensors:
            raise UnknownName("sensor of this forecast", str(sensor), self.sensors)
        return one_sensor(self, self.sensors.index(sensor))

    def explain(self, sensor: str) -> Explanation:
        """What moved the forecast of a sensor: each expert, part of the past and covariate.

        Experts are exact. Parts of the past and covariates are tried out, by forecasting again
        without them, which takes some ten forecasts.

        Raises:
            InputError: the forecast was read from a table, so its model is not known, or the
                sensor is broken, so that its forecast is not the model's.
            UnknownName: the forecast has no such sensor.

        Example:
            >>> print(forecast.explain("Ring road"))            # doctest: +SKIP
            >>> forecast.explain("Ring road").plot()            # doctest: +SKIP
        """
        from citytune.forecasting._explain import explained

        return explained(self, sensor)

    def quantile(self, level: float) -> NDArray[np.float32]:
        """(horizon, sensor) what a value is below with probability `level`, between 0 and 1."""
        return quantile_of(self, level)

    def probability_above(self, threshold: float | Mapping[str, float]) -> NDArray[np.float32]:
        """How likely each value is above a threshold: an alert is a decision, and needs a chance.

        Read off the forecast's quantiles, and as well calibrated: a straight line between
        neighbours, an exponential tail beyond 5 and 95 %, which is a guess and better than none.
        Never rises with the threshold; below the quantity's legal minimum lies nothing.

        Args:
            threshold: In `quantity.unit`; one for all, or sensor → its own, for every sensor.

        Returns:
            (horizon, sensor), 0 … 1; NaN where a sensor has no forecast.

        Raises:
            InputError: a threshold is not a number, or a sensor has none.

        Example:
            >>> forecast.probability_above(150).max(axis=0)      # doctest: +SKIP
        """
        return chance_of(self, thresholds_of(threshold, self.sensors), above=True)

    def probability_below(self, threshold: float | Mapping[str, float]) -> NDArray[np.float32]:
        """(horizon, sensor) how likely each value is below a threshold; see `probability_above`."""
        return chance_of(self, thresholds_of(threshold, self.sensors), above=False)

    def to_polars(self) -> pl.DataFrame:
        """Long table: sensor, time, mean, q05 … q95, quality; a row per sensor and future step.

        With `rare` also `point`, the forecast moved toward rare values; and a column such as
        `p_above_50` for each of `alerts`. Times carry the zone of the data, if known.
        """
        import polars as pl

        return in_zone(pl.DataFrame(columns_of(self)), "time", self.clock.timezone)

    def to_pandas(self) -> pd.DataFrame:
        """The same long table as a pandas data frame; pandas must be installed."""
        return pandas_of(self.to_polars())

    def to_native(self) -> Any:
        """The same table of the library that the data came from, pandas or pyarrow; else polars."""
        return native_of(self.to_polars(), self.library)

    def write_csv(self, path: str | Path) -> None:
        """Write the long table as CSV, times in ISO 8601 in the zone of the data.

        Names that a spreadsheet would take for a formula, such as `=A1`, get a `'` in front.
        """
        csv_table(self.to_polars()).write_csv(path)

    def write(
        self,
        target: str | os.PathLike[str],
        *,
        wide: str | None = None,
        overwrite: bool = False,
        dry_run: bool = False,
    ) -> str:
        """Write it to a file, a table of a database, or a broker; all of it or nothing.

        Every row carries what holds for all: `issued_at` (when it was made: its first step), run,
        model, quantity, unit, step and zone. So `Forecast.read` gives back the same forecast.

        Args:
            target: A file (.csv, .parquet, .xlsx, .jsonl; .jsonld for NGSI-LD, .sta.json for
                SensorThings), a table (`postgresql://host/city#forecasts`, `sqlite:///city.db`), or
                a broker (`ngsi-ld+https://broker/ngsi-ld/v1`, `sensorthings+https://host/v1.1`).
            wide: Of a file: a column for each sensor, with this column of the forecast, such as
                "mean". Such a file is a table of readings, and not read back as a forecast.
            overwrite: Whether a file may be replaced. Rows of a database with the same run, sensor
                and time always are.
            dry_run: Only say what would be written.

        Returns:
            What was written, in words.

        Raises:
            InputError: the target cannot be written; nothing was.

        Example:
            >>> forecast.write("forecast.parquet")               # doctest: +SKIP
            '576 rows written to forecast.parquet'
        """
        choice = Choice(wide=wide, overwrite=overwrite, dry_run=dry_run)
        return write(table_of(self), target, choice)

    @classmethod
    def read(cls, source: str | os.PathLike[str], *, run: str | None = None) -> Forecast:
        """Read back what `write` wrote, every value, moment and name as it was.

        What only a model knows is not there: `notes`, `alerts` and `copula`.

        Args:
            source: A CSV, Parquet, Excel or JSON lines file, or a table of a database.
            run: Of a table that holds several runs, which; its newest forecast is read.

        Raises:
            InputError: there is no such forecast, or it is no longer whole.
        """
        return cls(**parts_of(read(source, run)))

    def plot(
        self, recent: SensorFrame | None = None, sensors: Sequence[str] | None = None, **look: Any
    ) -> Chart:
        """Chart it with its intervals; `sensor="north"`, `threshold=50`: see `plot_forecast`."""
        from citytune.forecasting._plot import plot_forecast

        return plot_forecast(self, recent, sensors, **look)

    def with_alerts(
        self, alerts: Sequence[Alert | str], history: SensorFrame | None = None
    ) -> Forecast:
        """The same, whose tables carry how likely each value passes each alert.

        Args:
            alerts: Such as ">50", "pm2.5<30" or "top 5%".
            history: What was measured; needed for each sensor's "top 5%".

        Raises:
            InputError: an alert cannot be read, is of another quantity, or needs a history.

        Example:
            >>> forecast.with_alerts([">50"]).to_pandas()["p_above_50"]  # doctest: +SKIP
        """
        return replace(self, alerts=watches(alerts, self.sensors, self.quantity, history))

    def chance(self, watch: Watch) -> NDArray[np.float32]:
        """(horizon, sensor) how likely each value is to pass an alert, 0 … 1; NaN if unknown."""
        return chance_of(self, np.array(watch.thresholds, np.float32), above=watch.alert.above)

    def aggregate(
        self,
        span: str | dt.timedelta,
        how: How,
        *,
        running: str | None = None,
        align: Align = "start",
    ) -> Forecast:
        """The mean, largest or smallest value, or sum of every stretch, with its own intervals.

        Args:
            span: Length of a stretch, such as "24h" or "7d"; a rest at the end is left out.
            how: "mean", "max", "min" or "sum"; the sum of kW or veh/h is in kWh or veh.
            running: Of running means over so long, such as "8h", which end in the stretch.
            align: Whether stretches follow each other from the first step on, or from midnight.

        Raises:
            InputError: the clock cannot carry the span, or the forecast is shorter than it.

        Example:
            >>> forecast.aggregate("24h", "mean").probability_above(25)       # doctest: +SKIP
        """
        return aggregate(self, span, how, running=running, align=align)

    def total(self, sensors: Sequence[str] | None = None, *, name: str = "total") -> Forecast:
        """The sum over all sensors, or some, as one sensor, with its own intervals."""
        return total(self, sensors, name)
