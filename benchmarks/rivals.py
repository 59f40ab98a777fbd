"""The tuned forecast next to what a user would train instead: AutoGluon-TimeSeries and NHITS.

Tasks are those of `long.py`: a set, an amount of history, and the four weeks after a fit. Everyone
is fitted once, on the same rows, and then asked every quarter of a day for the day after, from the
readings up to then. AutoGluon is told of holidays ahead; NHITS is given no calendar, with which it
was worse. Errors (MASE) and the weighted quantile loss are over those of the untuned network;
coverage is that of 90 % intervals.

AutoGluon is its own preset for the best quality without its pretrained members, whose weights it
would download, in `--seconds`; its members learn all but the last week, which says how they are
averaged. NHITS (neuralforecast) looks back on two weeks, is fitted with an early stop by the last
four weeks of the history, and then again on everything, for as many steps as were best. Trees and
rules forecast a median alone.

    python benchmarks/rivals.py                                 all: hours on two cores
    python benchmarks/rivals.py --models tuned untuned nhits --sets interstate --weeks 1
    python benchmarks/rivals.py --out rivals.jsonl              what is there is not run again

Who is not installed is left out, so that rivals may live in an environment of their own, next to
citytune (`pip install autogluon.timeseries neuralforecast`), and write to the same `--out`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from cutoffs import Cutoff, geometric, nothing_cached
from exam import named
from long import NAIVE, Job, today_of, weeks_of
from numpy.typing import NDArray
from sets import need_data
from strategies import lines

if TYPE_CHECKING:
    import pandas as pd

SETS = (
    "gefcom2014_load",
    "capital_bikeshare_hourly",
    "metro_interstate_94",
    "london_marylebone_1998_2016",
    "etth1",
)
PRETRAINED = ["Chronos", "Chronos2", "Toto", "Toto2"]
"""Members of AutoGluon whose weights are downloaded."""
INPUT_DAYS = 14
"""What NHITS looks back on."""
MOST_STEPS = 1000
CHECK_EVERY = 50
HELD_DAYS = 28
"""Days at the end of the history by which NHITS stops."""
PATIENCE = 4
"""Checks without a better one after which NHITS stops."""

Said: TypeAlias = NDArray[np.float32]
"""(origin, horizon, sensor, level), or without levels where a median is all there is."""
Models: TypeAlias = dict[str, dict[str, Any]]
"""What each model came to, on one task."""
Ask: TypeAlias = Callable[[], Said]
"""What a fitted model forecasts at the origins of its task."""


class Task(NamedTuple):
    """One fit of one model."""

    job: Job
    model: str
    seconds: float
    """For AutoGluon."""


def trial(task: Task) -> dict[str, Any]:
    """Fit, forecast the weeks after, and measure."""
    from citytune.evaluation import coverage, day_scale, mase, wql
    from citytune.forecasting import LEVELS

    job, today = task.job, today_of(task.job)
    found: dict[str, Any] = {"model": task.model, "set": job.city.name}
    found |= {"days": job.days, "row": job.row}
    started, worked = time.perf_counter(), sum(os.times()[:4])
    ask = MODELS[task.model](today, task.seconds)
    found["seconds"] = time.perf_counter() - started
    found["cpu_s"] = sum(os.times()[:4]) - worked  # with that of processes it started
    said = ask()
    point = said[..., LEVELS.index(0.5)] if said.ndim == 4 else said
    scale = day_scale(today.known.values, today.horizon)
    found["mase"] = mase(today.actual, point, scale)
    if said.ndim == 4:
        low, high = (said[..., LEVELS.index(level)] for level in (0.05, 0.95))
        found["wql"] = wql(today.actual, said, LEVELS)
        found["cover"] = coverage(today.actual, low, high)
    return found


def ours(strategy: str) -> Callable[[Cutoff, float], Ask]:
    """`citytune-base` with everything else on "auto"."""

    def fit(today: Cutoff, seconds: float) -> Ask:
        import citytune as ct

        asked = {"horizon": today.horizon, "backbone": "citytune-base", "strategy": strategy}
        with nothing_cached():
            model = ct.tune(today.known, **asked)
        return lambda: model.predict(today.frame, today.origins).quantiles

    return fit


def baseline(name: str) -> Callable[[Cutoff, float], Ask]:
    """Trees or a rule of citytune; its fit and forecast are one."""

    def fit(today: Cutoff, seconds: float) -> Ask:
        from citytune.evaluation import baselines

        said = baselines[name](today.frame, today.origins, today.horizon, today.row)
        return lambda: said

    return fit


def autogluon(today: Cutoff, seconds: float) -> Ask:
    """An average of AutoGluon's local and trained models."""
    from autogluon.timeseries import TimeSeriesDataFrame, TimeSeriesPredictor

    from citytune.forecasting import LEVELS

    folder = tempfile.TemporaryDirectory()
    predictor = TimeSeriesPredictor(
        prediction_length=today.horizon,
        freq="h",
        target="y",
        known_covariates_names=["holiday"],  # the rest of the calendar its models read themselves
        quantile_levels=list(LEVELS),
        eval_metric="WQL",
        path=folder.name,
        verbosity=2,
    )
    framed = TimeSeriesDataFrame.from_data_frame
    names = {"id_column": "unique_id", "timestamp_column": "ds"}
    own = ["unique_id", "ds", "holiday", "y"]
    predictor.fit(
        framed(table(today, [(0, today.row)])[own], **names),
        presets="best_quality",
        excluded_model_types=PRETRAINED,
        num_val_windows=7,
        refit_every_n_windows=None,
        time_limit=seconds,
    )

    def ask() -> Said:
        predictor.persist()
        found = []
        for origin in today.origins:  # one by one: of items under new names it knows no errors
            before = framed(table(today, [(0, origin)])[own], **names)
            ahead = table(today, [(origin, origin + today.horizon)])[own[:-1]]
            said = predictor.predict(before, known_covariates=framed(ahead, **names))
            rows = said.reset_index().sort_values(["item_id", "timestamp"])
            found.append(laid_out(rows[[str(level) for level in LEVELS]].to_numpy(), today))
        folder.cleanup()
        return np.concatenate(found)

    return ask


def nhits(today: Cutoff, seconds: float) -> Ask:
    """NHITS by the quantile loss, of as many steps as the last weeks favour."""
    own = ["unique_id", "ds", "y", "available_mask"]
    seen = table(today, [(0, today.row)], filled=True)[own]
    tried = network(today, MOST_STEPS, PATIENCE)
    tried.fit(seen, val_size=HELD_DAYS * today.horizon)
    _, steps = min((loss, steps) for steps, loss in tried.models[0].valid_trajectories if steps)
    best = network(today, steps, -1)
    best.fit(seen)

    def ask() -> Said:
        back = INPUT_DAYS * today.horizon
        spans = [(origin - back, origin) for origin in today.origins]
        before = table(today, spans, filled=True)[own]
        said = best.predict(before).sort_values(["unique_id", "ds"])
        return laid_out(said.drop(columns=["unique_id", "ds"]).to_numpy(), today)

    return ask


def network(today: Cutoff, steps: int, patience: int) -> Any:
    """NHITS before its fit; a negative `patience` stops at `steps` alone."""
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MQLoss
    from neuralforecast.models import NHITS

    from citytune.forecasting import LEVELS

    model = NHITS(
        h=today.horizon,
        input_size=INPUT_DAYS * today.horizon,
        loss=MQLoss(quantiles=list(LEVELS)),
        scaler_type="robust",
        windows_batch_size=128,
        step_size=max(1, today.horizon // 4),  # its windows begin when it will be asked
        max_steps=steps,
        val_check_steps=CHECK_EVERY,
        early_stop_patience_steps=patience,
        logger=False,
        enable_progress_bar=False,
        accelerator="cpu",
    )
    return NeuralForecast([model], freq="h")


def table(today: Cutoff, spans: Sequence[tuple[int, int]], *, filled: bool = False) -> pd.DataFrame:
    """The rows of each span and sensor as one long table, an item for each, in order of names.

    With `filled`, what is missing is what was a day before, and marked as not measured.
    """
    import pandas as pd

    values, day = today.frame.values, today.horizon
    count, sensors = values.shape
    holiday = today.frame.calendar(0, count).holiday.astype(np.float32)
    known = np.isfinite(values)
    if filled:
        values = as_a_day_before(values, day, today.row)
    when = today.frame.clock.moments(0, count)
    parts = []
    for i, (first, end) in enumerate(spans):
        rows = slice(first, end)
        for s in range(sensors):
            part = {"holiday": holiday[rows], "available_mask": known[rows, s].astype(np.float32)}
            part |= {"unique_id": f"{i * sensors + s:06d}", "ds": when[rows], "y": values[rows, s]}
            parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def as_a_day_before(values: NDArray[np.float32], day: int, row: int) -> NDArray[np.float32]:
    """With what is missing as it was a day before, in the first day the median before `row`."""
    values = values.copy()
    first = values[:day]
    first[...] = np.where(np.isfinite(first), first, np.nanmedian(values[:row], axis=0))
    for t in range(day, len(values)):
        values[t] = np.where(np.isfinite(values[t]), values[t], values[t - day])
    return values


def laid_out(rows: NDArray[np.floating], today: Cutoff) -> Said:
    """(item · step, level), by origin and sensor, as (origin, horizon, sensor, level), in order."""
    sensors = today.actual.shape[-1]
    said = rows.reshape(-1, sensors, today.horizon, rows.shape[-1]).swapaxes(1, 2)
    return np.sort(said, axis=-1).astype(np.float32)


MODELS: dict[str, Callable[[Cutoff, float], Ask]] = {
    "untuned": ours("zero-shot"),
    "tuned": ours("auto"),
    "autogluon": autogluon,
    "nhits": nhits,
    "boosting": baseline("boosting"),
    **{name: baseline(name) for name in NAIVE},
}
NEEDS = {"autogluon": "autogluon.timeseries", "nhits": "neuralforecast", "boosting": "lightgbm"}
WHO = {
    "tuned": "tuned",
    "autogluon": "AutoGluon",
    "nhits": "NHITS",
    "boosting": "LightGBM",
    "rule": "best rule",
}
POINTS = ("boosting", "rule")
"""Those that forecast a median alone."""


def here(name: str) -> bool:
    """Whether a model can run; if not it is said why."""
    package = NEEDS.get(name)
    try:
        found = package is None or importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # of a part of a package that is not there
        found = False
    if not found:
        print(f"{name} is left out; to have it: pip install {package}")
    return found


def show(found: Sequence[dict[str, Any]]) -> None:
    """For each amount of history a row for each set, their mean, and how tuned compares."""
    tasks: dict[tuple[Any, ...], Models] = {}
    for one in found:
        tasks.setdefault((one["days"], one["set"], one["row"]), {})[one["model"]] = one
    tasks = {key: some for key, some in tasks.items() if {"untuned", "tuned", *NAIVE} <= {*some}}
    for some in tasks.values():
        some["rule"] = min((some[name] for name in NAIVE), key=lambda one: one["mase"])
    for days in sorted({key[0] for key in tasks}):
        sets: dict[str, list[Models]] = {}
        for key, some in tasks.items():
            if key[0] == days:
                sets.setdefault(key[1], []).append(some)
        every = [some for own in sets.values() for some in own]
        names = [name for name in WHO if all(name in some for some in every)]
        print(f"\n{days} days{'':24s}fits" + "".join(f"{head:>15s}" for head in heads(names)))
        for name, own in [*sets.items(), ("all", every)]:
            print(
                f"{name:30s}{len(own):5d}" + "".join(f"{cell:>15s}" for cell in cells(own, names))
            )
        for other in names[1:]:
            ratios = [ratio(own, "tuned", other, "mase") for own in sets.values()]
            print(f"tuned over {WHO[other]}: {geometric(ratios):.3f}, worst set {max(ratios):.3f}")


def heads(names: Sequence[str]) -> list[str]:
    """Of the columns of `cells`."""
    said = [WHO[name] for name in names if name not in POINTS]
    return [
        *(WHO[name] for name in names),
        *(f"{name} loss" for name in said),
        *(f"{name} cover" for name in ("untuned", *said)),
        *(f"{name} CPU s" for name in said),
    ]


def cells(tasks: Sequence[Models], names: Sequence[str]) -> list[str]:
    """Errors and losses over untuned, coverage, and seconds of a fit."""
    said = [name for name in names if name not in POINTS]

    def mean(name: str, what: str) -> float:
        return float(np.mean([some[name][what] for some in tasks]))

    return [
        *(f"{ratio(tasks, name, 'untuned', 'mase'):.3f}" for name in names),
        *(f"{ratio(tasks, name, 'untuned', 'wql'):.3f}" for name in said),
        *(f"{mean(name, 'cover'):.1%}" for name in ("untuned", *said)),
        *(f"{mean(name, 'cpu_s'):.0f}" for name in said),
    ]


def ratio(tasks: Sequence[Models], name: str, to: str, what: str) -> float:
    """Of one model's error over another's, the geometric mean over tasks."""
    return geometric([some[name][what] / some[to][what] for some in tasks])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is asked for and can run; what `--out` holds already is not run again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=[], help="parts of names")
    parser.add_argument("--days", nargs="+", type=int, default=[365])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--weeks", type=int, default=2, help="fits of a set")
    parser.add_argument("--after", type=int, default=4, help="weeks forecast after each fit")
    parser.add_argument("--sensors", type=int, default=6, help="of a set, at most")
    parser.add_argument("--seconds", type=float, default=180, help="for a fit of AutoGluon")
    parser.add_argument("--out", type=Path, help="JSON lines, which a later run goes on from")
    options = parser.parse_args(arguments)
    need_data()
    found = lines(options.out)
    done = {(one["model"], one["set"], one["days"], one["row"]) for one in found}
    able = [name for name in options.models if here(name)]
    for days in options.days:
        for city in named(options.sets, SETS):
            for row in weeks_of(city, options.sensors, days, options.weeks):
                job = Job(city, days, row, options.sensors, "usual", False, options.after)
                for name in able:
                    if (name, city.name, days, row) in done:
                        continue
                    found.append(trial(Task(job, name, options.seconds)))
                    print(progress(found[-1]), flush=True)
                    if options.out is not None:
                        with options.out.open("a") as file:
                            file.write(json.dumps(found[-1]) + "\n")
    show(found)


def progress(one: dict[str, Any]) -> str:
    """One fit in a few words."""
    where = f"{one['set']}, {one['days']} days, {one['model']}"
    return f"{where}: {one['mase']:.3f} in {one['seconds']:.0f} s"


if __name__ == "__main__":
    main()
