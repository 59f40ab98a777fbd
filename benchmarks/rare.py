"""How well rare values are foretold, and whether a chance of 30 % comes true 3 times in 10.

    python benchmarks/rare.py --sets aqi36 norway --todays 4

For several days of each set that play today, a model is tuned on the 28 days before and makes one
forecast a day for the week after. Shown for each set, over all its days: what an alert would have
been worth beside the pretrained model untouched and the best naive forecast (in hindsight), the
Brier skill of the tuned model's probabilities over how often such values came at that hour of such
a day before, its error where values were rare and where they were usual over that of the untouched,
and in five bins how often what it called likely came true.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from exam import EXAM
from numpy.typing import NDArray
from sets import CITIES, City, past_days, read

import citytune as ct
from citytune.backbones import load_backbone
from citytune.evaluation import NAIVE
from citytune.forecasting import chance_above, fit_model

HORIZON, DAYS, AFTER = 24, 28, 7
CASES = {
    "beijing_aqi36_pm25": ">150",
    "beijing_multisite_pm25": ">150",
    "norway_hourly_volume": "top 5%",
    "melbourne_pedestrian_55": "top 5%",
    "pjm_hourly_regions": "top 5%",
    "gefcom2012_load": "top 5%",
}
"""Set → what to be warned of."""
EDGES = (0.0, 0.05, 0.2, 0.5, 0.8, 1.0)
"""Bins of probability: most chances of something rare are small."""


class Chances(NamedTuple):
    """What was said and what came, of every value scored."""

    said: NDArray[np.float32]  # (value,) probability of passing
    came: NDArray[np.bool_]  # (value,) whether it passed


def trials(city: City, alert: str, backbone: str, todays: int) -> list[ct.Scores]:
    """The scores of each day that plays today."""
    frame = read(city, known_ahead=False)
    day = frame.clock.steps_per_day
    context = load_backbone(backbone).card.context_at(day)
    found = []
    for today in past_days(frame, DAYS, context, todays):
        start = today - DAYS * day - context
        known = frame.since(start).until(today - start + AFTER * day)
        steps = HORIZON * day // 24
        model = fit_model(known.until(today - start), horizon=steps, backbone=backbone)
        found.append(ct.backtest(model, known, refit=False, against=NAIVE, alerts=[alert]))
    return found


def chances(scores: ct.Scores) -> Chances:
    """The tuned model's probabilities beside what came."""
    detail, (score,) = scores.detail, scores.alerts
    limits = np.array([*score.thresholds.values()], np.float32)
    low, high = detail.frame.quantity.low, detail.frame.quantity.high
    said = chance_above(detail.quantiles, limits, low=low, high=high)
    known = np.isfinite(detail.fair) & np.isfinite(limits)
    came = (detail.fair > limits) & known
    return Chances(said[known], came[known])


def brier_skill(found: list[ct.Scores]) -> float:
    """Share of the climatology's squared error that is saved, over all days."""
    alerts = [a for scores in found for a in scores.alerts if np.isfinite(a.brier_skill)]
    own = sum(a.values * a.brier for a in alerts)
    return 1 - own / sum(a.values * a.brier / (1 - a.brier_skill) for a in alerts)


def told(found: list[ct.Scores], name: str) -> tuple[float, float, float, float]:
    """Precision, recall, F1 and share of episodes warned of, over all days."""
    alerts = [scores.alerts[0] for scores in found]
    raised = sum(a.models[name]["raised"] for a in alerts)
    right = sum(a.models[name]["recall"] * a.events for a in alerts if a.events)
    events, episodes = sum(a.events for a in alerts), sum(a.episodes for a in alerts)
    caught = sum(a.models[name]["caught"] for a in alerts)
    parts = ((right, raised), (right, events), (2 * right, raised + events), (caught, episodes))
    precision, recall, f1, warned = (a / b if b else np.nan for a, b in parts)
    return precision, recall, f1, warned


def region_error(found: list[ct.Scores], region: str, name: str) -> float:
    """Mean absolute error of a region, over all days."""
    parts = [r for scores in found for r in scores.regions if r.name == region and r.values]
    total = sum(r.values for r in parts)
    return sum(r.values * r.errors[name] for r in parts) / total if total else np.nan


def beyond(found: list[ct.Scores], name: str) -> float:
    """Threshold-weighted CRPS, over all days."""
    alerts = [scores.alerts[0] for scores in found if scores.alerts[0].values]
    return sum(a.values * a.models[name]["twcrps"] for a in alerts) / sum(a.values for a in alerts)


def best_naive(found: list[ct.Scores]) -> str:
    return min(NAIVE, key=lambda name: sum(s.models[name]["mae"] for s in found))


def show(name: str, alert: str, found: list[ct.Scores], spent: float) -> None:
    """The rows of one set."""
    parts = [chances(scores) for scores in found]
    said, came = (np.concatenate(column) for column in zip(*parts, strict=True))
    naive = best_naive(found)
    print(f"\n{name} {alert}: {len(found)} days, {len(said):,} values, {came.mean():.1%} beyond, "
          f"{spent:.0f} s; Brier skill {brier_skill(found):.3f}")  # fmt: skip
    print(f"  {'':14s}{'precision':>10s}{'recall':>8s}{'F1':>8s}{'warned':>8s}{'twcrps':>9s}"
          f"{'MAE few':>10s}{'many':>9s}")  # fmt: skip
    for model in ("tuned", "zero-shot", naive):
        shares = "".join(
            f"{v:{w}.2f}" for v, w in zip(told(found, model), (10, 8, 8, 8), strict=True)
        )
        errors = [region_error(found, region, model) for region in ("few", "many")]
        print(f"  {model:14s}{shares}{beyond(found, model):9.3g}{errors[0]:10.4g}{errors[1]:9.4g}")
    ratio = [region_error(found, r, "tuned") / region_error(found, r, "zero-shot")
             for r in ("few", "medium", "many")]  # fmt: skip
    print("  tuned / zero-shot, few medium many: " + " ".join(f"{one:.3f}" for one in ratio))
    print("  called   " + "".join(f"{a:6.0%}–{b:<6.0%}" for a, b in pairwise(EDGES)))
    which = np.clip(np.searchsorted(EDGES, said, side="right") - 1, 0, len(EDGES) - 2)
    groups = [which == i for i in range(len(EDGES) - 1)]
    for head, values in (("mean said", said), ("came true", came)):
        cells = (f"{values[g].mean():10.1%}   " if g.any() else f"{'–':>10s}   " for g in groups)
        print(f"  {head}" + "".join(cells))
    print("  values   " + "".join(f"{g.sum():10,d}   " for g in groups))


def main() -> None:
    """Run the sets asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=[], help="parts of names; by default all")
    parser.add_argument("--backbone", default="ttm-r2")
    parser.add_argument("--todays", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(2)
    cities = {city.name: city for city in (*CITIES, *EXAM)}
    print(f"{options.backbone}, {DAYS} days to learn from, {HORIZON} h ahead")
    for name, alert in CASES.items():
        if options.sets and not any(part in name for part in options.sets):
            continue
        began = time.perf_counter()
        found = trials(cities[name], alert, options.backbone, options.todays)
        show(name, alert, found, time.perf_counter() - began)


if __name__ == "__main__":
    main()
