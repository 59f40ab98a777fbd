"""Toto: patches of the past to mixtures of Student's t of the next 64 steps, by Datadog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from citytune._errors import MissingWeights
from citytune.backbones._guest import Shown, SureGuest, in_patches
from citytune.backbones._network import ask
from citytune.backbones._protocol import LEVELS, Backbone, Card
from citytune.backbones.guests._chronos import mean_where
from citytune.backbones.guests._kind import (
    Config,
    Kind,
    add_kind,
    load_plain,
    read_config,
    released,
)
from citytune.backbones.guests._toto_network import Sizes, Toto

LONGEST = 4096
"""Steps of past that it was trained on."""
SIZE = 100.0
"""In what unit it is shown windows: it adds a fixed variance of 0.1, small against readings."""
ONLY = {
    "scaler_cls": "<class 'model.scaler.CausalPatchStdMeanScaler'>",
    "output_distribution_classes": ["<class 'model.distribution.MixtureOfStudentTsOutput'>"],
}
"""What a config must say: other scalers and distributions are not known here."""
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


class TotoGuest(SureGuest):
    """Toto as a backbone, of each series by itself.

    It is shown filled gaps, of which its scale is not made. Quantiles are computed from the
    distribution it gives each step, not drawn. Features are what it holds of the last patch, and
    the mean over the patches.
    """

    chunk = 16

    def ahead(self, shown: Shown, horizon: int) -> Tensor:
        """Its quantiles (example, horizon, level)."""

        def question(values: Tensor, known: Tensor) -> Tensor:
            levels = torch.tensor(LEVELS, device=values.device)
            found: Tensor = self.network(values, known > 0.5, levels)
            return found[:, :horizon] / SIZE

        return ask(self.network, question, *self._seen(shown))

    def state(self, shown: Shown) -> Tensor:
        """What it holds (example, 2 · width): of the last patch, and the mean of the patches."""

        def question(values: Tensor, known: Tensor) -> Tensor:
            found, there, *_ = self._network.states(values, known > 0.5)
            return torch.cat([found[:, -1], mean_where(found, there)], 1)

        return ask(self.network, question, *self._seen(shown))

    def blocks(self) -> Sequence[nn.Module]:
        """Patches, layers, and what answers."""
        network = self._network
        answers = nn.ModuleList([network.unembed, network.output_distribution])
        return [network.patch_embed, *network.transformer["layers"], answers]

    def _seen(self, shown: Shown) -> tuple[Tensor, Tensor]:
        values, known = in_patches(shown, self._network.sizes.patch)
        return SIZE * values, known

    @property
    def _network(self) -> Any:
        return self.network


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
    for theirs, ours in ((".mlp.0.w12.", ".mlp.0."), (".mlp.0.w3.", ".mlp.2.")):
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
