"""What a model's own quantiles are worth, compared with intervals from its past errors alone.

One fit of `blend` gives both. Forecasts are made in the week after a past day that plays today,
from every quarter of a day. Compared are the quantile loss over eleven levels, the coverage of
90 % intervals, and the Brier score of the probability to pass what the top 5 % of a sensor's
history passed.

    python benchmarks/intervals.py
    python benchmarks/intervals.py --sets etth1 jonas --days 28 --cutoffs 1

Sets are those of `exam.py`, which `citytune-base` has not seen.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from cutoffs import DOMAINS, Cutoff, cutoffs_of, geometric, usable
from exam import EXAM, named
from gate import Job, fitted
from sets import need_data
from strategies import answers, few

from citytune.forecasting import LEVELS, TunedModel, chance_above

TOP = 0.95
"""Quantile of a sensor's history whose passing is warned of."""


class Scores(NamedTuple):
    """Of quantiles, on one week."""

    loss: float  # mean over levels and values, in the unit of the data
    held: float  # share of values between the outermost quantiles, which should be 90 %
    brier: float


class Found(NamedTuple):
    """What one fit gave."""

    job: Job
    stretch: float
    trust: float
    own: Scores
    past: Scores


def trial(job: Job) -> Found:
    """Fit, and forecast the week after with both kinds of intervals."""
    model, today = fitted(job)
    intervals = model.tuned.intervals
    past = replace(model, tuned=replace(model.tuned, intervals=replace(intervals, trust=1.0)))
    scores = (scores_of(one, today) for one in (model, past))
    return Found(job, intervals.stretch, intervals.trust, *scores)


def scores_of(model: TunedModel, today: Cutoff) -> Scores:
    """Of the week after."""
    said, actual = model.predict(today.frame, today.origins).quantiles, today.actual
    levels = np.array(LEVELS)
    error = actual[..., None] - said
    loss = np.nanmean(np.maximum(levels * error, (levels - 1) * error))
    known = np.isfinite(actual)
    held = ((said[..., 0] <= actual) & (actual <= said[..., -1]))[known].mean()
    with warnings.catch_warnings(action="ignore"):  # of a sensor without a value nothing is scored
        limits = np.nanquantile(today.known.values, TOP, axis=0).astype(np.float32)
    quantity = today.frame.quantity
    chance = chance_above(said, limits, low=quantity.low, high=quantity.high)
    brier = np.square(chance - (actual > limits))[known].mean()
    return Scores(float(loss), float(held), float(brier))


def show(found: Sequence[Found]) -> None:
    """A row for each amount of history and domain, then each set."""
    print(f"\n{'':38s}{'quantile loss':>14s}{'held':>8s}{'':8s}{'Brier':>8s}")
    print(f"{'days, domain':30s}{'fits':>8s}{'/ past errs':>14s}{'own':>8s}{'past':>8s}"
          f"{'/ past':>8s}{'stretch':>9s}{'trust':>7s}")  # fmt: skip
    for days in sorted({one.job.days for one in found}):
        own = [one for one in found if one.job.days == days]
        for domain in DOMAINS:
            row(f"{days}, {domain}", [one for one in own if one.job.city.domain == domain])
        row(f"{days}, all", own)
    for name in dict.fromkeys(one.job.city.name for one in found):
        row(name, [one for one in found if one.job.city.name == name])


def row(name: str, found: Sequence[Found]) -> None:
    """Means of some fits."""
    if not found:
        return
    loss = geometric(one.own.loss / one.past.loss for one in found if one.past.loss > 0)
    held = [mean([getattr(one, kind).held for one in found]) for kind in ("own", "past")]
    brier = mean([one.own.brier for one in found]) / mean([one.past.brier for one in found])
    dials = [mean([getattr(one, dial) for one in found]) for dial in ("stretch", "trust")]
    print(f"{name:30s}{len(found):8d}{loss:14.3f}{held[0]:8.1%}{held[1]:8.1%}{brier:8.3f}"
          f"{dials[0]:9.2f}{dials[1]:7.2f}")  # fmt: skip


def mean(values: Sequence[float]) -> float:
    """Plain mean."""
    return float(np.mean(values))


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit what was asked for, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=[], help="parts of names")
    parser.add_argument("--days", nargs="+", type=int, default=[7, 28, 90])
    parser.add_argument("--cutoffs", type=int, default=3, help="how many per set")
    parser.add_argument("--backbone", default="citytune-base")
    parser.add_argument("--sensors", type=int, default=4, help="of a set, at most")
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    options = parser.parse_args(arguments)
    need_data()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    (backbone,) = usable([options.backbone])
    jobs = [
        Job(city, days, row, backbone, options.sensors)
        for city in named(options.sets, [city.name for city in EXAM])
        for days in options.days
        for row in cutoffs_of(few(city, options.sensors), days, options.cutoffs)
    ]
    found: list[Found] = []
    for one in answers(trial, jobs, options.jobs):
        found.append(one)
        ratio = one.own.loss / one.past.loss
        print(f"{len(found)} of {len(jobs)}: {one.job.city.name}, {ratio:.3f}", flush=True)
    show(found)


if __name__ == "__main__":
    main()
