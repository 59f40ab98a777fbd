"""Decide which rows a model is tested on, and from which rows it may have learnt."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError
from citytune.evaluation._origins import Origins
from citytune.frame import SensorFrame

Refit: TypeAlias = bool | Literal["auto"]
MOST_DAYS = 14
"""Longest part held out unless asked for more."""
MOST_NEW_DAYS = 56
"""Most days scored of those that came after a model's training, unless asked for more."""
FEW_ORIGINS, MANY_ORIGINS = 14, 56
"""Origins of a horizon under half a day: many for a few sensors, few for many."""
MANY_WINDOWS = 4000
"""Windows (origins times sensors) above which there are fewer origins."""


@dataclass(frozen=True, eq=False)
class Block:
    """Origins forecast by one fit."""

    train_end: int
    """The fit, the baselines and the intervals learn from rows before this one."""
    origins: NDArray[np.int64]
    """(origin,) ascending; the first step forecast."""


@dataclass(frozen=True, eq=False)
class Holdout:
    """What a backtest will do."""

    blocks: tuple[Block, ...]
    refit: bool
    """Whether each block's model is fitted anew; if not, the given model is scored."""
    notes: tuple[str, ...] = ()

    @property
    def origins(self) -> NDArray[np.int64]:
        """Every origin, ascending."""
        return np.concatenate([block.origins for block in self.blocks])


def plan(
    frame: SensorFrame,
    *,
    horizon: int,
    seen: int,
    days: float | None,
    refit: Refit,
    asked: Origins | None = None,
) -> Holdout:
    """Choose the holdout by the rules of `backtest`.

    Args:
        frame: What was measured.
        horizon: Steps forecast at once.
        seen: Rows of `frame` that the given model was fitted on; 0 if it saw none of them.
        days: Length asked for; None is the default.
        refit: As in `backtest`.
        asked: Moments to forecast from; None is the usual ones.
    """
    asked = asked or Origins()
    asked.check(days)
    _check(frame, horizon, days, refit)
    rows = asked.rows(frame, horizon)
    if rows is not None:
        return _exactly(frame, _known(frame, rows, horizon), horizon, seen, refit)
    stride = asked.step(frame)
    if refit is not True:
        unseen = _unseen(frame, horizon, seen, days, stride, strict=refit is False)
        if unseen is not None:
            return unseen
    start = len(frame) - held_out(frame, horizon, days)
    origins = _origins(frame, start, horizon, stride)
    if not len(origins):
        raise InputError(
            f"nothing was measured from {frame.clock.text(start)} on, so a forecast cannot be "
            "scored there; leave the empty rows out, or hold out more days"
        )
    blocks = _weekly(frame, origins, horizon) if refit is True else [Block(start, origins)]
    return Holdout(tuple(blocks), refit=True)


def _exactly(
    frame: SensorFrame, rows: NDArray[np.int64], horizon: int, seen: int, refit: Refit
) -> Holdout:
    """The holdout of origins that were named: refitted where the model has seen the first."""
    if not len(rows):
        raise InputError("nothing was measured after any of the origins; name others")
    seen = min(seen, len(frame))
    if refit is not True and seen <= rows[0]:
        return Holdout((Block(seen or int(rows[0]), rows),), refit=False)
    if refit is False:
        raise InputError(
            f"the model was fitted on rows until {frame.clock.text(seen - 1)}, and the first "
            f"origin is {frame.clock.text(int(rows[0]))}; name later ones, or let it be refitted "
            'with refit="auto"'
        )
    blocks = _weekly(frame, rows, horizon) if refit is True else [Block(int(rows[0]), rows)]
    return Holdout(tuple(blocks), refit=True)


def _check(frame: SensorFrame, horizon: int, days: float | None, refit: Refit) -> None:
    if refit not in (True, False, "auto"):
        raise InputError(f'refit must be True, False or "auto", got {refit!r}')
    if days is not None and not (math.isfinite(days) and days > 0):
        raise InputError(f"days to hold out must be a positive number, got {days!r}")
    if len(frame) < 2 * horizon:
        raise InputError(
            f"{frame.source} has {len(frame)} rows, and a backtest of {horizon} steps needs at "
            f"least {2 * horizon}, half to learn from and half to test on; "
            "bring more history or ask for a shorter horizon"
        )


def _rows(frame: SensorFrame, days: float) -> int:
    step = frame.clock.step.total_seconds()
    return max(1, math.ceil(days * 86400 / step - 1e-9))


def held_out(frame: SensorFrame, horizon: int, days: float | None = None) -> int:
    """Rows at the end of a frame to test on: by default a quarter of it, at most 14 days.

    At least a horizon. With `days`, so many; `InputError` if too little is left to learn from.
    """
    if days is None:
        return max(horizon, min(len(frame) // 4, _rows(frame, MOST_DAYS)))
    rows = max(horizon, _rows(frame, days))
    if rows > len(frame) - horizon:
        raise InputError(
            f"{days:g} days cannot be held out of {frame.source}: it has {len(frame)} rows, and at "
            f"least {horizon} must be left to learn from; hold out fewer days"
        )
    return rows


def _unseen(
    frame: SensorFrame,
    horizon: int,
    seen: int,
    days: float | None,
    stride: int | None,
    *,
    strict: bool,
) -> Holdout | None:
    """Score rows that came after the model's training; None if there are too few of them."""
    seen = min(seen, len(frame))
    # A file that begins after the training must first give the model a past to look at.
    earliest = seen if seen > 0 else min(frame.clock.steps_per_week, len(frame) - horizon)
    start, notes = earliest, []
    if days is not None:
        start = len(frame) - max(horizon, _rows(frame, days))
        if start < earliest and strict:
            raise InputError(
                f"{days:g} days reach back to {frame.clock.text(max(start, 0))}, but the model was "
                f"fitted on rows until {frame.clock.text(max(seen - 1, 0))}; score fewer days, or "
                'let it be refitted with refit="auto"'
            )
        start = max(start, earliest)
    elif len(frame) - start > _rows(frame, MOST_NEW_DAYS):
        start = len(frame) - _rows(frame, MOST_NEW_DAYS)
        notes = [f"scored on the last {MOST_NEW_DAYS} days; pass days= for more"]
    origins = _origins(frame, start, horizon, stride)
    if len(origins):
        train_end = seen if seen > 0 else start
        return Holdout((Block(train_end, origins),), refit=False, notes=tuple(notes))
    if strict:
        raise InputError(
            f"{frame.source} has {max(0, len(frame) - earliest)} rows after those the model was "
            f"fitted on, and a horizon needs {horizon} with something measured in them; bring "
            'newer rows, or let it be refitted with refit="auto"'
        )
    return None


def _origins(
    frame: SensorFrame, start: int, horizon: int, stride: int | None = None
) -> NDArray[np.int64]:
    """Origins from `start` on with at least one measured value ahead of them."""
    day, rows = frame.clock.steps_per_day, len(frame) - start
    most = max(FEW_ORIGINS, min(MANY_ORIGINS, MANY_WINDOWS // len(frame.sensors)))
    usual = max(day, horizon) if 2 * horizon > day else walk(rows, horizon, day, most)
    origins = np.arange(start, len(frame) - horizon + 1, stride or usual)
    return _known(frame, origins, horizon)


def _known(frame: SensorFrame, origins: NDArray[np.int64], horizon: int) -> NDArray[np.int64]:
    """Those of the origins with at least one measured value ahead of them."""
    known: NDArray[np.bool_] = np.asarray(np.isfinite(frame.values).any(axis=1))
    return origins[[bool(known[origin : origin + horizon].any()) for origin in origins]]


def walk(rows: int, horizon: int, day: int, most: int) -> int:
    """A stride that gives about `most` origins in `rows` and, from day to day, sees every hour.

    >>> walk(14 * 24, 6, 24, 56), walk(14 * 24, 1, 24, 56)
    (6, 7)
    """
    stride = max(horizon, rows // most)
    while math.gcd(stride, day) > horizon:
        stride += 1
    return stride


def _weekly(frame: SensorFrame, origins: NDArray[np.int64], horizon: int) -> Iterator[Block]:
    """One block a week, or a horizon if longer: as often as an office would refit."""
    length = max(frame.clock.steps_per_week, horizon)
    place = (origins - origins[0]) // length
    for week in np.unique(place):
        inside = origins[place == week]
        yield Block(int(inside[0]), inside)
