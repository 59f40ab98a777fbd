"""Is the advice right? The advised order of backbones against the true one, and `auto` against all.

For every set, from several past days as today: rank the backbones on the history, then tune each
(`blend`) and forecast the four weeks after. The order advised and the order by the error of these
weeks are compared by the weighted Kendall τ of Vigna (2015), which counts the upper ranks most:
cutoff by cutoff (`tau`; in the next column errors within 0.5 % of each other share a place), and
over all cutoffs of a set (`of means`). One week alone (`--weeks 1`) is a noisy truth. Then `auto`
chooses a strategy on the advised backbone, and is compared with `blend` in error and time.

    python benchmarks/advice.py
    python benchmarks/advice.py --sets etth1 los_loop --cutoffs 2 --days 28 --sensors 6

Sets are those of `exam.py`, which `citytune-base` has not seen; `--seen` takes those of `sets.py`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from exam import EXAM
from scipy.stats import weightedtau
from sets import CITIES, City, need_data, past_days, read

from citytune.frame import SensorFrame
from citytune.settings import Settings

HORIZON, CONTEXT, COARSE = 48, 512, 6
EVERY = 3
"""Quarters of a day between forecasts, so that they start at all times of day in turn."""
NEAR = 0.005
"""Errors closer than this share are also shown as the same."""


def trial(city: City, days: int, today: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """One set, one today: facts, advised place and true error of every backbone."""
    from citytune.advice import choose, recommend_with
    from citytune.evaluation import mae

    frame, start, horizon = cut(city, days, today, options)
    step = max(1, EVERY * frame.clock.steps_per_day // 4)
    origins = list(range(start, len(frame) - horizon + 1, step))
    actual = frame.values[np.array(origins)[:, None] + np.arange(horizon)]
    past = frame.until(start)
    advice = recommend_with(past, Settings(horizon=horizon), strategies=False)
    found = []
    for place, row in enumerate(advice.rows):
        error = mae(actual, row.model.predict(frame, origins).point)
        found.append({"set": city.name, "domain": city.domain, "days": days, "today": today})
        found[-1] |= {"backbone": row.card.name, "place": place, "error": error, "score": row.score}
        found[-1] |= {"blend_s": row.seconds, "windows": row.model.tuned.windows}
        found[-1] |= {"fold_errors": row.model.tuned.fold_errors.tolist()}
        found[-1] |= {"fold_error": row.fold_error, **row.relevance._asdict()}
    if not options.no_auto:
        started = time.perf_counter()
        model, told = choose(past, horizon=horizon, backbone=advice.best)
        seconds = time.perf_counter() - started
        error = mae(actual, model.predict(frame, origins).point)
        found[0] |= {"auto": model.strategy, "auto_s": seconds, "auto_error": error}
        found[0]["tried"] = [row.strategy for row in told.halving]
    return found


def cut(
    city: City, days: int, today: int, options: argparse.Namespace
) -> tuple[SensorFrame, int, int]:
    """History, a context before it and what came after; the row of today in it; the horizon."""
    frame = read(city, known_ahead=False)
    if len(frame.sensors) > options.sensors:
        places = np.linspace(0, len(frame.sensors) - 1, options.sensors).round().astype(int)
        frame = frame.select([frame.sensors[i] for i in places])
    day = frame.clock.steps_per_day
    horizon, after = (HORIZON, 7 * options.weeks) if day >= COARSE else (7 * day, 28)
    first = max(0, today - days * day - CONTEXT)
    return frame.since(first).until(today + after * day - first), today - first, horizon


def tau_of(rows: list[dict[str, Any]], same: float = 1e-4) -> float:
    """Weighted Kendall τ between the order by what was advised and that by true errors.

    Backbones within about a share `same` of each other share a place: some forecast the same, as
    nothing but the seasonal rules is taken of them.
    """
    true, told = (
        [-round(math.log(row[name]) / same) for row in rows] for name in ("error", "score")
    )
    if min(len(set(true)), len(set(told))) == 1:
        return float(len(set(true)) == 1)
    return float(weightedtau(true, told, rank=None).statistic)


def show(rows: list[dict[str, Any]]) -> None:
    """A line for each set, then each domain and all."""
    trials: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        trials[row["domain"], row["set"], row["days"], row["today"]].append(row)
    heading = "days cutoffs    tau  0.5 %  of means  regret   auto/blend  seconds  advised first"
    print(f"\n{'set':32s} {heading}")
    for level in (2, 1, 0):
        groups: dict[tuple[Any, ...], list[list[dict[str, Any]]]] = defaultdict(list)
        for key, trial_rows in trials.items():
            groups[{2: key[:3], 1: (key[0], "", key[2]), 0: ("all", "", key[2])}[level]].append(
                trial_rows
            )
        for (domain, name, days), some in sorted(groups.items()):
            line(name or domain, days, some)
    slowest = max(rows, key=lambda row: row["blend_s"])
    print(f"slowest backbone: {slowest['backbone']}, {slowest['blend_s']:.1f} s ({slowest['set']})")


def line(name: str, days: int, trials: list[list[dict[str, Any]]]) -> None:
    """Means over cutoffs of one set, or of one domain."""
    tau, near = (np.mean([tau_of(rows, same) for rows in trials]) for same in (1e-4, NEAR))
    pooled = np.mean([tau_of(over_cutoffs(some)) for some in by_set(trials)])
    regret = geometric([rows[0]["error"] / min(r["error"] for r in rows) for rows in trials])
    autos = [rows[0] for rows in trials if "auto" in rows[0]]
    error = geometric([row["auto_error"] / row["error"] for row in autos])
    times = geometric([row["auto_s"] / row["blend_s"] for row in autos])
    first = sorted({rows[0]["backbone"] for rows in trials})
    print(
        f"{name:32s} {days:4d} {len(trials):6d} {tau:6.2f} {near:6.2f} {pooled:9.2f} {regret:7.3f} "
        f"{error:12.3f} {times:7.1f}x  {', '.join(first)}"
    )


def by_set(trials: list[list[dict[str, Any]]]) -> list[list[list[dict[str, Any]]]]:
    """Trials grouped by their set."""
    found: dict[str, list[list[dict[str, Any]]]] = defaultdict(list)
    for rows in trials:
        found[rows[0]["set"]].append(rows)
    return [*found.values()]


def over_cutoffs(trials: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """A row for each backbone of one set: its errors over the least, and its scores, averaged."""
    errors, scores = defaultdict(list), defaultdict(list)
    for rows in trials:
        least = min(row["error"] for row in rows)
        for row in rows:
            errors[row["backbone"]].append(row["error"] / least)
            scores[row["backbone"]].append(row["score"])
    return [
        {"error": geometric(errors[name]), "score": float(np.mean(scores[name]))} for name in errors
    ]


def geometric(ratios: list[float]) -> float:
    """Geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan


def main() -> None:
    """Run the trials asked for, one after the other: seconds are measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=[], help="parts of names")
    parser.add_argument("--seen", action="store_true", help="the sets of sets.py instead")
    parser.add_argument("--days", nargs="*", type=int, default=[28])
    parser.add_argument("--cutoffs", type=int, default=4)
    parser.add_argument("--weeks", type=int, default=4, help="after today, that are forecast")
    parser.add_argument("--sensors", type=int, default=24, help="most of a set")
    parser.add_argument("--no-auto", action="store_true", help="only rank the backbones")
    parser.add_argument("--out", type=Path, help="also write every row as JSON lines")
    parser.add_argument("--show", type=Path, help="only show what such a file holds")
    options = parser.parse_args()
    if options.show:
        return show([json.loads(row) for row in options.show.read_text().splitlines()])
    need_data()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    rows = []
    for city in CITIES if options.seen else EXAM:
        if options.sets and not any(part in city.name for part in options.sets):
            continue
        frame = read(city, known_ahead=False)
        for days in options.days:
            cutoffs_of = past_days(frame, days, CONTEXT, options.cutoffs)
            for today in cutoffs_of or past_days(frame, days, 0, options.cutoffs):
                found = trial(city, days, today, options)
                rows += found
                print(city.name, days, today, f"tau {tau_of(found):.2f}", flush=True)
                if options.out:
                    with options.out.open("a") as file:
                        file.writelines(json.dumps(row) + "\n" for row in found)
    if rows:
        show(rows)
    return None


if __name__ == "__main__":
    main()
