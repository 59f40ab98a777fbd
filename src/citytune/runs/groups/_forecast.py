"""Forecast group by group, into a folder of Parquet: memory holds one group at a time."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from citytune._text import counted
from citytune.engines import Engine
from citytune.runs._progress import Progress, begin
from citytune.runs.groups._part import Part
from citytune.runs.groups._place import Place
from citytune.runs.groups._source import Grouped, said_of_bad

if TYPE_CHECKING:
    from citytune.evaluation import Alert
    from citytune.forecasting import Forecast, TunedModel, Watch
    from citytune.frame import SensorFrame

NEW = "forecast by the pretrained model without fine-tuning"


@dataclass(frozen=True)
class AlertsOf:
    """The alerts of the forecast of a group."""

    wanted: tuple[str | Alert, ...]

    def __call__(self, forecast: Forecast, frame: SensorFrame) -> tuple[Watch, ...]:
        """On its sensors, "top 5%" being of the history that was read."""
        return forecast.with_alerts(self.wanted, frame).alerts if self.wanted else ()


@dataclass(frozen=True)
class Written:
    """A forecast that was written as a folder of Parquet."""

    path: str
    """The folder, or its address."""
    sensors: int
    steps: int
    files: int
    start: str
    """Wall time of the first step."""
    freq: str
    bad: Mapping[str, str] = field(default_factory=dict)
    """File, or sensor, of the source that could not be used → why."""
    notes: tuple[str, ...] = ()
    """What was done to make the source fit, one sentence each."""
    bytes_read: int = 0
    """Of the files that were opened, as often as they were."""

    @property
    def said(self) -> str:
        """What was written, and what was done to make the source fit."""
        said = (
            f"{counted(self.steps, 'step')} of {self.freq} ahead for "
            f"{counted(self.sensors, 'sensor')}, from {self.start}, in "
            f"{counted(self.files, 'file')} in {self.path}"
        )
        return "\n".join([said, *self.notes])

    def __str__(self) -> str:
        return "\n".join([self.said, *([said_of_bad(dict(self.bad))] if self.bad else [])])


@dataclass(frozen=True)
class Group:
    """What came of one group."""

    sensors: int
    start: str
    bad: Mapping[str, str]
    notes: tuple[str, ...]
    size: int
    known: tuple[str, ...]
    """Sensors of the model among them."""


@dataclass(frozen=True, eq=False)
class ForecastGroup:
    """Reads a group, forecasts it, and writes its file."""

    model: TunedModel
    place: Place
    run: str
    alerts: Callable[[Forecast, SensorFrame], tuple[Watch, ...]]

    def __call__(self, part: Part) -> Group:
        """A group whose worker was lost is done again, and its file written anew."""
        from citytune.forecasting import table_of

        frame, bad, size = part.read()
        if frame is None:
            return Group(0, "", bad, (), size, ())
        found = forecast_group(self.model, frame)
        found = replace(found, run=self.run, alerts=self.alerts(found, frame))
        self.place.write(part.number, table_of(found).records())
        known = {*self.model.sensors}
        own = tuple(name for name in found.sensors if name in known)
        return Group(len(found.sensors), found.clock.text(0), bad, found.notes, size, own)


def forecast_group(model: TunedModel, frame: SensorFrame) -> Forecast:
    """The forecast of the sensors of a frame, each as that of the whole model."""
    from citytune.forecasting import Admitted, admit

    known = {*model.sensors}
    own = [name for name in frame.sensors if name in known]
    ahead = model.spec.horizon
    with warnings.catch_warnings():  # what was done is in the notes, once for all groups
        warnings.simplefilter("ignore", UserWarning)
        if own:
            part = model.part(own)
            return part.forecast(admit(part, frame, ahead=ahead, new=NEW))
        other = replace(model, sensors=frame.sensors, places=(0,) * len(frame.sensors))
        found = admit(other, frame, covariates=(), ahead=ahead, new=NEW)
        nothing = Admitted(found.frame.select(()), found.whole, found.wanted, found.said)
        return model.part(()).forecast(nothing)


def forecast_groups(
    model: TunedModel,
    source: Grouped,
    engine: Engine,
    place: Place,
    *,
    run: str,
    alerts: Callable[[Forecast, SensorFrame], tuple[Watch, ...]],
    progress: Progress | None = None,
) -> Written:
    """Forecast every group of a source; what cannot be read is named, and the rest done."""
    tell = begin(progress, "Forecasting")
    model = replace(model, memory=None)  # also leaves the network behind, which workers load
    work = ForecastGroup(model, place, run, alerts)
    bad, notes, known = dict(source.bad), Counter[str](), set[str]()
    sensors = files = size = 0
    start = ""
    for done, one in enumerate(engine.map(work, source.parts()), 1):
        bad.update(one.bad)
        notes.update(one.notes)
        known.update(one.known)
        sensors, files, size = sensors + one.sensors, files + bool(one.sensors), size + one.size
        start = start or one.start
        tell("", done / len(source))
    said = said_of_notes(notes, len(model.sensors) - len(known))
    return Written(
        str(place), sensors, model.spec.horizon, files, start, source.span.clock.freq, bad, said,
        size,
    )  # fmt: skip


def said_of_notes(notes: Mapping[str, int], absent: int) -> tuple[str, ...]:
    """What was done to make a source fit: note → how many groups, and how many sensors it lacks."""
    said = [f"{note}" if count == 1 else f"{note} ({counted(count, 'group')})"
            for note, count in notes.items()]  # fmt: skip
    if absent:
        said.append(f"{counted(absent, 'sensor')} of the model not in the source, so not forecast")
    return tuple(said)
