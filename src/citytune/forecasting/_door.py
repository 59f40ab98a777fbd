"""The one door for data that meets a model: what fits is made to fit, and the rest refused."""

from __future__ import annotations

import datetime as dt
import difflib
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError, RunError, UnknownName
from citytune._text import listed
from citytune.forecasting._known_ahead import check_units, known_in_part, span_of, without_outliers
from citytune.frame import Clock, Quantity, SensorFrame, convert, plain_letters, same_unit
from citytune.readers import framed
from citytune.windows import WindowSpec

SHOWN = 5
"""Names listed in a sentence."""
MOST_COMPARED = 50
"""Absent sensors that are looked for under other names."""
VALUES = ""
"""What the readings themselves are called among the ranges that were learnt from."""
OTHER_SIZE = 100.0
"""Ratio of two units from which the size of the readings tells which one they are in."""
DAY, CLOCK_CHANGE = dt.timedelta(days=1), dt.timedelta(hours=2)
Span = tuple[float, float]


class Fitted(Protocol):
    """What the door asks of a model."""

    @property
    def sensors(self) -> tuple[str, ...]: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def quantity(self) -> Quantity: ...
    @property
    def country(self) -> str | None: ...
    @property
    def spec(self) -> WindowSpec: ...
    @property
    def covariates(self) -> tuple[str, ...]: ...
    @property
    def learnt(self) -> Mapping[str, Span]: ...


@dataclass(frozen=True, eq=False)
class Admitted:
    """A frame in the model's terms, and what was done to make it so."""

    frame: SensorFrame
    """The model's sensors in its order, its unit, zone and covariates; an absent one is all NaN."""
    whole: SensorFrame
    """Every sensor and covariate of the source, in the model's unit and zone."""
    wanted: tuple[str, ...]
    """Sensors to forecast, in the order of the answer."""
    said: tuple[str, ...] = ()
    """What was done, a sentence each."""

    @property
    def present(self) -> tuple[str, ...]:
        """The wanted sensors of the model that the source holds, in the model's order."""
        there = {*self.whole.sensors} & {*self.wanted}
        return tuple(name for name in self.frame.sensors if name in there)

    @property
    def new(self) -> tuple[str, ...]:
        """The wanted sensors that the model does not know."""
        known = {*self.frame.sensors}
        return tuple(name for name in self.wanted if name not in known)

    @property
    def absent(self) -> tuple[str, ...]:
        """The wanted sensors of the model that the source lacks."""
        there = {*self.whole.sensors}
        return tuple(name for name in self.wanted if name not in there)

    def warn(self, level: int) -> None:
        """Tell Python's user what was done; `level` calls up."""
        for sentence in self.said:
            warnings.warn(sentence, UserWarning, stacklevel=level + 1)


def admit(
    model: Fitted,
    source: object,
    *,
    sensors: Sequence[str] | None = None,
    covariates: Sequence[str] | None = None,
    ahead: int = 0,
    new: str = "left out",
) -> Admitted:
    """The source in the model's terms.

    Args:
        model: What the data are for.
        source: A frame, or anything that `read` takes; what was admitted before stays as it is.
        sensors: Which to forecast; by default the model's, and then those new to it.
        covariates: What must be known ahead; by default what the model needs.
        ahead: Steps beyond the last row for which that is needed.
        new: What becomes of sensors that the model does not know, in words.

    Raises:
        RunError: the source is on another clock, of another quantity or in a unit that cannot be
            converted, or has none of the model's sensors.
        InputError: what must be known ahead is not there, or in another unit.
        UnknownName: nobody knows a sensor asked for.
    """
    if isinstance(source, Admitted):
        return source
    frame = framed(source)
    _check_clock(model, frame)
    frame = replace(_in_zone(model, frame), country=frame.country or model.country)
    frame, said = _in_unit(model, frame)
    wanted = _wanted(model, frame, sensors)
    needed = model.covariates if covariates is None else covariates
    _check_covariates(frame, needed)
    check_units(frame, needed, model.learnt)
    fitting = _with_sensors(model.sensors, frame, needed)
    found = Admitted(fitting, frame, wanted)
    if needed and ahead:
        fitting, told = without_outliers(fitting, model.learnt, ahead)
        found = replace(found, frame=fitting)
        said += told + known_in_part(fitting, found.present, ahead)
    return replace(found, said=(*said, *_of_sensors(found, new)))


def spans_of(frame: SensorFrame) -> dict[str, Span]:
    """Covariate → least and largest value in a frame; `VALUES` is the readings themselves."""
    tables = {VALUES: frame.values, **frame.covariates}
    found = {name: span_of(table) for name, table in tables.items()}
    return {name: span for name, span in found.items() if span is not None}


def _check_clock(model: Fitted, frame: SensorFrame) -> None:
    clock, own = frame.clock, model.clock
    if clock.step != own.step:
        raise RunError(
            f"{frame.source} has a row every {clock.freq}, but the model was tuned on {own.freq}; "
            "give it a file with the same step, or tune anew"
        )
    if (clock.timezone is None) != (own.timezone is None):
        zone = f"with timezone={own.timezone!r}" if own.timezone else "without a time zone"
        raise RunError(
            f"{frame.source} is on another clock than the model ({clock.timezone or 'no zone'} "
            f"from {clock.text(0)}; the model: {own.timezone or 'no zone'} from {own.text(0)}): "
            f"the same hour is another moment; read it {zone}, or tune anew"
        )
    off = (clock.start - own.start) % own.step
    off = min(off, own.step - off)
    # Local midnight is an hour earlier or later in UTC after the clocks have changed.
    if off > (CLOCK_CHANGE if own.timezone and own.step >= DAY else dt.timedelta(0)):
        raise RunError(
            f"{frame.source} is on another clock than the model: its rows begin at {clock.text(0)}"
            f", the model's at {own.text(0)}, and both have one every {own.freq}; bring them to "
            "the same minutes, or tune anew"
        )


def _in_zone(model: Fitted, frame: SensorFrame) -> SensorFrame:
    """Moments stay what they are; their wall times are told in the model's zone."""
    clock = frame.clock
    return replace(frame, clock=Clock(clock.start, clock.step, model.clock.timezone))


def _in_unit(model: Fitted, frame: SensorFrame) -> tuple[SensorFrame, list[str]]:
    held, own = frame.quantity, model.quantity
    if not held.named_as(own):
        raise RunError(
            f"{frame.source} holds {held}, but the model was tuned on {own}; give it {own.name}, "
            f"or read it with quantity={own.name!r} if that is what it holds"
        )
    if not held.unit or not own.unit or same_unit(held.unit, own.unit):
        return replace(frame, quantity=own), []
    values = convert(frame.values, held.unit, own.unit)
    if values is None:
        raise RunError(
            f"{frame.source} is in {held.unit}, but the model was tuned on {own}, and it is not "
            f"known how to convert one to the other; give it in {own.unit}, or tune anew"
        )
    _check_size(model, frame, values)
    said = f"{frame.source} is in {held.unit}: converted to {own.unit}, the unit of the model"
    return replace(frame, values=values, quantity=own), [said]


def _check_size(model: Fitted, frame: SensorFrame, converted: NDArray[np.float32]) -> None:
    """Refuse a unit that was taken for another one, such as MW guessed to be kW."""
    before, after = (_size(values) for values in (frame.values, converted))
    usual = max(map(abs, model.learnt.get(VALUES, (0.0, 0.0))))
    if min(before, after, usual) <= 0 or abs(math.log(before / after)) < math.log(OTHER_SIZE):
        return
    if abs(math.log(before / usual)) < abs(math.log(after / usual)):
        own = model.quantity.unit
        raise RunError(
            f"{frame.source} was read as {frame.quantity.unit}: its values would be up to "
            f"{after:g} {own}, but the model learnt from values up to {usual:g} {own}; give the "
            f"unit they are in, such as unit={own!r}, or tune anew"
        )


def _size(values: NDArray[np.float32]) -> float:
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def _wanted(model: Fitted, frame: SensorFrame, sensors: Sequence[str] | None) -> tuple[str, ...]:
    known = dict.fromkeys((*model.sensors, *frame.sensors))
    if not {*model.sensors} & {*frame.sensors}:
        count = len(model.sensors)
        raise RunError(
            f"{frame.source} has {'none of' if count > 1 else 'not'} the model's "
            f"{f'{count} sensors' if count > 1 else 'sensor'}: {_listed(model.sensors)}; give it "
            "a file that has them, or tune anew"
        )
    if sensors is None:
        return tuple(known)
    for name in [sensors] if isinstance(sensors, str) else sensors:
        if name not in known:
            raise UnknownName("sensor", name, known)
    return (sensors,) if isinstance(sensors, str) else tuple(dict.fromkeys(sensors))


def _check_covariates(frame: SensorFrame, needed: Sequence[str]) -> None:
    if lacking := [name for name in needed if name not in frame.covariates]:
        raise InputError(
            f"the model needs {', '.join(map(repr, lacking))} known ahead, and "
            f"{frame.source} was read without; pass covariates={lacking!r}"
        )


def _with_sensors(
    sensors: tuple[str, ...], frame: SensorFrame, covariates: Sequence[str]
) -> SensorFrame:
    """Those sensors and covariates in that order; what is absent is all NaN."""
    frame = replace(frame, covariates={name: frame.covariates[name] for name in covariates})
    if sensors == frame.sensors:
        return frame
    held = {*frame.sensors}
    there = [name for name in sensors if name in held]
    frame = frame.select(there)
    if len(there) == len(sensors):
        return frame
    where = [sensors.index(name) for name in there]

    def spread(table: NDArray[np.float32]) -> NDArray[np.float32]:
        wide = np.full((len(table), len(sensors)), np.nan, np.float32)
        wide[:, where] = table
        return wide

    return replace(
        frame,
        values=spread(frame.values),
        sensors=sensors,
        places=None,
        covariates={n: t if t.shape[1] == 1 else spread(t) for n, t in frame.covariates.items()},
    )


def _of_sensors(found: Admitted, what: str) -> list[str]:
    source, said = found.whole.source, []
    if absent := found.absent:
        said.append(f"{source} lacks {_counted(absent)} of the model: {_listed(absent)}")
    if new := found.new:
        said.append(f"{source} has {_counted(new)} new to the model: {_listed(new)}; {what}")
    if renamed := _renamed(absent, new):
        pairs = [f"{name!r} may be {now!r} under a new name" for name, now in renamed.items()]
        said.append(f"{listed(pairs, SHOWN)}; call it in {source} as the model does if it is")
    return said


def _renamed(absent: Sequence[str], new: Sequence[str]) -> dict[str, str]:
    """Absent sensor → one new to the model that it may be."""
    if len(absent) == len(new) == 1:
        return {absent[0]: new[0]}
    spelt = {plain_letters(name): name for name in new}
    found = {}
    for name in absent[:MOST_COMPARED]:
        if near := difflib.get_close_matches(plain_letters(name), spelt, n=1, cutoff=0.8):
            found[name] = spelt.pop(near[0])
    return found


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)} sensor{'s' * (len(names) != 1)}"


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(map(repr, every[:SHOWN])) + (", …" if len(every) > SHOWN else "")
