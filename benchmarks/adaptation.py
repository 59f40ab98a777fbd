"""What fine-tuning gains, and how fast, on real data: the table of the README.

For every set and every amount of history, from several past days as today: tune on that history
(one context more lies before it), forecast the week after from every quarter of a day, and compare
with the same backbone zero-shot, the best of four naive forecasts chosen in hindsight for the set,
and LightGBM. Errors are mean absolute errors in the unit of the data, over what was measured.

    python benchmarks/adaptation.py                          every set, 28 days
    python benchmarks/adaptation.py --days 7 28 90 --sets norway metro --known-ahead
    python benchmarks/adaptation.py --sets exam --backbone ttm-r2 lags --no-boosting

`--sets exam` are those of `exam.py`, which no weights of ours have seen. Several backbones play the
same cutoffs, and the first is then compared with each of the others.
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
from cutoffs import CONTEXT, DOMAINS, cutoff_of, cutoffs_of, geometric, usable
from exam import EXAM
from sets import CITIES, City, need_data, read

NAIVE = ("naive-day", "naive-week", "naive-weeks4", "historical-average")
RIVALS = ("zero_shot", "naive", "boosting")


def trial(job: tuple[City, int, int, argparse.Namespace]) -> list[dict[str, Any]]:
    """One set, one amount of history, one today: what each backbone makes of it."""
    import torch

    from citytune.evaluation import baselines, coverage, mae
    from citytune.forecasting import LEVELS, fit_model

    city, days, row, options = job
    torch.set_num_threads(1)
    before = 0 if options.cold else CONTEXT
    today = cutoff_of(read(city, known_ahead=options.known_ahead), days, row, before=before)
    frame, origins, actual = today.frame, today.origins, today.actual
    rivals = (*NAIVE, *(() if options.no_boosting else ("boosting",)))
    simple = {
        name: mae(actual, baselines[name](frame, origins, today.horizon, today.row))
        for name in rivals
    }

    def play(backbone: str) -> dict[str, Any]:
        def fit(strategy: str) -> Any:
            return fit_model(
                today.known,
                horizon=today.horizon,
                backbone=backbone,
                strategy=strategy,
                caution=options.caution,
            )

        found: dict[str, Any] = {"set": city.name, "domain": city.domain, "days": days}
        found["backbone"] = backbone
        started = time.perf_counter()
        tuned = fit("blend")
        found["fit_s"] = time.perf_counter() - started
        said = tuned.predict(frame, origins)
        low, high = said.quantiles[..., LEVELS.index(0.05)], said.quantiles[..., LEVELS.index(0.95)]
        found["coverage"] = coverage(actual, low, high)
        found["tuned"] = mae(actual, said.point)
        found["zero-shot"] = mae(actual, fit("zero-shot").predict(frame, origins).point)
        return found | simple

    return [play(backbone) for backbone in options.backbone]


def row_of(trials: list[dict[str, Any]]) -> dict[str, Any]:
    """One set at one amount of history: errors averaged over its cutoffs, then divided."""
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
        "backbone": trials[0]["backbone"],
        "cutoffs": len(trials),
        "tuned": mean["tuned"],
        "zero_shot": mean["tuned"] / mean["zero-shot"],
        "naive": mean["tuned"] / mean[naive],
        "best_naive": naive,
        "boosting": mean["tuned"] / mean["boosting"] if "boosting" in mean else math.nan,
        "worst": max(t["tuned"] / t["zero-shot"] for t in trials),
        "coverage": mean["coverage"],
        "seconds": mean["fit_s"],
    }


def show(rows: list[dict[str, Any]], trials: list[dict[str, Any]]) -> None:
    """Print a table and a line for each domain, for every backbone; then who is better tuned."""
    names = list(dict.fromkeys(row["backbone"] for row in rows))
    for name in names:
        if len(names) > 1:
            print(f"\n{name}")
        show_one(*([f for f in found if f["backbone"] == name] for found in (rows, trials)))
    for rival in names[1:]:
        compare(rows, names[0], rival)


def show_one(rows: list[dict[str, Any]], trials: list[dict[str, Any]]) -> None:
    """Print the table of one backbone and a line for each domain."""
    heading = "days cutoffs  /zero-shot  /best naive                    /LightGBM  worst  cover  s"
    print(f"\n{'set':28s} {heading}")
    for r in rows:
        print(
            f"{r['set']:28s} {r['days']:4d} {r['cutoffs']:6d} {r['zero_shot']:11.3f} "
            f"{r['naive']:12.3f} {r['best_naive']:18s} {r['boosting']:8.3f} {r['worst']:6.2f} "
            f"{r['coverage']:6.1%} {r['seconds']:4.1f}"
        )
    print()
    for days in sorted({r["days"] for r in rows}):
        for domain in DOMAINS:
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
            f"of {len(ratios)} cutoffs at {days} days, {worse:.1%} are worse than zero-shot by "
            "over "
            f"2 %, {bad:.1%} by over 5 %"
        )
        ratios = [r["zero_shot"] for r in rows if r["days"] == days]
        worse = sum(ratio > 1.01 for ratio in ratios)
        print(f"of {len(ratios)} sets at {days} days, {worse} are worse than zero-shot by over 1 %")


def compare(rows: list[dict[str, Any]], name: str, rival: str) -> None:
    """Print the error of one backbone, tuned, over that of another, on the same cutoffs."""
    tuned = {(row["backbone"], row["set"], row["days"]): row["tuned"] for row in rows}
    print(f"\ntuned {name} / tuned {rival}")
    for days in sorted({row["days"] for row in rows}):
        own = [row for row in rows if row["backbone"] == name and row["days"] == days]
        ratios = {row["set"]: row["tuned"] / tuned[rival, row["set"], days] for row in own}
        for place, ratio in ratios.items():
            print(f"{place:30s} {days:4d} days {ratio:7.3f}")
        for domain in DOMAINS:
            some = [ratios[row["set"]] for row in own if row["domain"] == domain]
            if some:
                print(f"{domain:30s} {days:4d} days {geometric(some):7.3f}")
        print(f"{'geometric mean':30s} {days:4d} days {geometric(ratios.values()):7.3f}")


def chosen(options: argparse.Namespace) -> list[City]:
    """The sets asked for."""
    exam = "exam" in options.sets
    parts = [part for part in options.sets if part != "exam"]
    cities = [c for c in (EXAM if exam else CITIES) if not parts or any(p in c.name for p in parts)]
    if options.known_ahead:
        return [city for city in cities if city.covariates]
    # The same sensors as beijing_multisite_pm25, with their weather.
    return [city for city in cities if city.name != "beijing_multisite"]


def main() -> None:
    """Run the trials asked for, two at a time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sets", nargs="*", default=[], help="parts of names; `exam` for those of exam.py"
    )
    parser.add_argument("--days", nargs="*", type=int, default=[28])
    parser.add_argument("--cutoffs", type=int, help="how many per set; 6 to 12 by default")
    parser.add_argument("--backbone", nargs="+", default=["ttm-r2"])
    parser.add_argument("--cold", action="store_true", help="a new sensor: no context before")
    parser.add_argument("--caution", type=float, default=2.0)
    parser.add_argument("--known-ahead", action="store_true", help="with weather where there is")
    parser.add_argument("--no-boosting", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="also write every trial as JSON lines")
    options = parser.parse_args()
    need_data()
    options.backbone = usable(options.backbone)
    os.environ.setdefault("OMP_NUM_THREADS", "1")

    rows, trials = [], []
    workers = get_context("spawn")  # a forked process hangs on the threads of polars
    with ProcessPoolExecutor(options.jobs, mp_context=workers) as pool:
        for city in chosen(options):
            frame = read(city, known_ahead=options.known_ahead)
            groups: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
            jobs = [
                (city, days, row, options)
                for days in options.days
                for row in cutoffs_of(frame, days, options.cutoffs)
            ]
            if not jobs:
                print(f"{city.name} is left out: too short, or too little of it was measured")
            for some in pool.map(trial, jobs):
                trials += some
                for found in some:
                    groups[found["days"], found["backbone"]].append(found)
                    if options.out:
                        with options.out.open("a") as file:
                            file.write(json.dumps(found) + "\n")
            for group in groups.values():
                rows.append(row_of(group))
                print(rows[-1], flush=True)
    show(rows, trials)


if __name__ == "__main__":
    main()
