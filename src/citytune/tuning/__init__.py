"""The fine-tuning strategies: experts, the stack, the gate; the closed-form head; calibration."""

from citytune.backbones import LEVELS
from citytune.tuning._band_trust import fine_bands
from citytune.tuning._batch import COVARIATES, DEVIATIONS, FEATURES, SENSOR, STEP_AGO, Batch
from citytune.tuning._blend import Blend
from citytune.tuning._boosted import Boosted
from citytune.tuning._choice import SEASONAL_WEEKS, rows_learnt_from
from citytune.tuning._conformal import Conformal, slots
from citytune.tuning._covariates import KnownAhead, Usual
from citytune.tuning._expert import (
    Candidate,
    Expert,
    Start,
    deviations_of,
    experts,
    forecasts_of,
    register,
)
from citytune.tuning._finetuned import FineTuned
from citytune.tuning._fit import Tuned, errors_by_day, fit
from citytune.tuning._gradient import GradientStrategy
from citytune.tuning._head import Head, HeadData, Projection, fit_head
from citytune.tuning._head_expert import HeadExpert
from citytune.tuning._intervals import Intervals
from citytune.tuning._last_hour import LastHour, near_bands, shown_a_step_ago
from citytune.tuning._last_layer import LastLayer, LastLayerBySteps, train_head
from citytune.tuning._lens import LensExpert
from citytune.tuning._lenses import LENSES
from citytune.tuning._lora import Lora
from citytune.tuning._memory import Memory, Windows
from citytune.tuning._mixture import Mixture, by_step, in_words, mix
from citytune.tuning._quantiles import MEDIAN, chance_above, chance_below, mean_of, values_at
from citytune.tuning._ridge import RidgePath, Statistics
from citytune.tuning._rule import SeasonalExpert
from citytune.tuning._stack import bands
from citytune.tuning._stats import t_inflation
from citytune.tuning._strategies import (
    Bias,
    Full,
    Gradual,
    LastBlocks,
    Norms,
    ZeroShot,
    reason_against,
    strategies_for,
)
from citytune.tuning._strategy import (
    Learned,
    Strategy,
    alone,
    make_strategy,
    options_of,
    strategies,
)
from citytune.tuning._task import Task
from citytune.tuning._tilt import Tilt, choose_tilt
from citytune.tuning._timetable import Timetable
from citytune.tuning._trainable import Trainable
from citytune.tuning._trees import lightgbm_here

__all__ = [
    "Batch",
    "Bias",
    "Blend",
    "Boosted",
    "COVARIATES",
    "Candidate",
    "Conformal",
    "DEVIATIONS",
    "Expert",
    "FEATURES",
    "FineTuned",
    "Full",
    "GradientStrategy",
    "Gradual",
    "Head",
    "HeadData",
    "HeadExpert",
    "Intervals",
    "KnownAhead",
    "LENSES",
    "LEVELS",
    "LastBlocks",
    "LastHour",
    "LastLayer",
    "LastLayerBySteps",
    "Learned",
    "LensExpert",
    "Lora",
    "MEDIAN",
    "Memory",
    "Mixture",
    "Norms",
    "Projection",
    "RidgePath",
    "SEASONAL_WEEKS",
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
    "Usual",
    "Windows",
    "ZeroShot",
    "alone",
    "bands",
    "by_step",
    "chance_above",
    "chance_below",
    "choose_tilt",
    "deviations_of",
    "errors_by_day",
    "experts",
    "fine_bands",
    "fit",
    "fit_head",
    "forecasts_of",
    "in_words",
    "lightgbm_here",
    "make_strategy",
    "mean_of",
    "mix",
    "near_bands",
    "options_of",
    "reason_against",
    "register",
    "rows_learnt_from",
    "shown_a_step_ago",
    "slots",
    "strategies",
    "strategies_for",
    "t_inflation",
    "train_head",
    "values_at",
]
