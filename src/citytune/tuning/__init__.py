"""The fine-tuning strategies: lenses, experts, the stack; the closed-form head; calibration."""

from citytune.backbones import LEVELS
from citytune.tuning._able import able, reason_against
from citytune.tuning._bias import Bias
from citytune.tuning._blend import Blend
from citytune.tuning._conformal import Conformal
from citytune.tuning._covariates import KnownAhead, Timetable, Usual
from citytune.tuning._experts import WORDS, ask, features
from citytune.tuning._finetuned import MOVED, FineTuned
from citytune.tuning._fit import Tuned, errors_by_day, fit
from citytune.tuning._full import Full
from citytune.tuning._gradient import GradientStrategy, KeepWeights
from citytune.tuning._gradual import Gradual
from citytune.tuning._head import Head, HeadData, Projection, fit_head
from citytune.tuning._heard import replay
from citytune.tuning._intervals import Intervals
from citytune.tuning._last_blocks import LastBlocks
from citytune.tuning._last_layer import LastLayer, LastLayerBySteps, train_head
from citytune.tuning._lora import Lora
from citytune.tuning._memory import Memory, Windows
from citytune.tuning._mixture import KNOWN, Mixture, in_words
from citytune.tuning._norms import Norms
from citytune.tuning._quantiles import MEDIAN, chance_above, chance_below, mean_of
from citytune.tuning._ridge import RidgePath, Statistics
from citytune.tuning._stack import bands
from citytune.tuning._stats import t_inflation
from citytune.tuning._strategy import (
    Learned,
    Strategy,
    make_strategy,
    options_of,
    strategies,
)
from citytune.tuning._task import Task
from citytune.tuning._tilt import Tilt, choose_tilt
from citytune.tuning._trainable import Trainable
from citytune.tuning._zero_shot import ZeroShot

__all__ = [
    "Bias",
    "Blend",
    "Conformal",
    "FineTuned",
    "Full",
    "GradientStrategy",
    "Gradual",
    "Head",
    "HeadData",
    "Intervals",
    "KNOWN",
    "KeepWeights",
    "KnownAhead",
    "LEVELS",
    "LastBlocks",
    "LastLayer",
    "LastLayerBySteps",
    "Learned",
    "Lora",
    "MEDIAN",
    "MOVED",
    "Memory",
    "Mixture",
    "Norms",
    "Projection",
    "RidgePath",
    "Statistics",
    "Strategy",
    "Task",
    "Tilt",
    "Timetable",
    "Trainable",
    "Tuned",
    "Usual",
    "WORDS",
    "Windows",
    "ZeroShot",
    "able",
    "ask",
    "bands",
    "chance_above",
    "chance_below",
    "choose_tilt",
    "errors_by_day",
    "features",
    "fit",
    "fit_head",
    "in_words",
    "make_strategy",
    "mean_of",
    "options_of",
    "reason_against",
    "replay",
    "strategies",
    "t_inflation",
    "train_head",
]
