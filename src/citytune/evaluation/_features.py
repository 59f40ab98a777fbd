"""What the learned baselines see: lags, seasonal rules, calendar, and what is known ahead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from citytune.evaluation._arrays import Floats, Steps
from citytune.evaluation._naive import in_groups, mean_known, naive_weeks4
from citytune.frame import Calendar, SensorFrame
from citytune.windows import Examples, History, Lookback, Seasonal


class Drawn(NamedTuple):
    """Examples to learn from, or to forecast, each one sensor at one origin."""

    origin: Steps  # (example,), or (1,) for all
    sensor: Steps  # (example,)


@dataclass(frozen=True, eq=False)
class Inputs:
    """A frame in which every sensor is scaled by its own level and spread in the training rows."""

    frame: SensorFrame
    seasonal: Seasonal
    """Over the scaled values."""
    calendar: Calendar
    """Of every row, and ahead."""
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
        history = History.of(frame, ahead=max(0, until - len(frame)))
        history.raw.sub_(torch.from_numpy(level)[:, None]).div_(torch.from_numpy(spread)[:, None])
        calendar = frame.calendar(0, len(history.wall))
        day = frame.clock.steps_per_day
        lags = np.unique([1, 2, 3, *np.rint(np.arange(1, 25) * day / 24).astype(int), day])
        lags = lags[(lags >= 1) & (lags <= max(day, 7))] if day > 1 else np.arange(1, 8)
        known = _known_ahead(frame, train_end)
        return cls(frame, Seasonal(history), calendar, level, spread, known, lags)

    def draw_training(self, count: int, horizon: int, train_end: int) -> Drawn:
        """At most `count` examples, the same at every call, with all targets before `train_end`.

        The first tenth of the rows, at most a week, only serves as the past. There are none if the
        rows are too few.
        """
        last = train_end - horizon
        first = min(self.frame.clock.steps_per_week, max(1, last // 10))
        sensors = np.flatnonzero(np.isfinite(self.frame.values[: max(last, 0)]).any(0))
        if last - first < 2 or not len(sensors):
            return Drawn(np.empty(0, np.int64), np.empty(0, np.int64))
        total = len(sensors) * (last - first + 1)
        rng = np.random.default_rng(0)
        chosen = np.arange(total) if total <= count else np.unique(rng.integers(total, size=count))
        return Drawn(first + chosen // len(sensors), sensors[chosen % len(sensors)])

    def recent(self, drawn: Drawn) -> Floats:
        """(example, feature): the last day and how it differed from the usual; 0 if unknown."""
        lags = drawn.origin[:, None] - self.lags
        raw = self.seasonal.history.raw.numpy()
        last = np.where(lags >= 0, raw[drawn.sensor[:, None], np.maximum(lags, 0)], np.nan)
        gaps = np.isnan(last) & (lags >= 0)
        if gaps.any():
            last = np.where(gaps, self.look(drawn, np.maximum(lags, 0)).last_day, last)
        now = lags[:, : min(6, len(self.lags))]
        # Asked as if nothing after each of these moments were known, not even at the others.
        usual = self.look(Drawn(now.min(1), drawn.sensor), np.maximum(now, 0)).weeks
        change = np.where(now >= 0, last[:, : now.shape[1]] - usual.numpy(), 0)
        return np.nan_to_num(np.concatenate([last, change], axis=1), copy=False).astype(np.float32)

    def ahead(self, drawn: Drawn, when: Steps) -> Floats:
        """(example, step, feature): seasonal rules and covariates at `when`; 0 if unknown."""
        at = self.look(drawn, when)
        rules = [r.numpy() for r in (at.last_day, at.last_week, at.weeks, at.days, at.kind)]
        known = [_at(table, when, drawn.sensor[:, None]) for table in self.covariates]
        return np.nan_to_num(np.stack(np.broadcast_arrays(*rules, *known), axis=-1), copy=False)

    def look(self, drawn: Drawn, when: Steps) -> Lookback:
        """The seasonal rules at steps `when` (example, step), scaled."""
        origin, sensor, steps = (torch.from_numpy(part) for part in (*drawn, when))
        return self.seasonal.at(Examples(sensor, origin), steps)

    def targets(self, drawn: Drawn, when: Steps) -> Floats:
        """(example, step) what happened, scaled; NaN is missing."""
        return self.seasonal.history.raw.numpy()[drawn.sensor[:, None], when]

    def unscaled(self, forecast: Floats) -> Floats:
        """A scaled forecast (…, sensor) in the unit of the data, within its legal range."""
        return clipped(forecast * self.spread + self.level, self.frame)

    @cached_property
    def off(self) -> NDArray[np.bool_]:
        """(time + ahead,): weekend or public holiday."""
        return (self.calendar.weekday >= 5) | self.calendar.holiday

    @cached_property
    def waves(self) -> Floats:
        """(time + ahead, feature): day as two waves, weekday, holiday."""
        turn = 2 * np.pi * self.calendar.slot / self.frame.clock.steps_per_day
        waves = [wave(k * turn) for k in (1, 2) for wave in (np.sin, np.cos)]
        weekday = self.calendar.weekday[:, None] == np.arange(7)
        flags = [self.calendar.holiday, self.off]
        return np.column_stack([*waves, weekday, *flags]).astype(np.float32)


Predict: TypeAlias = Callable[[Drawn, Steps], Floats]
"""Scaled forecasts (example, step) of examples at the next steps (example or 1, step)."""


def learned(
    fit: Callable[[Inputs, Drawn, int], Predict | None],
    frame: SensorFrame,
    origins: Sequence[int],
    horizon: int,
    train_end: int,
    *,
    most: int,
) -> Floats:
    """Forecasts (origin, horizon, sensor) of what is fitted on at most `most` windows.

    With too few rows to fit, and for sensors without a value in them, `naive_weeks4` answers.
    """
    naive = naive_weeks4(frame, origins, horizon, train_end)
    inputs = Inputs.of(frame, until=max([*origins, train_end]) + horizon, train_end=train_end)
    drawn = inputs.draw_training(most, horizon, train_end)
    predict = fit(inputs, drawn, horizon) if len(drawn.origin) else None
    if predict is None:
        return naive
    groups = in_groups(origins, horizon * len(frame.sensors))
    found = np.concatenate([_asked(predict, inputs, group, horizon) for group in groups])
    known = np.isfinite(frame.values[:train_end]).any(axis=0)
    return np.where(known & np.isfinite(naive), found, naive)


def _asked(predict: Predict, inputs: Inputs, origins: Steps, horizon: int) -> Floats:
    """Forecasts (origin, horizon, sensor) in the unit of the data."""
    sensors = np.arange(len(inputs.level))
    drawn = Drawn(origins, sensors)
    if len(origins) > 1:  # one origin serves all sensors as it is
        drawn = Drawn(np.repeat(origins, len(sensors)), np.tile(sensors, len(origins)))
    found = predict(drawn, drawn.origin[:, None] + np.arange(horizon))
    return inputs.unscaled(found.reshape(len(origins), -1, horizon).swapaxes(1, 2))


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
    level = np.nan_to_num(mean_known(values))
    spread = np.sqrt(np.nan_to_num(mean_known((values - level) ** 2)))
    # Rounding leaves a constant sensor with a spread that is not quite 0.
    usable = spread > 1e-6 * np.maximum(np.abs(level), 1e-30)
    return level, np.where(usable, spread, np.float32(1))
