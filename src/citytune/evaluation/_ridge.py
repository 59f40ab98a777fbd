"""The ridge baseline: one linear model on scaled lags and calendar for all sensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from citytune.evaluation._arrays import Floats, Steps
from citytune.evaluation._features import Drawn, Inputs, Predict, learned
from citytune.frame import SensorFrame

MOST_RIDGE_WINDOWS = 6000
"""Most windows a ridge is fitted on; it has some sixty weights a step."""
GROUPS = 48
"""Most separate sets of weights; a longer horizon shares them between neighbouring steps."""
RIDGE_PENALTIES = np.array([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
"""λ as a share of the number of examples."""
FEWEST_EARLY = 200
"""Fewest windows that λ is chosen with; with fewer it is the largest."""


def lag_ridge(frame: SensorFrame, origins: Sequence[int], horizon: int, train_end: int) -> Floats:
    """Direct multi-step ridge: for each step ahead its own weights, shared by all sensors.

    Solved in closed form; λ is the best on the last fifth of the training origins, whose windows
    do not overlap those it is fitted on.

    Returns:
        (origin, horizon, sensor), in the unit of the data.
    """
    return learned(_fit, frame, origins, horizon, train_end, most=MOST_RIDGE_WINDOWS)


def _fit(inputs: Inputs, drawn: Drawn, horizon: int) -> Predict:
    size = -(-horizon // GROUPS)
    first = np.arange(0, horizon, size)
    # Of the steps that share weights, each window teaches one.
    steps = np.minimum(first + (np.arange(len(drawn.origin)) % size)[:, None], horizon - 1)
    when = drawn.origin[:, None] + steps
    parts, targets = _parts(inputs, drawn, when), inputs.targets(drawn, when)
    early, late = early_and_late(drawn.origin, horizon)
    losses, heads = np.zeros(len(RIDGE_PENALTIES)), []
    for group in range(len(first)):
        table, target = _table(*parts, group), targets[:, group]
        heads.append(ridge(table, target))
        if late.any():
            errors = table[late] @ ridge(table[early], target[early]).T - target[late, None]
            losses += np.nansum(np.abs(errors), axis=0)
    best = int(np.argmin(losses)) if late.any() else -1
    weights = [head[best].astype(np.float32) for head in heads]

    def predict(asked: Drawn, when: Steps) -> Floats:
        parts = _parts(inputs, asked, when)
        by_step = [_table(*parts, step) @ weights[step // size] for step in range(horizon)]
        return np.stack(by_step, axis=1)

    return predict


def early_and_late(origin: Steps, horizon: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which examples are for fitting and which, later and apart from them, for choosing λ."""
    split = origin.min() + (4 * (origin.max() - origin.min())) // 5
    early, late = origin + horizon <= split, origin >= split
    return early, late & (early.sum() >= FEWEST_EARLY)


def _parts(inputs: Inputs, drawn: Drawn, when: Steps) -> tuple[Floats, Floats, Floats]:
    """(example, feature), (example, step, feature) and the calendar (example or 1, step, …)."""
    return inputs.recent(drawn), inputs.ahead(drawn, when), inputs.waves[when]


def _table(recent: Floats, ahead: Floats, waves: Floats, step: int) -> Floats:
    """Inputs (example, feature) of one step, the last one constant."""
    days = np.broadcast_to(waves[:, step], (len(recent), waves.shape[-1]))
    constant = np.ones((len(recent), 1), np.float32)
    return np.concatenate([recent, ahead[:, step], days, constant], axis=1)


def ridge(table: Floats, target: Floats) -> NDArray[np.float64]:
    """Weights (penalty, feature), exact for each of the penalties; the constant has none.

    Args:
        table: (example, feature), the last one constant.
        target: (example,); NaN is left out.
    """
    known = np.isfinite(target)
    table, target = table[known].astype(np.float64), target[known].astype(np.float64)
    diagonal = np.diag(np.append(np.ones(table.shape[1] - 1), 1e-6))
    strength = RIDGE_PENALTIES[:, None, None] * max(len(target), 1) * diagonal
    return np.linalg.solve(table.T @ table + strength, (table.T @ target)[:, None])[..., 0]
