"""Ask every model of a backtest for its forecasts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from citytune._errors import InputError
from citytune.evaluation._arrays import Floats
from citytune.evaluation._baselines import baselines
from citytune.evaluation._holdout import Block, Holdout
from citytune.evaluation._intervals import intervals
from citytune.evaluation._progress import Tell
from citytune.frame import SensorFrame

if TYPE_CHECKING:
    from citytune.forecasting import Admitted, TunedModel


NOT_COMPARED = "not compared with the pretrained model without fine-tuning"
CANNOT = "cannot forecast by itself; zero-shot is the best seasonal rule of the rows before"


class Forecasts(NamedTuple):
    """A model's forecasts from every origin of a holdout."""

    point: Floats  # (origin, horizon, sensor), what absolute errors are measured on
    mean: Floats  # (origin, horizon, sensor), what squared errors are measured on
    quantiles: Floats  # (origin, horizon, sensor, level)
    plain: Floats  # (origin, horizon, sensor), `point` before it is moved toward rare values


def tuned_of(model: TunedModel, admitted: Admitted, holdout: Holdout, tell: Tell) -> Forecasts:
    """The tuned model's, fitted anew for every block if the holdout says so."""
    frame = measured(admitted)
    fitted = []
    for block in holdout.blocks:
        tell.start("refitting" if holdout.refit else "scoring")
        fitted.append(_fit(model, frame, block, None, tell) if holdout.refit else model)
        tell.finish()
    return _predict(fitted, frame if holdout.refit else admitted, holdout)


def measured(admitted: Admitted) -> SensorFrame:
    """What is scored: the model's sensors that are there, with all that is known ahead."""
    return admitted.whole.select(admitted.present)


def plain_of(
    model: TunedModel, frame: SensorFrame, holdout: Holdout, tuned: Forecasts, tell: Tell
) -> Forecasts | None:
    """Those of the same model without emphasis on rare values; None if it has none.

    Where that care entered the fit, such a model is fitted first.
    """
    if model.rare is None:
        return None
    if not model.rare.moves_fit:
        return tuned._replace(point=tuned.plain)
    careless = replace(model, settings=replace(model.settings, rare=None))
    fitted = []
    for block in holdout.blocks:
        tell.start("without emphasis on rare values")
        try:
            fitted.append(_fit(careless, frame, block, None, tell))
        except InputError:  # a new file may hold too few rows
            return None
        tell.finish()
    return _predict(fitted, frame, holdout)


def untouched_of(
    model: TunedModel, frame: SensorFrame, holdout: Holdout, tuned: Forecasts, tell: Tell
) -> tuple[Forecasts | None, list[str]]:
    """Those of the zero-shot model, or None; and what to say of them.

    A model that cannot forecast by itself starts from the best seasonal rule of the rows before,
    and that is then "zero-shot".
    """
    own = model.card.horizon is not None
    said = [] if own else [f"{model.card.name} {CANNOT}"]
    if model.strategy == "zero-shot":
        return tuned, said
    fitted = []
    for block in holdout.blocks:
        tell.start("zero-shot")
        try:
            fitted.append(_fit(model, frame, block, "zero-shot", tell))
        except InputError as error:  # a new file may hold too few rows for its intervals
            return None, [f"{NOT_COMPARED}: {error}"]
        tell.finish()
    return _predict(fitted, frame, holdout), said


def simple_of(name: str, frame: SensorFrame, holdout: Holdout, horizon: int, tell: Tell) -> Floats:
    """A baseline's: (origin, horizon, sensor)."""
    parts = []
    for block in holdout.blocks:
        tell.start(name)
        parts.append(baselines[name](frame, block.origins.tolist(), horizon, block.train_end))
        tell.finish()
    return np.concatenate(parts)


def quantiles_of(
    name: str, mean: Floats, frame: SensorFrame, holdout: Holdout, tell: Tell
) -> Floats | None:
    """Around a baseline's (origin, horizon, sensor): an axis of levels behind.

    Returns:
        None if any block has too little to look back on.
    """
    parts: list[Floats] = []
    cuts = np.cumsum([len(block.origins) for block in holdout.blocks])[:-1]
    for block, own in zip(holdout.blocks, np.split(mean, cuts), strict=True):
        tell.start(f"intervals of {name}")
        found = intervals(baselines[name], own, frame, block.origins, block.train_end)
        tell.finish()
        if found is not None:
            parts.append(found)
    return np.concatenate(parts) if len(parts) == len(holdout.blocks) else None


def _fit(
    model: TunedModel, frame: SensorFrame, block: Block, strategy: str | None, tell: Tell
) -> TunedModel:
    """A model like `model`, learnt from the rows before a block's `train_end`."""
    from citytune.forecasting import refit

    rows = frame.until(block.train_end)
    return refit(model, rows, strategy=strategy, progress=tell.within)


def _predict(
    fitted: list[TunedModel], source: SensorFrame | Admitted, holdout: Holdout
) -> Forecasts:
    """Forecasts of every block by its own model, of the sensors that are there."""
    parts = []
    for model, block in zip(fitted, holdout.blocks, strict=True):
        found = model.predict(source, block.origins)
        there = source.sensors if isinstance(source, SensorFrame) else source.present
        if there != model.sensors:
            found = found.take([model.sensors.index(name) for name in there])
        parts.append(Forecasts(found.point, found.mean, found.quantiles, found.plain))
    return Forecasts(*(np.concatenate(same) for same in zip(*parts, strict=True)))
