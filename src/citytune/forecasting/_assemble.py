"""Put the forecasts of known and of new sensors together, each with what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from citytune.backbones import alone
from citytune.forecasting._door import Admitted
from citytune.forecasting._forecast import Forecast
from citytune.forecasting._predict import Prediction, Predictor, below
from citytune.forecasting._quality import Words, quality_of, quality_of_new, silent_sentence
from citytune.forecasting._untuned import untuned
from citytune.settings import Settings


def forecast_of(predictor: Predictor, settings: Settings, admitted: Admitted) -> Forecast:
    """The forecast from the step after the last row of what was admitted.

    Args:
        predictor: Of a tuned model.
        settings: Of that model, by which new sensors are forecast untuned.
        admitted: What was measured.
    """
    frame, wanted = admitted.frame, admitted.wanted
    lower = below(predictor.quantity.low, admitted.whole.select(admitted.new))
    predictor = replace(predictor, below=(*predictor.below, *lower))
    where = {name: i for i, name in enumerate((*frame.sensors, *admitted.new))}
    known = {*admitted.present}
    columns = [i for i, name in enumerate(frame.sensors) if name in known]
    found = predictor.predict(frame, [len(frame)], columns)
    quality = quality_of(admitted, predictor.spec, found.mean[0])
    if admitted.new:
        more, words = _of_new(predictor, settings, admitted)
        found = Prediction(
            *(np.concatenate(both, axis=2) for both in zip(found, more, strict=True))
        )
        quality = np.concatenate([quality, words], axis=1)
    chosen = [where[name] for name in wanted]
    if chosen != list(range(len(where))):
        found, quality = found.take(chosen), quality[:, chosen]
    return Forecast(
        mean=found.mean[0],
        quantiles=found.quantiles[0],
        clock=frame.clock.shifted(len(frame)),
        sensors=wanted,
        quantity=predictor.quantity_of(wanted),
        moved=None if predictor.tuned.tilt is None else found.point[0],
        quality=quality,
        notes=(*admitted.said, *_silent(admitted, wanted)),
        library=admitted.whole.origin.library,
    )


def _of_new(
    predictor: Predictor, settings: Settings, admitted: Admitted
) -> tuple[Prediction, Words]:
    frame = admitted.whole.select(admitted.new)
    spec = predictor.spec
    backbone = alone(predictor.backbone)
    tuned, frame = untuned(backbone, spec, settings, frame)
    own = replace(predictor, tuned=tuned, backbone=backbone, places=None)
    every = range(len(frame.sensors))
    found = own.predict(frame, [len(frame)], every)
    return found, quality_of_new(frame, spec, found.mean[0])


def _silent(admitted: Admitted, wanted: Sequence[str]) -> list[str]:
    there = {*admitted.whole.sensors}
    return silent_sentence(admitted.whole, [name for name in wanted if name in there])
