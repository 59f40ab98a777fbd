"""What to look at before trusting a model: doubled and constant sensors, and days unlike others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from citytune._text import listed
from citytune.frame import SensorFrame

Floats = NDArray[np.float64]
COMPARED_ROWS = 2000
"""Rows that sensors are compared on, evenly spread."""
MOST_SENSORS = 1000
"""Sensors that are compared with each other; beyond them only the first so many."""
ALIKE = 0.9995
"""Correlation from which two sensors measure the same."""
LAST = 14
"""Days that are called the last weeks …"""
BEFORE = 56
"""… and days before them that they are compared with."""
FEWEST_LEVEL_DAYS = 28
"""Days before the last weeks without which nothing is compared."""
SHIFT = 3.0
"""Usual spreads of a stretch's level, from stretch to stretch, that make a level shift."""
TIMES_THE_FARTHEST = 1.5
"""Times the farthest that earlier stretches lay from the rest: unlike all of them."""
SHOWN = 4
"""Most sensors that a warning names."""


def warnings_of(frame: SensorFrame) -> tuple[str, ...]:
    """Sentences, the gravest first; none if nothing was found."""
    found = [doubled(frame), constant(frame), shifted(frame), unlike(frame)]
    return tuple(text for text in found if text)


def doubled(frame: SensorFrame) -> str:
    """Sensors that measure the same: what is learnt of one leaks into the other."""
    rows = np.linspace(0, len(frame) - 1, min(COMPARED_ROWS, len(frame))).round().astype(int)
    values = frame.values[rows, :MOST_SENSORS].astype(np.float64)
    known = np.isfinite(values)
    centre = np.nanmean(np.where(known.any(0), values, 0.0), 0)
    around = np.where(known, values - centre, 0.0)
    weight = known.astype(np.float64)
    both = np.square(around).T @ weight
    size = np.sqrt(both * both.T)
    moved = size > 1e-9 * np.square(np.abs(centre).max(initial=1.0))
    alike = np.where(moved, around.T @ around / np.where(moved, size, 1.0), 0.0)
    pairs = np.argwhere(np.triu((alike > ALIKE) & (weight.T @ weight > 48), 1))
    names = [f"{frame.sensors[a]!r} and {frame.sensors[b]!r}" for a, b in pairs]
    if not names:
        return ""
    return (
        f"{_listed(names)} measure the same (correlation above {ALIKE}): one of each pair is "
        "enough, and errors look smaller than they are if only one of them is held out"
    )


def constant(frame: SensorFrame) -> str:
    """Sensors that have not moved in the last weeks."""
    last = frame.values[-LAST * frame.clock.steps_per_day :]
    known = np.isfinite(last)
    high = np.where(known, last, -np.inf).max(0)
    low = np.where(known, last, np.inf).min(0)
    still = (known.sum(0) > 1) & (high == low)
    names = [repr(frame.sensors[i]) for i in np.flatnonzero(still)]
    if not names:
        return ""
    days = min(LAST, len(frame) // frame.clock.steps_per_day)
    return (
        f"{_listed(names)} did not change in the last {days} days: is the sensor stuck? Constant "
        "values are easy to forecast and make the mean error look small"
    )


def shifted(frame: SensorFrame) -> str:
    """Sensors whose level in the last weeks is far from any level of the weeks before."""
    parts = _stretches(frame)
    if parts is None:
        return ""
    levels = np.stack([_quiet(np.nanmean, part) for part in parts])  # (stretch, sensor)
    usual = _quiet(np.nanmean, levels[:-1])
    wobble = _quiet(np.nanstd, levels[:-1]) * np.sqrt(1 + 1 / (len(levels) - 1))
    size = 0.1 * _quiet(np.nanstd, np.concatenate(parts))
    moved = np.abs(levels[-1] - usual) > SHIFT * np.maximum(wobble, size)
    names = [
        f"{frame.sensors[i]!r} ({usual[i]:,.3g} → {levels[-1][i]:,.3g})"
        for i in np.flatnonzero(moved)
    ]
    if not names:
        return ""
    return (
        f"the level shifted in the last {LAST} days at {_listed(names)}: errors measured before "
        "that say little about what comes; check the sensor, and once there are enough days since "
        "the shift, tune on those"
    )


def unlike(frame: SensorFrame) -> str:
    """Whether the last weeks as a whole are distributed unlike every stretch before them."""
    parts = _stretches(frame)
    if parts is None:
        return ""
    apart = [_distance(part, parts[:i] + parts[i + 1 :]) for i, part in enumerate(parts[:-1])]
    last = _distance(parts[-1], parts[:-1])
    if not last > TIMES_THE_FARTHEST * max(apart) or last < 0.1:
        return ""
    return (
        f"the last {LAST} days are unlike those before (distance of distributions {last:.2f}, "
        f"between earlier stretches at most {max(apart):.2f}): a holiday, an event or a change of "
        "the network could explain it; errors measured before are probably too optimistic"
    )


def _stretches(frame: SensorFrame) -> list[Floats] | None:
    """Stretches of `LAST` days (row, sensor), the last weeks last; None if they are too few."""
    step = LAST * frame.clock.steps_per_day
    count = min(len(frame) // step, 1 + BEFORE // LAST)
    if count < 1 + FEWEST_LEVEL_DAYS // LAST:
        return None
    recent = frame.values[len(frame) - count * step :].astype(np.float64)
    return list(recent.reshape(count, step, -1))


def _distance(part: Floats, others: list[Floats]) -> float:
    """Median over sensors of the Kolmogorov–Smirnov distance of one stretch from the others."""
    rest = np.concatenate(others)
    found = []
    for one, many in zip(part.T[:MOST_SENSORS], rest.T[:MOST_SENSORS], strict=True):
        one, many = np.sort(one[np.isfinite(one)]), np.sort(many[np.isfinite(many)])
        if len(one) > 1 and len(many) > 1:
            grid = np.concatenate([one, many])
            ranks = (np.searchsorted(x, grid, side="right") / len(x) for x in (one, many))
            found.append(float(np.abs(np.subtract(*ranks)).max()))
    return float(np.median(found)) if found else 0.0


def _quiet(rule: object, values: Floats) -> Floats:
    """A NaN-rule over rows, without a warning where a sensor has no value."""
    with np.errstate(all="ignore"):
        known = np.isfinite(values)
        filled = np.where(known.any(0), values, 0.0)
        found: Floats = rule(filled, 0)  # type: ignore[operator]
    return np.where(known.any(0), found, np.nan)


def _listed(names: list[str]) -> str:
    if len(names) > SHOWN:
        return listed([*names[:SHOWN], f"{len(names) - SHOWN:,} more"])
    return listed(names)
