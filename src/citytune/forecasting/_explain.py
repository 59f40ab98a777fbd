"""Why a forecast is what it is: what each expert, covariate and part of the past moved it by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from citytune._errors import InputError, UnknownName
from citytune._text import duration
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
        model = self.model.part([sensor])  # which forecasts it as the whole does, at once
        frame = _lately(model, self.admitted.frame.select([sensor]))
        home, mixed, experts = _experts(model, frame)
        forecast, average = _forecast(model, frame)
        if short_of_history(frame, model.spec):
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
            _largest_first(_parts(model, frame, forecast)),
            _largest_first(_covariates(model, frame, forecast)),
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


def _lately(model: TunedModel, frame: SensorFrame) -> SensorFrame:
    """As far back as a forecast looks."""
    return frame.since(max(0, len(frame) - reach_of(model.spec, frame.clock)))


def _forecast(model: TunedModel, frame: SensorFrame) -> tuple[Steps, Steps]:
    """(horizon,) the point forecast and the mean."""
    found = model.predictor.predict(frame, [len(frame)], [0])
    return found.point[0, :, 0], found.mean[0, :, 0]


def _asked(model: TunedModel, frame: SensorFrame) -> Steps:
    return _forecast(model, frame)[0]


def _experts(model: TunedModel, frame: SensorFrame) -> tuple[Steps, Steps, tuple[Effect, ...]]:
    """As pretrained, as mixed, and by what each expert moves the one to the other: exact."""
    mixture, spec = model.tuned.mixture, model.spec
    seasonal = Seasonal(History.of(frame, ahead=spec.horizon))
    examples = Examples(torch.tensor([0]), torch.tensor([len(frame)]))
    place = torch.tensor(model.places)
    batch = Batch(model.backbone, seasonal, examples, spec, computed={SENSOR: place})
    prior = next(one for one in mixture.experts if one.name == mixture.prior)
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


def _parts(model: TunedModel, frame: SensorFrame, forecast: Steps) -> list[Effect]:
    """The forecast less that without each part of the past."""
    found = []
    for words, rows in stretches(frame.clock, len(frame)).items():
        values = frame.values.copy()
        if not np.isfinite(values[rows]).any():
            continue
        values[rows] = np.nan
        without = _asked(model, replace(frame, values=values))
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


def _covariates(model: TunedModel, frame: SensorFrame, forecast: Steps) -> list[Effect]:
    """The forecast less that with each covariate ahead as it usually is at that time of day."""
    found = []
    for name, table in frame.covariates.items():
        usual = _as_usual(table, len(frame), model.spec.horizon, frame.clock.steps_per_day)
        other = replace(frame, covariates={**frame.covariates, name: usual})
        without = _asked(model, other)
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
