"""The fine-tuning strategies: lenses, experts, the stack; the closed-form head; calibration."""

from citytune.tuning._blend import Blend
from citytune.tuning._conformal import LEVELS, Conformal
from citytune.tuning._experts import WORDS
from citytune.tuning._fit import Tuned, fit
from citytune.tuning._head import Head, Lesson, View, fit_head
from citytune.tuning._known import KnownAhead, Timetable, Usual
from citytune.tuning._last_layer import LastLayer, LastLayerBySteps, train_head
from citytune.tuning._memory import Memory, Windows
from citytune.tuning._mixture import KNOWN, Mixture, in_words
from citytune.tuning._ridge import Path, Statistics
from citytune.tuning._seasonal import Seasonal
from citytune.tuning._stack import bands
from citytune.tuning._strategy import (
    Learned,
    Options,
    Strategy,
    make_strategy,
    options_of,
    strategies,
)
from citytune.tuning._task import Task
from citytune.tuning._zero_shot import ZeroShot

__all__ = [
    "Blend",
    "Conformal",
    "Head",
    "KNOWN",
    "KnownAhead",
    "LEVELS",
    "LastLayer",
    "LastLayerBySteps",
    "Learned",
    "Lesson",
    "Memory",
    "Mixture",
    "Options",
    "Path",
    "Seasonal",
    "Statistics",
    "Strategy",
    "Task",
    "Timetable",
    "Tuned",
    "Usual",
    "View",
    "WORDS",
    "Windows",
    "ZeroShot",
    "bands",
    "fit",
    "fit_head",
    "in_words",
    "make_strategy",
    "options_of",
    "strategies",
    "train_head",
]
