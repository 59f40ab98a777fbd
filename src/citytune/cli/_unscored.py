"""Stand in for scores where nothing could be held out: the same shape, and no number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from citytune.evaluation import Scores
    from citytune.forecasting import TunedModel
    from citytune.frame import SensorFrame

METRICS = ("mae", "rmse", "mase", "wql", "coverage_90", "width_90")
UNKNOWN: dict[str, None] = dict.fromkeys(METRICS)
"""The row of scores.json of a model that was not scored, or cannot forecast untuned."""
NOTHING: dict[str, Any] = {"holdout": {"start": None, "end": None, "origins": 0}, "models": {}}
"""The `holdout` and `models` of scores.json without a holdout."""


def unscored(frame: SensorFrame, model: TunedModel) -> Scores:
    """Scores that say that nothing is known, for the report."""
    import numpy as np

    from citytune.evaluation import Detail, Scores
    from citytune.forecasting import LEVELS

    shape = (1, model.spec.horizon, len(frame.sensors))
    nothing = np.full(shape, np.nan, np.float32)
    first = len(frame) - model.spec.horizon
    return Scores(
        models={"tuned": dict.fromkeys(METRICS, math.nan)},
        holdout_start="nothing",
        holdout_end="nothing",
        origins=0,
        detail=Detail(
            actual=nothing,
            means={"tuned": nothing},
            quantiles=np.full((*shape, len(LEVELS)), np.nan, np.float32),
            origin_index=np.array([first]),
            frame=frame,
        ),
        notes=("the history is too short to hold anything out",),
    )
