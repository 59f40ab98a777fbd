"""The seam for whoever watches over forecasts: what it finds becomes alarms.

A watch is a function of what is known after a forecast. It is asked after every one, and what it
finds stands as an alarm until it does not find it any more.
"""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import select
from sqlalchemy.orm import Session

from citytune._errors import InputError
from citytune._text import chance
from citytune.serving._config import FILE, Configuration
from citytune.serving._severity import is_worse, of_chance
from citytune.serving.database import Alarm
from citytune.watching import Watch as Watched
from citytune.watching import watch as watched

if TYPE_CHECKING:
    import polars as pl

    from citytune.forecasting import Forecast
    from citytune.frame import SensorFrame


@dataclass(frozen=True, eq=False)
class Seen:
    """What a watch is shown."""

    frame: SensorFrame
    """All readings by now."""
    forecast: Forecast
    """The newest one."""
    record: pl.DataFrame
    """Earlier forecasts of the run and what came of them, as `Run.record` has them."""

    @cached_property
    def watched(self) -> Watched:
        """What is unusual in the last four weeks."""
        return watched(self.record, self.frame)


@dataclass(frozen=True)
class Finding:
    """Something a person should look at."""

    kind: str
    """What it is called: "alert", "frozen"."""
    sensor: str | None
    """None: all of them."""
    text: str
    """In a sentence."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Numbers that show it, as JSON."""
    severity: Mapping[str, float] = field(default_factory=dict)
    """Part → how bad it is, above 0, on a scale on which twice as much is clearly worse: then
    people are told again. Without any they are told once."""


Watch: TypeAlias = Callable[[Seen], Iterable[Finding]]
_WATCHES: dict[str, Watch] = {}


def register_watch(name: str, watch: Watch) -> None:
    """Add a watch; called in a module that `serve.toml` names, since jobs run in own processes."""
    if name in _WATCHES:
        raise ValueError(f"a watch called {name!r} is already there")
    _WATCHES[name] = watch


def import_watches(config: Configuration) -> None:
    """Import the modules that `serve.toml` names.

    Raises:
        InputError: one cannot be imported.
    """
    for name in config.watches:
        try:
            importlib.import_module(name)
        except Exception as error:
            raise InputError(
                f"watches in {FILE} names the module {name!r}, which cannot be imported "
                f"({type(error).__name__}: {error}); install it where the server and its workers "
                "run, or take it out there"
            ) from error


def found_by_all(seen: Seen) -> dict[str, list[Finding]]:
    """Name of a watch → what it finds."""
    return {name: list(watch(seen)) for name, watch in _WATCHES.items()}


def note_alarms(
    session: Session, run_id: int, found: Mapping[str, Iterable[Finding]], now: dt.datetime
) -> int:
    """Raise what is new, and end what its watch no longer finds; gives how many are new.

    What stands says what was found last: an alert for tomorrow is not one of last week.
    """
    standing = select(Alarm).where(Alarm.run_id == run_id, Alarm.ended_at.is_(None))
    before = {(one.watch, one.kind, one.sensor): one for one in session.scalars(standing)}
    present = {
        (name, one.kind, one.sensor): one for name, several in found.items() for one in several
    }
    for key, alarm in before.items():
        if key not in present and alarm.watch in found:
            alarm.ended_at = now
        elif key in present:
            _bring_up_to_date(alarm, present[key], now)
    new = {key: one for key, one in present.items() if key not in before}
    session.add_all(
        Alarm(run_id=run_id, watch=name, kind=kind, sensor=sensor, text=one.text,
              evidence=dict(one.evidence), severity=dict(one.severity), raised_at=now)
        for (name, kind, sensor), one in new.items()
    )  # fmt: skip
    return len(new)


def _bring_up_to_date(alarm: Alarm, found: Finding, now: dt.datetime) -> None:
    alarm.text, alarm.evidence = found.text, dict(found.evidence)
    alarm.severity = severity = dict(found.severity)
    if alarm.told_at is None:
        return
    if alarm.told_severity is None:  # an older citytune did not note it
        alarm.told_severity = severity
    elif is_worse(severity, alarm.told_severity):
        alarm.worse_at = alarm.worse_at or now


def _raised_alerts(seen: Seen) -> Iterable[Finding]:
    """Alerts of the run whose chance on the next day has reached its level."""
    from citytune.forecasting import outlook

    found = outlook(seen.forecast)
    for row in found.rows:
        reached = {
            alert: float(share)
            for alert, up, share in zip(found.alerts, found.raised(row), row.chances, strict=True)
            if up
        }
        if reached:
            said = ", ".join(f"{alert}: {chance(share)}" for alert, share in reached.items())
            severity = {alert: of_chance(share) for alert, share in reached.items()}
            yield Finding("alert", row.sensor, f"{found.title}: {said}", reached, severity)


def _unusual(seen: Seen) -> Iterable[Finding]:
    """Broken sensors, and forecasts that fit no more; see `citytune.watching`."""
    for one in seen.watched.alarms:
        text = f"{one.sentence}. {one.advice}"
        evidence = {**one.evidence, "since": one.since}
        severity = {} if one.severity is None else {one.kind: one.severity}
        yield Finding(one.kind, one.sensor or None, text, evidence, severity)


register_watch("alerts", _raised_alerts)
register_watch("watching", _unusual)
