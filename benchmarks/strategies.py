"""What each strategy gains over zero-shot, `head` and `blend`, what it costs, and when it hurts.

A task is one set, one amount of history and one past day that plays today: tune on that history
(one context more lies before it where the set is long enough), forecast the week after from every
quarter of a day. Shown of every strategy are its forecasts as they are, stacked with the others'
("after"), and what it fitted, alone ("before": as far from zero-shot as its own folds say). Sets
are some of `exam.py`: no weights of ours have seen them, and the authors of ttm-r2 name none.

    python benchmarks/strategies.py --out strategies.jsonl
    python benchmarks/strategies.py --strategies blend lora auto --days 7 --sets etth1 --cutoffs 1

A run that was cut off goes on where it stopped if given the same `--out`. Errors are mean absolute
errors in the unit of the data, over what was measured. Their ratios are of a set's mean over
its cutoffs, then geometric means over sets; shares that are worse count tasks. Seconds are wall
clock of the fit on one thread, with nothing cached.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from cutoffs import cutoff_of, cutoffs_of, geometric, nothing_cached, usable
from exam import named
from sets import City, evenly, need_data, read

import citytune as ct
from citytune.forecasting import TunedModel
from citytune.frame import SensorFrame
from citytune.tuning import Mixture, make_strategy, options_of, strategies

SETS = (
    "jonas_dc_demand",
    "capital_bikeshare_hourly",
    "aarhus_parking",
    "etth1",
    "gefcom2012_load",
    "gefcom2014_load",
    "beijing_aqi36_pm25",
    "london_marylebone_1998_2005",
    "london_4sites_2009",
)
AUTO, BLEND, HEAD, ZERO = "auto", "blend", "head", "zero-shot"
WORSE = 1.01
"""Error over that of zero-shot from which a strategy has hurt."""
SAME = 0.01
"""Share of `blend`'s error that a gain must pass to be called one."""

J, F = TypeVar("J"), TypeVar("F")
Found: TypeAlias = dict[str, Any]
"""What one fit gave."""


class Job(NamedTuple):
    """One fit."""

    city: City
    days: int
    row: int
    """Of the set: the first that was not known yet."""
    backbone: str
    strategy: str
    sensors: int
    """At most so many of the set's."""
    max_seconds: float | None

    @property
    def name(self) -> Found:
        """What tells it from every other, as written to the file."""
        rest = self._asdict()
        city: City = rest.pop("city")
        return {"set": city.name, "domain": city.domain, **rest}


def key(found: Found) -> str:
    """The same for a fit and the line of a file that holds it."""
    return json.dumps([found[name] for name in ("set", *Job._fields[1:])])


def few(city: City, sensors: int) -> SensorFrame:
    """The set, of at most so many sensors."""
    frame = read(city, known_ahead=False)
    return frame.select(evenly(frame.sensors, sensors))


def trial(job: Job) -> Found:
    """Fit, forecast the week after, and measure both."""
    import torch

    from citytune.backbones import load_backbone
    from citytune.evaluation import mae

    torch.set_num_threads(1)
    today = cutoff_of(few(job.city, job.sensors), job.days, job.row)
    load_backbone(job.backbone)  # not timed
    asked = {} if job.max_seconds is None else {"max_seconds": job.max_seconds}
    with nothing_cached():
        started = time.perf_counter()
        try:
            model = ct.tune(
                today.known,
                horizon=today.horizon,
                backbone=job.backbone,
                strategy=job.strategy,
                **asked,
            )
        except ct.InputError as error:  # a strategy that this backbone cannot do
            return job.name | {"refused": str(error)}
        seconds = time.perf_counter() - started
        found = {"mae": mae(today.actual, model.predict(today.frame, today.origins).point)}
        if "stack" in options_of(make_strategy(model.strategy)) and job.strategy != AUTO:
            said = alone(model).predict(today.frame, today.origins).point
            found["alone"] = mae(today.actual, said)
    return job.name | found | {"seconds": seconds, "took": model.strategy}


def alone(model: TunedModel) -> TunedModel:
    """What a strategy fitted, without the stack; the prior where nothing had helped out of fold."""
    mixture, names = model.tuned.mixture, model.tuned.mixture.names
    own = [name for name in ("fine-tuned", model.strategy.split("-")[0]) if name in names]
    expert = mixture.experts[names.index(own[0] if own else mixture.prior)]
    horizon, among = model.spec.horizon, mixture.experts
    only = Mixture.of_one(expert, mixture.prior, horizon, among=among)
    return replace(model, tuned=replace(model.tuned, mixture=only))


def jobs_of(city: City, options: argparse.Namespace) -> list[Job]:
    """Every fit of a set."""
    frame = few(city, options.sensors)
    rows = {days: cutoffs_of(frame, days, options.cutoffs) for days in options.days}
    for days, found in rows.items():
        if not found:
            print(f"{city.name} is left out at {days} days: too short, or too little was measured")
    return [
        Job(city, days, row, backbone, strategy, options.sensors, options.max_seconds)
        for days in options.days
        for row in rows[days]
        for backbone in options.backbone
        for strategy in options.strategies
    ]


Task: TypeAlias = tuple[str, int, int]
"""Set, days of history, row that played today."""


class Table:
    """The fits of one backbone: what they gave, by strategy, form and task."""

    def __init__(self, found: Iterable[Found]) -> None:
        self.errors: dict[tuple[str, bool], dict[Task, float]] = {}
        self.seconds: dict[str, dict[Task, float]] = {}
        self.refused: dict[str, str] = {}
        for one in found:
            name, task = one["strategy"], (one["set"], one["days"], one["row"])
            if "refused" in one:
                self.refused[name] = one["refused"]
                continue
            self.errors.setdefault((name, True), {})[task] = one["mae"]
            self.seconds.setdefault(name, {})[task] = one["seconds"]
            if "alone" in one:
                self.errors.setdefault((name, False), {})[task] = one["alone"]

    @property
    def strategies(self) -> list[str]:
        """The names of those that could be fitted, in the order asked for."""
        return list(dict.fromkeys(name for name, _ in self.errors))

    def by_set(self, name: str, other: str, *, stack: bool = True) -> list[float]:
        """Error over that of another strategy, of every set and amount of history."""
        own, rival = self.errors.get((name, stack), {}), self.errors.get((other, True), {})
        sums: dict[tuple[str, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for task in own.keys() & rival.keys():
            sums[task[:2]][0] += own[task]
            sums[task[:2]][1] += rival[task]
        return [mine / theirs for mine, theirs in sums.values()]

    def by_task(self, name: str, *, stack: bool = True) -> list[float]:
        """Error over that of zero-shot, of every task."""
        own, plain = self.errors.get((name, stack), {}), self.errors[ZERO, True]
        return [own[task] / plain[task] for task in own.keys() & plain.keys()]

    def of_best(self) -> list[float]:
        """Error of `auto` over that of the strategy that was best, in hindsight.

        The best is chosen for each set and amount of history, over its cutoffs.
        """
        names = self.strategies
        tasks = set.intersection(*({*self.errors[name, True]} for name in names))
        sums: dict[tuple[str, int], dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for name in names:
            for task in tasks:
                sums[task[:2]][name] += self.errors[name, True][task]
        return [
            one[AUTO] / min(error for name, error in one.items() if name != AUTO)
            for one in sums.values()
        ]

    def longer(self, name: str, other: str) -> list[float]:
        """Seconds over those of another strategy, of every task."""
        own, rival = self.seconds.get(name, {}), self.seconds.get(other, {})
        return [own[task] / rival[task] for task in own.keys() & rival.keys()]


def show(found: Sequence[Found]) -> None:
    """Print a table for every backbone and amount of history, what it says, and `auto`."""
    for backbone in dict.fromkeys(one["backbone"] for one in found):
        own = [one for one in found if one["backbone"] == backbone]
        amounts = list(dict.fromkeys(one["days"] for one in own))
        for days in amounts:
            table = Table(one for one in own if one["days"] == days)
            print(f"\n{backbone}, {days} days")
            show_table(table)
            say(table, f"at {days} days")
        table = Table(own)
        if len(amounts) > 1:
            print(f"\n{backbone}, {', '.join(map(str, amounts))} days together")
            show_table(table)
            say(table, f"over {', '.join(map(str, amounts))} days")
        for name, why in table.refused.items():
            print(f"{backbone} is left out of {name}: {why}")


def show_table(table: Table) -> None:
    """Print a row for every strategy."""
    print(f"{'':14s}{'':6s}{'after the stack':>50s}{'before':>29s}")
    print(f"{'strategy':14s}{'tasks':>6s}{'/ zero':>9s}{'/ head':>8s}{'/ blend':>9s}{'s':>8s}"
          f"{'worse':>8s}{'worst':>8s}{'/ zero':>11s}{'worse':>9s}{'worst':>9s}")  # fmt: skip
    for name in table.strategies:
        ratios = [geometric(table.by_set(name, other)) for other in (ZERO, HEAD, BLEND)]
        worse, worst = harm(table.by_task(name))
        spent = np.mean([*table.seconds[name].values()] or [np.nan])
        print(f"{name:14s}{len(table.errors[name, True]):6d}{ratios[0]:9.3f}{ratios[1]:8.3f}"
              f"{ratios[2]:9.3f}{spent:8.1f}{worse:8.1%}{worst:8.3f}", end="")  # fmt: skip
        if alone := table.by_task(name, stack=False):
            worse, worst = harm(alone)
            ratio = geometric(table.by_set(name, ZERO, stack=False))
            print(f"{ratio:11.3f}{worse:9.1%}{worst:9.3f}", end="")
        print()


def harm(ratios: Sequence[float]) -> tuple[float, float]:
    """Share of tasks that a strategy made worse than zero-shot by over 1 %, and the worst ratio."""
    if not ratios:
        return np.nan, np.nan
    return float(np.mean([ratio > WORSE for ratio in ratios])), max(ratios)


def say(table: Table, when: str) -> None:
    """Print what the table means, a line for every strategy."""
    for name in table.strategies:
        if name not in (AUTO, BLEND) and (ratios := table.by_set(name, BLEND)):
            print(in_words(name, geometric(ratios), when))
    if (AUTO in table.strategies) and (best := table.of_best()):
        always = ", ".join(
            f"{geometric(table.by_set(AUTO, name)):.3f} × always {name}"
            for name in table.strategies
            if name != AUTO
        )
        print(f"auto {when}: {geometric(best):.3f} × the best strategy in hindsight of each set "
              f"({len(best)}), {always}")  # fmt: skip
        if longer := table.longer(AUTO, BLEND):
            print(f"auto {when}: {geometric(longer):.2f} × the seconds of blend, at most "
                  f"{max(longer):.2f} ×")  # fmt: skip


def in_words(name: str, ratio: float, when: str) -> str:
    """What a strategy's error over that of `blend` says.

    >>> in_words("lora", 1.004, "at 7 days")
    'lora adds nothing over blend at 7 days: 1.004 ×'
    """
    gain = 1 - ratio
    if gain > SAME:
        verb = f"gains {gain:.1%} over"
    elif gain < -SAME:
        verb = f"loses {-gain:.1%} to"
    else:
        verb = "adds nothing over"
    return f"{name} {verb} blend {when}: {ratio:.3f} ×"


def run(jobs: Sequence[Job], out: Path | None, workers: int) -> list[Found]:
    """Fit all that are not in the file yet, one thread each; what all of them gave."""
    known = {key(one): one for one in lines(out)}
    todo = [job for job in jobs if key(job.name) not in known]
    print(f"{len(jobs)} fits, {len(jobs) - len(todo)} of them known", flush=True)
    for done, found in enumerate(answers(trial, todo, workers), 1):
        known[key(found)] = found
        if out:
            with out.open("a") as file:
                file.write(json.dumps(found) + "\n")
        print(f"{done} of {len(todo)}: {progress(found)}", flush=True)
    return [known[key(job.name)] for job in jobs]


def answers(of: Callable[[J], F], jobs: Sequence[J], workers: int) -> Iterator[F]:
    """Each job's result as it is done, in order."""
    if workers == 1:
        yield from map(of, jobs)
        return
    spawn = get_context("spawn")  # a forked process hangs on the threads of polars
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        yield from pool.map(of, jobs)


def lines(out: Path | None) -> list[Found]:
    """What a run before wrote."""
    if out is None or not out.exists():
        return []
    return [json.loads(line) for line in out.read_text().splitlines()]


def progress(found: Found) -> str:
    """One fit in a few words."""
    where = f"{found['set']}, {found['days']} days, {found['backbone']}, {found['strategy']}"
    if "refused" in found:
        return f"{where}: {found['refused']}"
    return f"{where}: {found['mae']:.4g} in {found['seconds']:.1f} s"


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit what was asked for, print the tables."""
    every = [*(name for name in strategies if name != AUTO), AUTO]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=[], help="parts of names")
    parser.add_argument("--days", nargs="+", type=int, default=[7, 28, 90])
    parser.add_argument("--cutoffs", type=int, default=3, help="how many per set")
    parser.add_argument("--backbone", nargs="+", default=["citytune-base", "ttm-r2"])
    parser.add_argument("--strategies", nargs="+", default=every, choices=every)
    parser.add_argument("--sensors", type=int, default=8, help="of a set, at most")
    parser.add_argument("--max-seconds", type=float, help="for the gradient steps of one fit")
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--out", type=Path, help="JSON lines, a fit each; continued if it is there")
    options = parser.parse_args(arguments)
    need_data()
    options.backbone = usable(options.backbone)
    # What everything is compared with is always fitted, and first.
    options.strategies = list(dict.fromkeys([ZERO, HEAD, BLEND, *options.strategies]))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    jobs = [job for city in named(options.sets, SETS) for job in jobs_of(city, options)]
    show(run(jobs, options.out, options.jobs))


if __name__ == "__main__":
    main()
