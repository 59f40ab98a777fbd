"""Watch a run: feed days, get alarms."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from citytune._errors import InputError
from citytune._text import counted, number, percent
from citytune.watching._alarm import Alarm
from citytune.watching._day import days_of, unmeasured
from citytune.watching._sensor import SensorState, is_signed, means, start
from citytune.watching._settings import WatchSettings
from citytune.watching._state import WatchState
from citytune.watching._together import statistics_together
from citytune.watching._verification import verified_days

if TYPE_CHECKING:
    import polars as pl

    from citytune.frame import SensorFrame

Level: TypeAlias = Literal["ok", "watch", "alarm"]
WATCHED = 30.0
"""Evidence as large once in so many ordinary days makes a sensor one to keep an eye on."""
ROLLING = 28
"""Days of the rolling error, bias and coverage."""
SHARE_OF_SOURCE = 0.5
"""Share of the sensors that alarm together from which the source is suspected."""


@dataclass(frozen=True, eq=False)
class Watch:
    """What is wrong, as of the last day taken in."""

    alarms: tuple[Alarm, ...]
    """Those that last, the whole source first."""
    ended: tuple[Alarm, ...]
    """Those that were over with the days fed last."""
    health: dict[str, Level]
    """Sensor → `ok`, `watch` (unusual, but no alarm yet) or `alarm`."""
    state: WatchState
    """To go on from; `state.to_json()` saves it."""

    @property
    def fallback(self) -> dict[str, Alarm]:
        """Sensors for which the safe forecast is to be served now → why."""
        return {one.sensor: one for one in self.alarms if one.sensor and self._falls(one.sensor)}

    @property
    def table(self) -> pl.DataFrame:
        """One row a sensor: health, alarm, evidence, and forecasts of the last four weeks.

        Columns: `sensor, health, kind, since, evidence, fallback, mae, naive, usual_mae, bias,
        coverage`; in the unit of the data, null where nothing came true.
        """
        import polars as pl

        rows = [self._row(name, one) for name, one in self.state.sensors.items()]
        texts = dict.fromkeys(("sensor", "health", "kind", "since"), pl.String())
        numbers = ("mae", "naive", "usual_mae", "bias", "coverage")
        schema = {**texts, "evidence": pl.Float64(), "fallback": pl.Boolean()}
        return pl.DataFrame(rows, schema={**schema, **dict.fromkeys(numbers, pl.Float64())})

    def in_words(self) -> list[str]:
        """A sentence an alarm with what to do, one for all if most sensors have the same."""
        kinds: dict[str, list[Alarm]] = {}
        for one in self.alarms:
            kinds.setdefault(one.kind, []).append(one)
        found: list[str] = []
        for kind, same in kinds.items():
            if len(same) > 2 and len(same) >= SHARE_OF_SOURCE * len(self.health):
                found.append(
                    f"{counted(len(same), 'sensor')} of {len(self.health)}: {kind} since "
                    f"{min(one.since for one in same)}. Look at the source, not at the sensors."
                )
            else:
                found += [f"{one.sentence}. {one.advice}" for one in same]
        found += [
            f"{one.sensor!r} is over: {one.kind} from {one.since} to {one.ended}, {one.end}."
            for one in self.ended
        ]
        found += [f"{name!r} is new since {day}." for name, day in self.state.new.items()]
        return found + self._rolling_words()

    def _falls(self, sensor: str) -> bool:
        return self.state.sensors[sensor].fallback

    def _row(self, name: str, one: SensorState) -> dict[str, object]:
        rolling = means(one.verified[-ROLLING:]) if one.verified else {}
        return {
            "sensor": name,
            "health": self.health[name],
            "kind": one.alarm.kind if one.alarm else None,
            "since": one.alarm.since if one.alarm else None,
            "evidence": one.alarm.evidence.get("evidence") if one.alarm else one.evidence,
            "fallback": one.fallback,
            "usual_mae": one.usual.get("mae"),
            **rolling,
        }

    def _rolling_words(self) -> list[str]:
        days = [day for one in self.state.sensors.values() for day in one.verified[-ROLLING:]]
        if not days:
            return []
        now = means(days)
        errors = f"mean error {number(now['mae'])}, naive {number(now['naive'])}"
        share = f"{percent(now['coverage'])} in the 90 % interval"
        return [f"Forecasts of the last {ROLLING} days: {errors}; {share}."]


def calibrate(
    record: pl.DataFrame,
    readings: SensorFrame,
    settings: WatchSettings | None = None,
    *,
    before: dt.date | None = None,
) -> WatchState:
    """Learn what is ordinary: of readings from all their history, of forecasts from the record.

    A year of readings has the seasons in it and makes the rate of false alarms what it is said to
    be; at least four weeks are needed to test at all.

    Args:
        record: Forecasts and what came true, one row each: sensor, time (on the wall), issued,
            actual, point, naive, q05, q95; `record_of(scores)` gives that of a test period, and a
            run has its own. An empty table if there is none.
        readings: What was measured.
        before: Only days before this one.
    """
    state = WatchState(settings=settings or WatchSettings())
    for i, name in enumerate(readings.sensors):
        state.sensors[name] = SensorState(signed=is_signed(readings.values[:, i]))
    _feed(state, record, readings, None if before is None else _number(before))
    start(list(state.sensors.values()), state.settings)
    return state


def follow(
    state: WatchState,
    record: pl.DataFrame,
    readings: SensorFrame,
    *,
    now: dt.datetime | None = None,
) -> Watch:
    """Take in the days that are new, and say what is wrong.

    Days that were taken in already are passed over; of a frame, only whole days count.

    Args:
        state: What `calibrate` or the last watch gave; it stays as it is.
        record: As for `calibrate`, at least the new days.
        readings: The new days, with the day before them.
        now: Wall time, to tell whether the source is stale; by default that is not asked.
    """
    state = state.copied()
    names = set(state.sensors)
    first = len(state.ended)
    for name in readings.sensors:
        state.sensors.setdefault(name, SensorState())
    _feed(state, record, readings, None, joining=True)
    state.new = {name: _first_day(readings, name) for name in readings.sensors if name not in names}
    return _said(state, state.ended[first:], _stale(state, readings, now))


def watch(
    record: pl.DataFrame,
    readings: SensorFrame,
    settings: WatchSettings | None = None,
    *,
    since: dt.date | None = None,
    now: dt.datetime | None = None,
) -> Watch:
    r"""Calibrate on the days before `since`, and watch those from then on.

    Args:
        record: See `calibrate`.
        readings: What was measured, from long before `since` on.
        since: By default the last four weeks are watched.
        now: See `follow`.

    Example:
        >>> found = watch(run.record, frame, since=dt.date(2024, 3, 1))   # doctest: +SKIP
        >>> print(*found.in_words(), sep="\n")                            # doctest: +SKIP
    """
    if since is None:
        end = readings.clock.local(len(readings) - 1, 1)[0]
        since = (end.astype("datetime64[D]") - np.timedelta64(28, "D")).astype(dt.date)
    return follow(calibrate(record, readings, settings, before=since), record, readings, now=now)


def _feed(
    state: WatchState,
    record: pl.DataFrame,
    readings: SensorFrame,
    end: int | None,
    *,
    joining: bool = False,
) -> None:
    """Step every sensor over the days that are new to it."""
    if len(readings) == 0:
        raise InputError("there are no readings to watch; give at least one day")
    seen = [one.last for one in state.sensors.values()]
    after = None if None in seen else min(one for one in seen if one is not None)
    measured = days_of(readings, after)
    for name in state.sensors.keys() - set(readings.sensors):
        measured[name] = [unmeasured(day) for day in measured[readings.sensors[0]]]
    if end is not None:
        measured = {name: [d for d in days if d.date < end] for name, days in measured.items()}
    verified = verified_days(record, after)
    together = statistics_together(state.sensors, measured)
    for name, one in state.sensors.items():
        came = {day.date: day for day in verified.get(name, ())}
        there = {day.date: day for day in measured.get(name, ())}
        told, signed = together.get(name, {}), one.signed
        for date in sorted({*came, *there}):
            if (one.last is None or date > one.last) and (end is None or date < end):
                if joining:
                    one.join(state.settings)
                if one.alarm is not None or one.signed != signed:
                    told = {}  # it is compared with other days from now on, or in another way
                known = there.get(date), came.get(date)
                ended = one.step(date, *known, state.settings, told.get(date))
                if ended is not None:
                    state.ended.append(replace(ended, sensor=name))


def _said(state: WatchState, ended: list[Alarm], source: list[Alarm]) -> Watch:
    alarms = [replace(one.alarm, sensor=name) for name, one in state.sensors.items() if one.alarm]
    return Watch(
        alarms=(*source, *alarms),
        ended=tuple(ended),
        health={name: _level(one) for name, one in state.sensors.items()},
        state=state,
    )


def _level(one: SensorState) -> Level:
    if one.alarm is not None:
        return "alarm"
    return "watch" if not one.ordinary or one.evidence >= WATCHED else "ok"


def _stale(state: WatchState, readings: SensorFrame, now: dt.datetime | None) -> list[Alarm]:
    """An alarm of the whole source, if nothing has come for too long."""
    known = np.flatnonzero(np.isfinite(readings.values).any(1))
    if now is None or not len(known):
        return []
    last = readings.clock.local(int(known[-1]), 1)[0].astype("datetime64[s]").astype(dt.datetime)
    days = (now.replace(tzinfo=None) - last) / dt.timedelta(days=1)
    if days < state.settings.stale_days:
        return []
    return [Alarm("stale", "", str(last.date()), str(now.date()), evidence={"days": days})]


def _first_day(readings: SensorFrame, name: str) -> str:
    known = np.isfinite(readings.values[:, readings.sensors.index(name)])
    return readings.clock.text(int(known.argmax()))[:10]


def _number(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days
