"""The boosting baseline: LightGBM on lags, calendar and seasonal profiles, one for all sensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from citytune._errors import InputError
from citytune.evaluation._arrays import Floats, Steps
from citytune.evaluation._features import Drawn, Inputs, Predict, learned
from citytune.frame import SensorFrame
from citytune.tuning import lightgbm_here

MOST_WINDOWS = 20_000
"""Most windows drawn from the training rows."""
STEPS_PER_WINDOW = 5
"""Steps ahead drawn from each window."""
BOOSTING_ROUNDS = 200
LIGHTGBM_SETTINGS: dict[str, Any] = {
    "objective": "l1",
    "learning_rate": 0.08,
    "num_leaves": 31,
    "max_bin": 63,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "seed": 0,
    # LightGBM's threads wait for each other without rest: two of them on two busy cores took
    # thirty times as long as one.
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
HOW = "boosting needs LightGBM, which is not installed here; run: pip install 'citytune[boost]'"


def boosting(frame: SensorFrame, origins: Sequence[int], horizon: int, train_end: int) -> Floats:
    """Gradient-boosted trees with an absolute loss; how far ahead is one of the inputs.

    Returns:
        (origin, horizon, sensor), in the unit of the data.
    """
    if not lightgbm_here():
        raise InputError(HOW)
    return learned(_fit, frame, origins, horizon, train_end, most=MOST_WINDOWS)


def _fit(inputs: Inputs, drawn: Drawn, horizon: int) -> Predict | None:
    """Trees; None with fewer targets than two leaves need."""
    import lightgbm

    rng = np.random.default_rng(1)
    steps = rng.integers(horizon, size=(len(drawn.origin), min(STEPS_PER_WINDOW, horizon)))
    when = drawn.origin[:, None] + steps
    target = inputs.targets(drawn, when).reshape(-1)
    known = np.isfinite(target)
    if known.sum() < 2 * LIGHTGBM_SETTINGS["min_data_in_leaf"]:
        return None
    table = _table(inputs, drawn, when)[known]
    data = lightgbm.Dataset(table, target[known], params={"verbosity": -1})
    trees = lightgbm.train(LIGHTGBM_SETTINGS, data, num_boost_round=BOOSTING_ROUNDS)

    def predict(asked: Drawn, when: Steps) -> Floats:
        rows = _table(inputs, asked, when)
        found = trees.predict(rows, num_threads=LIGHTGBM_SETTINGS["num_threads"])
        return np.asarray(found, np.float32).reshape(len(asked.sensor), -1)

    return predict


def _table(inputs: Inputs, drawn: Drawn, when: Steps) -> Floats:
    """(example · step, feature): what is known, and how many steps ahead."""
    ahead, since = inputs.ahead(drawn, when), when - drawn.origin[:, None]
    parts = (inputs.recent(drawn)[:, None], ahead, _calendar(inputs, when), since[..., None])
    shape = ahead.shape[:2]
    wide = [np.broadcast_to(part, (*shape, part.shape[-1])) for part in parts]
    return np.concatenate(wide, axis=-1, dtype=np.float32).reshape(shape[0] * shape[1], -1)


def _calendar(inputs: Inputs, when: Steps) -> Floats:
    """Slot and weekday as numbers, which trees split better than waves, and the flags."""
    plain = inputs.calendar
    columns = (plain.slot, plain.weekday, plain.holiday, inputs.off)
    return np.stack([column[when].astype(np.float32) for column in columns], axis=-1)
