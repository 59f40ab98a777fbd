"""How well networks forecast unseen cities, zero-shot, compared with the best naive rule.

Every row is a set of the exam (`exam.py`) and a horizon: one day (a week on a daily clock), and two
hours where readings come every 5 to 15 minutes. Its windows are spread evenly over sensors and over
time, from the 28th day on (the 182nd on a daily clock, the third in a set of under six weeks), and
are the same for all, with the same targets masked. Errors are over those of the best of three naive
forecasts, chosen in hindsight for the row. A forecast without quantiles is taken as every quantile,
so that its weighted quantile loss is its absolute error. Speed is of the network alone.

    python benchmarks/zero_shot.py                           every set, a minute or so a network
    python benchmarks/zero_shot.py --sets jonas metro --windows 500
    python benchmarks/zero_shot.py --ett                     ETTh1 and ETTh2, as papers report them
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from exam import EXAM
from numpy.typing import NDArray
from sets import DATA, City, need_data, read
from strategies import answers

import citytune as ct
from citytune.backbones import LEVELS, Backbone, Past, Probabilistic, load_backbone
from citytune.evaluation import coverage, mae, wql
from citytune.evaluation._arrays import Floats
from citytune.frame import Clock, SensorFrame
from citytune.tuning.examples._lens_input import LensInput
from citytune.tuning.examples._lenses import plain
from citytune.windows import (
    Examples,
    History,
    Seasonal,
    WindowSpec,
    all_sensors,
    candidates,
    cut_future,
    first_known,
    needed,
    thin,
)

BASE = "citytune-base"
NAIVE = ("naive-day", "naive-week", "naive-weeks4")
INNER = LEVELS[1:-1]
"""Levels of the quantile loss; between the two others lie 90 %."""
BATCH = 256
COARSE = 6
"""Steps a day below which a week is forecast, and not a day."""
TRAIN, VALID, TEST = (months * 30 * 24 for months in (12, 4, 4))
"""Hours of the parts of an ETT set, one after the other."""


class Answer(NamedTuple):
    """What a network said of some windows."""

    point: Floats  # (example, horizon), in the unit of the data
    quantiles: Floats | None  # (example, horizon, level) at `LEVELS`
    seconds: float


def network(name: str, weights: Path | None) -> Backbone:
    """The backbone called `name`; `citytune-base` from a folder of weights, if one is given."""
    if name == BASE and weights is not None:
        from citytune.backbones.city import read_network

        return read_network(weights)
    return load_backbone(name)


def horizons(day: int) -> Iterator[tuple[str, int]]:
    """What is forecast on a clock of `day` steps a day: name and steps."""
    if day < COARSE:
        yield "7 days", 7 * day
        return
    yield "1 day", day
    if 96 <= day <= 288:
        yield "2 hours", day // 12


def windows(history: History, horizon: int, count: int) -> Examples:
    """At most `count` windows, evenly spread over sensors and time."""
    day = history.steps_per_day
    short, long = 3, 28 if day >= COARSE else 182
    days = history.length // day
    days -= long if days >= 1.5 * long else short
    spec = WindowSpec(context=7 * day, horizon=horizon)
    found, covered = candidates(history, spec, days=days, stride=1)
    found = found.pick(covered >= needed(first_known(history), history.end, spec)[found.sensor])
    start = found.origin + history.first
    return found.pick(thin(found.sensor, start, 1, count, len(history.raw)))


def naive(history: History, examples: Examples, horizon: int) -> dict[str, Floats]:
    """Each naive rule's forecasts (example, horizon)."""
    at = Seasonal(history).at(examples, examples.origin[:, None] + torch.arange(horizon))
    rules = (at.last_day, at.last_week, at.weeks)
    return {name: rule.numpy() for name, rule in zip(NAIVE, rules, strict=True)}


def last_value(frame: SensorFrame, examples: Examples, horizon: int) -> Floats:
    """The last measured value, for every step (example, horizon)."""
    known = np.isfinite(frame.values)
    at = np.maximum.accumulate(np.where(known, np.arange(len(frame))[:, None], 0), axis=0)
    origin, sensor = examples.origin.numpy(), examples.sensor.numpy()
    return np.repeat(frame.values[at[origin - 1, sensor], sensor][:, None], horizon, 1)


def ask(backbone: Backbone, history: History, examples: Examples, horizon: int) -> Answer | None:
    """The network's own forecasts, shown what citytune's zero-shot strategy shows it.

    Returns:
        None if it cannot forecast by itself.
    """
    if backbone.card.horizon is None:
        return None
    seasonal, context = Seasonal(history), backbone.card.context_at(history.steps_per_day)
    points, quantiles, seconds = [], [], 0.0
    for chunk in torch.arange(len(examples)).split(BATCH):
        shown = LensInput(seasonal, examples.pick(chunk), context, horizon)
        past = Past(shown.past, shown.measured, shown.calendar, shown.day)
        started = time.perf_counter()
        points.append(plain(backbone, shown))
        seconds += time.perf_counter() - started
        if isinstance(backbone, Probabilistic) and horizon <= backbone.card.horizon:
            quantiles.append(backbone.quantiles(past, horizon))
    spread = torch.cat(quantiles).numpy() if quantiles else None
    return Answer(torch.cat(points).numpy(), spread, seconds)


def rows_of(job: tuple[City, argparse.Namespace]) -> list[dict[str, Any]]:
    """One set: a row for every horizon."""
    city, options = job
    _share_cores(options.jobs)
    frame = read(city, known_ahead=False)
    backbones = {name: network(name, options.weights) for name in options.backbones}
    found = []
    for name, horizon in horizons(frame.clock.steps_per_day):
        history = History.of(frame, ahead=horizon)
        examples = windows(history, horizon, options.windows)
        if len(examples):
            row = {"set": city.name, "domain": city.domain, "horizon": name, "steps": horizon}
            found.append(row | measure(frame, history, examples, horizon, backbones))
    return found


def measure(
    frame: SensorFrame,
    history: History,
    examples: Examples,
    horizon: int,
    backbones: dict[str, Backbone],
) -> dict[str, Any]:
    """What all say of the same windows, and how wrong they are, over the best naive forecast."""
    simple = naive(history, examples, horizon) | {"last": last_value(frame, examples, horizon)}
    asked = {name: ask(model, history, examples, horizon) for name, model in backbones.items()}
    said = {name: _legal(answer, frame) for name, answer in asked.items() if answer is not None}
    points = simple | {name: answer.point for name, answer in said.items()}
    actual = cut_future(history.raw, examples, horizon).numpy()
    together = np.all([np.isfinite(point) for point in points.values()], axis=0)
    fair = np.where(together, actual, np.float32(np.nan))
    errors = {name: mae(fair, point) for name, point in points.items()}
    best = min(NAIVE, key=errors.__getitem__)
    known = np.abs(fair[np.isfinite(fair)].astype(np.float64))
    loss = errors[best] / known.mean()  # the weighted quantile loss of a point
    return {
        "windows": len(examples),
        "sensors": len(frame.sensors),
        "targets": len(known),
        "best_naive": best,
        "naive": {name: errors[name] for name in simple},
        "networks": {
            name: {
                "mae": errors[name] / errors[best],
                "wql": _loss(fair, answer) / loss,
                "coverage": _covered(fair, answer),
                "a_second": len(examples) / answer.seconds,
            }
            for name, answer in said.items()
        },
    }


def _legal(answer: Answer, frame: SensorFrame) -> Answer:
    """Within the range of what is measured: nobody forecasts fewer than no vehicles."""
    low = -np.inf if frame.quantity.low is None else frame.quantity.low
    high = np.inf if frame.quantity.high is None else frame.quantity.high
    spread = None if answer.quantiles is None else answer.quantiles.clip(low, high)
    return Answer(answer.point.clip(low, high), spread, answer.seconds)


def _loss(fair: Floats, answer: Answer) -> float:
    if answer.quantiles is None:
        return wql(fair, answer.point[..., None], [0.5])
    return wql(fair, answer.quantiles[..., 1:-1], list(INNER))


def _covered(fair: Floats, answer: Answer) -> float | None:
    if answer.quantiles is None:
        return None
    return coverage(fair, answer.quantiles[..., 0], answer.quantiles[..., -1])


def geometric(ratios: Sequence[float]) -> float:
    """Geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan


def show(rows: list[dict[str, Any]], names: list[str]) -> None:
    """Print the table, then what it comes to."""
    print(f"\n{'':64s}" + "".join(f"  {name:^28s}" for name in names))
    head = "  " + "MAE    WQL  cover  a second".rjust(28)
    print(
        f"{'set':30s} {'ahead':8s}{'windows':>7s} {'best naive':12s} {'last':>5s}"
        + head * len(names)
    )
    for row in rows:
        best = row["naive"][row["best_naive"]]
        print(
            f"{row['set']:30s} {row['horizon']:8s}{row['windows']:7d} {row['best_naive']:12s} "
            f"{row['naive']['last'] / best:5.2f}"
            + "".join("  " + _cell(row["networks"][name]) for name in names)
        )
    print("\nMAE and WQL over those of the best naive forecast, geometric means:")
    for title, some in _groups(rows):
        for name in names:
            print(f"{title:8s} {name:14s} {_summary([row['networks'][name] for row in some])}")
        for rival in names[:-1]:
            ratio = _against(some, names[-1], rival)
            print(f"{title:8s} {names[-1]} has {ratio:.3f} × the MAE of {rival}")


def _cell(found: dict[str, Any]) -> str:
    covered = f"{'–':>6s}" if found["coverage"] is None else f"{found['coverage']:6.1%}"
    return f"{found['mae']:5.3f}  {found['wql']:5.3f} {covered} {found['a_second']:9,.0f}".rjust(28)


def _groups(rows: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    yield "all", rows
    for key in ("domain", "horizon"):
        for value in sorted({row[key] for row in rows}):
            yield value, [row for row in rows if row[key] == value]


def _summary(found: list[dict[str, Any]]) -> str:
    worse = sum(cell["mae"] > 1.01 for cell in found)
    covered = [cell["coverage"] for cell in found if cell["coverage"] is not None]
    inside = f", 90 % intervals cover {np.mean(covered):.1%}" if covered else ""
    return (
        f"MAE {geometric([cell['mae'] for cell in found]):.3f}, "
        f"WQL {geometric([cell['wql'] for cell in found]):.3f}, "
        f"worse than naive by over 1 % on {worse} of {len(found)}{inside}"
    )


def _against(rows: list[dict[str, Any]], name: str, rival: str) -> float:
    return geometric([r["networks"][name]["mae"] / r["networks"][rival]["mae"] for r in rows])


def ett(name: str, backbones: dict[str, Backbone]) -> Iterator[dict[str, Any]]:
    """The standard protocol: 96 hours ahead from every hour of the test months, all 7 channels.

    Channels are standardised by the first 12 months; 4 to validate and 4 to test follow (Zhou et
    al. 2021, Informer; Wu et al. 2021, Autoformer). Errors are in those units.
    """
    horizon = 96
    table = pl.read_csv(DATA / "energy" / f"{name}.csv").drop("date")
    values: NDArray[np.float64] = table.to_numpy()[: TRAIN + VALID + TEST]
    scaled = (values - values[:TRAIN].mean(0)) / values[:TRAIN].std(0)
    clock = Clock(dt.datetime(2016, 7, 1), dt.timedelta(hours=1))
    frame = SensorFrame(scaled.astype(np.float32), clock, tuple(table.columns), country="CN")
    history = History.of(frame, ahead=0)
    examples = all_sensors(history, torch.arange(TRAIN + VALID, len(frame) - horizon + 1))
    actual = cut_future(history.raw, examples, horizon).numpy().astype(np.float64)
    for model, backbone in backbones.items():
        answer = ask(backbone, history, examples, horizon)
        if answer is not None:
            error = answer.point - actual
            found = {"mse": float(np.square(error).mean()), "mae": float(np.abs(error).mean())}
            yield {"set": name, "backbone": model, "windows": len(examples), **found}


def _share_cores(jobs: int) -> None:
    torch.set_num_threads(max(1, torch.get_num_threads() // jobs))


def usable(options: argparse.Namespace) -> list[str]:
    """The backbones that are here and can forecast; of the others it is said why not."""
    found = []
    for name in options.backbones:
        try:
            if network(name, options.weights).card.horizon is not None:
                found.append(name)
            else:
                print(f"{name} is left out: it cannot forecast by itself")
        except ct.InputError as error:
            print(f"{name} is left out: {error}")
    return found


def _run(options: argparse.Namespace) -> list[dict[str, Any]]:
    cities = [c for c in EXAM if not options.sets or any(part in c.name for part in options.sets)]
    rows = []
    for some in answers(rows_of, [(city, options) for city in cities], options.jobs):
        rows += some
        for row in some:
            print(json.dumps(row), flush=True)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is asked for, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=[], help="parts of names; all by default")
    parser.add_argument("--backbones", nargs="+", default=["ttm-r2", BASE])
    parser.add_argument("--weights", type=Path, help=f"folder of weights to use as {BASE}")
    parser.add_argument("--windows", type=int, default=1500, help="most windows of a row")
    parser.add_argument("--ett", action="store_true", help="the standard protocol on ETTh1, ETTh2")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="also write what was found as JSON")
    options = parser.parse_args(arguments)
    need_data()
    options.backbones = usable(options)
    if not options.backbones:
        raise SystemExit("no backbone is left to measure")
    if options.ett:
        backbones = {name: network(name, options.weights) for name in options.backbones}
        rows = [row for name in ("ETTh1", "ETTh2") for row in ett(name, backbones)]
        for row in rows:
            print(f"{row['set']} {row['backbone']:14s} MSE {row['mse']:.4f} MAE {row['mae']:.4f}")
    else:
        rows = _run(options)
        show(rows, options.backbones)
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
