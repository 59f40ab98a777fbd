r"""Vehicles counted on pictures: a new last layer, exactly and by the article's loop, and more.

626 pictures from above of 18 clips; every error is of clips that were left out. The article trains
a new last layer on a frozen network by gradient steps, passing every picture through the network in
every epoch; here its features are computed once and the minimiser of the same MSE + λ‖φ‖² is found
exactly. The loop's seconds with the network in it are 100 times those of one pass, measured. All
seconds are the processor's: other work on the machine does not count.

    CITYTUNE_WEIGHTS=… python benchmarks/vision.py --data vehicle_count_topview.parquet
    python benchmarks/vision.py --networks efficientnet-lite0 --strategies head,last-blocks,full \
        --pixels 128 --epochs 4
    python benchmarks/vision.py --strategies head --links log,poisson
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import torch

from citytune.backbones import Eye, eye_of
from citytune.tuning import Projection, RidgePath, Statistics, train_head
from citytune.vision import ARTICLE, STEPS, PictureFrame, read_pictures
from citytune.vision._learn import Examples, fit_exact, head_data_of, steady
from citytune.vision._target import Target
from citytune.vision._tune import CAUTION, FOLDS, MOVING, _examples, _Tuning

DATA = Path(__file__).parents[2] / "shared" / "data" / "images" / "vehicle_count_topview.parquet"


def closed_form_and_loop(target: Target, examples: Examples, a_pass: float) -> None:
    """Both on the same features: seconds, and how far the loop's objective is above the least."""
    penalty = fit_exact(target, examples).head.penalty
    difference = examples.values - examples.values.mean()
    data = head_data_of(examples, difference / difference.std())
    started = time.process_time()
    view = Projection.of(data.features)
    seen = view(data.features)
    total = float(data.weight.sum())
    sums = Statistics.of(seen, data.residual.double(), data.weight.double())
    exact = RidgePath.of(sums).head(penalty * total)
    solving = time.process_time() - started
    least = sums.objective(exact, penalty * total)
    started = time.process_time()
    head = train_head(seen, data, penalty, steady(ARTICLE, seen, penalty))
    stepping = time.process_time() - started
    above = sums.objective(head, penalty * total) / least - 1
    closed, loop = a_pass + solving, ARTICLE.epochs * a_pass + stepping
    print(f"  one pass {a_pass:.1f} s; λ = {penalty:g}, {seen.shape[1]} components")
    print(f"  closed form {closed:8.1f} s, of which solving {solving:.3f} s")
    print(f"  the loop    {loop:8.1f} s ({stepping:.2f} s on cached features), {loop / closed:.0f} "
          f"times as long; its objective is {100 * above:.4f} % above the least")  # fmt: skip


def leave_clips_out(
    frame: PictureFrame, eye: Eye, examples: Examples, options: argparse.Namespace
) -> None:
    """The errors of every strategy and link, and the seconds after the first pass."""
    names = tuple(dict.fromkeys(frame.groups))
    assert frame.values is not None
    for strategy, link in product(options.strategies.split(","), options.links.split(",")):
        loop = replace(STEPS, epochs=options.epochs) if strategy in MOVING else None
        target = Target.of("count", frame.values, "count", link)
        started = time.process_time()
        tuning = _Tuning(target, eye, frame, examples, strategy, loop, 0, quiet)
        model = tuning.model(names, options.folds or FOLDS[strategy], CAUTION)
        spent = time.process_time() - started
        scores = model.scores
        errors = ", ".join(f"{name} {error:.2f}" for name, error in scores.errors.items())
        print(f"  {strategy:12s} {link:8s} {errors}; random split {scores.random_split:.2f}; 90 % "
              f"intervals cover {100 * scores.coverage_90:.0f} %, {scores.width_90:.1f} wide; "
              f"followed {100 * model.share:.0f} %; {spent:.0f} s", flush=True)  # fmt: skip


def quiet(_stage: str, _share: float) -> None:
    """Tells nobody."""


def main() -> None:
    """Run all, print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--networks", default="efficientnet-lite0,resnet50")
    parser.add_argument("--strategies", default="head,head-sgd")
    parser.add_argument("--links", default="identity", help="identity, log, poisson")
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
        eye, started = eye_of(network, options.pixels), time.process_time()
        examples = _examples(eye, frame, target, names, quiet)
        closed_form_and_loop(target, examples, time.process_time() - started)
        leave_clips_out(frame, eye, examples, options)


if __name__ == "__main__":
    main()
