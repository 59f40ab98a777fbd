"""A tuned model: what was learnt from a city, ready to forecast it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from citytune._errors import InputError, RunError
from citytune.backbones import Backbone, Card, load_backbone
from citytune.forecasting._forecast import Forecast
from citytune.forecasting._memory_file import MemoryFile
from citytune.frame import Clock, Quantity, SensorFrame, spell
from citytune.settings import Progress, Rare, Settings
from citytune.tuning import SEASONAL_WEEKS, Batch, Memory, Seasonal, Tuned, bands, in_words
from citytune.windows import Examples, History, WindowSpec, all_sensors, cut_past

SHARE_MEASURED = 0.1
"""Share of a context that must have been measured for more than the naive rule …"""
DAYS_MEASURED = 2.0
"""… and days of measurements, at the least."""

SEASON_WIDER = 1.5
"""How much wider intervals are in a holiday season: errors were 1.2 times as large as before it in
the geometric mean of 40 of them, and over twice as large in one of five."""


class Prediction(NamedTuple):
    """Forecasts from many origins."""

    mean: NDArray[np.float32]  # (origin, horizon, sensor), in the unit of the data
    quantiles: NDArray[np.float32]  # (origin, horizon, sensor, level)
    plain: NDArray[np.float32]  # (origin, horizon, sensor), `mean` before it is moved


@dataclass(frozen=True, eq=False)
class TunedModel:
    """A frozen backbone and what was tuned of it: every strategy gives this one type.

    A backbone is named by its card and loaded when first needed, so a saved model is small.
    """

    spec: WindowSpec
    card: Card
    settings: Settings
    """What was asked for, `on` the frame it was tuned on; backbone and strategy are named."""
    sensors: tuple[str, ...]
    clock: Clock
    """Of the frame it was tuned on."""
    quantity: Quantity
    country: str | None
    trained_until: np.datetime64
    """Absolute time of the last row it was tuned on."""
    tuned: Tuned
    covariates: tuple[str, ...] = ()
    """Names of what must be known ahead."""
    fallback: tuple[str, ...] = ()
    """Sensors with too little history: forecast by the naive rule until there is more."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """What was done → how long it took, s."""
    memory: Memory | MemoryFile | None = field(default=None, metadata={"saved": False})
    """What it was fitted on, for `update`; holds measurements of the city."""

    @property
    def strategy(self) -> str:
        """Name of the strategy it was tuned by."""
        return self.settings.strategy

    @property
    def rare(self) -> Rare | None:
        """Values that count more than others; None counts all alike."""
        return self.settings.rarity

    @property
    def fold_error(self) -> float:
        """Error out of fold over that of the best seasonal rule; below 1 is better than it."""
        return self.tuned.fold_error

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the fit, one sentence each."""
        return self.tuned.notes

    @property
    def weights(self) -> dict[str, dict[str, float]]:
        """Band of steps ahead such as "0-6" → expert → share, the largest first."""
        return self.tuned.mixture.shares(self.spec.horizon)

    @property
    def experts(self) -> dict[str, str]:
        """Expert → what it is, in words."""
        return self.tuned.mixture.words

    @property
    def plain(self) -> TunedModel:
        """The same model before its forecasts are moved toward rare values."""
        plain = replace(self.settings, rare=None)
        return replace(self, tuned=replace(self.tuned, tilt=None), settings=plain)

    @cached_property
    def backbone(self) -> Backbone:
        """The pretrained model, frozen."""
        return load_backbone(self.card.name)

    def words(self) -> list[str]:
        """What the forecast is made of, one sentence for each stretch ahead."""
        found: list[tuple[int, str]] = []
        for (_, end), shares in zip(bands(self.spec.horizon), self.weights.values(), strict=True):
            text = in_words(shares, self.experts)
            found = found[:-1] if found and found[-1][1] == text else found
            found.append((end, text))
        return [f"Up to {_span(end, self.clock)} ahead: {text}." for end, text in found]

    def __repr__(self) -> str:
        return (
            f"TunedModel({self.card.name}, {self.strategy}, sensors: {len(self.sensors)}, "
            f"steps of {self.clock.freq}: {self.spec.horizon})"
        )

    def forecast(self, frame: SensorFrame) -> Forecast:
        """Forecast every sensor from the step after the frame's last row.

        Args:
            frame: What was measured lately, on the model's clock and with its sensors; the longer
                the better, up to some ten weeks.

        Raises:
            RunError: the frame has another clock, or lacks sensors of the model.
            InputError: something that must be known ahead is not.
        """
        fitting = self.fitting(frame)
        self._check_ahead(fitting)
        found = self.predict(fitting, [len(fitting)])
        return Forecast(
            mean=found.mean[0],
            quantiles=found.quantiles[0],
            clock=fitting.clock.shifted(len(fitting)),
            sensors=self.sensors,
            quantity=self.quantity,
            fallback=short_of_history(fitting, self.spec),
        )

    def predict(
        self,
        frame: SensorFrame,
        origins: Sequence[int],
        progress: Callable[[float], None] | None = None,
    ) -> Prediction:
        """Forecast from many origins, each seeing only rows before it.

        Args:
            frame: With the model's sensors, in its order (see `fitting`).
            origins: Rows of `frame`, or one beyond its last: the first step forecast.
            progress: Called with the share done, 0 … 1.
        """
        if not origins or min(origins) < 0 or max(origins) > len(frame):
            raise InputError(
                f"forecasts start at a row of {frame.source}, or right after the last one: at 0 to "
                f"{len(frame)}; got {list(origins)[:5]}"
            )
        first = max(0, min(origins) - self.reach)
        last = max(origins)
        history = History.of(frame.until(last).since(first), ahead=self.spec.horizon)
        examples = all_sensors(history, torch.tensor(origins) - first)
        seasonal = Seasonal(history)
        intervals = self.tuned.intervals
        batch = Batch(self.backbone, seasonal, examples, self.spec, spread=intervals.trust < 1)
        mixed = self.tuned.mixture.forecast(batch, progress=progress)
        few = _few(seasonal, examples, self.spec)
        mean = _fall_back(mixed.mean, few, seasonal, examples, self.spec)
        when = examples.origin[:, None] + torch.arange(self.spec.horizon)
        wider = torch.where(history.season[when], SEASON_WIDER, 1.0)
        where = mean, examples.sensor, history.slot[when]
        quantiles = intervals.quantiles(*where, mixed.deviations, wider)
        if few.any():  # not the model's forecast, so what it says of itself does not tell
            short = (part[few] for part in (*where, wider))
            quantiles[few] = intervals.conformal.quantiles(*short)
        plain = mean
        if (tilt := self.tuned.tilt) is not None:
            low, high = self.quantity.low, self.quantity.high
            mean = tilt.move(mean, quantiles, examples.sensor, low, high)
        shape = (len(origins), len(frame.sensors), self.spec.horizon)
        return Prediction(
            self._legal(mean).unflatten(0, shape[:2]).transpose(1, 2).numpy(),
            self._legal(quantiles).unflatten(0, shape[:2]).transpose(1, 2).numpy(),
            self._legal(plain).unflatten(0, shape[:2]).transpose(1, 2).numpy(),
        )

    @property
    def reach(self) -> int:
        """Steps before an origin that the forecast depends on."""
        week = self.clock.steps_per_week
        further = self.spec.context * max(1, self.clock.steps_per_day // 24)
        return further + SEASONAL_WEEKS * week + -(-self.spec.horizon // week) * week

    def _legal(self, values: Tensor) -> Tensor:
        low, high = self.quantity.low, self.quantity.high
        return values if low is None and high is None else values.clamp(low, high)

    def update(
        self,
        frame: SensorFrame,
        *,
        forget: float | None = None,
        progress: Progress | None = None,
    ) -> TunedModel:
        """The model fitted anew on what it learnt from and what has come since: seconds.

        The old history is not needed: the model remembers its windows. It forecasts as a model
        fitted to everything would, as long as old rows have not changed; but weights that gradient
        steps have changed stay as they are. Without new rows it warns, and nothing changes.

        Args:
            frame: Ends with new rows; reaches back from the first of them, too, as far as one
                forecast looks (some three months, or to where the first history began).
            forget: Half-life in days from now on, for a city that drifts; by default the model's.
            progress: Called with what is being done and the share done, 0 … 1.

        Raises:
            RunError: the model has no memory, or the frame another clock or other sensors.
            InputError: the frame does not reach back far enough.
        """
        from citytune.forecasting._updating import update

        found = update(self, frame, forget=forget, progress=progress)
        if not found.learned:
            warnings.warn(found.why, stacklevel=2)
        return found.model

    def recall(self) -> Memory:
        """What it was fitted on, or a `RunError` if that is not there."""
        if self.memory is None:
            raise RunError(
                "the model was saved without a memory of what it was fitted on, so it cannot go on "
                "learning; tune anew on the whole history"
            )
        return self.memory.read() if isinstance(self.memory, MemoryFile) else self.memory

    def fitting(self, frame: SensorFrame) -> SensorFrame:
        """The frame with the model's sensors in its order, or a `RunError` that says why not."""
        if frame.clock.step != self.clock.step:
            raise RunError(
                f"{frame.source} has a row every {frame.clock.freq}, but the model was tuned on "
                f"{self.clock.freq}; give it a file with the same step, or tune anew"
            )
        absent = [name for name in self.sensors if name not in frame.sensors]
        if absent:
            shown = ", ".join(map(repr, absent[:5])) + (", …" if len(absent) > 5 else "")
            raise RunError(
                f"{frame.source} lacks {len(absent)} of the model's {len(self.sensors)} sensors: "
                f"{shown}; give it a file that has them, or tune anew"
            )
        if lacking := [name for name in self.covariates if name not in frame.covariates]:
            raise InputError(
                f"the model needs {', '.join(map(repr, lacking))} known ahead, and "
                f"{frame.source} was read without; pass covariates={lacking!r}"
            )
        same = frame.sensors == self.sensors
        frame = frame if same else frame.select(self.sensors)
        return replace(frame, country=frame.country or self.country)

    def _check_ahead(self, frame: SensorFrame) -> None:
        """Raise `InputError` unless every covariate is known for the whole horizon."""
        for name in self.covariates:
            ahead = frame.covariates[name][len(frame) :][: self.spec.horizon]
            known = int(np.isfinite(ahead).any(1).sum())
            if known < self.spec.horizon:
                last = frame.clock.text(len(frame) + self.spec.horizon - 1)
                raise InputError(
                    f"{frame.source}: {name!r} is known for {known} of the {self.spec.horizon} "
                    f"steps ahead, and the forecast needs it until {last}; add rows with its "
                    "forecast, or tune without it"
                )

    def save(self, folder: str | Path, *, memory: bool = True) -> Path:
        """Write the model as JSON and safetensors, all or nothing; `load` reads it.

        Args:
            folder: Made, or replaced if it holds a model.
            memory: Keep what `update` needs, which holds measurements of the city.

        Raises:
            RunError: the folder holds something else.
        """
        from citytune.forecasting._store import save

        return save(self if memory else replace(self, memory=None), Path(folder))


def short_of_history(frame: SensorFrame, spec: WindowSpec) -> tuple[str, ...]:
    """Sensors with too little measured before the frame's end for more than the naive rule."""
    known, day = np.isfinite(frame.values), frame.clock.steps_per_day
    few = known[max(0, len(frame) - spec.context) :].sum(0) < _enough(spec, day)
    few |= len(frame) < known.argmax(0) + day  # its first day is not over
    return tuple(name for name, short in zip(frame.sensors, few, strict=True) if short)


def _span(steps: int, clock: Clock) -> str:
    """A stretch of steps in hours, or in whole days or minutes: "6 hours", "2 days"."""
    units = {"D": "day", "h": "hour", "min": "minute", "s": "second"}
    text = spell(steps * clock.step)
    number, unit = text.rstrip("Dhmins"), text.lstrip("0123456789.")
    return f"{number} {units[unit]}{'' if number == '1' else 's'}"


def _enough(spec: WindowSpec, steps_per_day: int) -> float:
    """Measured steps a context must hold for more than the naive rule."""
    return min(max(SHARE_MEASURED * spec.context, 3), DAYS_MEASURED * steps_per_day)


def _few(seasonal: Seasonal, examples: Examples, spec: WindowSpec) -> Tensor:
    """(example,) bool: next to nothing was measured lately, or the first day is not over."""
    day = seasonal.history.steps_per_day
    first = seasonal.known.to(torch.uint8).argmax(1)[examples.sensor]
    lately = _measured(seasonal, examples, spec.context)
    return (lately < _enough(spec, day)) | (examples.origin < first + day)


def _fall_back(
    mean: Tensor, few: Tensor, seasonal: Seasonal, examples: Examples, spec: WindowSpec
) -> Tensor:
    """For the `few` (example,), the last known value at the same time of day.

    A sensor without a single value has no forecast: NaN.
    """
    if not few.any():
        return mean
    day = seasonal.history.steps_per_day
    short = examples.pick(few)
    rule = seasonal.ahead(short, spec.horizon)["yesterday"]
    last_day = cut_past(seasonal.history.filled, short, day, period=day)
    again = last_day.repeat(1, -(-spec.horizon // day))[:, : spec.horizon]
    rule = torch.where(_measured(seasonal, short, 7 * day)[:, None] > 0, rule, again)  # long dead
    rule[_measured(seasonal, short, seasonal.history.length) == 0] = torch.nan
    mean = mean.clone()
    mean[few] = rule
    return mean


def _measured(seasonal: Seasonal, examples: Examples, steps: int) -> Tensor:
    """(example,) how much was measured in the last so many steps."""
    seen = torch.nn.functional.pad(seasonal.known.cumsum(1), (1, 0))
    start = (examples.origin - steps).clamp_min(0)
    return seen[examples.sensor, examples.origin] - seen[examples.sensor, start]
