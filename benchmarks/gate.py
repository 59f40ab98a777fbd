"""What trust buys: the blend followed as far as gains out of fold repeat, or all the way.

One fit of `blend` gives both, and the pretrained forecast. A task is one set, one amount of history
and one past day that plays today; forecasts are made in the week after, from every quarter of a
day. Errors are mean absolute errors in the unit of the data, over that of zero-shot.

    python benchmarks/gate.py
    python benchmarks/gate.py --sets etth1 norway --days 7 --cutoffs 1

Sets are those of `exam.py`, which no weights of ours have seen, and for `ttm-r2` also those of
`sets.py`, on which the stack was chosen.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from cutoffs import Cutoff, cutoff_of, cutoffs_of, geometric, usable
from exam import EXAM, named
from sets import CITIES, City, need_data
from strategies import WORSE, answers, few

from citytune.backbones import load_backbone
from citytune.forecasting import TunedModel
from citytune.tuning import Mixture

MUCH = 1.03
"""Error over that of zero-shot from which it has hurt much."""


class Job(NamedTuple):
    """One fit."""

    city: City
    days: int
    row: int
    backbone: str
    sensors: int


class Found(NamedTuple):
    """Errors over that of zero-shot."""

    job: Job
    trust: float
    as_trusted: float
    all_the_way: float


def fitted(job: Job) -> tuple[TunedModel, Cutoff]:
    """A model of the days before a cutoff, on one thread."""
    import torch

    from citytune.forecasting import fit_model

    torch.set_num_threads(1)
    today = cutoff_of(few(job.city, job.sensors), job.days, job.row)
    return fit_model(today.known, horizon=today.horizon, backbone=job.backbone), today


def trial(job: Job) -> Found:
    """Fit, and forecast the week after in three ways."""
    from citytune.evaluation import mae

    model, today = fitted(job)
    mixture = model.tuned.mixture

    def error(of: Mixture) -> float:
        own = replace(model, tuned=replace(model.tuned, mixture=of))
        return mae(today.actual, own.predict(today.frame, today.origins).point)

    plain = error(mixture.trusted(0))
    trust, far = float(mixture.trust.mean()), error(mixture.trusted(1))
    return Found(job, trust, error(mixture) / plain, far / plain)


def jobs_of(cities: Sequence[City], backbone: str, options: argparse.Namespace) -> list[Job]:
    """Every task of some sets."""
    return [
        Job(city, days, row, backbone, options.sensors)
        for city in cities
        for days in options.days
        for row in cutoffs_of(few(city, options.sensors), days, options.cutoffs)
    ]


def show(found: Sequence[Found]) -> None:
    """A row for each backbone and amount of history, and the tasks most harmed."""
    print(f"\n{'':24s}{'':7s}{'as far as trusted':>29s}{'all the way':>29s}")
    columns = f"{'mean':>8s}{'>1 %':>7s}{'>3 %':>7s}{'worst':>7s}"
    print(f"{'backbone, days':24s}{'tasks':>7s}{columns}{columns}{'mean trust':>12s}")
    for backbone in dict.fromkeys(one.job.backbone for one in found):
        own = [one for one in found if one.job.backbone == backbone]
        for days in sorted({one.job.days for one in own}):
            row(f"{backbone}, {days}", [one for one in own if one.job.days == days])
        row(f"{backbone}, all", own)
    for one in sorted(found, key=lambda one: -one.as_trusted)[:8]:
        print(f"{one.as_trusted:.3f} (all the way {one.all_the_way:.3f}): {one.job.city.name}, "
              f"{one.job.days} days, row {one.job.row}, {one.job.backbone}")  # fmt: skip


def row(name: str, found: Sequence[Found]) -> None:
    """Means and harm of some tasks."""
    cells = ""
    for ratios in ([one.as_trusted for one in found], [one.all_the_way for one in found]):
        worse, much = (np.mean([ratio > limit for ratio in ratios]) for limit in (WORSE, MUCH))
        cells += f"{geometric(ratios):8.3f}{worse:7.1%}{much:7.1%}{max(ratios):7.3f}"
    print(f"{name:24s}{len(found):7d}{cells}{np.mean([one.trust for one in found]):12.2f}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit what was asked for, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=[], help="parts of names")
    parser.add_argument("--days", nargs="+", type=int, default=[7, 28, 90])
    parser.add_argument("--cutoffs", type=int, default=3, help="how many per set")
    parser.add_argument("--backbone", nargs="+", default=["ttm-r2", "citytune-base"])
    parser.add_argument("--sensors", type=int, default=4, help="of a set, at most")
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    options = parser.parse_args(arguments)
    need_data()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    jobs: list[Job] = []
    for backbone in usable(options.backbone):
        known = load_backbone(backbone).card.name == "citytune-base"
        every = [city.name for city in (EXAM if known else dict.fromkeys((*CITIES, *EXAM)))]
        jobs += jobs_of(named(options.sets, every), backbone, options)
    found: list[Found] = []
    for one in answers(trial, jobs, options.jobs):
        found.append(one)
        print(f"{len(found)} of {len(jobs)}: {one.job.city.name}, {one.as_trusted:.3f}", flush=True)
    show(found)


if __name__ == "__main__":
    main()
