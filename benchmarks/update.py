"""How fast a new day joins a year of 500 sensors, and whether anything is lost by it.

A synthetic city is fitted, a day is added, and the update is compared with a fit to everything:
seconds, and the largest difference of the two forecasts in units of each sensor's spread.

    python benchmarks/update.py
    python benchmarks/update.py --sensors 50 --days 90 --backbone lags --strategy head
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import time

import numpy as np

from citytune.forecasting import Forecast, TunedModel, fit_model
from citytune.frame import Clock, Quantity, SensorFrame

DAY = 24
LATELY = 120
"""Days of rows that the update is given."""


def make_city(sensors: int, days: int, seed: int = 0) -> SensorFrame:
    """Hours with a day, a week, a slow wave, noise and gaps; sensors of very different size."""
    draw = np.random.default_rng(seed)
    clock = Clock(dt.datetime(2023, 1, 1), dt.timedelta(hours=1), "Europe/Oslo")
    local = clock.local(0, days * DAY)
    day = local.astype("datetime64[D]")
    hour = (local - day) / np.timedelta64(1, "h")
    phase = draw.uniform(-3, 3, sensors)
    shape = 1.3 + np.sin(2 * np.pi * hour[:, None] / 24 - 1.5 + 0.2 * phase)
    shape *= np.where((day.astype(int)[:, None] + 3) % 7 < 5, 1.0, 0.6)
    slow = np.sin(np.arange(len(local))[:, None] / 97 + phase)
    noise = draw.standard_normal((len(local), sensors))
    values = 10 ** draw.uniform(0.5, 3.5, sensors) * shape * np.exp(0.2 * slow + 0.15 * noise)
    values[draw.random(values.shape) < 0.03] = np.nan
    names = tuple(f"s{i}" for i in range(sensors))
    flow = Quantity("traffic_volume", "veh/h", domain="traffic")
    return SensorFrame(values.astype(np.float32), clock, names, flow, "NO")


def apart(one: Forecast, other: Forecast, frame: SensorFrame) -> dict[str, float]:
    """Largest difference of two forecasts, in units of each sensor's spread."""
    spread = np.nanstd(frame.values[-49 * DAY :], 0)
    mean = np.abs(one.mean - other.mean) / spread
    wide = np.abs(one.quantiles - other.quantiles) / spread[:, None]
    return {"mean": float(mean.max()), "quantiles": float(wide.max())}


def trial(backbone: str, options: argparse.Namespace) -> dict[str, object]:
    """One backbone."""
    frame = make_city(options.sensors, options.days + 1)
    before = frame.until(len(frame) - DAY)
    recent = frame.since(max(0, len(frame) - LATELY * DAY))

    def fit(frame: SensorFrame) -> TunedModel:
        return fit_model(
            frame, horizon=options.horizon, backbone=backbone, strategy=options.strategy
        )

    old = fit(before)
    old.update(recent)  # whatever is done once a process
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        new = old.update(recent)
        seconds.append(time.perf_counter() - started)
    started = time.perf_counter()
    full = fit(frame)
    whole = time.perf_counter() - started
    return {
        "backbone": backbone,
        "strategy": options.strategy,
        "sensors": options.sensors,
        "days": options.days,
        "windows": full.tuned.windows,
        "update_s": round(min(seconds), 2),
        "refit_s": round(whole, 2),
        "apart": apart(new.forecast(recent), full.forecast(frame), frame),
    }


def main() -> None:
    """Print one line of JSON for every backbone."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sensors", type=int, default=500)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--horizon", type=int, default=24)
    parser.add_argument("--strategy", default="blend")
    parser.add_argument("--backbone", nargs="+", default=["citytune-base", "ttm-r2"])
    options = parser.parse_args()
    for backbone in options.backbone:
        print(json.dumps(trial(backbone, options)), flush=True)


if __name__ == "__main__":
    main()
