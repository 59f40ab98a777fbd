"""What a person decides about a fit: one typed thing, checked in one place."""

from citytune.settings._rare import FEW_SHARE, Rare, Wanted
from citytune.settings._settings import (
    Call,
    Effort,
    Horizon,
    Options,
    Progress,
    Settings,
    setting,
    steps_of,
    takes_settings,
)

__all__ = [
    "Call",
    "Effort",
    "FEW_SHARE",
    "Horizon",
    "Options",
    "Progress",
    "Rare",
    "Settings",
    "Wanted",
    "setting",
    "steps_of",
    "takes_settings",
]
