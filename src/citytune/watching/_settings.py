"""The dials of watching."""

from __future__ import annotations

from dataclasses import dataclass

from citytune._errors import InputError


@dataclass(frozen=True, kw_only=True)
class WatchSettings:
    """How watchful to be; checked when made."""

    false_alarms: float = 0.5
    """Expected false alarms per sensor and year. Fewer of them mean later alarms."""
    learn_days: int = 56
    """Days after which a new sensor, or a new kind of test, is tested."""
    recovery_days: int = 3
    """Ordinary days in a row that end an alarm."""
    adopt_days: int = 28
    """Days after which what has stayed is taken as the new normal."""
    stale_days: float = 2.0
    """Days without any reading of the whole source that make it stale."""

    def __post_init__(self) -> None:
        if not 0.001 <= self.false_alarms <= 100:
            raise InputError(
                f"false_alarms={self.false_alarms} per sensor and year; choose from 0.001 to 100"
            )
        for name, least in (("learn_days", 14), ("recovery_days", 1), ("adopt_days", 7)):
            if getattr(self, name) < least:
                raise InputError(f"{name}={getattr(self, name)} is too few; it is at least {least}")
        if not self.stale_days > 0:
            raise InputError(f"stale_days={self.stale_days}; it must be positive")

    @property
    def threshold(self) -> float:
        """Evidence that raises an alarm: the mean number of days between two false ones."""
        return 365 / self.false_alarms
