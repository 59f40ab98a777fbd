"""A past day that plays today: what was known then, what is forecast from it, and what came."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sets import past_days

import citytune as ct
from citytune.backbones import load_backbone
from citytune.frame import SensorFrame

HORIZON = 48
CONTEXT = 512
COARSE = 6
"""Steps a day below which a week is forecast, of the four weeks after."""
DOMAINS = ("traffic", "energy", "air")


class Cutoff(NamedTuple):
    """The rows around one past day that plays today."""

    frame: SensorFrame
    """The history and the days after it that are forecast, and no other row."""
    row: int
    """Of `frame`: the first that was not known yet."""
    horizon: int
    origins: list[int]
    """Rows of `frame` that forecasts start at: every quarter of a day."""
    actual: NDArray[np.float32]
    """(origin, horizon, sensor), what came, in the unit of the data; NaN is missing."""

    @property
    def known(self) -> SensorFrame:
        """What there is to learn from."""
        return self.frame.until(self.row)


def cutoff_of(frame: SensorFrame, days: int, row: int, *, before: int = CONTEXT) -> Cutoff:
    """The row of `frame` that plays today, with `days` of history and `before` steps more."""
    day = frame.clock.steps_per_day
    horizon, after = (HORIZON, 7) if day >= COARSE else (7 * day, 28)
    first = max(0, row - days * day - before)
    around, row = frame.since(first).until(row + after * day - first), row - first
    origins = list(range(row, len(around) - horizon + 1, max(1, day // 4)))
    actual = around.values[np.array(origins)[:, None] + np.arange(horizon)]
    return Cutoff(around, row, horizon, origins, actual)


def cutoffs_of(frame: SensorFrame, days: int, count: int | None) -> list[int]:
    """Rows that play today, with a context before their history where the set is long enough."""
    found = past_days(frame, days, CONTEXT, count)
    return found or past_days(frame, days, 0, count)


def geometric(ratios: Iterable[float]) -> float:
    """Geometric mean; NaN of nothing."""
    logs = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def usable(names: list[str]) -> list[str]:
    """The backbones that are here; of the others it is said why not."""
    found = []
    for name in names:
        try:
            found.append(load_backbone(name).card.name)
        except ct.InputError as error:
            print(f"{name} is left out: {error}")
    if not found:
        raise SystemExit("no backbone is left to tune")
    return found


@contextmanager
def nothing_cached() -> Iterator[None]:
    """What is timed inside finds nothing that an earlier fit left on disk."""
    before = os.environ.get("CITYTUNE_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CITYTUNE_CACHE"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["CITYTUNE_CACHE"]
            else:
                os.environ["CITYTUNE_CACHE"] = before
