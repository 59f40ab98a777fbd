"""Put another model and its forecast into a run, and nothing else; both or neither."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from citytune._files import names_in, replacing_folder
from citytune.runs._folder import (
    FORECAST,
    MODEL,
    REPORT,
    SCORES,
    Seal,
    copy_rest,
    only_known,
    sums_of,
)
from citytune.runs._made import kept_alerts, watches_of
from citytune.runs._progress import Progress, begin
from citytune.runs._record import fill, note_forecast, note_readings, read_filled
from citytune.runs._safe import Served, served

if TYPE_CHECKING:
    from citytune.forecasting import TunedModel
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
    served: Served,
    frame: SensorFrame,
    more: Callable[[Path], None] | None = None,
    made: Mapping[str, Any] | None = None,
) -> None:
    """Renew a run; its record grows by the forecast, and by what was measured since.

    Args:
        path: The run, which is locked.
        seal: Of the run as it is.
        model: Its new model.
        served: Its new forecast.
        frame: What it was made from, in the unit of the model.
        more: Writes further files into the folder it is given.
        made: What else the run is to remember of how it was made.
    """
    known, forecast = names_in(path), served.forecast
    with replacing_folder(path, only_known(path, known)) as draft:
        model.save(draft / MODEL)
        forecast.write_csv(draft / FORECAST)
        fill(path, draft, frame)
        note_forecast(draft, served, frame)
        note_readings(draft, model, frame)
        if more is not None:
            more(draft)
        sums = sums_of(draft)
        rest = copy_rest(path, draft)
        sums |= {name: one for name, one in seal.sums.items() if name in rest}
        kept = {"alerts": kept_alerts(forecast)} if forecast.alerts else {}
        replace(seal, sums=sums, made={**seal.made, **kept, **(made or {})}).write(draft)


def learn(
    path: Path,
    seal: Seal,
    model: TunedModel,
    frame: SensorFrame,
    forget: float | None,
    progress: Progress | None,
) -> Update:
    """Let the model of a run learn from new readings; see `Run.update`."""
    from citytune.forecasting import admit, update

    told = begin(progress, "Learning from what is new")
    found = update(model, frame, forget=forget, progress=told)
    if not found.learned:
        return Update(False, found.why)
    new = found.model
    begin(progress, "Forecasting")
    forecast = new.forecast(frame)
    forecast = replace(forecast, alerts=watches_of(seal.made, forecast.sensors))
    whole = admit(model, frame, new="not kept").whole
    renew(path, seal, new, served(forecast, whole, read_filled(path, whole)), whole)
    stale = tuple(name for name in (SCORES, REPORT) if (path / name).exists())
    note = f"{new.tuned.windows:,} windows until {frame.clock.text(len(frame) - 1)}"
    return Update(True, note, stale)
