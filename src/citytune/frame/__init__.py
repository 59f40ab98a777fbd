"""What a city's measurements are: one table (time, sensor), its clock, calendar and faults."""

from citytune.frame._calendar import Calendar, calendar, check_country
from citytune.frame._clock import Clock, spell
from citytune.frame._fault import Fault, Faults, Severity
from citytune.frame._frame import Origin, SensorFrame
from citytune.frame._quantity import UNNAMED, Quantity, plain_letters
from citytune.frame._threshold import Threshold, read_threshold
from citytune.frame._units import amount_of, convert, same_unit

__all__ = [
    "Calendar",
    "Clock",
    "Fault",
    "Faults",
    "Origin",
    "Quantity",
    "SensorFrame",
    "Severity",
    "Threshold",
    "UNNAMED",
    "amount_of",
    "calendar",
    "check_country",
    "convert",
    "plain_letters",
    "read_threshold",
    "same_unit",
    "spell",
]
