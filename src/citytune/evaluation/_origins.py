"""Which past moments to forecast from, where a person says so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError
from citytune._text import counted
from citytune.frame import SensorFrame
from citytune.settings import Horizon, steps_of

Moment: TypeAlias = int | str | dt.datetime | np.datetime64
"""A row of the frame, or a time: local where the frame has a zone and the time none."""


@dataclass(frozen=True, kw_only=True)
class Origins:
    """What was asked for; nothing of it is the usual choice."""

    origins: Sequence[Moment] | None = None
    """Exactly these."""
    stride: Horizon | None = None
    """Steps, or time such as "6h", from one to the next."""
    windows: int | None = None
    """How many, the last of which ends with the frame."""

    def check(self, days: float | None) -> None:
        """Refuse what contradicts itself."""
        given = {"days": days, "origins": self.origins, "windows": self.windows}
        both = [name for name, value in given.items() if value is not None]
        if len(both) > 1 or (self.origins is not None and self.stride is not None):
            raise InputError(
                "origins=, windows= and days= each say what is scored, and stride= goes with the "
                f"last two; got {' and '.join([*both, 'stride'][:2])}: give one of them"
            )
        if self.windows is not None and not (
            isinstance(self.windows, Integral) and self.windows > 0
        ):
            raise InputError(f"windows is how many forecasts to score, got {self.windows!r}")

    def step(self, frame: SensorFrame) -> int | None:
        """The stride in steps of a frame; None if it was not asked for."""
        if self.stride is None:
            return None
        step = steps_of(self.stride, frame.clock)
        if not isinstance(step, Integral) or step < 1:
            raise InputError(f"stride is at least one step, such as 24 or '6h'; got {step!r}")
        return int(step)

    def rows(self, frame: SensorFrame, horizon: int) -> NDArray[np.int64] | None:
        """The first steps forecast, ascending; None if only the usual ones are wanted.

        Raises:
            InputError: the frame has no such moment, or too little before or after it.
        """
        if self.origins is not None:
            rows = np.unique([_row(frame, moment) for moment in self.origins]).astype(np.int64)
        elif self.windows is not None:
            step = self.step(frame) or max(frame.clock.steps_per_day, horizon)
            rows = len(frame) - horizon - step * np.arange(int(self.windows))[::-1]
        else:
            return None
        if not len(rows):
            raise InputError("origins is empty; name at least one moment to forecast from")
        for row in (rows[0], rows[-1]):
            if not horizon <= row <= len(frame) - horizon:
                _refuse(frame, int(row), horizon)
        return rows


def _refuse(frame: SensorFrame, row: int, horizon: int) -> None:
    raise InputError(
        f"a forecast of {counted(horizon, 'step')} from {frame.clock.text(row)} cannot be scored: "
        f"{frame.source} runs from {frame.clock.text(0)} to {frame.clock.text(len(frame) - 1)}, "
        "and a horizon must fit before and after it; ask for fewer windows, a shorter stride or "
        "other origins"
    )


def _row(frame: SensorFrame, moment: Moment) -> int:
    """The row of a moment; one between two rows is refused."""
    if isinstance(moment, Integral):
        return int(moment)
    clock = frame.clock
    at = _naive(moment, clock.timezone)
    row = clock.index(at)
    if clock.moments(row, 1)[0] != np.datetime64(at, "us"):
        raise InputError(
            f"no row of {frame.source} is at {moment}: it has one every {clock.freq}, such as "
            f"{clock.text(row)}; name a moment that has one"
        )
    return row


def _naive(moment: object, timezone: str | None) -> dt.datetime:
    """A time on the clock's own line: UTC where there is a zone, as written otherwise."""
    try:
        is_date = isinstance(moment, dt.datetime)
        at = moment if is_date else np.datetime64(moment, "us").item()  # type: ignore[call-overload]
    except (ValueError, TypeError):
        at = None
    if not isinstance(at, dt.datetime):
        raise InputError(f"an origin is a row or a time such as '2024-05-01 00:00', got {moment!r}")
    if timezone is not None:
        at = at if at.tzinfo else at.replace(tzinfo=ZoneInfo(timezone))
        return at.astimezone(dt.UTC).replace(tzinfo=None)
    if at.tzinfo:
        raise InputError(f"the origin {moment} has a time zone, and the readings have none")
    return at
