"""What fair treatment of rare values gains where values are rare, and what it costs over all.

    python benchmarks/rare.py --out rare.jsonl
    python benchmarks/rare.py --sets aqi36 norway --days 28 --cutoffs 3

A task is one set, one amount of history and one past day that plays today: tune on that history
with `rare=`, forecast the week after from every quarter of a day. One fit gives both sides: the
forecast as it is ("with") and before it was moved toward rare values ("without"). Shown for each
set, over all its cutoffs, and as means of its domain:

- errors with over errors without. The headline is "rare": the values that were asked for, beyond
  150 µg/m³ of PM2.5 or beyond the sensor's own top 5 %. Few, medium and many are regions by
  density, as in the scores of a backtest.
- alerts: an alert is right if the value that it is raised for lies beyond the threshold. Without,
  it is raised where the forecast passes the threshold; with, where the moved forecast does ("as
  moved"), or where the probability is at least a level. The level of "equal" is the lowest at which
  forecasts out of fold, of the history alone, were as often right as without; in hindsight is the
  lowest at which those scored were, which nobody could have known.
- how likely the tuned model called what came, and how often it came true.

A run that was cut off goes on where it stopped if given the same `--out`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from cutoffs import Cutoff, cutoff_of, cutoffs_of, nothing_cached, usable
from exam import EXAM, named
from levels import MIDDLE, Counts, Levels
from numpy.typing import NDArray
from rare_tables import (
    ALL,
    MOVED,
    RARE,
    WITH,
    WITHOUT,
    Found,
    show,
    show_chances,
)
from sets import City, evenly, need_data, read

from citytune.evaluation import Alert, AlertScore, Detail
from citytune.evaluation._alerts import score_alert
from citytune.evaluation._rare import regions
from citytune.forecasting import chance_above
from citytune.forecasting._fitting import fit_task, task_of
from citytune.frame import SensorFrame
from citytune.tuning import Intervals, Task, make_strategy

EMBASSY = City(name="beijing_us_embassy_pm25", domain="air", country="CN", target=("pm2.5",))
PM, TOP = ">150", "top 5%"
CASES = {
    "norway_hourly_volume": TOP,
    "melbourne_pedestrian_55": TOP,
    "jonas_dc_demand": TOP,
    "jonas_nyc_demand": TOP,
    "capital_bikeshare_hourly": TOP,
    "aarhus_parking": TOP,
    "pjm_hourly_regions": TOP,
    "gefcom2012_load": TOP,
    "gefcom2014_load": TOP,
    "etth1": TOP,
    "adelaide_demand_1997_2007": TOP,
    "beijing_aqi36_pm25": PM,
    "beijing_multisite_pm25": PM,
    EMBASSY.name: PM,
    "london_marylebone_1998_2005": TOP,
    "london_4sites_2009": TOP,
}
"""Set → what is rare there."""
UNSEEN = (*(city.name for city in EXAM), EMBASSY.name)
"""Sets that `citytune-base` has not learnt from."""
STRATEGY = "blend"


def few(city: City, sensors: int) -> SensorFrame:
    """The set, of at most so many sensors."""
    frame = read(city, known_ahead=False)
    return frame.select(evenly(frame.sensors, sensors))


def trial(today: Cutoff, rare: str, backbone: str) -> Found:
    """Tune, forecast the week after, and count what is compared."""
    alert = Alert.parse(rare, today.known.quantity)
    task = task_of(today.known, horizon=today.horizon, backbone=backbone, rare=rare)
    model = fit_task(today.known, task, strategy=STRATEGY)
    said = model.predict(today.frame, today.origins)
    means = {WITH: said.point, WITHOUT: said.plain, MOVED: said.point}
    origins = np.array(today.origins)
    detail = Detail(today.actual, means, said.quantiles, origins, today.frame)
    score = score_alert(alert, detail)
    limits = np.array([*score.thresholds.values()], np.float32)
    return {
        "errors": errors(detail, limits),
        "alerts": {name: told(score, name) for name in (WITHOUT, MOVED)},
        "brier": brier(score),
        "chances": chances(said.quantiles, detail.fair, limits, today.frame).counts(),
        "level": equal_level(task, limits, model.tuned.intervals, today.frame),
        "power": model.tuned.tilt.power if model.tuned.tilt is not None else 0.0,
    }


def errors(detail: Detail, limits: NDArray[np.float32]) -> dict[str, list[float]]:
    """Region → values, and the sums of their absolute errors with and without."""
    beyond = np.where(detail.fair > limits, detail.fair, np.float32(np.nan))
    found = {r.name: [r.values, *(r.errors[n] for n in (WITH, WITHOUT))] for r in regions(detail)}
    for name, actual in ((RARE, beyond), (ALL, detail.fair)):
        known = np.isfinite(actual)
        miss = [np.abs(detail.points[n] - actual)[known] for n in (WITH, WITHOUT)]
        found[name] = [int(known.sum()), *(float(m.mean()) if m.size else 0.0 for m in miss)]
    return {n: [v, *(v * mae if v else 0.0 for mae in rest)] for n, (v, *rest) in found.items()}


def told(score: AlertScore, name: str) -> Counts:
    """The alerts of one way to decide."""
    found = score.models[name]
    right = round(found["recall"] * score.events) if score.events else 0
    return Counts(right, int(found["raised"]), score.events)


def brier(score: AlertScore) -> list[float]:
    """Summed squared error of the probability, and that of how often it came at such an hour."""
    if not np.isfinite(score.brier_skill):
        return [0.0, 0.0]
    own = score.values * score.brier
    return [own, own / (1 - score.brier_skill)]


def chances(
    quantiles: NDArray[np.float32],
    actual: NDArray[np.float32],
    limits: NDArray[np.float32],
    frame: SensorFrame,
) -> Levels:
    """Probabilities of passing against what came, where both are known."""
    low, high = frame.quantity.low, frame.quantity.high
    said = chance_above(quantiles, limits, low=low, high=high)
    known = np.isfinite(actual) & np.isfinite(said)
    return Levels.of(said[known], (actual > limits)[known])


def equal_level(
    task: Task, limits: NDArray[np.float32], intervals: Intervals, frame: SensorFrame
) -> float:
    """The level at which alerts out of fold are as often right as where the forecast passes."""
    if not len(task.examples):
        return MIDDLE
    says, windows = make_strategy(STRATEGY).fit(task).out_of_fold, task.windows
    own = limits[windows.sensor.numpy()][:, None]
    actual = task.actual.numpy()
    parts = says, windows.sensor, windows.slot, task.deviations
    quantiles = intervals.quantiles(*parts).numpy()
    up, event = says.numpy() > own, actual > own
    plain = Counts(int((up & event).sum()), int((up & np.isfinite(actual)).sum()), event.sum())
    return chances(quantiles, actual, own, frame).level_of(plain.precision)


def run(options: argparse.Namespace) -> list[Found]:
    """Fit all that are not in the file yet, set by set; what all of them gave."""
    before = lines(options.out)
    found = []
    for days in options.days:
        for city in chosen(options.sets, options.backbone):
            frame = few(city, options.sensors)
            for row in cutoffs_of(frame, days, options.cutoffs):
                key = {"set": city.name, "domain": city.domain, "rare": CASES[city.name]}
                key |= {"days": days, "row": row, "backbone": options.backbone}
                if (one := next((o for o in before if key.items() <= o.items()), None)) is None:
                    began = time.perf_counter()
                    with nothing_cached():
                        gave = trial(cutoff_of(frame, days, row), key["rare"], options.backbone)
                    one = key | gave | {"seconds": time.perf_counter() - began}
                    keep(one, options.out)
                    print(f"{city.name}, {days} days, {one['seconds']:.1f} s", flush=True)
                found.append(one)
    return found


def chosen(parts: Sequence[str], backbone: str) -> list[City]:
    """The sets whose names contain one of `parts`; without any, all that the backbone may be asked.

    `citytune-base` is asked those that it has not learnt from.
    """
    cities = {city.name: city for city in (*named([], [n for n in CASES if n != EMBASSY.name]),
                                           EMBASSY)}  # fmt: skip
    fair = [name for name in CASES if backbone != "citytune-base" or name in UNSEEN]
    return [cities[n] for n in (CASES if parts else fair)
            if not parts or any(part in n for part in parts)]  # fmt: skip


def keep(found: Found, out: Path | None) -> None:
    """Add a fit to the file."""
    if out is not None:
        with out.open("a") as file:
            file.write(json.dumps(found) + "\n")


def lines(out: Path | None) -> list[Found]:
    """What a run before wrote."""
    if out is None or not out.exists():
        return []
    return [json.loads(line) for line in out.read_text().splitlines()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit what was asked for, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=[], help="parts of names; by default all")
    parser.add_argument("--days", nargs="+", type=int, default=[28, 7, 90])
    parser.add_argument("--cutoffs", type=int, default=6, help="how many per set")
    parser.add_argument("--backbone", default="citytune-base")
    parser.add_argument("--sensors", type=int, default=6, help="of a set, at most")
    parser.add_argument("--chances", action="store_true", help="show what was called how likely")
    parser.add_argument("--out", type=Path, help="JSON lines, a fit each; continued if it is there")
    options = parser.parse_args(arguments)
    need_data()
    (options.backbone,) = usable([options.backbone])
    torch.set_num_threads(1)
    found = run(options)
    print(f"\n{options.backbone}, {len(found)} fits")
    show(found)
    if options.chances:
        show_chances(found)


if __name__ == "__main__":
    main()
