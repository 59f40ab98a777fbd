"""Take gradient steps; nothing here knows of cities."""

from citytune.training._balanced import balanced_mse
from citytune.training._groups import Group
from citytune.training._listeners import Listener, listening
from citytune.training._loop import Loop, TrainingRecord, minimise
from citytune.training._machine import Machine, device
from citytune.training._penalty import decay, toward
from citytune.training._pinball import pinball
from citytune.training._stepper import Step, Stepper
from citytune.training._stop_early import stopping_early

__all__ = [
    "Group",
    "Listener",
    "Loop",
    "Machine",
    "Step",
    "Stepper",
    "TrainingRecord",
    "balanced_mse",
    "decay",
    "device",
    "listening",
    "minimise",
    "pinball",
    "stopping_early",
    "toward",
]
