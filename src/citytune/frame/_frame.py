"""The one table type: what a city's sensors measured, on one regular clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune._errors import UnknownName
from citytune._tables import html_block, html_lines, html_table
from citytune._text import counted, number, percent
from citytune.frame._calendar import Calendar, calendar
from citytune.frame._clock import Clock
from citytune.frame._fault import Fault, Faults
from citytune.frame._quantity import Quantity

if TYPE_CHECKING:
    from citytune.pictures import Chart

SHOWN = 10
"""Sensors that a notebook shows."""


class Origin(NamedTuple):
    """What of its source a frame was read from, whether that was said or guessed."""

    table: str | None = None
    """Of a database; None for a query."""
    column: str | None = None
    """Of a long table, the column of readings."""
    beside: tuple[tuple[str, str], ...] = ()
    """Of covariates of second sources: name and source of each."""
    library: str = "polars"
    """Whose table it was, as narwhals calls it; "polars" for all that is not a table in memory."""


@dataclass(frozen=True, eq=False)
class SensorFrame:
    """A city's measurements, checked once: whoever holds one need not check it again.

    Missing values are NaN and stay NaN. Rows are the steps of `clock`, columns are `sensors`.
    """

    values: NDArray[np.float32]
    """(time, sensor), in `quantity.unit`; NaN is missing."""
    clock: Clock
    """When each row was measured."""
    sensors: tuple[str, ...]
    """Names, in column order."""
    quantity: Quantity = field(default_factory=Quantity)
    """What is measured."""
    country: str | None = None
    """Country of the public holidays ("NO", "US-MN"), if known."""
    covariates: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Known ahead: name → (time or longer, sensor or 1). Rows beyond `values` are the future."""
    places: NDArray[np.float64] | None = None
    """(sensor, 2): latitude and longitude in degrees, where the file has them."""
    faults: tuple[Fault, ...] = ()
    """Everything found, guessed or mended on reading."""
    source: str = "table"
    """Where it came from, for messages and reports."""
    origin: Origin = field(default_factory=Origin)
    """Which part of that was read."""

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.sensors):
            raise ValueError(
                f"values of shape {self.values.shape} do not fit {len(self.sensors)} sensors"
            )
        object.__setattr__(self, "faults", Faults(self.faults))
        if len(set(self.sensors)) != len(self.sensors):
            raise ValueError("two sensors have the same name")
        for name, table in self.covariates.items():
            if (
                table.ndim != 2
                or table.shape[1] not in (1, len(self.sensors))
                or len(table) < len(self)
            ):
                raise ValueError(
                    f"covariate {name!r} of shape {table.shape} does not fit {self.values.shape}"
                )

    def __len__(self) -> int:
        """Number of steps."""
        return len(self.values)

    def __repr__(self) -> str:
        missing = float(np.isnan(self.values).mean()) if self.values.size else 0.0
        return (
            f"SensorFrame({self.quantity}, {counted(len(self.sensors), 'sensor')}, {len(self)} "
            "steps of "
            f"{self.clock.freq} from {self.clock.text(0)}, {percent(missing)} missing)"
        )

    def _repr_html_(self) -> str:
        head = ("sensor", "measured", "mean", "lowest", "highest")
        rows = []
        for name, values in zip(self.sensors[:SHOWN], self.values.T[:SHOWN], strict=True):
            known = values[np.isfinite(values)]
            facts = (
                (known.mean(dtype=float), known.min(), known.max()) if len(known) else [None] * 3
            )
            share = percent(len(known) / max(1, len(values)))
            rows.append((name, share, *(number(fact) for fact in facts)))
        more = len(self.sensors) - len(rows)
        said = [f"and {counted(more, 'more sensor')}"] if more else []
        said += [repr(self.faults)] if self.faults else []
        return html_block(repr(self)[12:-1], html_table(head, rows), html_lines(said))

    def plot_calendar(self, sensor: str | None = None, how: str = "mean") -> Chart:
        """Each day of the last twelve months as a square, darker where more was measured.

        Args:
            sensor: Which; the mean of all if None.
            how: What a day's value is: "mean", "max", "min" or "sum".

        Returns:
            A plotly figure; `save("days.png")` writes it without a browser.
        """
        from citytune.frame._pictures import calendar_picture

        return calendar_picture(self, sensor, how)

    def plot_variation(self, sensor: str | None = None) -> Chart:
        """Means by hour of the week, hour, month and weekday, with 95 % intervals."""
        from citytune.frame._pictures import variation_picture

        return variation_picture(self, sensor)

    def source_of(self, covariate: str) -> str:
        """Where a covariate came from, for messages."""
        return dict(self.origin.beside).get(covariate, self.source)

    @property
    def ahead(self) -> int:
        """Steps beyond the last row for which every covariate is known (0 without covariates)."""
        return min((len(table) for table in self.covariates.values()), default=len(self)) - len(
            self
        )

    def calendar(self, first: int = 0, count: int | None = None) -> Calendar:
        """Slot, weekday and holiday of steps; may reach beyond the last row."""
        return calendar(
            self.clock, first, len(self) - first if count is None else count, self.country
        )

    def until(self, end: int) -> SensorFrame:
        """The first `end` rows; covariates beyond them stay, as what is known ahead."""
        return replace(self, values=self.values[:end])

    def since(self, first: int) -> SensorFrame:
        """The rows from step `first` on."""
        return replace(
            self,
            values=self.values[first:],
            clock=self.clock.shifted(first),
            covariates={name: table[first:] for name, table in self.covariates.items()},
        )

    def select(self, sensors: Sequence[str]) -> SensorFrame:
        """The frame of some sensors, in the order asked for."""
        where = {name: i for i, name in enumerate(self.sensors)}
        for name in sensors:
            if name not in where:
                raise UnknownName("sensor", name, where)
        columns = [where[name] for name in sensors]
        return replace(
            self,
            values=self.values[:, columns],
            sensors=tuple(sensors),
            covariates={
                name: table if table.shape[1] == 1 else table[:, columns]
                for name, table in self.covariates.items()
            },
            places=None if self.places is None else self.places[columns],
        )
