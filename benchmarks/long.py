"""What months and years of history buy: tuned against untuned, on sets no weights of ours saw.

A task is one set, one amount of history and one week of the last year of the set; the model is
tuned once on what lies before the week, with everything on "auto", and then asked every quarter of
a day, from what is known by then, for the day after. Errors are those of the median in units of
each sensor's day-ago change (MASE), and the weighted quantile loss; columns are ratios to untuned.
*Alone* is the fine-tuned network without the mixture that decides how far it is followed; *first*
are the errors of the first two steps ahead.

    python benchmarks/long.py                                   all: hours on two cores
    python benchmarks/long.py --sets interstate etth1 --days 365 --weeks 2 --jobs 1
    python benchmarks/long.py --boosting --effort quick --out long.jsonl
    python benchmarks/long.py --days 365 --after 8             how much the weeks after a fit differ
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cutoffs import DOMAINS, Cutoff, geometric, nothing_cached
from exam import named
from numpy.typing import NDArray
from sets import City, need_data
from strategies import answers, few

from citytune.forecasting import TunedModel
from citytune.tuning import Mixture

SETS = (
    "gefcom2012_load",
    "gefcom2014_load",
    "capital_bikeshare_hourly",
    "london_marylebone_1998_2016",
    "adelaide_demand_1997_2007",
    "etth1",
    "etth2",
    "metro_interstate_94",
)
NAIVE = ("naive-day", "naive-week", "naive-weeks4", "historical-average")
BEFORE_DAYS = 28
"""Days before the history, which its first windows look back on."""
TEST_DAYS = 7


class Job(NamedTuple):
    """One fit."""

    city: City
    days: int
    row: int
    sensors: int
    effort: str
    boosting: bool
    after: int
    """Weeks that it is asked for."""


def weeks_of(city: City, sensors: int, days: int, count: int) -> list[int]:
    """Rows at which test weeks begin, spread over the last year; none where history is short."""
    frame = few(city, sensors)
    day = frame.clock.steps_per_day
    last = len(frame) - TEST_DAYS * day
    first = max((days + BEFORE_DAYS) * day, last - 358 * day)
    if last < first:
        return []
    known = np.isfinite(frame.values).mean(1)
    tried = np.linspace(first, last, 4 * count + 1).round().astype(int)[1::4]
    return [int(r) // day * day for r in tried if known[r : r + TEST_DAYS * day].mean() > 0.5]


def today_of(job: Job) -> Cutoff:
    """What is known at the fit, and what came in the weeks after, asked for day by day."""
    frame = few(job.city, job.sensors)
    day = frame.clock.steps_per_day
    first = max(0, job.row - (job.days + BEFORE_DAYS) * day)
    around = frame.since(first).until(job.row + job.after * TEST_DAYS * day - first)
    row = job.row - first
    origins = list(range(row, len(around) - day + 1, max(1, day // 4)))
    actual = around.values[np.array(origins)[:, None] + np.arange(day)]
    return Cutoff(around, row, day, origins, actual)


def trial(job: Job) -> dict[str, Any]:
    """Fit, and forecast the week after, or the weeks."""
    import torch

    import citytune as ct
    from citytune.backbones import load_backbone
    from citytune.evaluation import baselines, coverage, day_scale, mase, wql
    from citytune.forecasting import LEVELS

    torch.set_num_threads(1)
    around, row, day, origins, actual = today_of(job)
    week = (np.array(origins) - row) // (TEST_DAYS * day)
    weeks = [i for i in np.unique(week) if 2 * sum(week == i) > sum(week == 0)]  # no rests of one
    scale = day_scale(around.values[:row], day)
    found: dict[str, Any] = {
        "set": job.city.name,
        "domain": job.city.domain,
        "days": job.days,
        "row": job.row,
    }
    load_backbone("citytune-base")  # not timed
    asked = {"horizon": day, "backbone": "citytune-base"}
    for name, more in (("tuned", {"effort": job.effort}), ("untuned", {"strategy": "zero-shot"})):
        with nothing_cached():
            started, worked = time.perf_counter(), time.process_time()
            model = ct.tune(around.until(row), **asked, **more)
            found[f"{name}_s"] = time.perf_counter() - started
            found[f"{name}_cpu_s"] = time.process_time() - worked
        said = model.predict(around, origins)
        low, high = (said.quantiles[..., LEVELS.index(level)] for level in (0.05, 0.95))
        found[name] = mase(actual, said.point, scale)
        found[f"{name}_first"] = mase(actual[:, :2], said.point[:, :2], scale)
        weekly = (mase(actual[week == i], said.point[week == i], scale) for i in weeks)
        found[f"{name}_weeks"] = list(weekly)
        found[f"{name}_wql"] = wql(actual, said.quantiles, LEVELS)
        found[f"{name}_cover"] = coverage(actual, low, high)
        if name == "tuned":
            found["weights"] = model.weights
            found["notes"] = model.notes
            own = alone(model).predict(around, origins).point
            found["alone"] = mase(actual, own, scale)
    for name in (*NAIVE, *(("boosting",) if job.boosting else ())):
        found[name] = mase(actual, baselines[name](around, origins, day, row), scale)
    return found


def alone(model: TunedModel) -> TunedModel:
    """The same with all weight on the fine-tuned network, if there is one."""
    mixture = model.tuned.mixture
    some = [one for one in mixture.experts if one.name == "fine-tuned"]
    if not some:
        return model
    made = Mixture.of_one(some[0], mixture.prior, model.spec.horizon, among=mixture.experts)
    return replace(model, tuned=replace(model.tuned, mixture=made))


def row_of(some: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Several tasks: ratios to untuned, coverage, and seconds."""

    def ratio(name: str, to: str = "untuned") -> float:
        return geometric([one[name] / one[to] for one in some])

    naive = [min(one[name] for name in NAIVE) / one["untuned"] for one in some]
    return {
        "tasks": len(some),
        "mase": geometric([one["untuned"] for one in some]),
        "tuned": ratio("tuned"),
        "alone": ratio("alone"),
        "loss": ratio("tuned_wql", "untuned_wql"),
        "first": ratio("tuned_first", "untuned_first"),
        "worst": max(float(ratios_of(one).max()) for one in some),
        "naive": geometric(naive),
        "boosting": ratio("boosting") if "boosting" in some[0] else float("nan"),
        "before": float(np.mean([one["untuned_cover"] for one in some])),
        "cover": float(np.mean([one["tuned_cover"] for one in some])),
        "seconds": float(np.mean([one["tuned_cpu_s"] for one in some])),
    }


def show(found: Sequence[dict[str, Any]]) -> None:
    """A row for each set and amount of history, then the means of domains and of all."""
    ratios = "  tuned   alone    loss   first   worst   naive LightGBM"
    columns = f"tasks untuned {ratios} cover untuned  CPU s"
    print(f"\n{'':28s}{'days':>5s} {columns}")
    for days in sorted({one["days"] for one in found}):
        some = [one for one in found if one["days"] == days]
        for name in dict.fromkeys(one["set"] for one in some):
            line(name, days, [one for one in some if one["set"] == name])
        for domain in DOMAINS:
            if own := [one for one in some if one["domain"] == domain]:
                line(f"all {domain}", days, own)
        line("all sets", days, some)
        weeks = np.concatenate([ratios_of(one) for one in some])
        worse = [np.mean(weeks > much) for much in (1.02, 1.05)]
        print(f"of {len(weeks)} weeks worse than untuned by over 2 %: {worse[0]:.0%}, over 5 %: "
              f"{worse[1]:.0%}; the worst {weeks.max():.3f}")  # fmt: skip


def ratios_of(one: dict[str, Any]) -> NDArray[np.floating]:
    """(week,) error over that of untuned."""
    return np.array(one["tuned_weeks"]) / np.array(one["untuned_weeks"])


def line(name: str, days: int, some: Sequence[dict[str, Any]]) -> None:
    """One row of the table."""
    r = row_of(some)
    keys = ("tuned", "alone", "loss", "first", "worst", "naive")
    ratios = "".join(f"{r[key]:8.3f}" for key in keys)
    print(
        f"{name:28s}{days:5d} {r['tasks']:5.0f} {r['mase']:7.3f}{ratios} {r['boosting']:8.3f} "
        f"{r['cover']:5.1%} {r['before']:7.1%} {r['seconds']:6.1f}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tasks asked for; tasks that `--out` holds already are not run again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=[], help="parts of names")
    parser.add_argument("--days", nargs="+", type=int, default=[28, 90, 365, 1095])
    parser.add_argument("--weeks", type=int, default=4, help="test weeks of a set")
    parser.add_argument("--after", type=int, default=1, help="weeks forecast after each fit")
    parser.add_argument("--sensors", type=int, default=6, help="of a set, at most")
    parser.add_argument("--effort", default="usual", choices=["quick", "usual", "thorough"])
    parser.add_argument("--boosting", action="store_true", help="also LightGBM, on the same")
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--out", type=Path, help="JSON lines, which a later run goes on from")
    options = parser.parse_args(arguments)
    need_data()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    known = options.out is not None and options.out.exists()
    found = [json.loads(text) for text in options.out.read_text().splitlines()] if known else []
    done = {(one["set"], one["days"], one["row"]) for one in found}
    jobs = [
        Job(city, days, row, options.sensors, options.effort, options.boosting, options.after)
        for days in options.days
        for city in named(options.sets, SETS)
        for row in weeks_of(city, options.sensors, days, options.weeks)
        if (city.name, days, row) not in done
    ]
    for one in answers(trial, jobs, options.jobs):
        found.append(one)
        print(f"{one['set']}, {one['days']} days: {one['tuned'] / one['untuned']:.3f}", flush=True)
        if options.out is not None:
            with options.out.open("a") as file:
                file.write(json.dumps(one) + "\n")
    show(found)


if __name__ == "__main__":
    main()
