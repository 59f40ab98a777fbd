"""Take gradient steps; nothing here knows of cities."""

from citytune.training._balanced import balanced_mse
from citytune.training._loop import Loop, minimise
from citytune.training._machine import device
from citytune.training._penalty import decay, toward
from citytune.training._record import TrainingRecord
from citytune.training._stepper import Group

__all__ = [
    "TrainingRecord",
    "Group",
    "Loop",
    "balanced_mse",
    "decay",
    "device",
    "minimise",
    "toward",
]
