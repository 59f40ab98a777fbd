"""Measure forecasts out of sample, against strong and simple rivals."""

from citytune.evaluation._alerts import AlertScore
from citytune.evaluation._backtest import as_it_came, backtest, holdout_of
from citytune.evaluation._baselines import Baseline, baselines
from citytune.evaluation._compare import compare
from citytune.evaluation._detail import Detail
from citytune.evaluation._group_scores import GroupScores
from citytune.evaluation._holdout import Holdout, held_out
from citytune.evaluation._kept import keep_scores, kept_scores
from citytune.evaluation._leaderboard import Leaderboard, Standing
from citytune.evaluation._metrics import coverage, day_scale, mae, mase, rmse, width, wql
from citytune.evaluation._rare import WORDS as REGIONS
from citytune.evaluation._rare import Region
from citytune.evaluation._rivals import register_rival
from citytune.evaluation._scores import NAIVE, WORDS, Scores
from citytune.evaluation._text import (
    SAME_ERROR,
    compared,
    describe_coverage,
    error_change,
    judge_coverage,
    judge_error,
)
from citytune.evaluation._totals import BY_GROUPS, Totals, score_part
from citytune.evaluation._verified import (
    Tally,
    Verified,
    by_week,
    newest_forecasts,
    record_summary,
    tally,
    tally_by_week,
    tally_summary,
    verified,
)
from citytune.settings import Alert

__all__ = [
    "Alert",
    "AlertScore",
    "BY_GROUPS",
    "Baseline",
    "Detail",
    "GroupScores",
    "Holdout",
    "Leaderboard",
    "NAIVE",
    "REGIONS",
    "Region",
    "SAME_ERROR",
    "Scores",
    "Standing",
    "Tally",
    "Totals",
    "Verified",
    "WORDS",
    "as_it_came",
    "backtest",
    "baselines",
    "by_week",
    "compare",
    "compared",
    "coverage",
    "day_scale",
    "describe_coverage",
    "error_change",
    "held_out",
    "holdout_of",
    "judge_coverage",
    "judge_error",
    "keep_scores",
    "kept_scores",
    "mae",
    "mase",
    "newest_forecasts",
    "record_summary",
    "register_rival",
    "rmse",
    "score_part",
    "tally",
    "tally_by_week",
    "tally_summary",
    "verified",
    "width",
    "wql",
]
