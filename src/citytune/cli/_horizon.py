"""How far ahead to forecast: from a person's words to steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from citytune._errors import InputError
from citytune._text import counted

if TYPE_CHECKING:
    from citytune.frame import Clock, SensorFrame

FEWEST_ROWS = 14
"""Shortest history before a horizon worth scoring, whatever the clock."""


def check_known_ahead(frame: SensorFrame, horizon: int, names: Iterable[str]) -> None:
    """Refuse covariates that are not known as far ahead as is to be forecast."""
    short = {n: len(frame.covariates[n]) - len(frame) for n in names if n in frame.covariates}
    short = {name: known for name, known in short.items() if known < horizon}
    if short:
        name, known = min(short.items(), key=lambda item: item[1])
        raise InputError(
            f"covariate {name!r} of {frame.source} is missing in the future: it is known for "
            f"{counted(known, 'step')} after the last reading "
            f"({frame.clock.text(len(frame) - 1)}), "
            f"but the forecast needs {counted(horizon, 'step')}; add rows that hold its "
            "forecast and no reading, or leave it out of covariates="
        )


def fewest(clock: Clock, horizon: int) -> int:
    """Rows below which a model is not worth scoring: a day (or 14 steps) and a horizon."""
    return horizon + max(clock.steps_per_day, FEWEST_ROWS)
