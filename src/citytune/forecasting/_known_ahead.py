"""Whether what must be known ahead is: for how long, for which sensors, and in the unit learnt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError
from citytune.frame import SensorFrame

WIDTHS_OUTSIDE_RANGE = 1.0
"""How many widths of the range seen so far a value ahead may lie outside of it: weather sets
records, …"""
FAR_ON_AVERAGE = 1 / 3
"""… but by less on average over all steps ahead."""
FAR_LATELY = 0.5
"""How many widths of the range learnt from the mean of the last weeks may lie outside of it: they
may be of another season."""
LATELY_DAYS = 28
"""Days before the last row that are compared with what was learnt from."""
Span = tuple[float, float]
Floats = NDArray[np.float32]


def span_of(values: Floats) -> Span | None:
    """Least and largest of what is known; None without any."""
    known = np.isfinite(values)  # no copy of them: they may be half of all that is held
    if not known.any():
        return None
    low = values.min(where=known, initial=np.inf)
    return float(low), float(values.max(where=known, initial=-np.inf))


def check_known_ahead(frame: SensorFrame, horizon: int, names: Iterable[str]) -> None:
    """Refuse covariates of which nothing is known ahead for any sensor.

    Raises:
        InputError: it says from when to when they are needed.
    """
    for name in names:
        ahead = frame.covariates[name][len(frame) :][:horizon]
        if not np.isfinite(ahead).any():
            first, last = frame.clock.text(len(frame)), frame.clock.text(len(frame) + horizon - 1)
            raise InputError(
                f"{_called(frame, name)} is missing in the future: it is known for none of the "
                f"{horizon} steps ahead, from {first} to {last}; add rows that hold its forecast "
                "and no reading, or tune without it"
            )


def check_units(frame: SensorFrame, names: Sequence[str], learnt: Mapping[str, Span]) -> None:
    """Refuse covariates that lately were far from all that the model learnt from.

    Raises:
        InputError: their mean lies far outside, as °F or K do after °C.
    """
    rows = slice(max(0, len(frame) - LATELY_DAYS * frame.clock.steps_per_day), len(frame))
    for name in names:
        mean = _mean(frame.covariates[name][rows])
        if name in learnt and _outside(mean, learnt[name], FAR_LATELY):
            raise InputError(
                f"{_called(frame, name)} was {mean:g} on average lately, but the model learnt "
                f"from values of {_spelt(learnt[name])}; is it in another unit? give it in the one "
                "it was learnt in, or tune anew"
            )


def without_outliers(
    frame: SensorFrame, learnt: Mapping[str, Span], horizon: int
) -> tuple[SensorFrame, list[str]]:
    """The frame without values ahead that are impossible after all that was seen, and sentences.

    A whole stretch ahead in another unit is not known at all, and so refused.
    """
    said, tables = [], dict(frame.covariates)
    for name, table in frame.covariates.items():
        past, ahead = table[: len(frame)], table[len(frame) :][:horizon]
        seen = [span for span in (learnt.get(name), span_of(past)) if span is not None]
        if not seen:
            continue
        span = min(low for low, _ in seen), max(high for _, high in seen)
        wrong = _outside(ahead, span, WIDTHS_OUTSIDE_RANGE)
        others = np.where(wrong, np.float32(np.nan), ahead)
        wrong |= _outside(_mean(others, 0), span, FAR_ON_AVERAGE)
        if not (wrong & np.isfinite(ahead)).any():
            continue
        tables[name] = table.copy()
        tables[name][len(frame) :][:horizon][wrong] = np.nan
        worst = float(ahead[wrong & np.isfinite(ahead)][0])
        said.append(
            f"{_called(frame, name)} is {worst:g} ahead, after {_spelt(span)} in all that "
            "was seen before; taken as unknown (is it in another unit?)"
        )
    cleaned = replace(frame, covariates=tables)
    if said:
        _check_left(cleaned, horizon, said)
    return cleaned, said


def known_in_part(frame: SensorFrame, sensors: Sequence[str], horizon: int) -> list[str]:
    """A sentence for each covariate that is not known for every step and sensor.

    Raises:
        InputError: one of them is known for none.
    """
    check_known_ahead(frame, horizon, frame.covariates)
    said = []
    columns = [frame.sensors.index(name) for name in sensors]
    for name in frame.covariates:
        lacking = unknown(frame, name, horizon)[:, columns]
        if not lacking.any():
            continue
        whose = [one for i, one in enumerate(sensors) if lacking[:, i].any()]
        some = "" if len(whose) == len(sensors) else f" of {len(whose)} of {len(sensors)} sensors"
        steps = int(lacking.any(1).sum())
        first = frame.clock.text(len(frame) + int(lacking.any(1).argmax()))
        said.append(
            f"{_called(frame, name)} is not known for {steps} of the {horizon} steps ahead{some} "
            f"(the first {first}, sensor {whose[0]!r}); they are forecast without it"
        )
    return said


def unknown(frame: SensorFrame, name: str, horizon: int) -> NDArray[np.bool_]:
    """(horizon, sensor) where a covariate is not known ahead."""
    ahead = frame.covariates[name][len(frame) :][:horizon]
    found = np.ones((horizon, ahead.shape[1]), bool)
    found[: len(ahead)] = ~np.isfinite(ahead)
    return np.broadcast_to(found, (horizon, len(frame.sensors)))


def _check_left(frame: SensorFrame, horizon: int, said: Sequence[str]) -> None:
    try:
        check_known_ahead(frame, horizon, frame.covariates)
    except InputError as error:
        raise InputError("; ".join([*said, "give it in the unit it was learnt in"])) from error


def _called(frame: SensorFrame, name: str) -> str:
    """A covariate with its source."""
    return f"{frame.source_of(name)}: {name!r}"


def _mean(values: Floats, axis: int | None = None) -> Floats:
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis, dtype=np.float64)
    return np.asarray(np.where(known.any(axis), total / np.maximum(known.sum(axis), 1), np.nan))


def _outside(values: Floats, span: Span, widths: float) -> NDArray[np.bool_]:
    """Where a value lies so many widths of the span outside of it; a constant tells nothing."""
    low, high = span
    room = widths * (high - low)
    if room <= 0:
        return np.zeros(np.shape(values), bool)
    return np.asarray((values < low - room) | (values > high + room))


def _spelt(span: Span) -> str:
    return f"{span[0]:g} to {span[1]:g}"
