"""What is measured: its name, unit and legal range."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from citytune.frame._units import starts_at_nothing

UNNAMED = "value"
"""The name of a quantity that nothing names."""


@dataclass(frozen=True)
class Quantity:
    """A measured quantity and the range its values may lie in."""

    name: str = UNNAMED
    """The field's word: "traffic_volume", "pm2.5", "load"."""
    unit: str = ""
    """Unit in words or symbols: "veh/h", "µg/m³", "kW"; empty if unknown."""
    low: float | None = None
    """Smallest legal value; None if unbounded below."""
    high: float | None = None
    """Largest legal value; None if unbounded above."""
    domain: str = "other"
    """"traffic", "air", "energy" or "other"."""

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"the legal range of {self.name!r} is empty: {self.low} … {self.high}")

    def __str__(self) -> str:
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def named_as(self, other: Quantity) -> bool:
        """Whether both have one name, or one of them has none.

        >>> Quantity("PM2.5").named_as(Quantity("pm25")), Quantity("no2").named_as(Quantity("load"))
        (True, False)
        """
        names = {plain_letters(self.name), plain_letters(other.name)}
        return len(names) == 1 or UNNAMED in names

    def never_below_zero(self, values: NDArray[np.float32]) -> Quantity:
        """The same with 0 as its smallest value, if some column of `values` was never below it.

        Counts, loads and the sun cannot fall below nothing; a temperature can.
        """
        zero = starts_at_nothing(self.unit) and "temp" not in self.name.lower()
        some = np.isfinite(values).any(0) & ~(values < 0).any(0)
        if self.low is not None or not zero or not some.any():
            return self
        return self if self.high is not None and self.high <= 0 else replace(self, low=0.0)


def plain_letters(name: str) -> str:
    """Letters and digits only, so that PM2.5, pm25 and pm_2_5 are one name, and m³ is m3."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).lower()))
