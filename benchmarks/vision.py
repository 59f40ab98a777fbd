r"""Vehicles counted on pictures: a new last layer, exactly and by the article's loop, and more.

626 pictures from above of 18 clips; every error is of clips that were left out. The article trains
a new last layer on a frozen network by gradient steps, passing every picture through the network in
every epoch; here its features are computed once and the minimiser of the same MSE + λ‖φ‖² is found
exactly. The loop's seconds with the network in it are 100 times those of one pass, measured.

    CITYTUNE_WEIGHTS=… python benchmarks/vision.py --data vehicle_count_topview.parquet
    python benchmarks/vision.py --networks efficientnet-lite0 --strategies head,last-blocks,full \
        --pixels 128 --epochs 4
    python benchmarks/vision.py --strategies head --link poisson
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from citytune.backbones import eye_of
from citytune.tuning import Projection, RidgePath, Statistics, train_head
from citytune.vision import ARTICLE, STEPS, PictureFrame, read_pictures, tune_vision
from citytune.vision._learn import Examples, fit_exact, head_data_of, steady
from citytune.vision._target import Target
from citytune.vision._tune import _examples

DATA = Path(__file__).parents[2] / "shared" / "data" / "images" / "vehicle_count_topview.parquet"


def closed_form_and_loop(target: Target, examples: Examples, a_pass: float) -> None:
    """Both on the same features: seconds, and how far the loop's objective is above the least."""
    penalty = fit_exact(target, examples).head.penalty
    difference = examples.values - examples.values.mean()
    data = head_data_of(examples, difference / difference.std())
    started = time.perf_counter()
    view = Projection.of(data.features)
    seen = view(data.features)
    total = float(data.weight.sum())
    sums = Statistics.of(seen, data.residual.double(), data.weight.double())
    exact = RidgePath.of(sums).head(penalty * total)
    solving = time.perf_counter() - started
    least = sums.objective(exact, penalty * total)
    started = time.perf_counter()
    head = train_head(seen, data, penalty, steady(ARTICLE, seen, penalty))
    stepping = time.perf_counter() - started
    above = sums.objective(head, penalty * total) / least - 1
    closed, loop = a_pass + solving, ARTICLE.epochs * a_pass + stepping
    print(f"  one pass {a_pass:.1f} s; λ = {penalty:g}, {seen.shape[1]} components")
    print(f"  closed form {closed:8.1f} s, of which solving {solving:.3f} s")
    print(f"  the loop    {loop:8.1f} s ({stepping:.2f} s on cached features), {loop / closed:.0f} "
          f"times as long; its objective is {100 * above:.4f} % above the least")  # fmt: skip


def leave_clips_out(frame: PictureFrame, options: argparse.Namespace, network: str) -> None:
    """The errors of every strategy, and the seconds."""
    for strategy in options.strategies.split(","):
        facts: dict[str, Any] = {}
        if strategy in ("last-blocks", "full"):
            facts["loop"] = replace(STEPS, epochs=options.epochs)
        started = time.perf_counter()
        model = tune_vision(
            frame, backbone=network, strategy=strategy, pixels=options.pixels, folds=options.folds,
            link=options.link, **facts,
        )  # fmt: skip
        spent = time.perf_counter() - started
        scores = model.scores
        errors = ", ".join(f"{name} {error:.2f}" for name, error in scores.errors.items())
        print(f"  {strategy:12s} {errors}; random split {scores.random_split:.2f}; 90 % intervals "
              f"cover {100 * scores.coverage_90:.0f} %, {scores.width_90:.1f} wide; "
              f"followed {100 * model.share:.0f} %; {spent:.0f} s", flush=True)  # fmt: skip


def main() -> None:
    """Run all, print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--networks", default="efficientnet-lite0,resnet50")
    parser.add_argument("--strategies", default="head,head-sgd")
    parser.add_argument("--link", default="identity", help="identity, log or poisson")
    parser.add_argument("--pixels", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--folds", type=int, default=None)
    options = parser.parse_args()
    frame = read_pictures(options.data, target="count")
    print(f"{frame}; {torch.get_num_threads()} threads")
    for network in options.networks.split(","):
        print(f"{network}, {options.pixels} × {options.pixels} pixels", flush=True)
        assert frame.values is not None
        target = Target.of("count", frame.values, "count", "identity")
        names = tuple(dict.fromkeys(frame.groups))
        started = time.perf_counter()
        examples = _examples(
            eye_of(network, options.pixels), frame, target, names, lambda _stage, _share: None
        )
        a_pass = time.perf_counter() - started
        closed_form_and_loop(target, examples, a_pass)
        leave_clips_out(frame, options, network)


if __name__ == "__main__":
    main()
