"""Aggregates of a forecast over hours and sensors, from futures that belong together.

Quantiles do not add up: the 95 % quantile of a day's mean is not the mean of the hours' 95 %
quantiles, unless all hours miss alike. Futures drawn from the copula of past errors are aggregated
one by one instead, and the quantiles are those of the results.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError, UnknownName
from citytune._text import counted, duration, listed
from citytune.forecasting._copula import GAP, MEMBERS, UNIT_LEVEL, Copula
from citytune.frame import Clock, Quantity, amount_of
from citytune.settings import steps_of
from citytune.tuning import LEVELS

if TYPE_CHECKING:
    from citytune.forecasting._forecast import Forecast

How: TypeAlias = Literal["mean", "max", "min", "sum"]
Align: TypeAlias = Literal["start", "midnight"]
Floats: TypeAlias = NDArray[np.float32]
AT_ONCE = 200_000
"""Values of one future that are drawn at once: with thousands of sensors, all are gigabytes."""
_REDUCE: dict[str, Callable[..., Any]] = {
    "mean": np.nanmean,
    "max": np.nanmax,
    "min": np.nanmin,
    "sum": np.nansum,
}


@dataclass(frozen=True)
class Blocks:
    """Stretches of a forecast, each of which becomes one value."""

    first: int
    """Step of the forecast at which they begin."""
    size: int
    """Steps of each."""
    count: int

    def cut(self, values: NDArray[Any]) -> NDArray[Any]:
        """(…, block, step, sensor) of values (…, step, sensor)."""
        end = self.first + self.count * self.size
        shape = (*values.shape[:-2], self.count, self.size, values.shape[-1])
        return values[..., self.first : end, :].reshape(shape)


def aggregate(
    forecast: Forecast, span: str | dt.timedelta, how: How, *, running: str | None, align: Align
) -> Forecast:
    """See `Forecast.aggregate`."""
    if how not in _REDUCE:
        raise UnknownName("aggregate", str(how), _REDUCE)
    if align not in get_args(Align):
        raise UnknownName("way to align", str(align), get_args(Align))
    blocks = _blocks(forecast, span, align)
    window = 1 if running is None else _steps(forecast, running)
    unit, factor = _amount(forecast, how)
    parts = [
        _reduced(_smoothed(drawn, window), blocks, how) * np.float32(factor)
        for _, drawn in futures(forecast)
    ]
    members = np.concatenate(parts, axis=-1)  # (member, block, sensor)
    mean = members.mean(0)
    if how in ("mean", "sum") and window == 1:
        mean = _reduced(forecast.mean, blocks, how) * np.float32(factor)
    clock = forecast.clock.shifted(blocks.first)
    return _summed_up(
        forecast,
        members,
        mean,
        clock=Clock(clock.start, blocks.size * clock.step, clock.timezone),
        quantity=_quantity(forecast.quantity, unit, factor * blocks.size if how == "sum" else 1.0),
        quality=_words(blocks.cut(forecast.quality)),
        said=_said(forecast, blocks, how, window),
    )


def total(forecast: Forecast, sensors: Sequence[str] | None, name: str) -> Forecast:
    """See `Forecast.total`."""
    for one in sensors or ():
        if one not in forecast.sensors:
            raise UnknownName("sensor of this forecast", one, forecast.sensors)
    wanted = np.array([sensors is None or one in sensors for one in forecast.sensors])
    there = wanted & np.isfinite(forecast.mean).any(0)
    if not there.any():
        raise InputError("none of these sensors has a forecast, so there is no total of them")
    found = np.zeros((MEMBERS, len(forecast.mean)), np.float32)
    for part, drawn in futures(forecast):
        found += np.nansum(drawn[:, :, there[part]], axis=-1)
    lacking = [
        one for one, a, b in zip(forecast.sensors, wanted, there, strict=True) if a and not b
    ]
    left_out = f"; without {listed(lacking)}, which have no forecast" if lacking else ""
    return _summed_up(
        forecast,
        found[..., None],
        np.nansum(forecast.mean[:, there], axis=1, keepdims=True),
        clock=forecast.clock,
        quantity=_quantity(forecast.quantity, forecast.quantity.unit, float(there.sum())),
        quality=_words(forecast.quality[:, there][..., None]),
        sensors=(name,),
        said=f"each value is the total of {counted(int(there.sum()), 'sensor')}{left_out}",
    )


def futures(forecast: Forecast) -> Iterator[tuple[slice, Floats]]:
    """Equally likely futures (member, horizon, sensor) that belong together, some sensors a time.

    Raises:
        InputError: the forecast knows of no past errors.
    """
    if forecast.copula is None:
        raise InputError(
            "the forecast does not know how errors of different hours and sensors go together, as "
            "its model was fitted on too little history, or by an inner function; forecast with a "
            "model that `ct.tune` or `ct.run` gave"
        )
    limits = {"low": forecast.quantity.low, "high": forecast.quantity.high}
    size = max(1, AT_ONCE // len(forecast.mean))
    for start in range(0, len(forecast.sensors), size):
        part = slice(start, start + size)
        columns = range(len(forecast.sensors))[part]
        copula = forecast.copula.take(columns)
        yield part, copula.members(forecast.quantiles[:, part], count=MEMBERS, **limits)


def _summed_up(
    forecast: Forecast,
    members: Floats,
    mean: Floats,
    *,
    clock: Clock,
    quantity: Quantity,
    quality: NDArray[np.object_],
    said: str,
    sensors: tuple[str, ...] | None = None,
) -> Forecast:
    """A forecast of what members (member, step, sensor) came to."""
    quantiles = np.quantile(members, LEVELS, axis=0, method="hazen").astype(np.float32)
    return replace(
        forecast,
        mean=np.where(np.isfinite(quantiles[0]), mean, np.nan).astype(np.float32),
        quantiles=np.moveaxis(quantiles, 0, -1),
        moved=None,
        clock=clock,
        sensors=sensors or forecast.sensors,
        quantity=quantity,
        quality=quality,
        notes=(said, *forecast.notes),
        alerts=(),
        copula=_copula_of(members),
    )


def _copula_of(members: Floats) -> Copula:
    """What members (member, step, sensor) say of how steps and sensors go together."""
    import torch

    rank = members.argsort(0, kind="stable").argsort(0, kind="stable")
    level = np.round((rank + 0.5) / len(members) * UNIT_LEVEL)
    kept = np.where(np.isfinite(members), level, GAP).astype(np.int16)
    return Copula(torch.from_numpy(np.ascontiguousarray(kept.transpose(0, 2, 1))))


def _blocks(forecast: Forecast, span: str | dt.timedelta, align: Align) -> Blocks:
    size = _steps(forecast, span)
    first = 0
    if align == "midnight":
        local = forecast.clock.local(0, len(forecast.mean))
        midnight = np.flatnonzero(local == local.astype("datetime64[D]"))
        first = int(midnight[0]) if len(midnight) else len(forecast.mean)
    count = (len(forecast.mean) - first) // size
    if count < 1:
        from_where = " from the first midnight on" if align == "midnight" else ""
        ahead = duration(len(forecast.mean) * forecast.clock.step)
        raise InputError(
            f"the forecast is for {ahead}{f', from {forecast.clock.text(0)}' if first else ''}, "
            f"which holds no {span}{from_where}; forecast further ahead, or ask for a shorter span"
        )
    return Blocks(first, size, count)


def _steps(forecast: Forecast, span: str | dt.timedelta) -> int:
    if not isinstance(span, str | dt.timedelta):
        raise InputError(f"a span is a time, such as '24h', '8h' or '7d'; got {span!r}")
    try:
        return steps_of(span, forecast.clock)
    except InputError as error:
        raise InputError(
            f"the span {span!r} cannot be cut out of a forecast with a step every "
            f"{forecast.clock.freq}; give a multiple of it, such as '24h' or '7d'"
        ) from error


def _smoothed(values: Floats, window: int) -> Floats:
    """Running means over the last `window` steps; NaN where the forecast holds fewer."""
    if window == 1:
        return values
    views = np.lib.stride_tricks.sliding_window_view(values, window, axis=1).mean(-1)
    return np.concatenate([np.full_like(values[:, : window - 1], np.nan), views], axis=1)


def _reduced(values: Floats, blocks: Blocks, how: How) -> Floats:
    """(…, block, sensor): one value a block, of the steps that have a forecast."""
    cut = blocks.cut(values)
    empty: NDArray[np.bool_] = np.isnan(cut).all(-2)
    filled = np.where(empty[..., None, :], np.float32(0), cut)
    found = np.asarray(_REDUCE[how](filled, axis=-2), np.float32)
    return np.where(empty, np.float32(np.nan), found)


def _amount(forecast: Forecast, how: How) -> tuple[str, float]:
    """Unit of the result, and what a value of one step adds to it."""
    unit = forecast.quantity.unit
    if how != "sum":
        return unit, 1.0
    hours = forecast.clock.step.total_seconds() / 3600
    return amount_of(unit, hours) or (unit, 1.0)


def _quantity(own: Quantity, unit: str, factor: float) -> Quantity:
    """The same quantity; the legal range of a sum is as many times as wide."""
    low, high = (
        None if edge is None or not math.isfinite(edge) else edge * factor
        for edge in (own.low, own.high)
    )
    return replace(own, unit=unit, low=low, high=high)


def _words(quality: NDArray[np.object_]) -> NDArray[np.object_]:
    """(block, sensor) what values are of which each was made, from (block, step, sensor)."""
    found = np.empty((quality.shape[0], quality.shape[2]), object)
    for at in np.ndindex(found.shape):
        words = list(dict.fromkeys(quality[at[0], :, at[1]]))
        found[at] = words[0] if len(words) == 1 else f"partly {words[1]}"
    return found


def _said(forecast: Forecast, blocks: Blocks, how: How, window: int) -> str:
    step = forecast.clock.step
    word = {"mean": "mean", "max": "largest value", "min": "smallest value", "sum": "sum"}[how]
    of = f" of running means over {duration(window * step)}" if window > 1 else ""
    return f"each value is the {word}{of} of {duration(blocks.size * step)}"
