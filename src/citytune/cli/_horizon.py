"""How far ahead to forecast: from a person's words to steps."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from citytune._errors import InputError
from citytune.cli._words import count

if TYPE_CHECKING:
    from citytune.frame import Clock, SensorFrame

UNITS = {"min": 60, "h": 3600, "d": 86400, "w": 604800}
FEWEST_ROWS = 14
"""Shortest history before a horizon worth scoring, whatever the clock."""


def check_words(text: str) -> None:
    """Refuse what is no horizon for any file, before one is read."""
    _parse(text)


def steps(text: str, clock: Clock) -> int:
    """A horizon in steps: "24" as it is, "24h" or "7d" by the clock of the file."""
    number, unit = _parse(text)
    if not unit:
        return number
    span, step = number * UNITS[unit], clock.step.total_seconds()
    if span % step:
        raise InputError(
            f"a horizon of {text} is no whole number of steps: this file has one every "
            f"{clock.freq}; give a multiple of it, or the number of steps"
        )
    return round(span / step)


def check_known_ahead(frame: SensorFrame, horizon: int, names: Iterable[str]) -> None:
    """Refuse covariates that are not known as far ahead as is to be forecast."""
    short = {n: len(frame.covariates[n]) - len(frame) for n in names if n in frame.covariates}
    short = {name: known for name, known in short.items() if known < horizon}
    if short:
        name, known = min(short.items(), key=lambda item: item[1])
        raise InputError(
            f"covariate {name!r} of {frame.source} is missing in the future: it is known for "
            f"{count(known, 'step')} after the last reading ({frame.clock.text(len(frame) - 1)}), "
            f"and forecasting {count(horizon, 'step')} needs as many; add rows that hold its "
            "forecast and no reading, or leave it out of covariates="
        )


def fewest(clock: Clock, horizon: int) -> int:
    """Rows below which a model is not worth scoring: a day (or 14 steps) and a horizon."""
    return horizon + max(clock.steps_per_day, FEWEST_ROWS)


def _parse(text: str) -> tuple[int, str]:
    found = re.fullmatch(r"([+-]?\d+)\s*(min|h|d|w|)", text.strip().lower())
    if found is None:
        raise InputError(
            f"{text!r} is no horizon; give a number of steps, such as 24, or a time, such as 24h, "
            "90min or 7d"
        )
    number = int(found[1])
    if number < 1:
        raise InputError(f"a horizon is at least one step ahead, got {text}; give 24, 24h or 7d")
    return number, found[2]
