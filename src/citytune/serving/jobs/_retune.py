"""Tune a run anew, and let the new model forecast only if it is better on the newest days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from citytune._errors import InputError
from citytune._text import counted, listed, number, percent
from citytune.serving.database import Alarm, Database

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from citytune.forecasting import TunedModel
    from citytune.frame import SensorFrame

FEWEST_DAYS = 3
"""Days without which nothing can be said."""
BETTER = 0.98
"""The new model's error over the old one's has to be below this …"""
WON = 2 / 3
"""… and the new model better on this share of the days."""
NOT_BROKEN = ("alert", "bias", "coverage", "error", "level shift", "worse than naive")
"""Alarms of sensors whose readings are true all the same."""


def first_fresh(frame: SensorFrame, days: int, horizon: int) -> int:
    """The row with which the days begin on which two models are compared.

    Raises:
        InputError: there are too few rows.
    """
    rows = max(days * frame.clock.steps_per_day, horizon + (FEWEST_DAYS - 1) * _stride(frame))
    if len(frame) - rows < 2 * rows:
        raise InputError(
            f"a model is compared on the newest {days} days, and the source has too few before "
            "them; wait for more readings, or lower fresh_days in serve.toml"
        )
    return len(frame) - rows


def broken_sensors(database: Database, run_id: int) -> set[str]:
    """Sensors whose newest readings say little about a model."""
    with database.reading() as session:
        return _broken(session, run_id)


def compared(
    old: TunedModel, new: TunedModel, frame: SensorFrame, first: int, broken: set[str]
) -> dict[str, Any]:
    """How both do on the rows from `first` on, forecast day by day.

    Errors are absolute ones, each sensor's relative to that of yesterday's values before these
    days, so that no large sensor decides alone. If the old model has learnt from some of these days
    already, that is to its advantage.

    Args:
        old: The model that forecasts.
        new: Fitted on what lies before these rows.
        frame: All readings by now.
        first: Where the newest days begin.
        broken: Sensors that are left out.
    """
    import numpy as np

    horizon = new.spec.horizon
    origins = range(first, len(frame) - horizon + 1, _stride(frame))
    sensors = [
        one for one in frame.sensors
        if one in old.sensors and one in new.sensors and one not in broken
    ]  # fmt: skip
    if not sensors or len(origins) < FEWEST_DAYS:
        raise InputError("too few sensors or days are sound to compare two models on")
    part = frame.select(sensors)
    day = frame.clock.steps_per_day
    moved = np.ma.masked_invalid(np.abs(part.values[day:first] - part.values[: first - day]))
    scale = moved.mean(axis=0).filled(np.nan)
    scale = np.where(scale > 0, scale, np.nan)
    back = -(-horizon // day) * day
    errors: dict[str, list[Any]] = {"old": [], "new": [], "naive": []}
    for origin in origins:
        actual = part.values[origin : origin + horizon]
        naive = part.values[origin - back : origin - back + horizon]
        said = {"old": _points(old, frame, origin, sensors),
                "new": _points(new, frame, origin, sensors), "naive": naive}  # fmt: skip
        known = np.all([np.isfinite(one) for one in (*said.values(), actual)], axis=0)
        for name, one in said.items():
            errors[name].append(np.where(known, np.abs(one - actual) / scale, np.nan))
    return _judged({name: np.asarray(one) for name, one in errors.items()}, frame, first, broken,
                   old, scale)  # fmt: skip


def _judged(
    errors: dict[str, NDArray[np.floating]],
    frame: SensorFrame,
    first: int,
    broken: set[str],
    old: TunedModel,
    scale: NDArray[np.floating],
) -> dict[str, Any]:
    import warnings

    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # days on which nothing was measured
        days = {name: np.nanmean(one, axis=(1, 2)) for name, one in errors.items()}
        maes = {n: float(np.nanmean(one * scale)) for n, one in errors.items()}
        whole = {n: float(np.nanmean(one)) for n, one in days.items()}
    known = np.isfinite(days["old"]) & np.isfinite(days["new"])
    count, won = int(known.sum()), int((days["new"] < days["old"])[known].sum())
    ratio = whole["new"] / whole["old"] if whole["old"] > 0 else np.nan
    better = bool(count >= FEWEST_DAYS and ratio < BETTER and won >= WON * count)
    change = f"was {percent(abs(1 - ratio))} {'lower' if ratio < 1 else 'higher'} than" if (
        np.isfinite(ratio)) else "cannot be compared with"  # fmt: skip
    text = (
        f"On the newest {counted(count, 'forecast')} (from {frame.clock.text(first)}) the error of "
        f"the new model {change} that of the old one, and was lower in {won} of them: "
        f"{'it' if better else 'the old one'} forecasts from now on."
    )
    if frame.clock.index(old.trained_until) >= first:
        text += " The old model had learnt from some of these days already."
    if broken:
        text += f" Left out, for alarms: {listed(sorted(broken))}."
    found = {"better": better, "ratio": ratio, "days": count, "won": won, "first": frame.clock.text(
        first), "last": frame.clock.text(len(frame) - 1), "left_out": sorted(broken)[:100],
        "text": text, **{f"mae_{name}": one for name, one in maes.items()}}  # fmt: skip
    return {n: (None if isinstance(v, float) and not np.isfinite(v) else v)
            for n, v in found.items()}  # fmt: skip


def _points(
    model: TunedModel, frame: SensorFrame, origin: int, sensors: Sequence[str]
) -> NDArray[np.floating]:
    """(horizon, sensor) of a forecast from a row."""
    import numpy as np

    made = model.forecast(frame.until(origin))
    columns = {name: i for i, name in enumerate(made.sensors)}
    found = np.full((len(made.mean), len(sensors)), np.nan)
    for i, name in enumerate(sensors):
        if name in columns:
            found[:, i] = made.point[:, columns[name]]
    return found


def _stride(frame: SensorFrame) -> int:
    return max(1, frame.clock.steps_per_day)


def _broken(session: Session, run_id: int) -> set[str]:
    asked = select(Alarm.sensor).where(
        Alarm.run_id == run_id, Alarm.ended_at.is_(None), Alarm.sensor.is_not(None),
        Alarm.kind.not_in(NOT_BROKEN), Alarm.watch == "watching",
    )  # fmt: skip
    return {one for one in session.scalars(asked) if one is not None}


def result_text(found: dict[str, Any]) -> str:
    """A comparison in one line of the audit log."""
    return f"old {number(found['mae_old'])}, new {number(found['mae_new'])}: {found['text']}"
