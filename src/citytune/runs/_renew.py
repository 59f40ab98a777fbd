"""Put another model and its forecast into a run, and nothing else; both or neither."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from citytune._files import names_in, replacing_folder
from citytune.runs._folder import FORECAST, MODEL, Seal, copy_rest, only_known, sums_of
from citytune.runs._made import kept_alerts
from citytune.runs._record import fill, note_forecast, note_readings

if TYPE_CHECKING:
    from citytune.forecasting import Forecast, TunedModel
    from citytune.frame import SensorFrame


class Update(NamedTuple):
    """What came of an update."""

    learned: bool
    """Whether there was something new to learn; if not, the run is as it was."""
    note: str
    """What was learnt until when, or why nothing was."""
    stale: tuple[str, ...] = ()
    """Files that still describe the model as it was before."""


def renew(
    path: Path,
    seal: Seal,
    model: TunedModel,
    forecast: Forecast,
    frame: SensorFrame,
    more: Callable[[Path], None] | None = None,
) -> None:
    """Renew a run; its record grows by the forecast, and by what was measured since.

    Args:
        path: The run, which is locked.
        seal: Of the run as it is.
        model: Its new model.
        forecast: Its new forecast.
        frame: What it was made from, in the unit of the model.
        more: Writes further files into the folder it is given.
    """
    known = names_in(path)
    with replacing_folder(path, only_known(path, known)) as draft:
        model.save(draft / MODEL)
        forecast.write_csv(draft / FORECAST)
        fill(path, draft, frame)
        note_forecast(draft, forecast, frame)
        note_readings(draft, frame)
        if more is not None:
            more(draft)
        sums = sums_of(draft)
        rest = copy_rest(path, draft)
        sums |= {name: one for name, one in seal.sums.items() if name in rest}
        made = {**seal.made, "alerts": kept_alerts(forecast)} if forecast.alerts else seal.made
        replace(seal, sums=sums, made=made).write(draft)


def learned(frame: SensorFrame, model: TunedModel) -> str:
    """How much a model learnt, and until when."""
    return f"{model.tuned.windows:,} windows until {frame.clock.text(len(frame) - 1)}"
