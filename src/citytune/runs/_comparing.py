"""Compare a model on the newest days with one fitted anew."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from citytune._aside import aside
from citytune._errors import InputError
from citytune._text import counted
from citytune.runs._learning import UPDATED, Choice, updated
from citytune.runs._progress import Progress, begin
from citytune.runs._reasons import FEWEST_DAYS
from citytune.runs._record import read_record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from citytune.forecasting import Past, TunedModel
    from citytune.frame import SensorFrame

MOST_SENSORS = 100
"""Sensors, evenly picked, whose forecasts are compared."""
MOST_WINDOWS = 1000
"""Windows by which the refit that is compared weighs its experts: half of what a fit takes."""
Forecasts: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.float32]]"
"""Their first rows (origin,), and themselves (origin, horizon, sensor)."""
Done: TypeAlias = "tuple[Past | None, TunedModel]"
"""What a model says of the days that are new to it, and the model when it has learnt them."""


class Now(NamedTuple):
    """A model before it learns what is new, and what there is to learn."""

    model: TunedModel
    source: SensorFrame
    some: TunedModel
    """Its part for the sensors that are compared …"""
    frame: SensorFrame
    """… and what was read of them."""
    folder: Path
    since: str

    @property
    def learnt(self) -> int:
        """The first row that is new to the model."""
        return self.frame.clock.index(self.model.trained_until) + 1

    def recorded(self, first: int) -> Forecasts:
        """Forecasts of the record from a row on that had to do without what is new."""
        end = min(self.learnt, len(self.frame) - self.model.spec.horizon + 1)
        return _recorded(self.some, self.frame, self.folder, first, end)

    def to_ask(self, first: int) -> NDArray[np.int64]:
        """The first rows of forecasts of what is new, from a row on."""
        from citytune.forecasting import days_to_ask

        new = days_to_ask(self.model, self.frame, after=self.model.trained_until)
        return new[new >= first]

    def own(self, rows: NDArray[np.int64], past: Past | None) -> NDArray[np.float32]:
        """Forecasts that the model makes of rows that are new to it."""
        return _own(self.some, self.frame, rows, self.model, past)


def compare(
    now: Now,
    first: int,
    why: str,
    done: Done | None,
    progress: Progress | None,
) -> Choice:
    """By the newest days, at least a week of them, and all that the model has not learnt yet.

    Args:
        now: The model and what there is to learn.
        first: The first row that may be compared.
        why: The reason.
        done: What the model has learnt, if that was done by now.
        progress: Called with the stage and the share done.
    """
    import numpy as np

    model, frame = now.model, now.frame
    week = len(frame) - FEWEST_DAYS * frame.clock.steps_per_day
    first = max(first, min(now.learnt, week))
    recorded = now.recorded(first)
    new = now.to_ask(first)
    rows = np.concatenate([recorded[0], new])
    if len(rows) < 2:
        return Choice(False, f"{UPDATED}.", now.since, *(done or ()))
    if rows[0] == now.learnt and _is_fitted_on(model, now.source):
        same = "it was fitted to all that came before, so that a refit would be the same"
        return Choice(False, f"{UPDATED}: {same}.", _end_of(frame), *(done or ()))
    told = begin(progress, "Comparing with a refit")
    with aside(functools.partial(_meanwhile, now, new, done), leave=1) as other_work:
        try:
            other = _other(now.some, frame, rows, told)
        except InputError as error:
            how = f"{UPDATED}; it could not be compared with a refit: {error}."
            return Choice(False, how, now.since, *other_work.result()[1:])
        own, past, learnt_on = other_work.result()
    saved = _saved(np.concatenate([recorded[1], own]), other, _actual(now.some, frame, rows))
    found = _judged(saved, len(rows), why, frame)
    return found._replace(until=found.until or now.since, past=past, learnt=learnt_on)


def _is_fitted_on(model: TunedModel, frame: SensorFrame) -> bool:
    """Whether it was fitted on all that a frame holds until then: a refit there gives it again."""
    return "fit" in model.seconds and model.recall().since <= frame.clock.number(0)


def _meanwhile(
    now: Now,
    rows: NDArray[np.int64],
    done: Done | None,
    goes_on: Callable[[], None],
) -> tuple[NDArray[np.float32], Past | None, TunedModel]:
    """What the model says of some rows that are new to it, and what `updated` gives.

    A refit is rarely better, so that it rarely learns in vain.
    """
    past, learnt = done or updated(now.model, now.source, lambda *_: goes_on())
    return now.own(rows, past), past, learnt


def few(model: TunedModel, frame: SensorFrame) -> tuple[TunedModel, SensorFrame]:
    from citytune.windows import evenly

    if len(model.sensors) <= MOST_SENSORS:
        return model, frame
    names = [model.sensors[i] for i in evenly(len(model.sensors), MOST_SENSORS).tolist()]
    return model.part(names), frame.select(names)


def _judged(saved: float, origins: int, why: str, frame: SensorFrame) -> Choice:
    """From the share of the model's error that a refit saves."""
    from citytune.evaluation import error_change, judge_error

    how = f"on {counted(origins, 'forecast')} of the newest days, a refit has"
    if not math.isfinite(saved):
        return Choice(False, f"{UPDATED}.")
    refit = judge_error(saved) == "good"
    start = "The model was fitted anew" if refit else UPDATED
    said = f"{start}: {how} {error_change(saved)}. They were compared because {why}."
    return Choice(refit, said, _end_of(frame))


def _end_of(frame: SensorFrame) -> str:
    return str(frame.clock.moments(len(frame) - 1, 1)[0])


def _own(
    some: TunedModel,
    frame: SensorFrame,
    rows: NDArray[np.int64],
    model: TunedModel,
    past: Past | None,
) -> NDArray[np.float32]:
    """Forecasts of days that the model has not learnt by now; it is asked for those not known."""
    import numpy as np

    found = np.empty((len(rows), some.spec.horizon, len(some.sensors)), np.float32)
    known = np.isin(rows, () if past is None else past.rows)
    if past is not None:
        columns = [model.sensors.index(name) for name in some.sensors]
        found[known] = past.found.point[np.isin(past.rows, rows)][:, :, columns]
    if not known.all():
        found[~known] = some.predict(frame, rows[~known]).point
    return found


def _recorded(
    model: TunedModel, frame: SensorFrame, folder: Path, first: int, end: int
) -> Forecasts:
    """Forecasts of the record that begin in some rows of a frame."""
    import numpy as np
    import polars as pl

    table, shape = read_record(folder), (model.spec.horizon, len(model.sensors))
    rows, found = [], []
    for _, part in table.group_by("issued", maintain_order=True) if len(table) else ():
        row = frame.clock.index(part["moment"].to_numpy()[0])
        if first <= row < end:
            own = pl.coalesce(pl.col("^model$"), "point")  # not the safe forecast that was served
            part = part.with_columns(own=own)
            wide = part.pivot("sensor", index="step", values="own").sort("step")
            known = [
                pl.col(n) if n in wide.columns else pl.lit(None).alias(n) for n in model.sensors
            ]
            rows.append(row)
            found.append(wide.select(known).cast(pl.Float32).fill_null(np.nan).to_numpy())
    kept = [i for i, one in enumerate(found) if one.shape == shape]
    points = np.array([found[i] for i in kept], np.float32).reshape(-1, *shape)
    return np.array([rows[i] for i in kept], np.int64), points


def _other(
    model: TunedModel, frame: SensorFrame, rows: NDArray[np.int64], tell: Progress | None
) -> NDArray[np.float32]:
    """Those of a model fitted anew on what lies before the first of them."""
    from citytune.forecasting import refit

    before = frame.until(int(rows[0]))
    return refit(model, before, progress=tell, most=MOST_WINDOWS).predict(frame, rows).point


def _actual(model: TunedModel, frame: SensorFrame, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    import numpy as np

    return frame.values[rows[:, None] + np.arange(model.spec.horizon)]


def _saved(
    own: NDArray[np.float32], other: NDArray[np.float32], actual: NDArray[np.float32]
) -> float:
    import numpy as np

    known = np.isfinite(own) & np.isfinite(other) & np.isfinite(actual)
    if not known.any():
        return math.nan
    errors = [float(np.abs(one - actual)[known].mean()) for one in (own, other)]
    return 1 - errors[1] / errors[0] if errors[0] > 0 else math.nan
