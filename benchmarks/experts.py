"""What boosted trees, the ridge on what is known ahead and the last hour buy, and at what cost.

A task is one set, one amount of history and one past day that plays today; a day is forecast from
every quarter of a day of the week after. Each is fitted twice, with every kind of expert and
without those named in `--without`, and compared with the pretrained forecast and its own quantiles:
mean absolute error in units of each sensor's week-ago error (MASE), weighted quantile loss, and how
often what came lay between the outermost quantiles (90 %).

    python benchmarks/experts.py --known-ahead
    python benchmarks/experts.py --sets load bike --days 365 --cutoffs 2 --known-ahead

The weights of `citytune-base` have seen none of these sets but Beijing's.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
from cutoffs import geometric
from numpy.typing import NDArray
from sets import CITIES, City, evenly, need_data, read

from citytune.backbones import LEVELS
from citytune.forecasting import TunedModel
from citytune.frame import SensorFrame

_USUAL = {city.name: city for city in CITIES}
SETS = (
    _USUAL["gefcom2012_load"],
    City(
        name="gefcom2014_load",
        domain="energy",
        country="US",
        target=("LOAD",),
        covariates=tuple(f"w{i}" for i in range(1, 26)),
        quantity="load",
    ),
    City(
        name="capital_bikeshare_hourly",
        domain="traffic",
        country="US-DC",
        target=("count",),
        covariates=("tmin", "tmax", "pn"),
    ),
    _USUAL["london_marylebone_1998_2016"],
    City(
        name="adelaide_demand_1997_2007",
        domain="energy",
        country="AU-SA",
        target=("demand",),
        covariates=("temp_kent_town", "temp_airport"),
        quantity="load",
    ),
    _USUAL["beijing_multisite"],
    _USUAL["norway_hourly_volume"],
)
CONTEXT_DAYS, TEST_DAYS = 28, 7
STEPS = ((0, 1), (1, 3), (3, 6), (6, None))
Floats = NDArray[np.float32]


class Scores(NamedTuple):
    """Of one forecast of one task."""

    mase: float
    loss: float
    held: float
    by_step: tuple[float, ...]  # errors of the stretches ahead in `STEPS`


class Found(NamedTuple):
    """What came of one task."""

    city: City
    days: int
    untuned: Scores
    without: Scores
    tuned: Scores
    seconds: float
    shares: dict[str, float]  # of experts, over the whole horizon


def trial(city: City, days: int, place: float, options: argparse.Namespace) -> Found:
    """Fit with and without, and forecast the week after."""
    from citytune.forecasting import task_of
    from citytune.forecasting._fitting import fit_task

    frame = read(city, known_ahead=options.known_ahead)
    frame = frame.select(evenly(list(frame.sensors), options.sensors))
    day = frame.clock.steps_per_day
    first, last = (days + CONTEXT_DAYS) * day, len(frame) - (TEST_DAYS + 1) * day
    row = first + round(place * (last - first))
    past = frame.until(row).since(row - first)
    started = time.process_time()
    task = task_of(past, horizon=day, backbone="citytune-base")
    tuned = fit_task(past, task)
    seconds = time.process_time() - started
    with lacking(options.without):
        without = fit_task(past, task)
    intervals = replace(tuned.tuned.intervals, stretch=1.0, trust=0.0)
    plain = replace(tuned.tuned, mixture=tuned.tuned.mixture.trusted(0), intervals=intervals)
    models = replace(tuned, tuned=plain), without, tuned
    weights = list(tuned.weights.values())
    shares = {name: float(np.mean([one.get(name, 0.0) for one in weights])) for name in weights[0]}
    base, some, every = (scores(one, frame, row) for one in models)
    return Found(city, days, base, some, every, seconds, shares)


def lacking(kinds: Sequence[str]) -> AbstractContextManager[object]:
    """Blends without some kinds of experts."""
    from citytune.tuning import experts

    others = [experts.make(name) for name in sorted(experts) if name not in kinds]
    return patch("citytune.tuning.strategies._blend.kinds", lambda: others)


def scores(model: TunedModel, frame: SensorFrame, row: int) -> Scores:
    """Of a week of forecasts."""
    day = frame.clock.steps_per_day
    origins = [row + k * day // 4 for k in range(4 * TEST_DAYS)]
    actual = frame.values[np.array(origins)[:, None] + np.arange(day)]
    found = model.predict(frame, origins)
    recent = frame.values[row - 28 * day : row]
    usual = np.nanmean(np.abs(recent[7 * day :] - recent[: -7 * day]), 0)
    error = np.abs(found.point - actual) / usual
    level = np.array(LEVELS, np.float32)
    gap = actual[..., None] - found.quantiles
    pinball = np.maximum(level * gap, (level - 1) * gap)
    held = (found.quantiles[..., 0] <= actual) & (actual <= found.quantiles[..., -1])
    return Scores(
        float(np.nanmean(error)),
        float(np.nanmean(pinball / usual[:, None])),
        float(held[np.isfinite(actual)].mean()),
        tuple(float(np.nanmean(error[:, slice(*part)])) for part in STEPS),
    )


def steps_of(one: Scores, other: Scores) -> list[float]:
    """Errors by stretch ahead, over those of another forecast."""
    return [round(a / b, 3) for a, b in zip(one.by_step, other.by_step, strict=True)]


def show(found: Sequence[Found]) -> None:
    """A row for each set and amount of history, and one for all sets of each amount."""
    print(f"\n{'':40s}{'MASE / untuned':>24s}{'quantile loss':>16s}{'90 % hold':>20s}"
          f"{'step 1':>8s}{'2-3':>7s}{'4-6':>7s}{'CPU s':>7s}")  # fmt: skip
    print(f"{'set, days':32s}{'MASE':>8s}{'without':>9s}{'tuned':>8s}{'worst':>7s}"
          f"{'without':>9s}{'tuned':>7s}{'untuned':>8s}{'without':>8s}{'tuned':>6s}")  # fmt: skip
    for days in sorted({one.days for one in found}):
        own = [one for one in found if one.days == days]
        for name in dict.fromkeys(one.city.name for one in own):
            line(f"{name}, {days}", [one for one in own if one.city.name == name])
        line(f"all, {days}", own)


def line(name: str, found: Sequence[Found]) -> None:
    """Means over tasks."""

    def ratio(of: str, which: str) -> float:
        return geometric(getattr(getattr(o, which), of) / getattr(o.untuned, of) for o in found)

    steps = [
        geometric(one.tuned.by_step[i] / one.untuned.by_step[i] for one in found) for i in range(3)
    ]
    worst = max(one.tuned.mase / one.untuned.mase for one in found)
    held = [np.mean([getattr(o, w).held for o in found]) for w in ("untuned", "without", "tuned")]
    print(
        f"{name:32s}{geometric(one.untuned.mase for one in found):8.3f}"
        f"{ratio('mase', 'without'):9.3f}{ratio('mase', 'tuned'):8.3f}{worst:7.3f}"
        f"{ratio('loss', 'without'):9.3f}{ratio('loss', 'tuned'):7.3f}"
        f"{held[0]:8.3f}{held[1]:8.3f}{held[2]:6.3f}"
        + "".join(f"{one:7.3f}" for one in steps)
        + f"{np.mean([one.seconds for one in found]):7.1f}",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit what was asked for, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=[], help="parts of names")
    parser.add_argument("--days", nargs="+", type=int, default=[28, 90, 365])
    parser.add_argument("--cutoffs", type=int, default=3, help="weeks of each set")
    parser.add_argument("--sensors", type=int, default=4, help="of a set, at most")
    parser.add_argument("--known-ahead", action="store_true", help="weather, as it came true")
    parser.add_argument("--without", nargs="*", default=["boosted", "last-hour"])
    options = parser.parse_args(arguments)
    need_data()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import torch

    torch.set_num_threads(1)
    found = []
    wanted = [one for one in SETS if not options.sets or any(p in one.name for p in options.sets)]
    for city in wanted:
        if options.known_ahead and not city.covariates:
            continue
        for days in options.days:
            for place in np.linspace(0.3, 0.95, options.cutoffs):
                one = trial(city, days, float(place), options)
                found.append(one)
                line(f"{city.name}, {days}, {place:.2f}", found[-1:])
                print("    by step, of untuned: without", steps_of(one.without, one.untuned),
                      "tuned", steps_of(one.tuned, one.untuned),
                      {name: round(share, 2) for name, share in one.shares.items()})  # fmt: skip
    show(found)


if __name__ == "__main__":
    main()
