"""Split history in time: train before test, and folds whose targets do not overlap."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from torch import Tensor

from citytune._errors import InputError
from citytune.frame import SensorFrame


class Fold(NamedTuple):
    """Which windows to fit on and which to test on, by index."""

    train: Tensor  # (window,) long, ascending
    test: Tensor  # (window,) long, ascending


def split_by_time(
    frame: SensorFrame, *, test: float | dt.timedelta
) -> tuple[SensorFrame, SensorFrame]:
    """The earlier and the later rows of a frame.

    Args:
        frame: What was measured; the earlier part keeps its covariates, as what is known ahead.
        test: How much is later: a share (0.2), a whole number of steps (168), or a time
            (`timedelta(days=7)`).

    Example:
        >>> import numpy as np
        >>> from citytune.frame import Clock, SensorFrame
        >>> hourly = Clock(dt.datetime(2024, 1, 1), dt.timedelta(hours=1))
        >>> frame = SensorFrame(np.zeros((240, 1), np.float32), hourly, ("E6",))
        >>> train, later = split_by_time(frame, test=dt.timedelta(days=2))
        >>> len(train), len(later), later.clock.text(0)
        (192, 48, '2024-01-09 00:00')
    """
    steps = _steps(frame, test)
    if not 0 < steps < len(frame):
        raise InputError(
            f"a test part of {test} is {steps} of the {len(frame)} rows of {frame.source}; both "
            "parts need a row or more: give a share between 0 and 1, a number of steps, or a time"
        )
    start = len(frame) - steps
    return frame.until(start), frame.since(start)


def _steps(frame: SensorFrame, test: float | dt.timedelta) -> int:
    if isinstance(test, dt.timedelta):
        return round(test / frame.clock.step)
    if isinstance(test, int):
        return test
    return round(test * len(frame)) if 0 < test < 1 else 0


def purged_folds(origins: Tensor, *, horizon: int, folds: int = 5) -> list[Fold]:
    """Time-blocked folds over windows, for choosing by errors out of sample.

    Overlapping windows share targets, and a plain shuffle would test on what was fitted. Here
    each fold tests on one stretch of time, and every window whose targets overlap those of the
    stretch is left out of the fit (López de Prado 2018, Advances in Financial Machine Learning,
    ch. 7).

    Args:
        origins: (window,) first step forecast of each window; many may share one, in any order.
        horizon: Steps forecast from each origin.
        folds: How many stretches, with as many distinct origins each.

    Returns:
        Together the tests hold every window once. A fold that leaves nothing to fit on is left
        out, so there may be fewer than `folds`, or none.

    Example:
        >>> import torch
        >>> [fold.train.tolist() for fold in purged_folds(torch.arange(6), horizon=2, folds=3)]
        [[3, 4, 5], [0, 5], [0, 1, 2]]
    """
    if folds < 2:
        raise ValueError(f"folds must be at least 2, got {folds}")
    if horizon < 1:
        raise ValueError(f"horizon must be at least 1, got {horizon}")
    found = []
    for block in origins.unique().tensor_split(folds):  # ascending
        if not len(block):
            continue
        first, last = block[0], block[-1]
        train = ((origins <= first - horizon) | (origins >= last + horizon)).nonzero()[:, 0]
        test = ((origins >= first) & (origins <= last)).nonzero()[:, 0]
        if len(train):
            found.append(Fold(train, test))
    return found
