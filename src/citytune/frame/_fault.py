"""One thing that is wrong, or was guessed or mended, in what was read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from citytune._tables import html_block, html_table
from citytune._text import counted

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


class Faults(tuple[Fault, ...]):
    """Findings about a file, which a notebook shows as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        number = Counter(fault.severity for fault in self)
        said = ", ".join(counted(count, severity) for severity, count in number.items())
        return f"<Faults: {said or 'none'}; print(*faults, sep='\\n') for words>"

    def _repr_html_(self) -> str:
        head = ("sensor", "severity", "what", "what to do", "first", "values")
        rows = [
            (fault.sensor or "all", fault.severity, fault.message, fault.remedy, fault.first or "",
             f"{fault.count:,}")
            for fault in self
        ]  # fmt: skip
        return html_block(counted(len(self), "finding"), html_table(head, rows) if rows else "")
