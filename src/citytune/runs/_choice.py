"""Whether to let a model learn on or to fit it anew: what is better on the newest days."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from citytune._text import counted
from citytune.runs._comparing import Now, compare, few
from citytune.runs._learning import UPDATED, Choice, said_by_forecast, updated
from citytune.runs._progress import Progress, begin
from citytune.runs._reasons import (
    FEWEST_DAYS,
    MOST_DAYS,
    days_until_due,
    has_grown,
    unfit,
    worse,
)
from citytune.runs._record import test_of

if TYPE_CHECKING:
    from citytune.forecasting import Past, TunedModel
    from citytune.frame import SensorFrame
    from citytune.watching import Alarm


def choose(
    model: TunedModel,
    source: SensorFrame,
    folder: Path,
    since: str | None,
    alarms: Callable[[], Sequence[Alarm]],
    progress: Progress | None,
) -> Choice:
    """Compare the forecasts of the model with those of one fitted anew, if there is a reason.

    Args:
        model: As it is, before it learns what is new.
        source: What was read.
        folder: Of the run, whose record has the forecasts of days that the model has learnt by now.
        since: Until when days were compared, or the model was fitted; by default, until when it
            has learnt.
        alarms: Gives those of the last four weeks.
        progress: Called with the stage and the share done.
    """
    import numpy as np

    from citytune.forecasting import admit

    since = since or str(model.trained_until)
    a_day = source.clock.steps_per_day
    known = max(source.clock.index(np.datetime64(since)) + 1, 0)
    days, due = round((len(source) - known) / a_day), days_until_due(known / a_day)
    waits = Choice(False, _waits(due - days), since)
    if days < FEWEST_DAYS:  # an hour less, if the clocks were changed
        return waits
    admitted = admit(model, source, covariates=model.recall().known_ahead, new="not learnt")
    if admitted.absent:
        return Choice(False, f"{UPDATED}; a refit would forget the sensors that are absent.", since)
    some, frame = few(model, admitted.frame)
    now = Now(model, source, some, frame, folder, since)
    first = max(known, len(frame) - MOST_DAYS * a_day, 1)
    with said_by_forecast():
        if days >= due:
            return compare(now, first, has_grown(days), None, progress)
        done = updated(model, source, begin(progress, "Learning from what is new"))
        if why := _doubt(now, first, done[0], alarms):
            return compare(now, first, why, done, progress)
    return waits._replace(past=done[0], learnt=done[1])


def _waits(days: int) -> str:
    more = counted(days, "more day")
    return (
        f"{UPDATED}, and was not compared with a refit: that is done after {more} of readings, or "
        "when forecasts get worse (--refit does one now)."
    )


def _doubt(now: Now, first: int, past: Past | None, alarms: Callable[[], Sequence[Alarm]]) -> str:
    """Why a model has to be compared before it is due; empty if it need not."""
    import numpy as np

    new = [one for one in alarms() if one.raised >= now.since[:10]]
    if why := unfit(new, len(now.model.sensors)):
        return why
    test = test_of(now.folder)
    if test is None:
        return ""
    rows, points = now.recorded(first)
    asked = now.to_ask(first) if past is None else past.rows[past.rows >= first]
    rows, points = np.concatenate([rows, asked]), np.concatenate([points, now.own(asked, past)])
    return worse(test.detail, now.frame, rows, points, now.some.sensors)
