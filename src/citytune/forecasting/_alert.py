"""Alerts on the sensors of a forecast, each sensor with its threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from citytune._errors import InputError
from citytune._text import number
from citytune.frame import Quantity, SensorFrame
from citytune.settings import USUAL, Alert


@dataclass(frozen=True)
class Watch:
    """An alert on the sensors of a forecast, each with its threshold."""

    alert: Alert
    thresholds: tuple[float, ...]
    """(sensor,) in the unit of the data; NaN where it cannot be told."""

    @classmethod
    def of(cls, alert: Alert, sensors: Sequence[str], history: SensorFrame | None = None) -> Self:
        """On these sensors.

        Args:
            alert: What to be warned of.
            sensors: Of the forecast.
            history: What was measured; needed where each sensor has a threshold of its own.

        Raises:
            InputError: it needs a history, and there is none.
        """
        if alert.threshold is not None:
            return cls(alert, (alert.threshold,) * len(sensors))
        if history is None:
            raise InputError(
                f"{alert.column} asks for each sensor's rarest values, which only its history "
                "tells; give that, too, or a threshold, such as '>50'"
            )
        found = alert.thresholds(history.values).tolist()
        own = dict(zip(history.sensors, found, strict=True))
        return cls(alert, tuple(own.get(name, math.nan) for name in sensors))

    def words(self, quantity: Quantity, column: int) -> str:
        """What it is called for one sensor, whose own threshold is said, too."""
        name, own = self.alert.words(quantity), self.thresholds[column]
        if self.alert.rarest is None or not math.isfinite(own):
            return name
        return (
            f"{name} ({'>' if self.alert.above else '<'} {number(own)} {quantity.unit}".strip()
            + ")"
        )

    def kept(self, sensors: Sequence[str]) -> dict[str, Any]:
        """As JSON."""
        alert, own = self.alert, zip(sensors, self.thresholds, strict=True)
        return {
            "threshold": alert.threshold,
            "above": alert.above,
            "rarest": alert.rarest,
            "level": alert.level,
            "thresholds": {name: at for name, at in own if math.isfinite(at)}
            if alert.rarest is not None
            else None,
        }

    @classmethod
    def of_kept(cls, facts: dict[str, Any], sensors: Sequence[str]) -> Self:
        """From what `kept` gave."""
        rare, level = facts["rarest"], float(facts["level"])
        alert = Alert(facts["threshold"], bool(facts["above"]), rarest=rare, level=level)
        if rare is None:
            return cls.of(alert, sensors)
        own = {name: float(at) for name, at in facts["thresholds"].items()}
        return cls(alert, tuple(own.get(name, math.nan) for name in sensors))


def watches(
    wanted: Sequence[Alert | str],
    sensors: Sequence[str],
    quantity: Quantity,
    history: SensorFrame | None = None,
) -> tuple[Watch, ...]:
    """Alerts, or their words, on the sensors of a forecast; each once."""
    return tuple(Watch.of(one, sensors, history) for one in alerts_of(wanted, quantity))


def alerts_of(wanted: Sequence[Alert | str] | None, quantity: Quantity) -> tuple[Alert, ...]:
    """What to look at in a frame that holds `quantity`; each once, `USUAL` if nothing was said."""
    asked = (USUAL,) if wanted is None else wanted
    found = [Alert.parse(one, quantity) if isinstance(one, str) else one for one in asked]
    return tuple(dict.fromkeys(found))


def as_threshold(threshold: object) -> NDArray[np.float32]:
    """A threshold that somebody gave, as a number; refused if it is none."""
    try:
        found = np.float32(threshold)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = np.float32(np.nan)
    if np.ndim(found) or np.isnan(found):
        raise InputError(
            f"a threshold is a number in the unit of the forecast, or a mapping from sensor to "
            f"number; got {threshold!r}"
        )
    return np.asarray(found, np.float32)
