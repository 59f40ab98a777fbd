"""Moirai-2: patches of the past to nine quantiles of the next 64 steps, by Salesforce."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from citytune.backbones._protocol import Backbone, Card
from citytune.backbones.guests._kind import (
    Config,
    Kind,
    add_kind,
    load_plain,
    read_config,
    released,
)
from citytune.backbones.guests._moirai_network import Moirai2, Sizes
from citytune.backbones.guests._patches import PatchGuest

LONGEST = 4000
"""Steps of past that its makers show it."""
NAMES = ("d_model", "d_ff", "num_layers", "patch_size", "num_predict_token", "quantile_levels")
COMMON: dict[str, Any] = {
    "title": "Moirai-2, a small forecaster pretrained on many kinds of series",
    "licence": "CC-BY-NC-4.0",
    "restricted": "forbids commercial use (https://huggingface.co/Salesforce/moirai-2.0-R-small)",
    "trained_on": "GIFT-Eval's pretraining sets, synthetic and mixed series, and Salesforce's own",
    "source": "Liu et al. 2025, Moirai 2.0, arXiv:2511.11698; "
    "https://huggingface.co/Salesforce/moirai-2.0-R-small",
    "max_examples": 600,
    "get": "",
}


class Moirai(PatchGuest):
    """Moirai-2 as a backbone."""

    chunk = 32

    def answer(self, values: Tensor, known: Tensor) -> Tensor:
        """Its quantiles (example, step, level) of windows (example, time)."""
        found: Tensor = self.network(values, known)
        return found

    def blocks(self) -> Sequence[nn.Module]:
        """Patches, layers, quantiles."""
        network = self.parts
        encoder = network.encoder
        return [network.in_proj, *encoder.layers, encoder.norm, network.out_proj]


def facts(config: Config) -> dict[str, Any]:
    """What a config says of the card of a Moirai-2."""
    sizes = Sizes.of(config)
    return {
        "context": min(LONGEST, config["max_seq_len"] * sizes.patch),
        "horizon": sizes.ahead * sizes.patch,
        "levels": tuple(config["quantile_levels"]),
        "features": 2 * sizes.width,
    }


def _make(card: Card, folder: Path) -> Backbone:
    return Moirai(card, load_plain(Moirai2(Sizes.of(read_config(folder))), folder))


CARD = released(
    COMMON,
    name="moirai-2",
    parameters=11_387_208,
    context=LONGEST,
    horizon=64,
    features=2 * 384,
    levels=tuple(n / 10 for n in range(1, 10)),
    hub="Salesforce/moirai-2.0-R-small",
)
KIND = Kind("moirai-2", lambda config: set(NAMES) <= set(config), facts, _make, COMMON)
add_kind(KIND, [CARD])
