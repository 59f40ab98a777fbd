"""Units of the same thing, and how values go from one to the other.

A table of a few lines and not a library of units: city data know these, each conversion is exact
and linear, and a unit that is not here is refused rather than guessed.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_ZERO_C, _ZERO_F = 273.15, 459.67 * 5 / 9


class _Unit(NamedTuple):
    of: str  # what is measured in it
    size: float  # in the first unit of its kind
    zero: float = 0.0  # where its zero lies, in the first unit of its kind


_TABLE = {
    "power": {"W": 1.0, "kW": 1e3, "MW": 1e6, "GW": 1e9, "万kW": 1e7},
    "energy": {"Wh": 1.0, "kWh": 1e3, "MWh": 1e6, "GWh": 1e9, "J": 1 / 3600, "kJ": 1e3 / 3600,
               "MJ": 1e6 / 3600, "GJ": 1e9 / 3600},
    "speed": {"m/s": 1.0, "km/h": 1 / 3.6, "mph": 0.44704, "kn": 1852 / 3600},
    "pressure": {"Pa": 1.0, "hPa": 1e2, "mbar": 1e2, "kPa": 1e3, "bar": 1e5},
    "concentration": {"µg/m³": 1.0, "mg/m³": 1e3, "ng/m³": 1e-3},
    "share of air": {"ppb": 1.0, "ppm": 1e3},
    "length": {"m": 1.0, "mm": 1e-3, "cm": 1e-2, "km": 1e3, "in": 0.0254, "ft": 0.3048,
               "mi": 1609.344},
    "volume": {"m³": 1.0, "l": 1e-3},
    "time": {"s": 1.0, "min": 60.0, "h": 3600.0},
    "vehicles": {"veh": 1.0},
    "vehicles an hour": {"veh/h": 1.0},
}  # fmt: skip
_SPELLINGS = {
    "kmh": "km/h", "kph": "km/h", "mps": "m/s", "ms-1": "m/s", "knots": "kn", "knot": "kn",
    "kt": "kn", "c": "°C", "degc": "°C", "celsius": "°C", "f": "°F", "degf": "°F",
    "fahrenheit": "°F", "kelvin": "K", "ug/m3": "µg/m³", "mg/m3": "mg/m³", "ng/m3": "ng/m³",
    "ugm3": "µg/m³", "m3": "m³", "litre": "l", "litres": "l", "liters": "l", "seconds": "s",
    "minutes": "min", "hours": "h", "vehicles": "veh", "vehicles/h": "veh/h", "vph": "veh/h",
    "mb": "mbar",
}  # fmt: skip


def _plain(unit: str) -> str:
    """Without case, blanks and raised digits, and with one kind of µ."""
    return "".join(unicodedata.normalize("NFKC", unit).casefold().split())


_UNITS = {
    _plain(name): _Unit(of, size) for of, sizes in _TABLE.items() for name, size in sizes.items()
} | {
    "k": _Unit("temperature", 1.0),
    _plain("°C"): _Unit("temperature", 1.0, _ZERO_C),
    _plain("°F"): _Unit("temperature", 5 / 9, _ZERO_F),
}


def _known(unit: str) -> _Unit | None:
    plain = _plain(unit)
    return _UNITS.get(_plain(_SPELLINGS.get(plain, plain)))


def same_unit(one: str, other: str) -> bool:
    """Whether two spellings mean one unit.

    >>> same_unit("ug/m3", "µg/m³"), same_unit("kW", "MW")
    (True, False)
    """
    found = _known(one)
    return _plain(one) == _plain(other) or (found is not None and found == _known(other))


def convert(values: NDArray[np.float32], unit: str, into: str) -> NDArray[np.float32] | None:
    """Values in another unit of the same thing; None if it is not known how.

    >>> import numpy as np
    >>> convert(np.array([0, 100], np.float32), "°C", "F")
    array([ 32., 212.], dtype=float32)
    """
    old, new = _known(unit), _known(into)
    if old is None or new is None or old.of != new.of:
        return None
    found = (values.astype(np.float64) * old.size + (old.zero - new.zero)) / new.size
    return found.astype(np.float32)


_AMOUNTS = {"W": "Wh", "kW": "kWh", "MW": "MWh", "GW": "GWh", "veh/h": "veh"}
"""A rate, and what it comes to in an hour."""


def amount_of(unit: str, hours: float) -> tuple[str, float] | None:
    """Unit of the sum over steps, and what a value of one step of so many hours adds to it.

    None where a sum means nothing, as for concentrations and temperatures, or nobody knows.

    >>> amount_of("kW", 0.25), amount_of("kWh", 0.25), amount_of("µg/m³", 1)
    (('kWh', 0.25), ('kWh', 1.0), None)
    """
    found = _known(unit)
    if found is None:
        return None
    for rate, amount in _AMOUNTS.items():
        if same_unit(unit, rate):
            return amount, hours
    return (unit, 1.0) if found.of in ("energy", "vehicles", "volume") else None


def starts_at_nothing(unit: str) -> bool:
    """Whether 0 means none at all, as for kW and not for °C; so with a unit nobody knows."""
    found = _known(unit)
    return found is None or (found.of != "temperature")
