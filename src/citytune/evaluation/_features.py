"""What the learned baselines see: lags, seasonal profiles, calendar, and what is known ahead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune.evaluation._seasons import Floats, Seasons, Steps
from citytune.frame import SensorFrame


class Drawn(NamedTuple):
    """Examples to learn from, each one sensor at one origin."""

    origin: Steps  # (example,)
    sensor: Steps  # (example,)


@dataclass(frozen=True, eq=False)
class Inputs:
    """A frame in which every sensor is scaled by its own level and spread in the training rows."""

    frame: SensorFrame
    seasons: Seasons
    """Of the scaled values."""
    level: Floats
    """(sensor,) in the unit of the data."""
    spread: Floats
    """(sensor,) in the unit of the data; never 0."""
    covariates: list[Floats]
    """Each (time + ahead, sensor or 1), scaled; 0 where unknown."""
    lags: Steps
    """(lag,) steps before the origin that are shown: the last few, then hourly over a day."""

    @classmethod
    def of(cls, frame: SensorFrame, *, until: int, train_end: int) -> Inputs:
        """Scale `frame` by its rows before `train_end`; its calendar reaches step `until`."""
        level, spread = level_and_spread(frame.values[:train_end])
        seasons = Seasons.of(frame, until=until)
        values = (frame.values - level) / spread
        scaled = Seasons(
            values, seasons.wall, seasons.calendar, seasons.steps_per_day, seasons.step_at
        )
        day = frame.clock.steps_per_day
        lags = np.unique([1, 2, 3, *np.rint(np.arange(1, 25) * day / 24).astype(int), day])
        lags = lags[(lags >= 1) & (lags <= max(day, 7))] if day > 1 else np.arange(1, 8)
        return cls(frame, scaled, level, spread, _known_ahead(frame, train_end), lags)

    def draw(self, count: int, first: int, last: int) -> Drawn:
        """At most `count` examples with origins in [first, last], the same at every call."""
        sensors = np.flatnonzero(np.isfinite(self.seasons.values[:last]).any(0))
        total = len(sensors) * (last - first + 1)
        rng = np.random.default_rng(0)
        chosen = np.arange(total) if total <= count else np.unique(rng.integers(total, size=count))
        return Drawn(first + chosen // len(sensors), sensors[chosen % len(sensors)])

    @property
    def changes(self) -> int:
        """How many of the last lags are also shown as differences from the usual."""
        return min(6, len(self.lags))

    def draw_training(self, count: int, horizon: int, train_end: int) -> Drawn:
        """Examples whose targets all lie before `train_end`; none if there are too few rows.

        The first tenth of the rows, at most a week, only serves as the past.
        """
        last = train_end - horizon
        first = min(self.frame.clock.steps_per_week, max(1, last // 10))
        if last - first < 2 or not np.isfinite(self.seasons.values[:last]).any():
            return Drawn(np.empty(0, np.int64), np.empty(0, np.int64))
        return self.draw(count, first, last)

    def recent(self, drawn: Drawn) -> Floats:
        """(example, feature): the last day and how it differed from the usual; 0 if unknown."""
        origin, sensor = drawn
        lags = origin[:, None] - self.lags
        last = self.seasons.take(origin, lags, sensor)
        gaps = np.isnan(last) & (lags >= 0)
        if gaps.any():
            filled = self.seasons.last_day(origin, np.maximum(lags, 0), sensor)
            last = np.where(gaps, filled, last)
        now = lags[:, : self.changes]
        # Asked as if nothing after each of these moments were known, not even at the others.
        usual = self.seasons.weeks(now.min(1), np.maximum(now, 0), sensor)
        change = np.where(now >= 0, last[:, : self.changes] - usual, 0)
        return np.nan_to_num(np.concatenate([last, change], axis=1))

    def ahead(self, drawn: Drawn, when: Steps) -> Floats:
        """(example, step, feature): profiles and covariates at steps `when`; 0 if unknown."""
        origin, sensor = drawn
        known = [_at(table, when, sensor[:, None]) for table in self.covariates]
        profiles = [rule(origin, when, sensor) for rule in self._rules()]
        return np.nan_to_num(np.stack([*profiles, *known], axis=-1))

    def ahead_everywhere(self, origin: int, when: Steps) -> Floats:
        """(step, sensor, feature): the same for every sensor at one origin, and far faster."""
        origins, sensors = np.array([origin]), np.arange(len(self.level))
        known = [_at(table, when[:, None], sensors) for table in self.covariates]
        profiles = [rule(origins, when[None])[0] for rule in self._rules()]
        return np.nan_to_num(np.stack([*profiles, *known], axis=-1))

    def _rules(self) -> tuple[Callable[..., Floats], ...]:
        seasons = self.seasons
        return seasons.last_day, seasons.last_week, seasons.weeks, seasons.days, seasons.kind

    def targets(self, drawn: Drawn, when: Steps) -> Floats:
        """(example, step) what happened, scaled; NaN is missing."""
        return self.seasons.values[when, drawn.sensor[:, None]]

    def unscaled(self, forecast: Floats) -> Floats:
        """A scaled forecast (step, sensor) in the unit of the data, within its legal range."""
        return clipped(forecast * self.spread + self.level, self.frame)

    @cached_property
    def calendar(self) -> Floats:
        """(time + ahead, feature): day as two waves, weekday, holiday."""
        seasons = self.seasons
        turn = 2 * np.pi * seasons.calendar.slot / seasons.steps_per_day
        waves = [wave(k * turn) for k in (1, 2) for wave in (np.sin, np.cos)]
        weekday = seasons.calendar.weekday[:, None] == np.arange(7)
        flags = [seasons.calendar.holiday, seasons.off]
        return np.column_stack([*waves, weekday, *flags]).astype(np.float32)


def known_in(frame: SensorFrame, train_end: int) -> NDArray[np.bool_]:
    """(sensor,): whether anything was measured in the training rows."""
    return np.asarray(np.isfinite(frame.values[:train_end]).any(axis=0))


def clipped(values: Floats, frame: SensorFrame) -> Floats:
    """Values within the legal range of the frame's quantity, where it has one."""
    low, high = frame.quantity.low, frame.quantity.high
    return values if low is None and high is None else np.clip(values, low, high)


def _at(table: Floats, when: Steps, sensor: Steps) -> Floats:
    """Covariate (time + ahead, sensor or 1) at steps, for sensors; 0 beyond what is known."""
    inside = when < len(table)
    column = sensor if table.shape[1] > 1 else np.zeros_like(sensor)
    return np.where(inside, table[np.where(inside, when, 0), column], np.float32(0))


def _known_ahead(frame: SensorFrame, train_end: int) -> list[Floats]:
    tables = []
    for table in frame.covariates.values():
        level, spread = level_and_spread(table[:train_end])
        tables.append(np.nan_to_num((table - level) / spread).astype(np.float32))
    return tables


def level_and_spread(values: Floats) -> tuple[Floats, Floats]:
    """Mean and spread of each column; 0 and 1 where nothing is known or nothing changes."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(0), 1)
    level = np.where(known, values, 0).sum(0, dtype=np.float64) / count
    square = np.where(known, values - level, 0) ** 2
    spread = np.sqrt(square.sum(0, dtype=np.float64) / count)
    # Rounding leaves a constant sensor with a spread that is not quite 0.
    usable = spread > 1e-6 * np.maximum(np.abs(level), 1e-30)
    return level.astype(np.float32), np.where(usable, spread, 1.0).astype(np.float32)
