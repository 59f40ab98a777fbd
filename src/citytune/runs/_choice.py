"""Whether to let a model learn on or to fit it anew: what is better on the newest days."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from citytune._aside import aside
from citytune._errors import InputError, NothingNew
from citytune._text import counted
from citytune.runs._record import read_record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from citytune.forecasting import Past, TunedModel
    from citytune.frame import SensorFrame
    from citytune.settings import Progress

DAYS = 7
"""Days that are new since the last comparison, without which there is none."""
MOST_DAYS = 28
MOST_SENSORS = 100
"""Sensors, evenly picked, whose forecasts are compared."""
MOST_WINDOWS = 1000
"""Windows by which the refit that is compared weighs its experts: half of what a fit takes."""
Forecasts: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.float32]]"
"""Their first rows (origin,), and themselves (origin, horizon, sensor)."""
UPDATED = "The model has learnt what is new"


class Choice(NamedTuple):
    """What was found better."""

    refit: bool
    said: str
    """Which, and why, in a sentence."""
    until: str | None = None
    """When the newest day that was compared ended; None without a comparison."""
    past: Past | None = None
    """What the model says of the days that are new to it, where it was asked."""
    learnt: TunedModel | None = None
    """The model with what is new learnt, where that was done meanwhile."""


def choose(
    model: TunedModel, source: SensorFrame, folder: Path, since: str | None, tell: Progress | None
) -> Choice:
    """Compare the forecasts of the model with those of one fitted anew, on days new to both.

    Args:
        model: As it is, before it learns what is new.
        source: What was read.
        folder: Of the run, whose record has the forecasts of days that the model has learnt by now.
        since: Until when days were compared, or the model was fitted; by default, until when it
            has learnt.
        tell: Called with the stage and the share done.
    """
    import numpy as np

    from citytune.forecasting import admit, days_to_ask

    frame, after = source, model.trained_until
    learnt = frame.clock.index(after) + 1
    until = frame.clock.index(np.datetime64(since)) + 1 if since else learnt
    days = (len(frame) - max(until, 0)) / frame.clock.steps_per_day
    if round(days) < DAYS:  # an hour less, if the clocks were changed
        return Choice(False, f"{UPDATED}.")
    admitted = admit(model, source, covariates=model.recall().known_ahead, new="not learnt")
    if admitted.absent:
        return Choice(False, f"{UPDATED}; a refit would forget the sensors that are absent.")
    until = max(until, len(frame) - MOST_DAYS * frame.clock.steps_per_day, 1)
    some, frame = _some(model, admitted.frame)
    end = min(learnt, len(frame) - model.spec.horizon + 1)
    recorded = _recorded(some, frame, folder, until, end)
    new = days_to_ask(model, frame, after=after)
    new = new[new >= until]
    rows = np.concatenate([recorded[0], new])
    if len(rows) < 2:
        return Choice(False, f"{UPDATED}.")
    if rows[0] == learnt and _is_fitted_on(model, source):
        why = "it was fitted to all that came before, so that a refit would be the same"
        return Choice(False, f"{UPDATED}: {why}.", _end_of(frame))
    meanwhile = functools.partial(_meanwhile, model, source, some, frame, new)
    with said_by_forecast(), aside(meanwhile, leave=1) as other_work:
        try:
            other = _other(some, frame, rows, tell)
        except InputError as error:
            why = f"{UPDATED}; it could not be compared with a refit: {error}."
            return Choice(False, why, None, *other_work.result()[1:])
        own, past, learnt_on = other_work.result()
    own = np.concatenate([recorded[1], own])
    saved = _saved(own, other, _actual(some, frame, rows))
    return _judged(saved, len(rows), frame)._replace(past=past, learnt=learnt_on)


def _is_fitted_on(model: TunedModel, frame: SensorFrame) -> bool:
    """Whether it was fitted on all that a frame holds until then: a refit there gives it again."""
    return "fit" in model.seconds and model.recall().since <= frame.clock.number(0)


def _meanwhile(
    model: TunedModel,
    source: SensorFrame,
    some: TunedModel,
    frame: SensorFrame,
    rows: NDArray[np.int64],
    goes_on: Callable[[], None],
) -> tuple[NDArray[np.float32], Past | None, TunedModel]:
    """What is done in any case: `_own`, what the model says of the new days, and what it learns.

    A refit is rarely better, so that it rarely learns in vain.
    """
    from citytune.forecasting import admit, past_of

    known = admit(model, source, covariates=model.recall().known_ahead, new="not learnt").frame
    past = past_of(model, known, after=model.trained_until, goes_on=goes_on)
    own = _own(some, frame, rows, model, past)
    goes_on()
    return own, past, updated(model, source, None, past)


def _some(model: TunedModel, frame: SensorFrame) -> tuple[TunedModel, SensorFrame]:
    from citytune.windows import evenly

    if len(model.sensors) <= MOST_SENSORS:
        return model, frame
    names = [model.sensors[i] for i in evenly(len(model.sensors), MOST_SENSORS).tolist()]
    return model.part(names), frame.select(names)


def refitted(
    model: TunedModel, source: SensorFrame, progress: Progress | None, past: Past | None
) -> TunedModel:
    """The same choice of backbone and strategy, fitted anew on all that was read."""
    from citytune.forecasting import admit, learn_copula, refit

    known = model.recall().known_ahead
    frame = admit(model, source, covariates=known, new="not learnt").frame
    new = refit(model, frame, progress=progress)
    if model.copula is None:
        return new
    errors = learn_copula(model, frame, after=model.trained_until, past=past)
    return replace(new, copula=model.copula if errors is None else model.copula.then(errors))


def said_by_forecast() -> AbstractContextManager[None]:
    """Do without what data that meet a model are warned of: the forecast says it.

    What is ignored holds for all threads, so this is for the one that starts the others.
    """
    return warnings.catch_warnings(action="ignore", category=UserWarning)


def updated(
    model: TunedModel, source: SensorFrame, progress: Progress | None, past: Past | None
) -> TunedModel:
    """The model with what is new learnt, to be asked for within `said_by_forecast`.

    Raises:
        NothingNew: there is nothing.
    """
    from citytune.forecasting import update

    found = update(model, source, progress=progress, past=past)
    if not found.learned:
        raise NothingNew(found.why)
    return found.model


def _judged(saved: float, origins: int, frame: SensorFrame) -> Choice:
    """From the share of the model's error that a refit saves."""
    from citytune.evaluation import error_change, judge_error

    how = f"on {counted(origins, 'forecast')} of the newest days, a refit has"
    if not math.isfinite(saved):
        return Choice(False, f"{UPDATED}.")
    refit = judge_error(saved) == "good"
    start = "The model was fitted anew" if refit else UPDATED
    return Choice(refit, f"{start}: {how} {error_change(saved)}.", _end_of(frame))


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
