"""How windows are cut: how far back a model looks, and how far ahead it forecasts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WindowSpec:
    """Context and horizon of every example, in steps."""

    context: int
    """Steps of past shown to the backbone."""
    horizon: int
    """Steps forecast."""

    def __post_init__(self) -> None:
        for name in ("context", "horizon"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1 step, got {getattr(self, name)}")
