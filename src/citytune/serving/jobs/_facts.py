"""What a frame is, in a few numbers, as JSON that every reader takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from citytune._text import plain

if TYPE_CHECKING:
    from citytune.frame import SensorFrame

MOST_SENSORS = 20_000
"""Sensors that a check names."""


def finite(value: Any) -> Any:
    """The same as JSON that every reader takes: what is not finite is null."""
    if isinstance(value, dict):
        return {str(name): finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return plain(value) if isinstance(value, float) else value


def facts_of(frame: SensorFrame) -> dict[str, Any]:
    """What a frame is."""
    import numpy as np

    places = None if frame.places is None else frame.places[:MOST_SENSORS].tolist()
    missing = np.isnan(frame.values).mean(axis=0) if len(frame) else []
    found: dict[str, Any] = finite(
        {
            "quantity": frame.quantity.name,
            "unit": frame.quantity.unit,
            "freq": frame.clock.freq,
            "timezone": frame.clock.timezone,
            "steps": len(frame),
            "start": frame.clock.text(0),
            "end": frame.clock.text(len(frame) - 1),
            "sensors": list(frame.sensors[:MOST_SENSORS]),
            "places": places,
            "missing": [float(one) for one in missing[:MOST_SENSORS]],
            "covariates": sorted(frame.covariates),
        }
    )
    return found
