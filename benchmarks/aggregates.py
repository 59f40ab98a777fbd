"""Whether the intervals and chances of aggregates can be trusted: by the day, and over sensors.

A model is tuned on 90 days before a past day that plays today; each of the 28 days after it is
forecast. Their means, maxima and totals over sensors are compared with what came: how often the
90 % intervals contained it, from futures drawn by the copula of past errors and, for comparison,
from adding up quantiles, as if all hours and sensors missed alike. A reliability table compares the
chance that a day's largest value passes the top 5 % of a sensor's history with how often it did.

    python benchmarks/aggregates.py
    python benchmarks/aggregates.py --sets ontario --cutoffs 1 --sensors 6
"""

from __future__ import annotations

import argparse
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from cutoffs import CONTEXT
from exam import named
from numpy.typing import NDArray
from sets import City, evenly, need_data, past_days, read

from citytune.forecasting import Forecast, TunedModel, fit_model, learn_copula
from citytune.frame import SensorFrame

SETS = (
    "norway_hourly_volume",
    "melbourne_pedestrian_55",
    "gefcom2012_load",
    "pjm_hourly_regions",
    "beijing_aqi36_pm25",
    "ontario_pm25",
)
HISTORY, AFTER = 90, 28
"""Days to learn from, and days forecast."""
TOP = 0.95
BINS = (0, 0.05, 0.2, 0.4, 0.6, 0.8, 1.000001)
"""Edges of the chances in the reliability table."""
Floats = NDArray[np.float32]
KINDS = {
    "step": "each hour",
    "mean": "daily mean",
    "max": "daily maximum",
    "total": "total of an hour",
    "day": "total of a day",
}


class Tally:
    """Hits and trials by (what, way)."""

    def __init__(self) -> None:
        self.hits: defaultdict[tuple[str, ...], float] = defaultdict(float)
        self.count: defaultdict[tuple[str, ...], int] = defaultdict(int)

    def add(self, key: tuple[str, ...], low: Floats, high: Floats, actual: Floats) -> None:
        """Whether what came lay in an interval; NaN does not count."""
        known = np.isfinite(actual) & np.isfinite(low)
        self.hits[key] += float(((low <= actual) & (actual <= high))[known].sum())
        self.count[key] += int(known.sum())

    def share(self, key: tuple[str, ...]) -> float:
        """Of the trials."""
        return self.hits[key] / max(self.count[key], 1)


def days_of(city: City, count: int, sensors: int) -> Iterator[tuple[Forecast, Floats, Floats]]:
    """Each day's forecast, what came (hour, sensor), and (sensor,) the top 5 % of the history."""
    frame = read(city, known_ahead=False)
    frame = frame.select(evenly(frame.sensors, sensors))
    day = frame.clock.steps_per_day
    for row in past_days(frame, HISTORY, CONTEXT, count)[:count]:
        first = max(0, row - HISTORY * day - CONTEXT)
        around = frame.since(first).until(row + (AFTER + 1) * day - first)
        yield from forecasts(around, row - first, day)


def forecasts(frame: SensorFrame, row: int, day: int) -> Iterator[tuple[Forecast, Floats, Floats]]:
    """From a row on, day by day."""
    known = frame.until(row)
    model = fit_model(known, horizon=day)
    model = replace(model, copula=learn_copula(model, known))
    with warnings.catch_warnings(action="ignore"):  # of a sensor without a value
        top = np.nanquantile(known.values, TOP, axis=0).astype(np.float32)
    for origin in range(row, len(frame) - day + 1, day):
        yield forecast_at(model, frame, origin), frame.values[origin : origin + day], top


def forecast_at(model: TunedModel, frame: SensorFrame, origin: int) -> Forecast:
    """As if the rows from `origin` on were not known."""
    found = model.predict(frame, [origin])
    clock = frame.clock.shifted(origin)
    return Forecast(
        found.mean[0], found.quantiles[0], clock, model.sensors, model.quantity, copula=model.copula
    )


def compare(tally: Tally, name: str, forecast: Forecast, actual: Floats) -> None:
    """Of one day."""
    span = len(actual) * forecast.clock.step
    ends = forecast.quantiles[..., [0, -1]]  # (hour, sensor, edge)
    tally.add((name, "step", "copula"), ends[..., 0], ends[..., 1], actual)
    whole = np.isfinite(actual).all(0) & np.isfinite(forecast.mean).all(0)
    names = [n for n, there in zip(forecast.sensors, whole, strict=True) if there]
    if not names:
        return
    total, sums, came_to = forecast.total(names), ends[:, whole].sum(1), actual[:, whole].sum(1)
    found = {
        "mean": (forecast.aggregate(span, "mean"), ends.mean(0)[None], actual.mean(0)[None]),
        "max": (forecast.aggregate(span, "max"), ends.max(0)[None], actual.max(0)[None]),
        "total": (total, sums[:, None], came_to[:, None]),
        "day": (
            total.aggregate(span, "mean"),
            sums.mean(0)[None, None],
            came_to.mean(keepdims=True)[None],
        ),
    }
    for kind, (made, added, came) in found.items():
        tally.add((name, kind, "copula"), made.quantiles[..., 0], made.quantiles[..., -1], came)
        tally.add((name, kind, "added"), added[..., 0], added[..., 1], came)


def chances(
    forecast: Forecast, actual: Floats, top: Floats
) -> Iterator[tuple[str, Floats, Floats]]:
    """By the copula, and by the most likely hour: chances of each sensor, and whether it came."""
    own = {
        n: float(t) if np.isfinite(t) else 0.0 for n, t in zip(forecast.sensors, top, strict=True)
    }
    came = np.where(np.isfinite(actual).all(0), (actual > top).any(0), np.nan)
    largest = forecast.aggregate(len(actual) * forecast.clock.step, "max")
    yield "copula", largest.probability_above(own)[0], came
    each = forecast.probability_above(own)
    yield "most likely hour", each.max(0), came
    yield "hours as independent", 1 - (1 - each).prod(0), came


def show(tally: Tally, names: Sequence[str]) -> None:
    """The coverage of each set."""
    print(f"\n{'coverage of 90 % intervals':28s}" + "".join(f"{w:>20s}" for w in KINDS.values()))
    print(f"{'':28s}" + f"{'':20s}" + f"{'copula':>10s}{'added':>10s}" * 4)
    for name in names:
        step = f"{tally.share((name, 'step', 'copula')):20.1%}"
        rest = "".join(
            f"{tally.share((name, kind, way)):10.1%}"
            for kind in list(KINDS)[1:]
            for way in ("copula", "added")
        )
        print(f"{name:28s}{step}{rest}")


def show_chances(found: Sequence[tuple[str, Floats, Floats]]) -> None:
    """How often what had a chance came true."""
    print(
        "\nchance that a day's largest value passes the top 5 % of the history, "
        "and how often it did"
    )
    for way in dict.fromkeys(one[0] for one in found):
        said = np.concatenate([one[1] for one in found if one[0] == way])
        came = np.concatenate([one[2] for one in found if one[0] == way])
        known = np.isfinite(said) & np.isfinite(came)
        said, came = said[known], came[known]
        print(f"{way}: Brier {np.square(said - came).mean():.4f}")
        where = np.digitize(said, BINS) - 1
        for i in range(len(BINS) - 1):
            if (inside := where == i).any():
                edges = f"{BINS[i]:4.0%} to {min(BINS[i + 1], 1):4.0%}"
                means = said[inside].mean(), came[inside].mean()
                print(f"  {edges}: said {means[0]:6.1%}, came {means[1]:6.1%}, of {inside.sum():,}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Forecast what was asked for, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=[], help="parts of names")
    parser.add_argument("--cutoffs", type=int, default=3, help="how many per set")
    parser.add_argument("--sensors", type=int, default=10, help="at most so many of each set")
    options = parser.parse_args(arguments)
    need_data()
    tally, told = Tally(), []
    cities = named(options.sets, SETS)
    for city in cities:
        for forecast, actual, top in days_of(city, options.cutoffs, options.sensors):
            compare(tally, city.name, forecast, actual)
            told += list(chances(forecast, actual, top))
        print(f"{city.name}: {tally.count[city.name, 'day', 'copula']} days", flush=True)
    show(tally, [city.name for city in cities])
    show_chances(told)


if __name__ == "__main__":
    main()
