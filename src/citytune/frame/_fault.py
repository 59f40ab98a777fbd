"""One thing that is wrong, or was guessed or mended, in what was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["note", "warning", "error"]


@dataclass(frozen=True)
class Fault:
    """A finding about a file, in words a city engineer can act on."""

    kind: str
    """Stable identifier, such as "duplicate-rows" or "stuck"."""
    severity: Severity
    """"note": a guess or a harmless mending; "warning": look at it; "error": cannot be used."""
    message: str
    """What is wrong, with values."""
    remedy: str
    """What citytune did, or what the person should do."""
    sensor: str | None = None
    """The sensor it concerns; None for the whole table."""
    count: int = 1
    """How many rows or values."""
    first: str | None = None
    """Wall time of the first one."""

    def __str__(self) -> str:
        where = f"sensor {self.sensor!r}: " if self.sensor is not None else ""
        since = f" (first {self.first})" if self.first else ""
        return f"{where}{self.message}{since}; {self.remedy}"
