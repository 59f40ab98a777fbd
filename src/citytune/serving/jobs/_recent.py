"""What a page shows of a run as its last job saw it: the next day, and the newest readings."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citytune.serving._config import RUNS, Configuration

if TYPE_CHECKING:
    import polars as pl

    from citytune.forecasting import Forecast
    from citytune.frame import SensorFrame

READINGS, DAY = "recent.parquet", "day.json"
RECENT_DAYS = 21
"""Two weeks to show, and the week before them to compare with."""
MOST_STEPS = 3000


def keep_recent(config: Configuration, run_id: int, frame: SensorFrame, forecast: Forecast) -> None:
    """Write the newest readings and the next day, in place of those of the job before.

    A server shows them without reading a source or drawing samples itself; only jobs do that.
    """
    more = {"places": _places(frame), "thresholds": _thresholds(forecast)}
    table, day = _readings(frame), _day(forecast) | more
    folder = config.place(RUNS, str(run_id))
    folder.mkdir(parents=True, exist_ok=True)
    _put(folder / READINGS, table.write_parquet)
    _put(folder / DAY, lambda path: path.write_text(json.dumps(day), encoding="utf-8"))


def recent_of(config: Configuration, run_id: int) -> pl.LazyFrame | None:
    """The readings: sensor, time (UTC, without a zone), value, NaN where nothing was measured."""
    import polars as pl

    path = config.place(RUNS, str(run_id), READINGS)
    return pl.scan_parquet(path) if path.is_file() else None


def day_of(config: Configuration, run_id: int) -> dict[str, Any] | None:
    """The next day: the fields of `Outlook`, and whether chances are of the day or of a step.

    With `places`: sensor → latitude and longitude, of those whose place is known; and `thresholds`:
    sensor → that of each alert, if it has one.
    """
    path = config.place(RUNS, str(run_id), DAY)
    found: dict[str, Any] | None = (
        json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    )
    return found


def _put(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file, all of it or nothing."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(6)}")
    write(draft)
    draft.replace(path)


def _readings(frame: SensorFrame) -> pl.DataFrame:
    import numpy as np
    import polars as pl

    steps = min(len(frame), MOST_STEPS, RECENT_DAYS * frame.clock.steps_per_day)
    first, count = len(frame) - steps, len(frame.sensors)
    return pl.DataFrame(
        {
            "sensor": [name for name in frame.sensors for _ in range(steps)],
            "time": np.tile(frame.clock.moments(first, steps), count),
            "value": frame.values[first:].T.reshape(-1).astype(np.float32),
        },
        schema_overrides={"sensor": pl.String},
    )


def _day(forecast: Forecast) -> dict[str, Any]:
    from citytune.forecasting import outlook

    found = outlook(forecast)
    rows = [[_known(one) for one in (*row[:-1], *row.chances)] for row in found.rows]
    once = forecast.copula is not None
    return asdict(found) | {"rows": rows, "once": once}


def _places(frame: SensorFrame) -> dict[str, list[float]]:
    known = [] if frame.places is None else frame.places.tolist()
    pairs = zip(frame.sensors, known, strict=False)
    return {name: place for name, place in pairs if all(map(math.isfinite, place))}


def _thresholds(forecast: Forecast) -> dict[str, list[float | None]]:
    """None where an alert does not look at a sensor, or has no history to take the top of."""
    each = zip(*(one.thresholds for one in forecast.alerts), strict=True)
    return {
        name: [_known(float(at)) for at in own]
        for name, own in zip(forecast.sensors, each, strict=False)
    }


def _known(value: Any) -> Any:
    """None for what is not known; JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
