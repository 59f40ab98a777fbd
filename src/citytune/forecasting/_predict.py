"""Forecast from many origins at once: point, mean and quantiles of every sensor."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from citytune._errors import InputError
from citytune.backbones import LEVELS, Backbone
from citytune.forecasting._fallback import WEEKS_LOOKED_AT, fall_back, never_measured, too_few
from citytune.frame import Clock, Quantity, SensorFrame
from citytune.tuning import MEDIAN, SENSOR, Batch, Tuned, mean_of
from citytune.windows import FADING_DAYS, Examples, History, Seasonal, WindowSpec

SEASON_WIDER = 1.5
"""How much wider intervals are in a holiday season: errors were 1.2 times as large as before it in
the geometric mean of 40 of them, and over twice as large in one of five."""
Floats = NDArray[np.float32]


class Prediction(NamedTuple):
    """Forecasts from many origins, in the unit of the data; NaN where there is none."""

    point: Floats
    """(origin, horizon, sensor): the median, or with `rare` what it is moved to."""
    mean: Floats
    """(origin, horizon, sensor): means of the distributions, whose sums add up."""
    quantiles: Floats
    """(origin, horizon, sensor, level)."""

    @property
    def plain(self) -> Floats:
        """(origin, horizon, sensor): the median, which no emphasis on rare values moves."""
        return self.quantiles[..., MEDIAN]

    def take(self, columns: Sequence[int]) -> Prediction:
        """Of some sensors."""
        return Prediction(*(part[:, :, list(columns)] for part in self))


@dataclass(frozen=True, eq=False)
class Predictor:
    """What was tuned, and all that it needs to forecast."""

    tuned: Tuned
    backbone: Backbone
    spec: WindowSpec
    quantity: Quantity
    below: Collection[str] = ()
    """Names of sensors that are not held to the smallest value of the quantity."""
    places: Sequence[int] | None = None
    """Of each sensor of a frame, its place in what was tuned; None where they are the same."""

    def quantity_of(self, sensors: Iterable[str]) -> Quantity:
        """The quantity, with no smallest value if one of these sensors is not held to it."""
        if any(name in self.below for name in sensors):
            return replace(self.quantity, low=None)
        return self.quantity

    def predict(
        self,
        frame: SensorFrame,
        origins: Sequence[int],
        columns: Sequence[int],
        progress: Callable[[float], None] | None = None,
    ) -> Prediction:
        """Of the sensors of `frame` in these columns; the others are NaN."""
        shape = (len(origins), self.spec.horizon, len(frame.sensors))
        if not len(columns):
            empty = np.full((*shape, len(LEVELS)), np.nan, np.float32)
            return Prediction(empty[..., 0], empty[..., 0], empty)
        first = max(0, min(origins) - reach_of(self.spec, frame.clock))
        history = History.of(frame.until(max(origins)).since(first), ahead=self.spec.horizon)
        examples = _examples(torch.tensor(columns), torch.tensor(origins) - first)
        tuned = self._tuned_places(examples.sensor)
        asked = min(origins) - first - rules_reach(self.spec.context, frame.clock)
        seasonal = Seasonal(history, max(0, asked))
        point, quantiles = self._ask(seasonal, examples, tuned, progress)
        low = torch.from_numpy(self.lowest([frame.sensors[column] for column in columns]))
        moved = self._moved(point, quantiles, tuned, low)
        by_sensor = (part.unflatten(0, (len(origins), len(columns))) for part in (moved, quantiles))
        legal = [self._legal(part, low).transpose(1, 2).numpy() for part in by_sensor]
        mean = mean_of(legal[1], low=low.numpy(), high=self.quantity.high)
        return _spread(Prediction(legal[0], mean, legal[1]), shape, columns)

    def lowest(self, sensors: Sequence[str]) -> Floats:
        """(sensor,) the smallest value that each may take."""
        low = -np.inf if self.quantity.low is None else self.quantity.low
        return np.array([-np.inf if name in self.below else low for name in sensors], np.float32)

    def _tuned_places(self, sensor: Tensor) -> Tensor:
        """(example,) long: where in what was tuned the sensors of a frame are."""
        return sensor if self.places is None else torch.tensor(self.places)[sensor]

    def _ask(
        self,
        seasonal: Seasonal,
        examples: Examples,
        tuned: Tensor,
        progress: Callable[[float], None] | None,
    ) -> tuple[Tensor, Tensor]:
        """The median (example, horizon) and the quantiles (example, horizon, level)."""
        history, intervals = seasonal.history, self.tuned.intervals
        own = {} if self.places is None else {SENSOR: tuned}
        spread = intervals.trust < 1
        batch = Batch(self.backbone, seasonal, examples, self.spec, spread, own)
        with torch.no_grad():
            asked = self.tuned.mixture.forecast(batch, progress=progress)
        few = too_few(seasonal, examples, self.spec)
        point = fall_back(asked.mean, few, seasonal, examples, self.spec)
        when = examples.origin[:, None] + torch.arange(self.spec.horizon)
        wider = wider_in_season(history, when)
        where = point, tuned, history.slot[when]
        quantiles = intervals.quantiles(*where, asked.deviations, wider)
        if few.any():  # not the model's forecast, so what it says of itself does not tell
            short = (part[few] for part in (*where, wider))
            quantiles[few] = intervals.conformal.quantiles(*short)
        quantiles = around(point, quantiles)
        never = never_measured(seasonal, examples, self.spec.horizon) & ~few[:, None]
        return point.masked_fill(never, torch.nan), quantiles.masked_fill(
            never[..., None], torch.nan
        )

    def _moved(self, point: Tensor, quantiles: Tensor, sensor: Tensor, low: Tensor) -> Tensor:
        """The forecast moved toward rare values, if that was asked for."""
        if (tilt := self.tuned.tilt) is None:
            return point
        lowest = low.repeat(len(point) // max(1, len(low)))
        return tilt.move(point, quantiles, sensor, lowest, self.quantity.high)

    def _legal(self, values: Tensor, low: Tensor) -> Tensor:
        """Values (origin, sensor, horizon, …) within the legal range."""
        found = values.maximum(low.view(-1, *[1] * (values.ndim - 2)))
        return found if self.quantity.high is None else found.clamp_max(self.quantity.high)


def below(low: float | None, frame: SensorFrame) -> tuple[str, ...]:
    """Names of the sensors of `frame` that measured less than `low`."""
    if low is None:
        return ()
    lower = np.flatnonzero((frame.values < np.float32(low)).any(0))
    return tuple(frame.sensors[i] for i in lower)


def reach_of(spec: WindowSpec, clock: Clock) -> int:
    """Steps before an origin that the forecast depends on."""
    week = clock.steps_per_week
    further = spec.context * max(1, clock.steps_per_day // 24)
    return further + WEEKS_LOOKED_AT * week + -(-spec.horizon // week) * week


def rules_reach(context: int, clock: Clock) -> int:
    """Steps before an origin at which its experts ask what the seasonal rules would have said.

    A lens shows them over its context, maybe as of a step ago; a fading deviation, two weeks.
    """
    day = clock.steps_per_day
    return max(context * max(1, day // 24), FADING_DAYS * day) + 1


def checked_origins(origins: Sequence[int] | NDArray[np.integer], frame: SensorFrame) -> list[int]:
    """Origins as whole numbers, each with a row before it."""
    given = np.asarray(origins)
    whole = given.ndim == 1 and np.issubdtype(given.dtype, np.integer) and given.size
    if not whole or given.min() < 1 or given.max() > len(frame):
        raise InputError(
            f"forecasts start at a row of {frame.source} that has another before it, or right "
            f"after the last one: whole numbers from 1 to {len(frame)}; got {given[:5].tolist()}"
            if given.ndim == 1
            else f"origins are a list of row numbers of {frame.source}; got {origins!r}"
        )
    return [int(origin) for origin in given]


def wider_in_season(history: History, when: Tensor) -> Tensor:
    """How much wider than usual intervals are at steps `when` of the history, in its shape."""
    return torch.where(history.season[when], SEASON_WIDER, 1.0)


def around(point: Tensor, quantiles: Tensor) -> Tensor:
    """The same with the forecast as the median, as it was made to have the least absolute error."""
    middle = point[..., None]
    below = torch.minimum(quantiles[..., :MEDIAN], middle)
    above = torch.maximum(quantiles[..., MEDIAN + 1 :], middle)
    return torch.cat([below, middle, above], -1)


def _examples(sensors: Tensor, origins: Tensor) -> Examples:
    """Those sensors at every origin, origin-major."""
    return Examples(sensors.repeat(len(origins)), origins.repeat_interleave(len(sensors)))


def _spread(found: Prediction, shape: tuple[int, ...], columns: Sequence[int]) -> Prediction:
    """With a column for every sensor of a frame."""
    if len(columns) == shape[-1]:
        return found
    parts = []
    for part in found:
        wide = np.full((*shape, *part.shape[3:]), np.nan, np.float32)
        wide[:, :, list(columns)] = part
        parts.append(wide)
    return Prediction(*parts)
