"""A tuned model: what was learnt from a city, ready to forecast it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from citytune._errors import RunError, UnknownName
from citytune.backbones import CROSS, Backbone, Card, load_backbone
from citytune.forecasting._assemble import forecast_of
from citytune.forecasting._copula import Copula
from citytune.forecasting._door import admit
from citytune.forecasting._explain import Explainer
from citytune.forecasting._forecast import Forecast
from citytune.forecasting._memory_file import MemoryFile
from citytune.forecasting._predict import Prediction, Predictor, checked_origins, reach_of
from citytune.frame import Clock, Quantity, spell
from citytune.settings import Progress, Rare, Settings
from citytune.tuning import Memory, Tuned, bands, in_words
from citytune.windows import WindowSpec


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
    """With the range that forecasts are held to."""
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
    below: tuple[str, ...] = ()
    """Sensors that measured less than `quantity.low` all the same, and are not held to it."""
    learnt: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Covariate → least and largest value it was fitted on; "" is the readings themselves."""
    copula: Copula | None = None
    """How errors of past forecasts go together over sensors and steps; see `learn_copula`."""
    places: tuple[int, ...] | None = field(default=None, metadata={"saved": False})
    """Of a `part`: where in what was tuned each of its sensors is."""

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

    def part(self, sensors: Sequence[str]) -> TunedModel:
        """The same model for some of its sensors, which it forecasts as the whole does.

        Nothing is copied, so that a million sensors can be forecast group by group. It has no
        memory, and learns no further.
        """
        where = {name: i for i, name in enumerate(self.sensors)}
        if lacking := [name for name in sensors if name not in where]:
            raise UnknownName("sensor of the model", lacking[0], where)
        if self.card.name.endswith(CROSS) and len({*sensors}) < len(self.sensors):
            raise RunError(
                f"the backbone {self.card.name!r} reads all sensors of the model together, so it "
                "cannot be asked for some of them; forecast all, or tune "
                f"{self.card.name.removesuffix(CROSS)!r}"
            )
        columns = [where[name] for name in sensors]
        places = columns if self.places is None else [self.places[i] for i in columns]
        return replace(
            self,
            sensors=tuple(sensors),
            places=tuple(places),
            memory=None,
            copula=None if self.copula is None else self.copula.take(columns),
        )

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

    def forecast(self, source: object, *, sensors: Sequence[str] | None = None) -> Forecast:
        """Forecast every sensor from the step after the source's last row.

        Sensors may be absent, silent or new: the others are forecast all the same, a new one by the
        pretrained model zero-shot, and `Forecast.quality` names each. So it is where something is
        known ahead for a part of the steps or sensors only: the rest is forecast without it.

        Args:
            source: What was measured lately, a frame or anything that `read` takes, on the model's
                clock; the longer the better, up to some ten weeks.
            sensors: Which to forecast; by default the model's, and then those new to it.

        Warns:
            UserWarning: for what was done to make the source fit, such as converting a unit.

        Raises:
            RunError: the source is on another clock, of another quantity or unit, or has none of
                the model's sensors.
            InputError: something that must be known ahead is not at all, or in another unit.
            UnknownName: nobody knows a sensor asked for.
        """
        new = "forecast by the pretrained model without fine-tuning"
        admitted = admit(self, source, sensors=sensors, ahead=self.spec.horizon, new=new)
        admitted.warn(2)
        found = forecast_of(self.predictor, self.settings, admitted)
        where = {name: i for i, name in enumerate(self.sensors)}
        columns = [where.get(name) for name in found.sensors]
        return replace(
            found,
            model=f"{self.card.name}, {self.strategy}",
            copula=None if self.copula is None else self.copula.take(columns),
            explainer=Explainer(self, admitted),
        )

    def predict(
        self,
        source: object,
        origins: Sequence[int] | NDArray[np.integer],
        progress: Callable[[float], None] | None = None,
    ) -> Prediction:
        """Forecast from many origins, each seeing only rows before it.

        Args:
            source: What was measured, as for `forecast`. The answer has the model's sensors in its
                order; of an absent one it is NaN.
            origins: Rows of `source` from 1 on, or one beyond its last: the first step forecast.
            progress: Called with the share done, 0 … 1.
        """
        admitted = admit(self, source, new="not forecast here")
        if admitted is not source:
            admitted.warn(2)
        where = {name: i for i, name in enumerate(self.sensors)}
        columns = [where[name] for name in admitted.present]
        rows = checked_origins(origins, admitted.frame)
        return self.predictor.predict(admitted.frame, rows, columns, progress)

    @property
    def predictor(self) -> Predictor:
        """What forecasts, without asking whether data fit."""
        own = self.quantity, self.below, self.places
        return Predictor(self.tuned, self.backbone, self.spec, *own)

    @property
    def reach(self) -> int:
        """Steps before an origin that the forecast depends on."""
        return reach_of(self.spec, self.clock)

    def update(
        self,
        source: object,
        *,
        forget: float | None = None,
        progress: Progress | None = None,
    ) -> TunedModel:
        """The model fitted anew on what it learnt from and what has come since: seconds.

        The old history is not needed: the model remembers its windows. It forecasts as a model
        fitted to everything would, as long as old rows have not changed; but weights that gradient
        steps have changed stay as they are. Without new rows it warns, and nothing changes.

        Args:
            source: A frame, or anything that `read` takes. Ends with new rows; reaches back from
                the first of them, too, as far as one forecast looks (some three months, or to where
                the first history began).
            forget: Half-life in days from now on, for a city that drifts; by default the model's.
            progress: Called with what is being done and the share done, 0 … 1.

        Raises:
            RunError: the model has no memory, or the source another clock, quantity or unit.
            InputError: the source does not reach back far enough.
        """
        from citytune.forecasting._updating import update

        found = update(self, source, forget=forget, progress=progress)
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

    def export_onnx(self, path: str | Path, *, int8: bool = False, overwrite: bool = False) -> Path:
        """Write all that it forecasts with as one ONNX graph, for machines without Python's weight.

        `citytune_edge.py`, which needs NumPy and ONNX Runtime alone, forecasts from it what
        `forecast` does: experts, mixture, intervals and fallbacks are in the graph. docs/edge.md
        describes its inputs.

        Args:
            path: File to write.
            int8: Keep the weights of its networks in 8 bits: smaller, and a little less exact.
            overwrite: Replace a file that is there.

        Raises:
            InputError: the model has a part that a graph would not have, which is named; the file
                is there; or the extra `onnx` is not installed.
        """
        from citytune.forecasting.graph import export_onnx

        return export_onnx(self, path, int8=int8, overwrite=overwrite)


def _span(steps: int, clock: Clock) -> str:
    """A stretch of steps in hours, or in whole days or minutes: "6 hours", "2 days"."""
    units = {"D": "day", "h": "hour", "min": "minute", "s": "second"}
    text = spell(steps * clock.step)
    number, unit = text.rstrip("Dhmins"), text.lstrip("0123456789.")
    return f"{number} {units[unit]}{'' if number == '1' else 's'}"
