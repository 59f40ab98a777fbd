"""The ridge baseline: one linear model on scaled lags and calendar for all sensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from citytune.evaluation._features import Drawn, Inputs, known_in
from citytune.evaluation._naive import naive_weeks4
from citytune.evaluation._seasons import Floats
from citytune.frame import SensorFrame

MOST_RIDGE_WINDOWS = 6000
"""Most windows a ridge is fitted on; it has some sixty weights a step."""
GROUPS = 48
"""Most separate sets of weights; a longer horizon shares them between neighbouring steps."""
RIDGE_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""λ as a share of the number of examples."""
CELLS = 12_000_000
"""Most feature values in memory at a time."""


class _Sums(NamedTuple):
    """What a ridge is solved from."""

    gram: NDArray[np.float64]  # (group, feature, feature)
    cross: NDArray[np.float64]  # (group, feature)
    known: NDArray[np.float64]  # (group,) how many targets


def lag_ridge(frame: SensorFrame, origins: Sequence[int], horizon: int, train_end: int) -> Floats:
    """Direct multi-step ridge: for each step ahead its own weights, shared by all sensors.

    Solved in closed form; λ is the best on the last fifth of the training origins, whose windows
    do not overlap those it is fitted on. With too few rows to fit, and for sensors without a value
    in them, `naive_weeks4` answers.

    Returns:
        (origin, horizon, sensor), in the unit of the data.
    """
    naive = naive_weeks4(frame, origins, horizon, train_end)
    inputs = Inputs.of(frame, until=max([*origins, train_end]) + horizon, train_end=train_end)
    drawn = inputs.draw_training(MOST_RIDGE_WINDOWS, horizon, train_end)
    if not len(drawn.origin):
        return naive
    weights = _fit(inputs, drawn, horizon, train_end)
    found = np.stack([_apply(inputs, weights, int(origin)) for origin in origins])
    return np.where(known_in(frame, train_end) & np.isfinite(naive), found, naive)


def _fit(inputs: Inputs, drawn: Drawn, horizon: int, train_end: int) -> Floats:
    """Weights (step, feature)."""
    size = -(-horizon // GROUPS)
    groups = -(-horizon // size)
    steps = np.arange(groups) * size + (np.arange(len(drawn.origin)) % size)[:, None]
    when = drawn.origin[:, None] + np.minimum(steps, horizon - 1)
    recent = inputs.recent(drawn)
    early, late = _parts(drawn, horizon, train_end)
    losses = np.zeros(len(RIDGE_PENALTIES))
    sums = []
    width = max(1, CELLS // (len(recent) * (recent.shape[1] + 30)))
    for first in range(0, groups, width):
        part = when[:, first : first + width]
        table, y = _design(inputs, drawn, recent, part)
        losses += _validate(table, y, early, late)
        sums.append(_sums(table, y))
    whole = _Sums(*(np.concatenate(columns) for columns in zip(*sums, strict=True)))
    penalty = RIDGE_PENALTIES[int(np.argmin(losses))] if late.any() else RIDGE_PENALTIES[-1]
    return np.repeat(_solve(whole, penalty), size, axis=0)[:horizon].astype(np.float32)


def _parts(
    drawn: Drawn, horizon: int, train_end: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which examples are for fitting and which, later and apart from them, for choosing λ."""
    first, last = int(drawn.origin.min()), train_end - horizon
    split = first + (4 * (last - first)) // 5
    early, late = drawn.origin + horizon <= split, drawn.origin >= split
    return (early, late) if early.sum() >= 200 else (early, np.zeros_like(late))


def _design(
    inputs: Inputs, drawn: Drawn, recent: Floats, when: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Inputs (step, example, feature), the last one constant, and targets (step, example)."""
    shared = np.broadcast_to(recent[:, None], (*when.shape, recent.shape[1]))
    ones = np.ones((*when.shape, 1), np.float32)
    parts = [shared, inputs.ahead(drawn, when), inputs.calendar[when], ones]
    table = np.concatenate(parts, axis=-1).swapaxes(0, 1)
    return table, inputs.targets(drawn, when).T


def _sums(table: Floats, y: Floats) -> _Sums:
    known = np.isfinite(y)
    table = np.where(known[..., None], table, np.float32(0))
    transposed = table.swapaxes(1, 2)
    cross = (transposed @ np.where(known, y, np.float32(0))[..., None])[..., 0]
    return _Sums(
        (transposed @ table).astype(np.float64),
        cross.astype(np.float64),
        known.sum(1).astype(float),
    )


def _solve(sums: _Sums, penalty: float) -> NDArray[np.float64]:
    """(group, feature); the constant is not penalised."""
    features = sums.gram.shape[-1]
    diagonal = np.append(np.ones(features - 1), 1e-6) * np.eye(features)
    strength = penalty * np.maximum(sums.known, 1)[:, None, None]
    solved = np.linalg.solve(sums.gram + strength * diagonal, sums.cross[..., None])
    return np.asarray(solved[..., 0], np.float64)


def _validate(
    table: Floats, y: Floats, early: NDArray[np.bool_], late: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Summed absolute error (penalty,) on the late examples of weights fitted on the early ones."""
    if not late.any():
        return np.zeros(len(RIDGE_PENALTIES))
    sums = _sums(table[:, early], y[:, early])
    found = []
    for penalty in RIDGE_PENALTIES:
        weights = _solve(sums, penalty).astype(np.float32)
        error = np.abs((table[:, late] @ weights[..., None])[..., 0] - y[:, late])
        found.append(np.where(np.isfinite(error), error, 0).sum())
    return np.array(found)


def _apply(inputs: Inputs, weights: Floats, origin: int) -> Floats:
    """(horizon, sensor), in the unit of the data, from weights (step, feature)."""
    sensors = np.arange(len(inputs.level))
    when = origin + np.arange(len(weights))
    recent = inputs.recent(Drawn(np.full(len(sensors), origin), sensors))
    ahead = inputs.ahead_everywhere(origin, when)
    calendar = inputs.calendar[when]
    cuts = np.cumsum([recent.shape[1], ahead.shape[2], calendar.shape[1]])
    for_recent, for_ahead, for_calendar, constant = np.split(weights, cuts, axis=1)
    scaled = for_recent @ recent.T
    scaled += (ahead @ for_ahead[..., None])[..., 0]
    scaled += (calendar * for_calendar).sum(1, keepdims=True) + constant
    return inputs.unscaled(scaled)
