"""Moirai-2: patches of the past to nine quantiles of the next 64 steps, by Salesforce."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from citytune.backbones._guest import Shown, SureGuest, in_patches
from citytune.backbones._network import ask
from citytune.backbones._protocol import Backbone, Card
from citytune.backbones.guests._chronos import mean_where
from citytune.backbones.guests._kind import (
    Config,
    Kind,
    add_kind,
    load_plain,
    read_config,
    released,
)
from citytune.backbones.guests._moirai_network import Moirai2, Sizes

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


class Moirai(SureGuest):
    """Moirai-2 as a backbone, of each series by itself.

    It is shown filled gaps and told which values they are. Features are what it holds of the last
    patch, and the mean over the patches.
    """

    chunk = 32

    def ahead(self, shown: Shown, horizon: int) -> Tensor:
        """Its quantiles (example, horizon, level)."""

        def question(values: Tensor, known: Tensor) -> Tensor:
            found: Tensor = self.network(values, known > 0.5)
            return found[:, :horizon]

        return ask(self.network, question, *self._seen(shown))

    def state(self, shown: Shown) -> Tensor:
        """What it holds (example, 2 · width): of the last patch, and the mean of the patches."""

        def question(values: Tensor, known: Tensor) -> Tensor:
            found, there, *_ = self._network.states(values, known > 0.5)
            return torch.cat([found[:, -1], mean_where(found, there)], 1)

        return ask(self.network, question, *self._seen(shown))

    def blocks(self) -> Sequence[nn.Module]:
        """Patches, layers, quantiles."""
        network = self._network
        encoder = network.encoder
        return [network.in_proj, *encoder.layers, encoder.norm, network.out_proj]

    def _seen(self, shown: Shown) -> tuple[Tensor, Tensor]:
        return in_patches(shown, self._network.sizes.patch)

    @property
    def _network(self) -> Any:
        return self.network


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
