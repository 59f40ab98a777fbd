"""Take gradient steps; nothing here knows of cities."""

from citytune.training._balanced import balanced_mse
from citytune.training._groups import Group
from citytune.training._loop import Loop, TrainingRecord, minimise
from citytune.training._machine import Machine, device
from citytune.training._penalty import decay, toward
from citytune.training._pinball import pinball
from citytune.training._stepper import Step, Stepper

__all__ = [
    "Group",
    "Loop",
    "Machine",
    "Step",
    "Stepper",
    "TrainingRecord",
    "balanced_mse",
    "decay",
    "device",
    "minimise",
    "pinball",
    "toward",
]
