"""What a person decides about a fit and its alerts: typed, and checked in one place."""

from citytune._progress import Progress
from citytune.settings._alert import USUAL, Alert
from citytune.settings._device import device_said
from citytune.settings._options import Options
from citytune.settings._rare import FEW_SHARE, Rare, Wanted
from citytune.settings._settings import (
    Call,
    Effort,
    Horizon,
    Settings,
    SpreadCall,
    setting,
    steps_of,
    takes_settings,
)

__all__ = [
    "Alert",
    "Call",
    "Effort",
    "FEW_SHARE",
    "Horizon",
    "Options",
    "Progress",
    "Rare",
    "Settings",
    "SpreadCall",
    "USUAL",
    "Wanted",
    "device_said",
    "setting",
    "steps_of",
    "takes_settings",
]
