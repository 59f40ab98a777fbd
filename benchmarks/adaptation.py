"""What fine-tuning gains, and how fast, on real data: the table of the README.

For every set and every amount of history, from several past days as today: tune on that history
(one context more lies before it), forecast the week after from every quarter of a day, and compare
with the same backbone untouched, the best of four naive forecasts chosen in hindsight for the set,
and LightGBM. Errors are mean absolute errors in the unit of the data, over what was measured.

    python benchmarks/adaptation.py                          every set, 28 days
    python benchmarks/adaptation.py --days 7 28 90 --sets norway metro --known-ahead
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from sets import CITIES, DATA, City, past_days, read

NAIVE = ("naive-day", "naive-week", "naive-weeks4", "historical-average")
RIVALS = ("zero_shot", "naive", "boosting")
HORIZON = 48
CONTEXT = 512


def trial(job: tuple[City, int, int, argparse.Namespace]) -> dict[str, Any]:
    """One set, one amount of history, one today."""
    import torch

    from citytune.evaluation import baselines, coverage, mae
    from citytune.forecasting import LEVELS, fit_model

    city, days, today, options = job
    torch.set_num_threads(1)
    frame = read(city, known_ahead=options.known_ahead)
    day = frame.clock.steps_per_day
    before = 0 if options.cold else CONTEXT
    first = max(0, today - days * day - before)
    frame, today = frame.since(first).until(today + 7 * day - first), today - first
    origins = list(range(today, len(frame) - HORIZON + 1, max(1, day // 4)))
    actual = frame.values[np.array(origins)[:, None] + np.arange(HORIZON)]
    found: dict[str, Any] = {"set": city.name, "domain": city.domain, "days": days}

    def fit(strategy: str) -> Any:
        return fit_model(
            frame.until(today),
            horizon=HORIZON,
            backbone=options.backbone,
            strategy=strategy,
            caution=options.caution,
        )

    started = time.perf_counter()
    tuned = fit("blend")
    found["fit_s"] = time.perf_counter() - started
    said = tuned.predict(frame, origins)
    low, high = said.quantiles[..., LEVELS.index(0.05)], said.quantiles[..., LEVELS.index(0.95)]
    found["coverage"] = coverage(actual, low, high)
    found["tuned"] = mae(actual, said.mean)
    found["zero-shot"] = mae(actual, fit("zero-shot").predict(frame, origins).mean)
    for name in (*NAIVE, *(() if options.no_boosting else ("boosting",))):
        found[name] = mae(actual, baselines[name](frame, origins, HORIZON, today))
    return found


def geometric(ratios: list[float]) -> float:
    """Geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan


def row_of(trials: list[dict[str, Any]]) -> dict[str, Any]:
    """One set at one amount of history: errors averaged over its todays, then divided."""
    mean = {
        key: float(np.mean([t[key] for t in trials]))
        for key in trials[0]
        if isinstance(trials[0][key], float)
    }
    naive = min(NAIVE, key=mean.__getitem__)
    return {
        "set": trials[0]["set"],
        "domain": trials[0]["domain"],
        "days": trials[0]["days"],
        "todays": len(trials),
        "zero_shot": mean["tuned"] / mean["zero-shot"],
        "naive": mean["tuned"] / mean[naive],
        "best_naive": naive,
        "boosting": mean["tuned"] / mean["boosting"] if "boosting" in mean else math.nan,
        "worst": max(t["tuned"] / t["zero-shot"] for t in trials),
        "coverage": mean["coverage"],
        "seconds": mean["fit_s"],
    }


def show(rows: list[dict[str, Any]], trials: list[dict[str, Any]]) -> None:
    """Print the table and a line for each domain."""
    heading = "days todays  /zero-shot  /best naive                    /LightGBM  worst  cover  s"
    print(f"\n{'set':28s} {heading}")
    for r in rows:
        print(
            f"{r['set']:28s} {r['days']:4d} {r['todays']:6d} {r['zero_shot']:11.3f} "
            f"{r['naive']:12.3f} {r['best_naive']:18s} {r['boosting']:8.3f} {r['worst']:6.2f} "
            f"{r['coverage']:6.1%} {r['seconds']:4.1f}"
        )
    print()
    for days in sorted({r["days"] for r in rows}):
        for domain in ("traffic", "energy", "air"):
            some = [r for r in rows if r["domain"] == domain and r["days"] == days]
            if some:
                mean = {k: geometric([r[k] for r in some]) for k in RIVALS}
                covered = np.mean([r["coverage"] for r in some])
                print(
                    f"{domain:8s} {days:3d} days: {mean['zero_shot']:.3f} × zero-shot, "
                    f"{mean['naive']:.3f} × best naive, {mean['boosting']:.3f} × LightGBM, "
                    f"90 % intervals cover {covered:.1%}"
                )
        ratios = [t["tuned"] / t["zero-shot"] for t in trials if t["days"] == days]
        worse, bad = (np.mean([ratio > most for ratio in ratios]) for most in (1.02, 1.05))
        print(
            f"of {len(ratios)} todays at {days} days, {worse:.1%} are worse than zero-shot by over "
            f"2 %, {bad:.1%} by over 5 %"
        )


def main() -> None:
    """Run the trials asked for, two at a time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=[], help="parts of names; all by default")
    parser.add_argument("--days", nargs="*", type=int, default=[28])
    parser.add_argument("--todays", type=int, help="how many per set; 6 to 12 by default")
    parser.add_argument("--backbone", default="ttm-r2")
    parser.add_argument("--cold", action="store_true", help="a new sensor: no context before")
    parser.add_argument("--caution", type=float, default=2.0)
    parser.add_argument("--known-ahead", action="store_true", help="with weather where there is")
    parser.add_argument("--no-boosting", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="also write every trial as JSON lines")
    options = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"the sets are not at {DATA}; name their folder in CITYTUNE_DATA")
    os.environ.setdefault("OMP_NUM_THREADS", "1")

    rows, trials = [], []
    workers = get_context("spawn")  # a forked process hangs on the threads of polars
    with ProcessPoolExecutor(options.jobs, mp_context=workers) as pool:
        for city in CITIES:
            if options.sets and not any(part in city.name for part in options.sets):
                continue
            if city.sensor is not None and not options.known_ahead:
                continue  # the same sensors as beijing_multisite_pm25
            if options.known_ahead and not city.covariates:
                continue
            frame = read(city, known_ahead=options.known_ahead)
            by_days: dict[int, list[dict[str, Any]]] = defaultdict(list)
            jobs = [
                (city, days, today, options)
                for days in options.days
                for today in past_days(frame, days, CONTEXT, options.todays)
            ]
            for found in pool.map(trial, jobs):
                by_days[found["days"]].append(found)
                trials.append(found)
                if options.out:
                    with options.out.open("a") as file:
                        file.write(json.dumps(found) + "\n")
            for some in by_days.values():
                rows.append(row_of(some))
                print(rows[-1], flush=True)
    show(rows, trials)


if __name__ == "__main__":
    main()
