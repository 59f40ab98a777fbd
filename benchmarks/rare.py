"""What fair treatment of rare values gains where values are rare, and what it costs over all.

    python benchmarks/rare.py --out rare.jsonl
    python benchmarks/rare.py --sets aqi36 norway --days 28 --todays 3

A task is one set, one amount of history and one past day that plays today: tune on that history
with `rare=`, forecast the week after from every quarter of a day. One fit gives both sides: the
forecast as it is ("with") and before it was moved toward rare values ("without"). Shown for each
set, over all its todays, and as means of its domain:

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
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from exam import named
from levels import Counts, Levels, usual_level
from numpy.typing import NDArray
from sets import City, evenly, read
from todays import DOMAINS, Today, geometric, need_data, nothing_cached, today_of, todays, usable

from citytune.evaluation import Alert, AlertScore, Detail
from citytune.evaluation._alerts import score_alert
from citytune.evaluation._rare import regions
from citytune.forecasting import chance_above
from citytune.forecasting._fitting import fit_task, task_of
from citytune.frame import SensorFrame
from citytune.tuning import Conformal, Task, make_strategy
from citytune.tuning._fit import calibrate

EMBASSY = City(name="beijing_us_embassy_pm25", domain="air", country="CN", target=("pm2.5",))
PM, TOP = ">150", "top 5%"
CASES = {
    "norway_hourly_volume": TOP,
    "melbourne_pedestrian_55": TOP,
    "jonas_dc_demand": TOP,
    "capital_bikeshare_hourly": TOP,
    "pjm_hourly_regions": TOP,
    "gefcom2012_load": TOP,
    "gefcom2014_load": TOP,
    "etth1": TOP,
    "beijing_aqi36_pm25": PM,
    "beijing_multisite_pm25": PM,
    EMBASSY.name: PM,
    "london_marylebone_1998_2005": TOP,
}
"""Set → what is rare there."""
STRATEGY = "blend"
RARE, ALL, REGIONS = "rare", "all", ("few", "medium", "many")
WITH, WITHOUT, MOVED = "tuned", "tuned-plain", "moved"
EQUAL, HINDSIGHT = "equal", "hindsight"
WORDS = {
    WITHOUT: "without: forecast passes",
    MOVED: "with: moved forecast passes",
    WITH: "with: probability ≥ level",
    EQUAL: "with: equal precision, level from the past",
    HINDSIGHT: "with: equal precision in hindsight",
}
"""How an alert is decided."""
EDGES = (0.0, 0.05, 0.2, 0.5, 0.8, 1.0)
"""Bins of probability: most chances of something rare are small."""

Found: TypeAlias = dict[str, Any]
"""What one fit gave: sums and counts, so that those of several todays can be added."""


def few(city: City, sensors: int) -> SensorFrame:
    """The set, of at most so many sensors."""
    frame = read(city, known_ahead=False)
    return frame.select(evenly(frame.sensors, sensors))


def trial(today: Today, rare: str, backbone: str) -> Found:
    """Tune, forecast the week after, and count what is compared."""
    alert = Alert.parse(rare, today.known.quantity)
    task = task_of(today.known, horizon=today.horizon, backbone=backbone, rare=rare)
    model = fit_task(today.known, task, strategy=STRATEGY)
    said = model.predict(today.frame, today.origins)
    means = {WITH: said.mean, WITHOUT: said.plain, MOVED: said.mean}
    origins = np.array(today.origins)
    detail = Detail(today.actual, means, said.quantiles, origins, today.frame)
    score = score_alert(alert, detail)
    limits = np.array([*score.thresholds.values()], np.float32)
    return {
        "errors": errors(detail, limits),
        "alerts": {name: told(score, name) for name in means},
        "brier": brier(score),
        "chances": chances(said.quantiles, detail.fair, limits, today.frame).counts(),
        "level": equal_level(task, limits, model.tuned.conformal, today.frame),
        "power": model.tuned.tilt.power if model.tuned.tilt is not None else 0.0,
    }


def errors(detail: Detail, limits: NDArray[np.float32]) -> dict[str, list[float]]:
    """Region → values, and the sums of their absolute errors with and without."""
    beyond = np.where(detail.fair > limits, detail.fair, np.float32(np.nan))
    found = {r.name: [r.values, *(r.errors[n] for n in (WITH, WITHOUT))] for r in regions(detail)}
    for name, actual in ((RARE, beyond), (ALL, detail.fair)):
        known = np.isfinite(actual)
        miss = [np.abs(detail.means[n] - actual)[known] for n in (WITH, WITHOUT)]
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
    """Probabilities of passing beside what came, where both are known."""
    low, high = frame.quantity.low, frame.quantity.high
    said = chance_above(quantiles, limits, low=low, high=high)
    known = np.isfinite(actual) & np.isfinite(said)
    return Levels.of(said[known], (actual > limits)[known])


def equal_level(
    task: Task, limits: NDArray[np.float32], conformal: Conformal, frame: SensorFrame
) -> float:
    """The level at which alerts out of fold are as often right as where the forecast passes."""
    if not len(task.examples):
        return usual_level()
    says, windows = make_strategy(STRATEGY).fit(task).out_of_fold, task.windows
    own = limits[windows.sensor.numpy()][:, None]
    actual = task.actual.numpy()
    quantiles = conformal.quantiles(says, windows.sensor, windows.slot).numpy()
    up, event = says.numpy() > own, actual > own
    plain = Counts(int((up & event).sum()), int((up & np.isfinite(actual)).sum()), event.sum())
    return chances(quantiles, actual, own, frame).level_of(plain.precision)


class Table:
    """The todays of one set and amount of history, added up."""

    def __init__(self, found: Sequence[Found]) -> None:
        self.name, self.domain, self.days = (found[0][key] for key in ("set", "domain", "days"))
        self.rare, self.todays = found[0]["rare"], len(found)
        self.power = float(np.mean([one["power"] for one in found]))
        self.errors: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(3))
        for one in found:
            for region, sums in one["errors"].items():
                self.errors[region] += sums
        levels = [Levels(**one["chances"]) for one in found]
        self.levels = Levels.sum(levels)
        self.alerts = {
            name: Counts.sum(Counts(*one["alerts"][name]) for one in found)
            for name in (WITHOUT, MOVED, WITH)
        }
        cut = [own.above(one["level"]) for own, one in zip(levels, found, strict=True)]
        self.alerts[EQUAL] = Counts.sum(cut)
        best = self.levels.level_of(self.alerts[WITHOUT].precision)
        self.alerts[HINDSIGHT] = self.levels.above(best)
        own, usual = np.sum([one["brier"] for one in found], 0)
        self.brier_skill = 1 - own / usual if usual else np.nan

    def ratio(self, region: str) -> float:
        """Error with over error without; NaN where nothing came."""
        _, with_, without = self.errors[region]
        return float(with_ / without) if without else np.nan

    @property
    def share(self) -> float:
        """Of the values scored, that of the rare ones."""
        return float(self.errors[RARE][0] / max(self.errors[ALL][0], 1))

    @property
    def tells(self) -> bool:
        """Whether alerts without care are right more often than ones raised at random."""
        return self.alerts[WITHOUT].precision > self.share


def show(found: Sequence[Found]) -> None:
    """Print a table of errors and one of alerts for each amount of history."""
    for days in sorted({one["days"] for one in found}):
        groups: dict[str, list[Found]] = defaultdict(list)
        for one in found:
            if one["days"] == days:
                groups[one["set"]].append(one)
        tables = [Table(group) for group in groups.values()]
        print(f"\n{days} days of history")
        show_errors(tables)
        show_alerts(tables)


def show_errors(tables: Sequence[Table]) -> None:
    """Errors with over errors without, set by set and as geometric means."""
    columns = (RARE, *REGIONS, ALL)
    print(f"{'error with / without':34s}{'todays':>7s}{'share':>7s}{'power':>7s}"
          + "".join(f"{column:>8s}" for column in columns))  # fmt: skip
    for one in tables:
        print(f"{one.name:27s}{one.rare:>7s}{one.todays:7d}{one.share:7.1%}{one.power:7.2f}"
              + "".join(f"{one.ratio(column):8.3f}" for column in columns))  # fmt: skip
    for domain in (*DOMAINS, "all"):
        if own := of_domain(tables, domain):
            ratios = [geometric(known(one.ratio(column) for one in own)) for column in columns]
            print(f"{f'{domain} ({len(own)})':34s}{'':21s}" + "".join(f"{r:8.3f}" for r in ratios))


def show_alerts(tables: Sequence[Table]) -> None:
    """Precision, recall and F1 of every way to decide, set by set and as means."""
    print("\nprecision, recall, F1 of alerts")
    for i, (name, word) in enumerate(WORDS.items()):
        print(f"  ({i + 1}) {word}" + (f" {usual_level():g}" if name == WITH else ""))
    print(f"{'':27s}" + "".join(f"{f'({i + 1})':>17s}" for i in range(len(WORDS))))
    for one in tables:
        rows = [one.alerts[way] for way in WORDS]
        print(f"{one.name:27s}" + "".join(cells(row) for row in rows)
              + ("" if one.tells else "   no better than chance without: in no mean"))  # fmt: skip
    for domain in (*DOMAINS, "all"):
        if own := [one for one in of_domain(tables, domain) if one.tells]:
            rows = [np.mean([one.alerts[way].shares for one in own], 0) for way in WORDS]
            print(f"{f'{domain} ({len(own)})':27s}" + "".join(triple(row) for row in rows))


def show_chances(tables: Sequence[Table]) -> None:
    """In bins, how likely the tuned model called what came, and how often it came true."""
    print(f"\n{'called':27s}{'':8s}" + "".join(f"{a:9.0%}–{b:<6.0%}" for a, b in pairwise(EDGES)))
    for one in tables:
        values, said, came = one.levels.bins(EDGES)
        print(f"{one.name:27s}Brier skill {one.brier_skill:.3f}")
        for word, sums in (("said", said), ("came", came)):
            shares = sums / np.maximum(values, 1)
            print(f"{word:>35s}" + "".join(f"{share:12.1%}    " for share in shares))
        print(f"{'values':>35s}" + "".join(f"{count:12,.0f}    " for count in values))


def cells(counts: Counts) -> str:
    """Precision, recall and F1 of one way to decide."""
    return triple(counts.shares)


def triple(shares: Iterable[float]) -> str:
    return "  " + "".join(f"{share:5.2f}" for share in shares)


def known(ratios: Iterable[float]) -> list[float]:
    """Those that are numbers."""
    return [ratio for ratio in ratios if np.isfinite(ratio) and ratio > 0]


def of_domain(tables: Sequence[Table], domain: str) -> list[Table]:
    """The tables of a domain, or all."""
    return [one for one in tables if domain in (one.domain, "all")]


def run(options: argparse.Namespace) -> list[Found]:
    """Fit all that are not in the file yet, set by set; what all of them gave."""
    before = lines(options.out)
    found = []
    for city in chosen(options.sets):
        frame = few(city, options.sensors)
        for days in options.days:
            for row in todays(frame, days, options.todays):
                key = {"set": city.name, "domain": city.domain, "rare": CASES[city.name]}
                key |= {"days": days, "row": row, "backbone": options.backbone}
                if (one := next((o for o in before if key.items() <= o.items()), None)) is None:
                    began = time.perf_counter()
                    with nothing_cached():
                        gave = trial(today_of(frame, days, row), key["rare"], options.backbone)
                    one = key | gave | {"seconds": time.perf_counter() - began}
                    keep(one, options.out)
                    print(f"{city.name}, {days} days, {one['seconds']:.1f} s", flush=True)
                found.append(one)
    return found


def chosen(parts: Sequence[str]) -> list[City]:
    """The sets whose names contain one of `parts`; all of `CASES` without any."""
    cities = {city.name: city for city in (*named([], [n for n in CASES if n != EMBASSY.name]),
                                           EMBASSY)}  # fmt: skip
    return [cities[n] for n in CASES if not parts or any(part in n for part in parts)]


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
    parser.add_argument("--days", nargs="+", type=int, default=[7, 28, 90])
    parser.add_argument("--todays", type=int, default=6, help="how many per set")
    parser.add_argument("--backbone", default="ttm-r2")
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
        groups: dict[tuple[str, int], list[Found]] = defaultdict(list)
        for one in found:
            groups[one["set"], one["days"]].append(one)
        show_chances([Table(group) for group in groups.values()])


if __name__ == "__main__":
    main()
