"""Ask every model of a backtest for its forecasts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from citytune._errors import InputError
from citytune._progress import Progress
from citytune.engines import Engine
from citytune.evaluation._arrays import Floats
from citytune.evaluation._baselines import Baseline, baselines
from citytune.evaluation._holdout import Block, Holdout
from citytune.evaluation._intervals import intervals
from citytune.evaluation._progress import Tell
from citytune.frame import SensorFrame, convert, same_unit

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


class Spread(NamedTuple):
    """How fits of blocks, and forecasts of groups of sensors, are spread over an engine."""

    engine: Engine
    group: int


def tuned_of(
    model: TunedModel,
    admitted: Admitted,
    holdout: Holdout,
    tell: Tell,
    spread: Spread | None = None,
) -> Forecasts:
    """The tuned model's, fitted anew for every block if the holdout says so."""
    frame, fitted = measured(admitted), [model] * len(holdout.blocks)
    if holdout.refit:
        fitted = _fits(model, frame, holdout, None, "refitting", tell, spread)
    else:
        tell.start("scoring")
        tell.finish()
    return predict(fitted, frame if holdout.refit else admitted, holdout, spread)


def measured(admitted: Admitted) -> SensorFrame:
    """What is scored: the model's sensors that are there, with all that is known ahead."""
    return admitted.whole.select(admitted.present)


def plain_of(
    model: TunedModel,
    frame: SensorFrame,
    holdout: Holdout,
    tuned: Forecasts,
    tell: Tell,
    spread: Spread | None = None,
) -> Forecasts | None:
    """Those of the same model without emphasis on rare values; None if it has none.

    Where that care entered the fit, such a model is fitted first.
    """
    if model.rare is None:
        return None
    if not model.rare.moves_fit:
        return tuned._replace(point=tuned.plain)
    careless = replace(model, settings=replace(model.settings, rare=None))
    stage = "without emphasis on rare values"
    try:
        fitted = _fits(careless, frame, holdout, None, stage, tell, spread)
    except InputError:  # a new file may hold too few rows
        return None
    return predict(fitted, frame, holdout, spread)


def untouched_of(
    model: TunedModel,
    frame: SensorFrame,
    holdout: Holdout,
    tuned: Forecasts,
    tell: Tell,
    spread: Spread | None = None,
) -> tuple[Forecasts | None, list[str]]:
    """Those of the zero-shot model, or None; and what to say of them.

    A model that cannot forecast by itself starts from the best seasonal rule of the rows before,
    and that is then "zero-shot".
    """
    own = model.card.horizon is not None
    said = [] if own else [f"{model.card.name} {CANNOT}"]
    if model.strategy == "zero-shot":
        return tuned, said
    try:
        fitted = _fits(model, frame, holdout, "zero-shot", "zero-shot", tell, spread)
    except InputError as error:  # a new file may hold too few rows for its intervals
        return None, [f"{NOT_COMPARED}: {error}"]
    return predict(fitted, frame, holdout, spread), said


def simple_of(
    name: str,
    frame: SensorFrame,
    holdout: Holdout,
    horizon: int,
    tell: Tell,
    rule: Baseline | None = None,
) -> Floats:
    """A baseline's: (origin, horizon, sensor); the registered one's unless another is given."""
    rule, parts = rule or baselines[name], []
    for block in holdout.blocks:
        tell.start(name)
        parts.append(rule(frame, block.origins.tolist(), horizon, block.train_end))
        tell.finish()
    return np.concatenate(parts)


def quantiles_of(
    name: str,
    mean: Floats,
    frame: SensorFrame,
    holdout: Holdout,
    tell: Tell,
    rule: Baseline | None = None,
) -> Floats | None:
    """Around a baseline's (origin, horizon, sensor): an axis of levels behind.

    Returns:
        None if any block has too little to look back on.
    """
    parts: list[Floats] = []
    cuts = np.cumsum([len(block.origins) for block in holdout.blocks])[:-1]
    for block, own in zip(holdout.blocks, np.split(mean, cuts), strict=True):
        tell.start(f"intervals of {name}")
        found = intervals(rule or baselines[name], own, frame, block.origins, block.train_end)
        tell.finish()
        if found is not None:
            parts.append(found)
    return np.concatenate(parts) if len(parts) == len(holdout.blocks) else None


@dataclass(frozen=True, eq=False)
class FitBlock:
    """Fits a model like another, learnt from the rows before a block's `train_end`."""

    model: TunedModel
    frame: SensorFrame
    strategy: str | None

    def __call__(self, block: Block, tell: Progress | None = None) -> TunedModel:
        """The model of a block."""
        from citytune.forecasting import refit

        rows = self.frame.until(block.train_end)
        return refit(self.model, rows, strategy=self.strategy, progress=tell)


@dataclass(frozen=True, eq=False)
class PredictGroup:
    """Forecasts some sensors with the model of every block."""

    fitted: list[TunedModel]
    holdout: Holdout

    def __call__(self, frame: SensorFrame) -> Forecasts:
        """As all of them are forecast together."""
        from citytune.forecasting import admit

        parts = [model.part(frame.sensors) for model in self.fitted]
        return predict(parts, admit(parts[0], frame, new="not scored"), self.holdout)


def _fits(
    model: TunedModel,
    frame: SensorFrame,
    holdout: Holdout,
    strategy: str | None,
    stage: str,
    tell: Tell,
    spread: Spread | None,
) -> list[TunedModel]:
    """The model of every block, each from the rows before it."""
    work, found = FitBlock(model, frame, strategy), []
    if spread is not None:
        work = replace(work, model=replace(model, memory=None))
    there = None if spread is None else iter(spread.engine.map(work, holdout.blocks))
    for block in holdout.blocks:
        tell.start(stage)
        found.append(work(block, tell.within) if there is None else next(there))
        tell.finish()
    return found


def predict(
    fitted: list[TunedModel],
    source: SensorFrame | Admitted,
    holdout: Holdout,
    spread: Spread | None = None,
) -> Forecasts:
    """Forecasts of every block by its own model, of the sensors and in the unit of `source`."""
    from citytune.forecasting import admit

    if spread is not None:
        return _by_groups(fitted, source, holdout, spread)
    parts = []
    frame = source if isinstance(source, SensorFrame) else source.whole
    there = source.sensors if isinstance(source, SensorFrame) else source.present
    for model, block in zip(fitted, holdout.blocks, strict=True):
        unit, asked = model.quantity.unit, frame.quantity.unit
        same = same_unit(unit, asked)
        found = model.predict(source if same else admit(model, source), block.origins)
        if there != model.sensors:
            found = found.take([model.sensors.index(name) for name in there])
        own = Forecasts(found.point, found.mean, found.quantiles, found.plain)
        parts.append(own if same else _converted(own, unit, asked))
    return Forecasts(*(np.concatenate(same) for same in zip(*parts, strict=True)))


def _by_groups(
    fitted: list[TunedModel], source: SensorFrame | Admitted, holdout: Holdout, spread: Spread
) -> Forecasts:
    """The same, of groups of sensors one after the other."""
    frame = source if isinstance(source, SensorFrame) else measured(source)
    light = [replace(model, memory=None) for model in fitted]  # also without the network
    groups = (
        frame.select(frame.sensors[first : first + spread.group])
        for first in range(0, len(frame.sensors), spread.group)
    )
    found = list(spread.engine.map(PredictGroup(light, holdout), groups))
    return Forecasts(*(np.concatenate(same, 2) for same in zip(*found, strict=True)))


def _converted(found: Forecasts, unit: str, asked: str) -> Forecasts:
    """In the unit of what is scored; as they are where a unit is not known."""
    parts = [convert(part, unit, asked) for part in found]
    return Forecasts(
        *(own if part is None else part for own, part in zip(found, parts, strict=True))
    )
