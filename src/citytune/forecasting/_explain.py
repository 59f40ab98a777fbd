"""Why a forecast is what it is: what each expert, covariate and part of the past moved it by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from citytune._errors import InputError, UnknownName
from citytune._text import duration
from citytune.backbones import reads_together
from citytune.forecasting._door import Admitted
from citytune.forecasting._explanation import Effect, Explanation, Steps
from citytune.forecasting._fallback import short_of_history
from citytune.forecasting._predict import reach_of
from citytune.forecasting._quality import is_safe
from citytune.frame import Clock, SensorFrame
from citytune.tuning import SENSOR, Batch, by_step, forecasts_of
from citytune.windows import Examples, History, Seasonal

if TYPE_CHECKING:
    from citytune.forecasting._forecast import Forecast
    from citytune.forecasting._model import TunedModel

EDGES_HOURS = (0, 6, 24)
"""Where the newest parts of the past end, in hours before the origin …"""
EDGES_DAYS = (7, 14, 28)
"""… and the others, in days; the last one goes on to where the history begins."""
USUAL_DAYS = 28
"""Days whose mean at the same time of day is what a covariate usually is."""


@dataclass(frozen=True, eq=False)
class Explainer:
    """What a forecast carries so that it can be explained: what it was made by, and from."""

    model: TunedModel
    admitted: Admitted

    def __call__(self, sensor: str) -> Explanation:
        """The explanation for one of the model's sensors."""
        if sensor not in self.admitted.present:
            raise InputError(
                f"sensor {sensor!r} is not one that the model learnt from and the source holds, so "
                "there is nothing to explain but the pretrained model; explain one of "
                + ", ".join(map(repr, self.admitted.present[:5]))
            )
        one = _Asked.of(self.model, self.admitted.frame, sensor)
        model, frame = one.model, one.frame
        home, mixed, experts = _experts(one)
        forecast, average = one.forecast()
        if sensor in short_of_history(frame, model.spec):
            experts = ()
        return Explanation(
            sensor,
            frame.quantity,
            frame.clock.shifted(len(frame)),
            forecast,
            average,
            model.tuned.mixture.prior,
            model.tuned.mixture.words[model.tuned.mixture.prior],
            home,
            mixed,
            _largest_first(experts),
            _largest_first(_parts(one, forecast)),
            _largest_first(_covariates(one, forecast)),
        )


def explained(forecast: Forecast, sensor: str) -> Explanation:
    """See `Forecast.explain`."""
    if sensor not in forecast.sensors:
        raise UnknownName("sensor of this forecast", str(sensor), forecast.sensors)
    if forecast.explainer is None:
        raise InputError(
            "this forecast was read from a table, and does not know what made it; forecast anew "
            "and explain that: model.forecast(frame).explain(sensor)"
        )
    if is_safe(word := forecast.quality[0, forecast.sensors.index(sensor)]):
        raise InputError(
            f"the forecast of {sensor!r} is not the model's ({word}), so there is nothing to "
            "explain; the model's own is that of model.forecast(frame)"
        )
    return forecast.explainer(sensor)


@dataclass(frozen=True, eq=False)
class _Asked:
    """What is asked about one sensor."""

    model: TunedModel
    frame: SensorFrame
    column: int
    """Where the sensor is in both."""

    @classmethod
    def of(cls, model: TunedModel, frame: SensorFrame, sensor: str) -> _Asked:
        """By itself, which forecasts it as the whole does, unless sensors are read together."""
        rows = max(0, len(frame) - reach_of(model.spec, frame.clock))  # a forecast looks so far
        if reads_together(model.backbone):
            whole = model.part(model.sensors)
            return cls(whole, frame.since(rows), model.sensors.index(sensor))
        return cls(model.part([sensor]), frame.select([sensor]).since(rows), 0)

    def forecast(self, frame: SensorFrame | None = None) -> tuple[Steps, Steps]:
        """(horizon,) the point forecast and the mean, also of a frame changed in part."""
        frame = self.frame if frame is None else frame
        found = self.model.predictor.predict(frame, [len(frame)], [self.column])
        return found.point[0, :, self.column], found.mean[0, :, self.column]


def _experts(one: _Asked) -> tuple[Steps, Steps, tuple[Effect, ...]]:
    """As pretrained, as mixed, and by what each expert moves the one to the other: exact."""
    model, frame = one.model, one.frame
    mixture, spec = model.tuned.mixture, model.spec
    seasonal = Seasonal(History.of(frame, ahead=spec.horizon))
    examples = Examples(torch.tensor([one.column]), torch.tensor([len(frame)]))
    assert model.places is not None, "it is a part"
    place = torch.tensor(model.places)[[one.column]]
    batch = Batch(model.backbone, seasonal, examples, spec, computed={SENSOR: place})
    prior = next(expert for expert in mixture.experts if expert.name == mixture.prior)
    first = (prior,) if prior not in mixture.needed else ()
    found = forecasts_of((*first, *mixture.needed), batch)
    home = found[mixture.prior][0]
    effects, mixed = [], home.clone()
    weights = mixture.weights[..., [mixture.names.index(name) for name in mixture.counted]]
    shares = weights / weights.sum(-1, keepdim=True).clamp_min(1e-9) * mixture.trust[:, None]
    for i, name in enumerate(mixture.counted):
        share = by_step(shares[..., i], spec.horizon, place)[0]
        moved = share * (found[name][0] - home)
        mixed += moved
        effects.append(
            Effect("expert", name, mixture.words[name], moved.numpy(), float(share.mean()))
        )
    return home.numpy(), mixed.numpy(), tuple(effects)


def _parts(one: _Asked, forecast: Steps) -> list[Effect]:
    """The forecast less that without each part of the sensor's past."""
    frame, found = one.frame, []
    for words, rows in stretches(frame.clock, len(frame)).items():
        values = frame.values.copy()
        if not np.isfinite(values[rows, one.column]).any():
            continue
        values[rows, one.column] = np.nan
        without, _ = one.forecast(replace(frame, values=values))
        found.append(Effect("past", words, words, forecast - without))
    return found


def stretches(clock: Clock, rows: int) -> dict[str, slice]:
    """Words → rows of the parts into which a history of so many rows is taken apart."""
    day = clock.steps_per_day
    edges = [
        (h * day // 24, duration(clock.step * (h * day // 24)))
        for h in EDGES_HOURS
        if day >= 24 or not h
    ]
    edges += [(d * day, duration(clock.step * (d * day))) for d in EDGES_DAYS]
    found, last = {}, None
    for (start, before), (end, back) in pairwise(edges):
        if start < rows:
            words = f"the last {back}" if not start else f"the time from {back} to {before} ago"
            found[words] = slice(max(0, rows - end), rows - start)
            last = end
    if last is not None and rows > last:
        found[f"the time before {duration(clock.step * last)} ago"] = slice(0, rows - last)
    return found


def _covariates(one: _Asked, forecast: Steps) -> list[Effect]:
    """The forecast less that with each covariate ahead as it usually is at that time of day."""
    frame, found = one.frame, []
    for name, table in frame.covariates.items():
        usual = _as_usual(table, len(frame), one.model.spec.horizon, frame.clock.steps_per_day)
        other = replace(frame, covariates={**frame.covariates, name: usual})
        without, _ = one.forecast(other)
        words = f"{name} ahead not being as usual at that hour"
        found.append(Effect("covariate", name, words, forecast - without))
    return found


def _as_usual(table: Steps, rows: int, horizon: int, day: int) -> Steps:
    """The table with what lies ahead replaced by the mean of the last days at the same time."""
    found = table.copy()
    for step in range(rows, min(rows + horizon, len(table))):
        back = -(-(step - rows + 1) // day)
        before = step - (back + np.arange(USUAL_DAYS)) * day
        past = table[before[before >= 0]]
        count = np.isfinite(past).sum(0)
        mean = np.nansum(past, 0) / np.maximum(count, 1)
        # Where it is not known ahead, it stays so.
        found[step] = np.where((count > 0) & np.isfinite(table[step]), mean, table[step])
    return found


def _largest_first(effects: tuple[Effect, ...] | list[Effect]) -> tuple[Effect, ...]:
    return tuple(sorted(effects, key=lambda one: -one.size))
