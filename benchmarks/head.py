"""The closed form against the article's loop: the same features, the same objective, one run.

The article trains a new last layer on a frozen network by gradient steps, passing every window
through the network in every epoch. Here its features are computed once and the minimiser is found
exactly. Both minimise Σ w(r − Wᵀφ)² + λ‖W‖² of the same windows; what is compared is the time to
an objective no higher, and the objective itself.

    python benchmarks/head.py --set norway_hourly_volume --epochs 100
"""

from __future__ import annotations

import argparse
import time

import torch
from sets import CITIES, past_days, read

from citytune.backbones import load_backbone
from citytune.settings import Settings
from citytune.training import Loop
from citytune.tuning import Projection, RidgePath, Statistics, Task, train_head
from citytune.windows import History, WindowSpec

HORIZON, DAYS, PENALTY = 48, 28, 1e-2


def task_of(name: str, backbone: str) -> Task:
    """28 days of a set, as `fit_model` would see them."""
    city = next(c for c in CITIES if name in c.name)
    frame = read(city, known_ahead=False)
    model = load_backbone(backbone)
    context = model.card.context_at(frame.clock.steps_per_day)
    today = past_days(frame, DAYS, context, 3)[-1]
    start = today - DAYS * frame.clock.steps_per_day - context
    history = History.of(frame.since(max(0, start)).until(today - max(0, start)), ahead=HORIZON)
    return Task(
        backbone=model,
        history=history,
        spec=WindowSpec(context=context, horizon=HORIZON),
        settings=Settings(horizon=HORIZON),
    )


def main() -> None:
    """Run both, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", default="norway_hourly_volume")
    parser.add_argument("--backbone", default="ttm-r2")
    parser.add_argument("--epochs", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(2)
    task = task_of(options.set, options.backbone)
    residual = task.head_data.residual  # the prior's forecasts: needed by both, timed for neither

    def look() -> torch.Tensor:
        return task.live.features

    look()  # warm up
    started = time.perf_counter()
    seen_once = look()
    a_pass = time.perf_counter() - started
    started = time.perf_counter()
    head_data = task.head_data._replace(features=seen_once)
    known = ~residual.isnan().any(1)  # the same complete windows for both
    head_data = head_data.pick(known)
    view = Projection.of(head_data.features)
    seen = view(head_data.features)
    total = float(head_data.weight.sum())
    sums = Statistics.of(seen, head_data.residual.double(), head_data.weight.double())
    exact = RidgePath.of(sums).head(PENALTY * total)
    closed = a_pass + time.perf_counter() - started

    print(f"{options.set}, {options.backbone}: {len(seen)} windows, {seen.shape[1]} features, "
          f"{HORIZON} steps ahead, λ = {PENALTY} of the windows' weight")  # fmt: skip
    best = sums.objective(exact, PENALTY * total)
    print(f"{'':34s} {'seconds':>9s} {'objective':>12s} {'÷ closed form':>14s}")
    print(f"{'closed form, features once':34s} {closed:9.2f} {best:12.4f} {1:14.6f}")
    for optimiser, rate in (("adamw", 3e-3), ("sgd", 0.03)):
        loop = Loop(epochs=options.epochs, rate=rate, optimiser=optimiser)
        started = time.perf_counter()
        head = train_head(seen, head_data, PENALTY, loop)
        steps = time.perf_counter() - started
        objective = sums.objective(head, PENALTY * total)
        cached = f"{options.epochs} epochs of {optimiser}, cached"
        print(f"{cached:34s} {steps + a_pass:9.2f} {objective:12.4f} {objective / best:14.6f}")
        started = time.perf_counter()
        for _ in range(3):
            look()
        through = steps + options.epochs * (time.perf_counter() - started) / 3
        plain = f"{options.epochs} epochs of {optimiser}, not cached"
        print(f"{plain:34s} {through:9.2f} {objective:12.4f} {objective / best:14.6f}")
        print(f"{'':34s} the closed form is {through / closed:.0f} times faster")


if __name__ == "__main__":
    main()
