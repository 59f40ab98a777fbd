"""What each part of `citytune-base` is worth: small runs without it, scored on sets left out.

Every variant learns from the same batches for the same few steps, and is scored on whole sets
that none of them has seen: MAE relative to the best of three naive forecasts, geometric mean.

    python benchmarks/pretraining.py scripts/citytune-base.toml --steps 400
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from citytune.backbones.city import LAGS, PATCH, ROWS, CityInput, CityNetwork
from citytune.pretraining._corpus import read_corpus
from citytune.pretraining._pretrain import train
from citytune.pretraining._recipe import Recipe
from citytune.pretraining._scores import Examiner

UNSEEN = (
    "melbourne_pedestrian_55",
    "nyc_taxi_30min",
    "pems_single_station_2016",
    "birmingham_parking",
    "seoul_bike",
    "chicago_l_ridership_daily",
    "openstef_nl_substations_load",
    "citylearn2022_fontana_homes_load",
    "france_rte_load",
    "uk_national_grid_demand",
    "steel_industry",
    "ontario_pm25",
    "italy_airquality_uci",
    "british_columbia_no2",
)
"""Sets of the corpus on which variants are scored; here, none of them is learnt from."""
NEAR = 7
"""Days that a network without the long past still sees."""


def whole(view: CityInput) -> CityInput:
    return view


def without_calendar(view: CityInput) -> CityInput:
    """No hour, no weekday, no holiday, of any step."""
    relation = torch.cat([torch.zeros_like(view.relation[..., :6]), view.relation[..., 6:]], -1)
    recent = torch.cat([view.recent[..., : 4 * PATCH], view.recent[..., 4 * PATCH :] * 0], -1)
    when = torch.cat([view.when[..., :-4] * 0, view.when[..., -4:]], -1)
    clock = torch.cat([view.clock[:, :2] * 0, view.clock[:, 2:4], view.clock[:, 4:] * 0], -1)
    return view._replace(relation=relation, recent=recent, when=when, clock=clock)


def without_long_past(view: CityInput) -> CityInput:
    """Only the last week."""
    near = (torch.arange(ROWS) < NEAR).float()
    known = view.known * near[:, None]
    lag = (torch.tensor(LAGS) <= NEAR).float().repeat_interleave(PATCH).repeat(2)
    return view._replace(
        weeks=view.weeks * (torch.arange(4) == 3)[:, None],
        candidates=view.candidates * near[:, None],
        known=known,
        relation=view.relation * near[:, None],
        shift=view.shift * near,
        lags=view.lags * lag,
    )


def without_like_days(view: CityInput) -> CityInput:
    """No past days to choose from slot by slot: condensed weeks, lags and last steps alone."""
    return view._replace(
        candidates=view.candidates * 0,
        known=view.known * 0,
        relation=view.relation * 0,
        shift=view.shift * 0,
    )


def without_recent(view: CityInput) -> CityInput:
    """No last steps as they are."""
    return view._replace(recent=view.recent * 0)


class Seeing(CityNetwork):
    """The network with part of the view taken away."""

    def __init__(self, recipe: Recipe, sight: Callable[[CityInput], CityInput]) -> None:
        super().__init__(recipe.width, recipe.layers, recipe.heads)
        self.sight = sight

    def forward(self, view: CityInput) -> Tensor:
        """Quantiles, from what is left to see."""
        return super().forward(self.sight(view))


VARIANTS: dict[str, tuple[dict[str, float], Callable[[CityInput], CityInput]]] = {
    "whole": ({}, whole),
    "without the calendar": ({}, without_calendar),
    "without the past beyond a week": ({}, without_long_past),
    "without choosing like days": ({}, without_like_days),
    "without the last steps": ({}, without_recent),
    "without synthetic series": ({"synthetic": 0.0}, whole),
    "half synthetic series": ({"synthetic": 0.5}, whole),
    "only synthetic series": ({"synthetic": 1.0}, whole),
    "half as wide": ({"width": 96}, whole),
    "two layers": ({"layers": 2}, whole),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="+", help="as for `citytune pretrain`")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--only", nargs="*", default=[], help="parts of names of variants")
    parser.add_argument("--out", type=Path, help="also write JSON lines")
    options = parser.parse_args()
    corpus = read_corpus(options.corpus)
    seen = [one for one in corpus.sources if one.name not in UNSEEN]
    unseen = [one for one in corpus.sources if one.name in UNSEEN]
    examiner = Examiner(unseen, 0.5)
    weights = {one.name: one.weight for one in corpus.sets}
    small = Recipe(steps=options.steps, warm=max(1, options.steps // 8), average=0.99)
    print(f"{'variant':32s} {'weights':>9s} {'all':>6s} {'traffic':>8s} {'energy':>7s} {'air':>6s}")
    for name, (changes, sight) in VARIANTS.items():
        if options.only and not any(part in name for part in options.only):
            continue
        recipe = replace(small, **changes)
        torch.manual_seed(recipe.seed)
        start, began = Seeing(recipe, sight), time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            network = train(
                seen, recipe, Path(folder) / "c.pt", weights=weights, start=start, every=10**9
            )
        score = examiner.score(network)
        assert score is not None, "there are sets left out"
        parts = " ".join(
            f"{score.domains[d]:{w}.3f}" for d, w in (("traffic", 8), ("energy", 7), ("air", 6))
        )
        count = sum(weight.numel() for weight in network.parameters())
        print(f"{name:32s} {count:9,d} {score.relative:6.3f} {parts}", flush=True)
        if options.out:
            row = {"variant": name, "relative": score.relative, "domains": score.domains}
            seconds = time.perf_counter() - began
            with options.out.open("a") as file:
                file.write(json.dumps(row | {"sets": score.sets, "seconds": seconds}) + "\n")


if __name__ == "__main__":
    main()
