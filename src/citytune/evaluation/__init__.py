"""Measure forecasts out of sample, against strong and simple rivals."""

from citytune.evaluation._alerts import AlertScore
from citytune.evaluation._backtest import backtest
from citytune.evaluation._baselines import Baseline, baselines
from citytune.evaluation._detail import Detail
from citytune.evaluation._holdout import held_out
from citytune.evaluation._metrics import coverage, day_scale, mae, mase, rmse, width, wql
from citytune.evaluation._rare import WORDS as REGIONS
from citytune.evaluation._rare import Region
from citytune.evaluation._scores import NAIVE, WORDS, Scores
from citytune.evaluation._text import (
    SAME,
    compared,
    describe_coverage,
    error_change,
    judge_coverage,
    judge_error,
)
from citytune.forecasting import Alert

__all__ = [
    "Alert",
    "AlertScore",
    "Baseline",
    "Detail",
    "NAIVE",
    "REGIONS",
    "Region",
    "SAME",
    "Scores",
    "WORDS",
    "backtest",
    "baselines",
    "compared",
    "coverage",
    "day_scale",
    "describe_coverage",
    "error_change",
    "held_out",
    "judge_coverage",
    "judge_error",
    "mae",
    "mase",
    "rmse",
    "width",
    "wql",
]
