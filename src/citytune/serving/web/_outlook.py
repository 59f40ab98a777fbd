"""What the pages show of a forecast: the next day of each sensor, and its alerts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from citytune.reporting import spark

if TYPE_CHECKING:
    import polars as pl


class Chance(NamedTuple):
    """The chance of an alert."""

    alert: str
    share: float
    tone: str
    """high, some or low: at its level, at half of it, or below."""


class Day(NamedTuple):
    """The next day of a sensor, in the unit of the data; NaN where there is no forecast."""

    sensor: str
    peak: float
    low: float
    high: float
    when: str
    amount: float
    chances: tuple[Chance, ...]
    quality: str
    drawn: str
    """A sparkline, as SVG."""

    @property
    def tone(self) -> str:
        """The worst of its alerts."""
        tones = {one.tone for one in self.chances}
        return next((one for one in ("high", "some", "low") if one in tones), "")


def days(found: Mapping[str, Any], table: pl.DataFrame) -> list[Day]:
    """The next day of every sensor of a forecast, those that matter first.

    Args:
        found: As `day_of` gives it.
        table: The forecast in its long form, of all sensors or of some.
    """
    import polars as pl

    order = table.with_row_index("first").group_by("sensor", maintain_order=True)
    parts = order.agg(
        pl.col("first").first(), pl.len().alias("count"),
        pl.col("quality").unique(maintain_order=True),
    )  # fmt: skip
    where = {str(name): _Part(*rest) for name, *rest in parts.iter_rows()}
    lines = [_floats(table, name) for name in ("q05", "point", "q95")]
    return [_day(row, found, where[row[0]], lines) for row in found["rows"] if row[0] in where]


class _Part(NamedTuple):
    """The rows of one sensor, which are in a row in the table."""

    first: int
    steps: int
    quality: list[str]


def _day(row: list[Any], found: Mapping[str, Any], part: _Part, lines: Sequence[Any]) -> Day:
    known: list[Any] = [math.nan if one is None else one for one in row]
    name, peak, low, high, when, amount, *shares = known
    chances = tuple(map(_chance, found["alerts"], found["levels"], shares))
    quality = "" if part.quality == ["model"] else ", ".join(part.quality[:2])
    rows = slice(part.first, part.first + min(part.steps, found["steps"]))
    below, middle, above = (one[rows] for one in lines)
    drawn = spark(below, middle, above, thresholds(found, name)[0])
    return Day(name, peak, low, high, when, amount, chances, quality, drawn)


def thresholds(found: Mapping[str, Any], sensor: str) -> list[float]:
    """That of each alert for a sensor, NaN where it has none; at least one.

    Args:
        found: As `day_of` gives it.
        sensor: Name.
    """
    own = found.get("thresholds", {}).get(sensor) or [None]
    return [math.nan if one is None else one for one in own]


def _chance(alert: str, level: float, share: float) -> Chance:
    tone = "high" if share >= level else "some" if share >= level / 2 else "low"
    return Chance(alert, share, tone if math.isfinite(share) else "")


def _floats(table: pl.DataFrame, name: str) -> Any:
    """A column; NaN where nothing is known."""
    import polars as pl

    return table[name].cast(pl.Float32).fill_null(math.nan).to_numpy().astype(np.float32)
