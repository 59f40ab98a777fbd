"""What is measured: its name, unit and legal range."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """A measured quantity and the range its values may lie in."""

    name: str = "value"
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
