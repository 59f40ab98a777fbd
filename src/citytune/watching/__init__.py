"""Watch forecasts and readings: what came true, what has changed, and what to do about it."""

from citytune.watching._alarm import FIT, KINDS, PHRASES, SHARE_THAT_ALARMS, Alarm
from citytune.watching._fallback import safe_forecast
from citytune.watching._settings import WatchSettings
from citytune.watching._state import WatchState
from citytune.watching._verification import record_of
from citytune.watching._watch import Watch, calibrate, follow, watch

__all__ = [
    "Alarm",
    "FIT",
    "KINDS",
    "PHRASES",
    "SHARE_THAT_ALARMS",
    "Watch",
    "WatchSettings",
    "WatchState",
    "calibrate",
    "follow",
    "record_of",
    "safe_forecast",
    "watch",
]
