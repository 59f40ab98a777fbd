"""How far ahead to forecast: from a person's words to steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from citytune.frame import Clock

FEWEST_ROWS = 14
"""Shortest history before a horizon worth scoring, whatever the clock."""


def fewest(clock: Clock, horizon: int) -> int:
    """Rows below which a model is not worth scoring: a day (or 14 steps) and a horizon."""
    return horizon + max(clock.steps_per_day, FEWEST_ROWS)
