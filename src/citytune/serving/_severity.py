"""How bad an alarm is: part → a number, on a scale on which twice as much is clearly worse."""

from __future__ import annotations

import math
from collections.abc import Mapping

CLEARLY = 2.0
SUREST = 0.99
"""A chance beyond which a higher one says nothing new."""


def is_worse(present: Mapping[str, float], told: Mapping[str, float]) -> bool:
    """Whether a part is clearly worse than anybody was told, or is new.

    >>> is_worse({">50": 1.9}, {">50": 1.0}), is_worse({">50": 1.0, ">80": 0.5}, {">50": 1.0})
    (False, True)
    """
    return any(one >= CLEARLY * told.get(part, 0.0) for part, one in present.items())


def worst(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """The higher number of each part."""
    return {part: max(one.get(part, 0.0), other.get(part, 0.0)) for part in {**one, **other}}


def of_chance(chance: float) -> float:
    """How bad a chance is: 80 % are clearly worse than 50 %, and 50 % than 20 %.

    >>> [round(of_chance(one), 2) for one in (0.2, 0.5, 0.8, 1.0)]
    [0.5, 1.0, 2.0, 9.95]
    """
    sure = min(chance, SUREST)
    return math.sqrt(sure / (1 - sure))
