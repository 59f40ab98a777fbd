"""Toto: patches of the past to mixtures of Student's t of the next 64 steps, by Datadog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from citytune._errors import MissingWeights
from citytune.backbones._protocol import LEVELS, Backbone, Card
from citytune.backbones.guests._kind import (
    Config,
    Kind,
    add_kind,
    load_plain,
    read_config,
    released,
)
from citytune.backbones.guests._patches import PatchGuest
from citytune.backbones.guests._toto_network import Sizes, Toto

LONGEST = 4096
"""Steps of past that it was trained on."""
ONLY = {
    "scaler_cls": "<class 'model.scaler.CausalPatchStdMeanScaler'>",
    "output_distribution_classes": ["<class 'model.distribution.MixtureOfStudentTsOutput'>"],
}
"""What a config must say: other scalers and distributions are not known here."""
RENAMED = {
    ".mlp.0.w12.": ".mlp.0.",
    ".mlp.0.w3.": ".mlp.2.",
    ".norm1.scale": ".norm1.weight",
    ".norm2.scale": ".norm2.weight",
}
"""Weights by their released names → by ours."""
COMMON: dict[str, Any] = {
    "title": "Toto, a large forecaster pretrained on many kinds of series",
    "licence": "Apache-2.0",
    "trained_on": "metrics of Datadog's own computers, open sets of GIFT-Eval's pretraining and of "
    "Chronos, and synthetic series",
    "source": "Cohen et al. 2025, Toto, arXiv:2505.14766; "
    "https://huggingface.co/Datadog/Toto-Open-Base-1.0",
    "max_examples": 200,
    "get": "",
}


class TotoGuest(PatchGuest):
    """Toto as a backbone.

    Gaps have no part in its scale. Quantiles are computed from the distribution it gives each step,
    not drawn.
    """

    chunk = 16
    size = 100.0
    """It adds a fixed variance of 0.1, which is small against windows in this unit."""

    def answer(self, values: Tensor, known: Tensor) -> Tensor:
        """Its quantiles (example, step, level) of windows (example, time)."""
        found: Tensor = self.network(values, known, torch.tensor(LEVELS, device=values.device))
        return found

    def blocks(self) -> Sequence[nn.Module]:
        """Patches, layers, and what answers."""
        network = self.parts
        answers = nn.ModuleList([network.unembed, network.output_distribution])
        return [network.patch_embed, *network.transformer["layers"], answers]


def facts(config: Config) -> dict[str, Any]:
    """What a config says of the card of a Toto."""
    other = {name: config.get(name) for name in ONLY if config.get(name) != ONLY[name]}
    if other or config.get("stride") != config["patch_size"]:
        raise MissingWeights(
            f"a Toto with {other or 'patches that overlap'} is none that is known here: ask it "
            "with toto-ts, through citytune.backbones.from_forecaster"
        )
    return {
        "context": LONGEST,
        "horizon": config["patch_size"],
        "features": 2 * config["embed_dim"],
    }


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's weights under the names they have here; places in time are no weights."""
    found = {name.removeprefix("model."): weight for name, weight in weights.items()}
    for theirs, ours in RENAMED.items():
        found = {name.replace(theirs, ours): weight for name, weight in found.items()}
    return {name: weight for name, weight in found.items() if "rotary_emb." not in name}


def _make(card: Card, folder: Path) -> Backbone:
    network = load_plain(Toto(Sizes.of(read_config(folder))), folder, renamed)
    return TotoGuest(card, network)


CARD = released(
    COMMON,
    name="toto",
    parameters=151_306_080,
    context=LONGEST,
    horizon=64,
    features=2 * 768,
    hub="Datadog/Toto-Open-Base-1.0",
)
KIND = Kind("toto", lambda config: "spacewise_every_n_layers" in config, facts, _make, COMMON)
add_kind(KIND, [CARD])
