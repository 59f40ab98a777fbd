"""The boosting baseline: LightGBM on lags, calendar and seasonal profiles, one for all sensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from citytune._errors import InputError
from citytune.evaluation._features import Drawn, Inputs, known_in
from citytune.evaluation._naive import naive_weeks4
from citytune.evaluation._seasons import Floats, Steps
from citytune.frame import SensorFrame

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


def lightgbm_here() -> bool:
    """Whether LightGBM can be imported."""
    try:
        import lightgbm  # noqa: F401
    except (ImportError, OSError):  # OSError: its OpenMP library is missing
        return False
    return True


def boosting(frame: SensorFrame, origins: Sequence[int], horizon: int, train_end: int) -> Floats:
    """Gradient-boosted trees with an absolute loss; how far ahead is one of the inputs.

    With too few rows to fit, and for sensors without a value in them, `naive_weeks4` answers.

    Returns:
        (origin, horizon, sensor), in the unit of the data.
    """
    if not lightgbm_here():
        raise InputError(HOW)
    naive = naive_weeks4(frame, origins, horizon, train_end)
    inputs = Inputs.of(frame, until=max([*origins, train_end]) + horizon, train_end=train_end)
    drawn = inputs.draw_training(MOST_WINDOWS, horizon, train_end)
    if not len(drawn.origin):
        return naive
    trees = _fit(inputs, drawn, horizon)
    if trees is None:
        return naive
    found = np.stack([_apply(inputs, trees, int(origin), horizon) for origin in origins])
    return np.where(known_in(frame, train_end) & np.isfinite(naive), found, naive)


def _fit(inputs: Inputs, drawn: Drawn, horizon: int) -> Any:
    """Trees; None with fewer targets than two leaves need."""
    import lightgbm

    rng = np.random.default_rng(1)
    steps = rng.integers(horizon, size=(len(drawn.origin), min(STEPS_PER_WINDOW, horizon)))
    when = drawn.origin[:, None] + steps
    target = inputs.targets(drawn, when).reshape(-1)
    known = np.isfinite(target)
    if known.sum() < 2 * LIGHTGBM_SETTINGS["min_data_in_leaf"]:
        return None
    table = _table(
        inputs.recent(drawn)[:, None], inputs.ahead(drawn, when), _calendar(inputs, when), steps
    )[known]
    data = lightgbm.Dataset(table, target[known], params={"verbosity": -1})
    return lightgbm.train(LIGHTGBM_SETTINGS, data, num_boost_round=BOOSTING_ROUNDS)


def _table(recent: Floats, ahead: Floats, calendar: Floats, since: Steps) -> Floats:
    """(example · step, feature); every part is (example, step, feature) or broadcasts to it."""
    shape = ahead.shape[:2]
    parts = [np.broadcast_to(part, (*shape, part.shape[-1])) for part in (recent, ahead, calendar)]
    parts.append(np.broadcast_to(since[..., None], (*shape, 1)).astype(np.float32))
    return np.concatenate(parts, axis=-1).reshape(-1, sum(part.shape[-1] for part in parts))


def _calendar(inputs: Inputs, when: Steps) -> Floats:
    """Slot and weekday as numbers, which trees split better than waves, and the flags."""
    plain = inputs.seasons.calendar
    columns = (plain.slot, plain.weekday, plain.holiday, inputs.seasons.off)
    return np.stack([column[when].astype(np.float32) for column in columns], axis=-1)


def _apply(inputs: Inputs, trees: Any, origin: int, horizon: int) -> Floats:
    """(horizon, sensor), in the unit of the data."""
    sensors = np.arange(len(inputs.level))
    steps = np.arange(horizon)[:, None]
    recent = inputs.recent(Drawn(np.full(len(sensors), origin), sensors))
    ahead = inputs.ahead_everywhere(origin, origin + steps[:, 0])
    table = _table(recent, ahead, _calendar(inputs, origin + steps), steps)
    scaled = trees.predict(table, num_threads=LIGHTGBM_SETTINGS["num_threads"])
    return inputs.unscaled(np.asarray(scaled, np.float32).reshape(horizon, -1))
