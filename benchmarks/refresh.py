"""Whether a refresh decides the same by a refit that weighs its experts by fewer windows.

A model is fitted and learns a week, as it does in use. On the week after that its forecasts are
compared with those of refits by fewer and fewer windows: the share of the model's error that each
refit saves, what a refresh would do, and what the refit took.

    python benchmarks/refresh.py
    python benchmarks/refresh.py --sets gefcom2012_load --cuts 1 --windows 2000
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import sets
from numpy.typing import NDArray

from citytune.evaluation import judge_error
from citytune.forecasting import TunedModel, fit_model, refit, update
from citytune.frame import SensorFrame

SETS = ("gefcom2012_load", "ontario_pm25", "melbourne_pedestrian_55", "norway_hourly_volume")
HISTORY, WEEK = 67, 7
"""Days to learn from at first, and those of each step after it."""
MOST_SENSORS = 100
WINDOWS = (2000, 1000, 500)
Floats = NDArray[np.float32]


def origins(frame: SensorFrame, start: int, model: TunedModel) -> NDArray[np.int64]:
    """The first row of each day of the week from a row on."""
    day = frame.clock.steps_per_day
    return np.arange(start, min(start + WEEK * day, len(frame) - model.spec.horizon + 1), day)


def actual_of(frame: SensorFrame, rows: NDArray[np.int64], horizon: int) -> Floats:
    """(origin, horizon, sensor) what came."""
    return frame.values[rows[:, None] + np.arange(horizon)]


def compared(frame: SensorFrame, end: int, windows: tuple[int, ...]) -> list[str]:
    """One row of the table for each number of windows, of a week that begins at row `end`."""
    day = frame.clock.steps_per_day
    before = frame.until(end - WEEK * day).since(max(0, end - (WEEK + HISTORY) * day))
    known = frame.until(end).since(max(0, end - (WEEK + HISTORY) * day))
    model = update(fit_model(before, horizon="24h", strategy="blend"), known).model
    rows = origins(frame, end, model)
    actual = actual_of(frame, rows, model.spec.horizon)
    own = model.predict(frame, rows).point
    found = []
    for most in windows:
        started = time.process_time()
        other = refit(model, known, most=most).predict(frame, rows).point
        spent = time.process_time() - started
        there = np.isfinite(own) & np.isfinite(other) & np.isfinite(actual)
        errors = [float(np.abs(one - actual)[there].mean()) for one in (own, other)]
        saved = 1 - errors[1] / errors[0]
        found.append(f"{most}: {100 * saved:+.2f} % {judge_error(saved)} ({spent:.1f} s)")
    return found


def main() -> None:
    """Print a line for each set and week."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sets", nargs="*", default=SETS)
    parser.add_argument("--cuts", type=int, default=3)
    parser.add_argument("--windows", type=int, nargs="*", default=WINDOWS)
    options = parser.parse_args()
    sets.need_data()
    sets.MOST_SENSORS = MOST_SENSORS
    warnings.simplefilter("ignore")
    cities = {city.name: city for city in sets.CITIES}
    for name in options.sets:
        frame = sets.read(cities[name], known_ahead=False)
        day = frame.clock.steps_per_day
        last, first = len(frame) - WEEK * day, (HISTORY + WEEK) * day
        for end in np.linspace(last, first, options.cuts + 1)[:-1].astype(int) // day * day:
            print(name, frame.clock.text(int(end)), *compared(frame, int(end), options.windows),
                  sep="; ", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
