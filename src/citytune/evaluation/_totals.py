"""Scores that add up: sums over some sensors, which with those of the others are the whole's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from citytune.evaluation._arrays import Floats
from citytune.evaluation._detail import Detail
from citytune.evaluation._forecasts import Forecasts, measured, predict, simple_of
from citytune.evaluation._holdout import Holdout
from citytune.evaluation._metrics import day_scale
from citytune.evaluation._progress import Tell
from citytune.evaluation._rare import REGIONS, region_of

if TYPE_CHECKING:
    from citytune.forecasting import Copula, TunedModel
    from citytune.frame import SensorFrame

Doubles = NDArray[np.float64]
BY_GROUPS = ("naive-day", "naive-week", "naive-weeks4", "historical-average")
"""Rules that look at one sensor at a time; the others learn from all at once."""


@dataclass(frozen=True, eq=False)
class ModelTotals:
    """What is added up of one model."""

    error: Doubles
    """(sensor,) sum of absolute errors."""
    square: float
    """Sum of squared errors of the mean."""
    pinball: Doubles | None = None
    """(level,) sums of the quantile loss; None without quantiles."""
    inside: int = 0
    """Values within the 90 % interval."""
    within: int = 0
    """Values that have one."""
    width: float = 0.0
    """Sum of its widths."""

    def then(self, other: ModelTotals) -> ModelTotals:
        """Of these and other sensors."""
        both = self.pinball is not None and other.pinball is not None
        return ModelTotals(
            np.concatenate([self.error, other.error]),
            self.square + other.square,
            self.pinball + other.pinball if both else None,  # type: ignore[operator]
            self.inside + other.inside,
            self.within + other.within,
            self.width + other.width,
        )


@dataclass(frozen=True, eq=False)
class Totals:
    """What is added up of some sensors."""

    sensors: tuple[str, ...]
    count: NDArray[np.int64]
    """(sensor,) values scored."""
    scale: Doubles
    """(sensor,) see `day_scale`."""
    size: float
    """Sum of the absolute values scored."""
    models: Mapping[str, ModelTotals]
    regions: Mapping[str, tuple[int, Mapping[str, float]]] = field(default_factory=dict)
    """Region → values in it, and model → the sum of its absolute errors there."""
    copula: Copula | None = None
    """How the errors of the tuned model go together; None if that was not asked for."""

    def then(self, other: Totals) -> Totals:
        """Of these and other sensors; models that one of them lacks are left out."""
        names = [name for name in self.models if name in other.models]
        regions = {
            region: (
                count + other.regions[region][0],
                {name: errors[name] + other.regions[region][1][name] for name in names},
            )
            for region, (count, errors) in self.regions.items()
        }
        return Totals(
            (*self.sensors, *other.sensors),
            np.concatenate([self.count, other.count]),
            np.concatenate([self.scale, other.scale]),
            self.size + other.size,
            {name: self.models[name].then(other.models[name]) for name in names},
            regions,
            self.copula and other.copula and self.copula.beside(other.copula),
        )

    def metrics(self) -> dict[str, dict[str, float]]:
        """Model → metric → value, as `Scores.models` has it."""
        return {name: self._metrics(found) for name, found in self.models.items()}

    def _metrics(self, found: ModelTotals) -> dict[str, float]:
        count = int(self.count.sum())
        with np.errstate(invalid="ignore", divide="ignore"):
            scaled = found.error / self.count / self.scale
        usable = (self.count > 0) & np.isfinite(self.scale) & (self.scale > 0)
        metrics = {
            "mae": _ratio(float(found.error.sum()), count),
            "rmse": _ratio(found.square, count) ** 0.5,
            "mase": _ratio(float(scaled[usable].sum()), int(usable.sum())),
        }
        if found.pinball is None:
            return metrics | dict.fromkeys(("wql", "coverage_90", "width_90"), float("nan"))
        return metrics | {
            "wql": _ratio(2 * float(found.pinball.mean()), self.size),
            "coverage_90": _ratio(found.inside, found.within),
            "width_90": _ratio(found.width, found.within),
        }


def score_part(
    models: Mapping[str, TunedModel],
    frame: SensorFrame,
    holdout: Holdout,
    names: Sequence[str],
    *,
    copula: bool = False,
) -> Totals:
    """Score models on some of their sensors, as `backtest` scores them on all.

    Args:
        models: Name → a model of the sensors of `frame`; "tuned" is among them, and none has
            learnt from rows that are scored.
        frame: Sensors of theirs.
        holdout: Of all sensors.
        names: Of `BY_GROUPS`.
        copula: Whether to say how the errors of the tuned model go together.
    """
    from citytune.forecasting import admit

    tell = Tell(None, 1)
    tuned = models["tuned"]
    admitted = admit(tuned, frame, new="not scored")
    frame = measured(admitted)
    asked = {"tuned": predict([tuned] * len(holdout.blocks), admitted, holdout)}
    if tuned.rare is not None and not tuned.rare.moves_fit:
        asked["tuned-plain"] = asked["tuned"]._replace(point=asked["tuned"].plain)
    for name, model in models.items():
        if name != "tuned":
            asked[name] = predict([model] * len(holdout.blocks), frame, holdout)
    horizon = tuned.spec.horizon
    simple = {name: simple_of(name, frame, holdout, horizon, tell) for name in names}
    points = {name: found.point for name, found in asked.items()} | simple
    origins = holdout.origins
    actual = frame.values[origins[:, None] + np.arange(horizon)]
    detail = Detail(actual, points, asked["tuned"].quantiles, origins, frame)
    totals = _totals(detail, asked, simple, holdout.blocks[0].train_end)
    return replace(totals, copula=_copula(tuned, detail)) if copula else totals


def _copula(model: TunedModel, detail: Detail) -> Copula:
    from citytune.forecasting import Copula

    low, high = model.predictor.lowest(model.sensors), model.quantity.high
    return Copula.of(detail.quantiles, detail.actual, low=low, high=high)


def _totals(
    detail: Detail, asked: Mapping[str, Forecasts], simple: Mapping[str, Floats], train_end: int
) -> Totals:
    fair, frame = detail.fair, detail.frame
    known = np.isfinite(fair)
    found = {
        name: _of_model(fair, one.point, one.mean, one.quantiles) for name, one in asked.items()
    }
    found |= {name: _of_model(fair, point, point, None) for name, point in simple.items()}
    return Totals(
        frame.sensors,
        known.sum((0, 1)),
        day_scale(frame.values[:train_end], frame.clock.steps_per_day),
        float(np.abs(fair[known].astype(np.float64)).sum()),
        found,
        _regions(detail, fair),
    )


def _of_model(fair: Floats, point: Floats, mean: Floats, quantiles: Floats | None) -> ModelTotals:
    from citytune.forecasting import LEVELS

    exact = fair.astype(np.float64)
    error, square = np.abs(exact - point), np.square(exact - mean)
    sums = np.nansum(error, (0, 1)), float(np.nansum(square))
    if quantiles is None:
        return ModelTotals(*sums)
    pinball = []
    for level in LEVELS[LEVELS.index(0.1) : LEVELS.index(0.9) + 1]:
        off = exact - quantiles[..., LEVELS.index(level)]
        pinball.append(np.nansum(np.maximum(level * off, (level - 1) * off)))
    low, high = quantiles[..., LEVELS.index(0.05)], quantiles[..., LEVELS.index(0.95)]
    there = np.isfinite(fair) & np.isfinite(low) & np.isfinite(high)
    inside = (fair >= low) & (fair <= high) & there
    width = float((high.astype(np.float64) - low)[there].sum())
    return ModelTotals(*sums, np.array(pinball), int(inside.sum()), int(there.sum()), width)


def _regions(detail: Detail, fair: Floats) -> dict[str, tuple[int, dict[str, float]]]:
    history = detail.history
    which = np.full(fair.shape, -1)
    for sensor in range(fair.shape[2]):
        which[..., sensor] = region_of(fair[..., sensor], history[:, sensor])
    errors = {n: np.abs(fair.astype(np.float64) - point) for n, point in detail.points.items()}
    return {
        name: (
            int((which == i).sum()),
            {model: float(error[which == i].sum()) for model, error in errors.items()},
        )
        for i, name in enumerate(REGIONS)
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
