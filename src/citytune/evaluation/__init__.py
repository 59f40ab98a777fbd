"""Measure forecasts out of sample, against strong and simple rivals."""

from citytune.evaluation._backtest import backtest
from citytune.evaluation._baselines import Baseline, baselines
from citytune.evaluation._metrics import coverage, day_scale, mae, mase, rmse, width, wql
from citytune.evaluation._scores import NAIVE, SAME, WORDS, Detail, Scores

__all__ = [
    "Baseline",
    "Detail",
    "NAIVE",
    "SAME",
    "Scores",
    "WORDS",
    "backtest",
    "baselines",
    "coverage",
    "day_scale",
    "mae",
    "mase",
    "rmse",
    "width",
    "wql",
]
