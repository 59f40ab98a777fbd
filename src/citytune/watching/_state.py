"""What a watch remembers from one day to the next, as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from citytune._errors import InputError
from citytune.watching._alarm import Alarm
from citytune.watching._classify import Changed
from citytune.watching._day import Day
from citytune.watching._detector import Detector
from citytune.watching._sensor import SensorState
from citytune.watching._settings import WatchSettings
from citytune.watching._tail import Ordinary, Tail
from citytune.watching._verification import VerifiedDay

FORMAT = 1


@dataclass
class WatchState:
    """Everything needed to go on watching; give it new days only."""

    settings: WatchSettings = field(default_factory=WatchSettings)
    sensors: dict[str, SensorState] = field(default_factory=dict)
    ended: list[Alarm] = field(default_factory=list)
    """Alarms that are over, the oldest first."""
    new: dict[str, str] = field(default_factory=dict)
    """Sensors that came with the days fed last → date of their first day."""

    def copied(self) -> WatchState:
        """One that may be moved on without changing this one."""
        return WatchState(
            settings=self.settings,
            sensors={name: one.copied() for name, one in self.sensors.items()},
            ended=list(self.ended),
            new=dict(self.new),
        )

    def to_json(self) -> str:
        """All of it; read it back with `from_json`."""
        return json.dumps({"format": FORMAT, **_plain(asdict(self))}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> WatchState:
        """Read what `to_json` wrote.

        Raises:
            InputError: it is no such text, or of another format.
        """
        try:
            found = json.loads(text)
            if found["format"] != FORMAT:
                raise InputError(
                    f"the watch is of format {found['format']} and not {FORMAT}; calibrate anew"
                )
            return cls(
                settings=WatchSettings(**found["settings"]),
                sensors={name: _sensor(one) for name, one in found["sensors"].items()},
                ended=[Alarm(**one) for one in found["ended"]],
                new=found["new"],
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"this is no saved watch ({error!r}); restore it, or calibrate anew"
            ) from error


def _plain(thing: Any) -> Any:
    """As JSON has it: lists for arrays and tuples, null for what is missing."""
    if isinstance(thing, np.ndarray):
        return [_plain(value) for value in thing.tolist()]
    if isinstance(thing, Day):
        return _plain(vars(thing))
    if isinstance(thing, Changed):
        return {"day": _plain(thing.day), "statistics": _plain(thing.statistics)}
    if isinstance(thing, Mapping):
        return {name: _plain(value) for name, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [_plain(value) for value in thing]
    if isinstance(thing, float) and not math.isfinite(thing):
        return None
    return thing


def _sensor(found: dict[str, Any]) -> SensorState:
    return SensorState(
        **found
        | {
            "days": [_day(one) for one in found["days"]],
            "ordinary": {name: _ordinary(one) for name, one in found["ordinary"].items()},
            "detectors": {name: _detector(one) for name, one in found["detectors"].items()},
            "recent": [_changed(one) for one in found["recent"]],
            "verified": [VerifiedDay(*one) for one in found["verified"]],
            "alarm": None if found["alarm"] is None else Alarm(**found["alarm"]),
            "shadow": [(model, naive) for model, naive in found["shadow"]],
        }
    )


def _detector(found: dict[str, Any]) -> Detector:
    return Detector(found["evidence"], [(day, log) for day, log in found["path"]])


def _day(found: dict[str, Any]) -> Day:
    return Day(**found | {"profile": np.array(found["profile"], float)})


def _changed(found: dict[str, Any]) -> Changed:
    day = None if found["day"] is None else _day(found["day"])
    return Changed(day, found["statistics"])


def _ordinary(found: dict[str, Any]) -> Ordinary:
    tails = {name: Tail(**_tail(found[name])) for name in ("marginal", "innovation")}
    return Ordinary(**found | tails)


def _tail(found: dict[str, Any]) -> dict[str, Any]:
    return found | {"quantiles": tuple(found["quantiles"])}
