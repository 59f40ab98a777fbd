"""The fine-tuning strategies: experts, the stack, the gate; the closed-form head; calibration."""

from citytune._registry import import_all
from citytune.backbones import LEVELS
from citytune.tuning._fit import Tuned, errors_by_day, fit
from citytune.tuning.closed_form._choose_penalty import choose_penalty, folds_of
from citytune.tuning.closed_form._head import (
    HEAD_PENALTIES,
    Head,
    HeadData,
    Projection,
    fit_head,
)
from citytune.tuning.closed_form._ridge import RidgePath, Statistics
from citytune.tuning.closed_form._trees import lightgbm_here
from citytune.tuning.examples._batch import (
    COVARIATES,
    DEVIATIONS,
    FEATURES,
    SENSOR,
    STEP_AGO,
    Batch,
)
from citytune.tuning.examples._choice import rows_learnt_from
from citytune.tuning.examples._lenses import LENSES
from citytune.tuning.examples._memory import Memory, Windows
from citytune.tuning.examples._timetable import Timetable
from citytune.tuning.experts._boosted import Boosted
from citytune.tuning.experts._covariates import KnownAhead
from citytune.tuning.experts._expert import (
    Candidate,
    Expert,
    Start,
    deviations_of,
    experts,
    forecasts_of,
    register,
)
from citytune.tuning.experts._finetuned import FineTuned
from citytune.tuning.experts._head_expert import HeadExpert
from citytune.tuning.experts._last_hour import LastHour, near_bands, shown_a_step_ago
from citytune.tuning.experts._lens import LensExpert
from citytune.tuning.experts._mixture import Mixture, by_step, in_words, mix
from citytune.tuning.experts._rule import SeasonalExpert
from citytune.tuning.intervals._conformal import Conformal, slots
from citytune.tuning.intervals._intervals import Intervals
from citytune.tuning.intervals._quantiles import (
    MEDIAN,
    chance_above,
    chance_below,
    mean_of,
    values_at,
)
from citytune.tuning.intervals._tilt import Tilt
from citytune.tuning.stacking._band_trust import fine_bands
from citytune.tuning.stacking._stack import bands
from citytune.tuning.stacking._stats import t_inflation
from citytune.tuning.strategies._blend import Blend
from citytune.tuning.strategies._gradient import GradientStrategy
from citytune.tuning.strategies._last_layer import train_head
from citytune.tuning.strategies._strategies import strategies_for
from citytune.tuning.strategies._strategy import (
    Learned,
    Strategy,
    alone,
    make_strategy,
    options_of,
    strategies,
)
from citytune.tuning.strategies._trainable import Trainable
from citytune.tuning.task._task import Task
from citytune.tuning.trust._gate import MOST_DAILY_GAIN, Estimate, shares

import_all(f"{__name__}.experts")  # each registers itself, a new one too
import_all(f"{__name__}.strategies")

__all__ = [
    "Batch",
    "Blend",
    "Boosted",
    "COVARIATES",
    "Candidate",
    "Conformal",
    "DEVIATIONS",
    "Estimate",
    "Expert",
    "FEATURES",
    "FineTuned",
    "GradientStrategy",
    "HEAD_PENALTIES",
    "Head",
    "HeadData",
    "HeadExpert",
    "Intervals",
    "KnownAhead",
    "LENSES",
    "LEVELS",
    "LastHour",
    "Learned",
    "LensExpert",
    "MEDIAN",
    "MOST_DAILY_GAIN",
    "Memory",
    "Mixture",
    "Projection",
    "RidgePath",
    "SENSOR",
    "STEP_AGO",
    "SeasonalExpert",
    "Start",
    "Statistics",
    "Strategy",
    "Task",
    "Tilt",
    "Timetable",
    "Trainable",
    "Tuned",
    "Windows",
    "alone",
    "bands",
    "by_step",
    "chance_above",
    "chance_below",
    "choose_penalty",
    "deviations_of",
    "errors_by_day",
    "experts",
    "fine_bands",
    "fit",
    "fit_head",
    "folds_of",
    "forecasts_of",
    "in_words",
    "lightgbm_here",
    "make_strategy",
    "mean_of",
    "mix",
    "near_bands",
    "options_of",
    "register",
    "rows_learnt_from",
    "shares",
    "shown_a_step_ago",
    "slots",
    "strategies",
    "strategies_for",
    "t_inflation",
    "train_head",
    "values_at",
]
