"""Cut the errors of a backtest by sensor, hour, weekday and horizon, and its coverage by level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune.forecasting import LEVELS, Forecast

if TYPE_CHECKING:
    from citytune.evaluation import Detail, Scores

WEEK, MOST_STEPS = 7, 28
"""The newest held-out days in one chart: a week, or 28 steps of a slow clock."""
MOST_BINS = 48

Floats = NDArray[np.float64]


class Profile(NamedTuple):
    """Mean absolute errors along one axis (hour, weekday or steps ahead)."""

    at: Floats  # (place,) on the axis
    errors: dict[str, Floats]  # model name → (place,), in the unit of the data


@dataclass(frozen=True)
class SensorError:
    """How well one sensor is forecast on days not used for fitting."""

    name: str
    mae: float
    """Mean absolute error, in the unit of the data."""
    relative: float
    """The same as a share of the sensor's own mean level."""
    rival: float
    """Mean absolute error of the best naive forecast."""
    level: float
    """Mean absolute value of what was measured."""


class Pick(NamedTuple):
    """A sensor worth looking at first, and why."""

    sensor: SensorError
    roles: tuple[str, ...]  # of "best", "median", "worst", "busiest", "only"


def rivals(scores: Scores) -> list[str]:
    """Names of the models drawn together: tuned, zero-shot, the best naive."""
    means = scores.detail.points
    names = ("tuned", "zero-shot", scores.best_naive)
    return [name for name in names if name and name in means and np.isfinite(means[name]).any()]


def sensor_errors(detail: Detail, rival: str | None) -> list[SensorError]:
    """Errors of every sensor that was measured in the holdout, in the frame's order."""
    errors = _errors(detail, [name for name in ("tuned", rival) if name in detail.points])
    mae = _mean(errors["tuned"], (0, 1))
    other = _mean(errors[rival], (0, 1)) if rival in errors else np.full(len(mae), np.nan)
    level = _mean(np.abs(detail.actual.astype(float)), (0, 1))
    return [
        SensorError(name, mae[i], mae[i] / level[i] if level[i] > 0 else np.nan, other[i], level[i])
        for i, name in enumerate(detail.frame.sensors)
        if np.isfinite(mae[i])
    ]


def first_looks(sensors: Sequence[SensorError]) -> list[Pick]:
    """The best, median, worst and busiest sensor, each once however many of these it is."""
    ranked = sorted(sensors, key=lambda s: (not np.isfinite(s.relative), s.relative))
    if not ranked:
        return []
    if len(ranked) == 1:
        return [Pick(ranked[0], ("only",))]
    roles: dict[str, SensorError] = {"best": ranked[0]}
    if len(ranked) > 2:
        roles["median"] = ranked[len(ranked) // 2]
    roles["worst"] = ranked[-1]
    roles["busiest"] = max(ranked, key=lambda s: s.level)
    picked: dict[str, list[str]] = {}
    for role, sensor in roles.items():
        picked.setdefault(sensor.name, []).append(role)
    known = {sensor.name: sensor for sensor in ranked}
    return [Pick(known[name], tuple(found)) for name, found in picked.items()]


def by_hour(detail: Detail, names: Sequence[str]) -> Profile | None:
    """Errors by hour of the day in wall time; None for a clock slower than six hours."""
    clock = detail.frame.clock
    if clock.steps_per_day < 4:
        return None
    seconds = (_local(detail) - _local(detail).astype("datetime64[D]")).astype("timedelta64[s]")
    return _profile(detail, names, seconds.astype(np.int64) // 3600)


def by_weekday(detail: Detail, names: Sequence[str]) -> Profile | None:
    """Errors by weekday, Monday 0; None if fewer than two weekdays were held out."""
    days = _local(detail).astype("datetime64[D]").astype(np.int64)
    found = _profile(detail, names, (days + 3) % 7)  # 1970-01-01 was a Thursday
    return found if len(found.at) > 1 else None


def by_horizon(detail: Detail, names: Sequence[str]) -> Profile | None:
    """Errors by steps ahead (1 is the next step), in at most `MOST_BINS`; None for one step."""
    origins, horizon, _ = detail.actual.shape
    if horizon < 2:
        return None
    size = -(-horizon // MOST_BINS)
    bins = np.arange(horizon) // size
    found = _profile(detail, names, np.broadcast_to(bins, (origins, horizon)))
    last = np.minimum((found.at + 1) * size, horizon)
    return Profile((found.at * size + 1 + last) / 2, found.errors)


def coverage(detail: Detail) -> Floats | None:
    """Share of measured values below each quantile (level,), ties by half; None if none was.

    Where many values are 0 and so is the quantile, counting ties whole would look like a fault.
    """
    actual = detail.actual[..., None]
    known = np.isfinite(actual) & np.isfinite(detail.quantiles)
    counts = known.sum((0, 1, 2))
    if not counts.all():
        return None
    below = ((actual < detail.quantiles) + 0.5 * (actual == detail.quantiles)) * known
    return np.asarray(below.sum((0, 1, 2)) / counts, dtype=float)


def replay(detail: Detail, sensor: str) -> Forecast:
    """The held-out forecasts of one sensor as one run: each moment once, the newest days last.

    Moments no chosen origin reaches are NaN.
    """
    horizon = detail.actual.shape[1]
    chosen = _apart(detail.origin_index, horizon)
    longest = max(horizon, WEEK * detail.frame.clock.steps_per_day, MOST_STEPS)
    end = int(detail.origin_index[chosen[-1]]) + horizon
    chosen = [i for i in chosen if end - int(detail.origin_index[i]) <= longest]
    start = int(detail.origin_index[chosen[0]])
    column = detail.frame.sensors.index(sensor)
    point = np.full((end - start, 1), np.nan, np.float32)
    quantiles = np.full((end - start, 1, len(LEVELS)), np.nan, np.float32)
    for i in chosen:
        rows = slice(
            int(detail.origin_index[i]) - start, int(detail.origin_index[i]) - start + horizon
        )
        point[rows, 0] = detail.points["tuned"][i, :, column]
        quantiles[rows, 0] = detail.quantiles[i, :, column]
    clock = detail.frame.clock.shifted(start)
    return Forecast(point, quantiles, clock, (sensor,), detail.frame.quantity, moved=point)


def _apart(origins: NDArray[np.int64], horizon: int) -> list[int]:
    """Positions of origins at least one horizon apart, ascending in time, the last one kept."""
    kept: list[int] = []
    for i in np.argsort(origins)[::-1]:
        if not kept or origins[kept[-1]] - origins[i] >= horizon:
            kept.append(int(i))
    return kept[::-1]


def _local(detail: Detail) -> NDArray[np.datetime64]:
    """Wall times (origin, horizon) of everything forecast."""
    steps = detail.origin_index[:, None] + np.arange(detail.actual.shape[1])
    first = int(steps.min())
    return detail.frame.clock.local(first, int(steps.max()) - first + 1)[steps - first]


def _profile(detail: Detail, names: Sequence[str], group: NDArray[np.int64]) -> Profile:
    places = int(group.max()) + 1
    flat = group.reshape(-1)
    found = {}
    for name, error in _errors(detail, names).items():
        known = np.isfinite(error)
        count = np.bincount(flat, known.sum(2).reshape(-1), places)
        total = np.bincount(flat, np.where(known, error, 0).sum(2).reshape(-1), places)
        found[name] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    there = np.isfinite(np.stack(list(found.values()))).any(0)
    return Profile(np.flatnonzero(there).astype(float), {n: e[there] for n, e in found.items()})


def _errors(detail: Detail, names: Sequence[str | None]) -> dict[str, Floats]:
    """Absolute errors (origin, horizon, sensor), on the moments that every named model forecast."""
    means: Mapping[str, NDArray[Any]] = {name: detail.points[name] for name in names if name}
    errors = {name: np.abs(mean.astype(float) - detail.actual) for name, mean in means.items()}
    common = np.isfinite(np.stack(list(errors.values()))).all(0)
    return {name: np.where(common, error, np.nan) for name, error in errors.items()}


def _mean(values: Floats, axes: tuple[int, ...]) -> Floats:
    """Mean over what is known; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axes)
    total = np.where(known, values, 0.0).sum(axes)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
