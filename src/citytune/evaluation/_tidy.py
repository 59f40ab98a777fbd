"""Errors as a tidy table: a row for each model, metric, and sensor, origin or lead asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError, UnknownName
from citytune._tables import in_zone
from citytune._text import listed
from citytune.evaluation._detail import Detail

if TYPE_CHECKING:
    import polars as pl

AXES = ("sensor", "origin", "lead")
"""What errors may be split by, apart from the model; the axes of a cube here."""
MOST_ROWS = 20_000_000
"""Longest table made: some 1.5 GB."""
Cube = NDArray[np.float64]
"""(sensor, origin, lead); NaN where there is nothing to measure."""


def tidy(
    detail: Detail,
    totals: Mapping[str, Mapping[str, float]],
    by: Sequence[str],
    metrics: Sequence[str] | None,
) -> pl.DataFrame:
    """Columns `model`, those of `by`, `metric` and `value`; what cannot be had has no row.

    Args:
        detail: Every forecast with what happened.
        totals: Model → metric → its value over everything.
        by: "model", and any of "sensor", "origin" and "lead".
        metrics: Which; all that can be had if None.

    Raises:
        InputError: there is no such level or metric, or the table would be too long.
    """
    import polars as pl

    kept = _kept(by)
    known = [*_COUNTED, *(() if kept else next(iter(totals.values())))]
    wanted = list(dict.fromkeys(known if metrics is None else metrics))
    for name in wanted:
        if name not in known:
            raise UnknownName(f"metric by {listed(['model', *kept])}", name, known)
    _check_length(detail, kept, len(wanted))
    parts = list(_parts(detail, totals, kept, wanted))
    if not parts:
        raise InputError(
            f"{listed(wanted, quoted=True)} by {listed(['model', *kept])} can be had of the model "
            "called 'tuned' only, and there is none; choose from "
            f"{listed([n for n in known if n not in _OF_TUNED], quoted=True)}, or by='model'"
        )
    table = pl.concat([pl.DataFrame(part) for part in parts])
    table = table.filter(pl.col("value").is_finite())
    return in_zone(table, "origin", detail.frame.clock.timezone) if "origin" in kept else table


def _kept(by: Sequence[str]) -> list[str]:
    names = [by] if isinstance(by, str) else list(by)
    for name in names:
        if name not in ("model", *AXES):
            raise UnknownName("level of errors", str(name), ("model", *AXES))
    return [axis for axis in AXES if axis in names]


def _check_length(detail: Detail, kept: list[str], metrics: int) -> None:
    origins, leads, sensors = detail.actual.shape
    sizes = {"sensor": sensors, "origin": origins, "lead": leads}
    rows = metrics * len(detail.points) * int(np.prod([sizes[axis] for axis in kept] or [1]))
    if rows > MOST_ROWS:
        raise InputError(
            f"errors by {listed(['model', *kept])} are {rows:,} rows, and a table holds at most "
            f"{MOST_ROWS:,}; leave a level out of by=, or name fewer metrics="
        )


def _parts(
    detail: Detail, totals: Mapping[str, Mapping[str, float]], kept: list[str], wanted: list[str]
) -> Iterator[dict[str, object]]:
    """The rows of one model and metric after the other."""
    import polars as pl

    actual = _cube(detail.fair)
    for model in detail.points:
        for metric in wanted:
            if not kept and metric in totals[model]:
                value: Cube = np.array(totals[model][metric])
            elif metric in _OF_TUNED and not (model == "tuned" and detail.quantiles.size):
                continue
            else:
                value = np.asarray(_COUNTED[metric](detail, model, actual, kept))
            where = np.indices(value.shape).reshape(len(kept), value.size)
            columns = {
                axis: pl.Series(_labels(detail, axis)).gather(i)
                for axis, i in zip(kept, where, strict=True)
            }
            rows = value.size
            yield {
                "model": pl.repeat(model, rows, eager=True),
                **columns,
                "metric": pl.repeat(metric, rows, eager=True),
                "value": value.reshape(-1),
            }


def _labels(detail: Detail, axis: str) -> Any:
    """What the members of an axis are called; an origin is its moment, a lead counts from 1."""
    if axis == "sensor":
        return list(detail.frame.sensors)
    if axis == "origin":
        moments = detail.frame.clock.moments(0, int(detail.origin_index[-1]) + 1)
        return moments[detail.origin_index]
    return np.arange(1, detail.actual.shape[1] + 1)


def _cube(values: NDArray[np.float32]) -> Cube:
    """(origin, horizon, sensor) as (sensor, origin, lead)."""
    return values.astype(np.float64).transpose(2, 0, 1)


def _mean(cube: Cube, kept: list[str]) -> Cube:
    """The mean of what is known over the axes that are not kept; NaN where nothing is."""
    over = tuple(i for i, axis in enumerate(AXES) if axis not in kept)
    known = np.isfinite(cube)
    count, total = known.sum(over), np.where(known, cube, 0).sum(over)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _mae(detail: Detail, model: str, actual: Cube, kept: list[str]) -> Cube:
    return _mean(np.abs(_cube(detail.points[model]) - actual), kept)


def _rmse(detail: Detail, model: str, actual: Cube, kept: list[str]) -> Cube:
    return np.sqrt(_mean(np.square(_cube(detail.mean_of(model)) - actual), kept))


def _bias(detail: Detail, model: str, actual: Cube, kept: list[str]) -> Cube:
    """How much too high the forecast is on average."""
    return _mean(_cube(detail.mean_of(model)) - actual, kept)


def _coverage(detail: Detail, _model: str, actual: Cube, kept: list[str]) -> Cube:
    low, high = (_cube(detail.quantiles[..., edge]) for edge in (0, -1))
    inside = ((actual >= low) & (actual <= high)).astype(np.float64)
    return _mean(np.where(np.isfinite(actual), inside, np.nan), kept)


def _width(detail: Detail, _model: str, actual: Cube, kept: list[str]) -> Cube:
    width = _cube(detail.quantiles[..., -1]) - _cube(detail.quantiles[..., 0])
    return _mean(np.where(np.isfinite(actual), width, np.nan), kept)


_COUNTED: dict[str, Callable[[Detail, str, Cube, list[str]], Cube]] = {
    "mae": _mae,
    "rmse": _rmse,
    "bias": _bias,
    "coverage_90": _coverage,
    "width_90": _width,
}
_OF_TUNED = ("coverage_90", "width_90")
"""Metrics of quantiles, which are kept of the tuned model only."""
