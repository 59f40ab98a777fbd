"""Chronos-Bolt: patches of the past to nine quantiles of the next 64 steps, by a T5 network."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from citytune.backbones._guest import Shown, SureGuest, last_and_mean
from citytune.backbones._network import ask, silence
from citytune.backbones._protocol import Backbone, Card
from citytune.backbones.guests._kind import Config, Kind, add_kind, refuse_incomplete, released

INSTALL = "run `pip install 'citytune[chronos]'`"
TIED = (r"(encoder|decoder)\.embed_tokens\.weight$", r"^lm_head\.weight$")
"""Names under which T5 knows one matrix again."""
SIZES = {
    "tiny": (256, 8_652_672, 1000),
    "mini": (384, 21_236_096, 800),
    "small": (512, 47_718_016, 600),
    "base": (768, 205_292_928, 200),
}
"""Size → width, weights, and windows worth passing through it on a laptop."""

COMMON: dict[str, Any] = {
    "title": "Chronos-Bolt, a forecaster pretrained on many kinds of series",
    "licence": "Apache-2.0",
    "trained_on": "the open sets of the Chronos paper, among them electricity, traffic, taxis, "
    "weather, and synthetic series",
    "source": "Ansari et al. 2024, Chronos, arXiv:2403.07815; https://huggingface.co/amazon",
    "packages": ("chronos",),
    "max_examples": 600,
    "get": INSTALL,
}


class Bolt(SureGuest):
    """Chronos-Bolt as a backbone.

    It reads the longest past it was trained for, NaN where nothing was measured. Features are what
    its encoder makes of the whole past, and the mean over its patches.
    """

    chunk, gaps, patch = 32, True, 16

    def ahead(self, shown: Shown, horizon: int) -> Tensor:
        """Its quantiles (example, horizon, level)."""

        def question(values: Tensor) -> Tensor:
            found: Tensor = self.network(context=values).quantile_preds
            return found[..., :horizon].transpose(1, 2)

        return ask(self.network, question, shown.values)

    def state(self, shown: Shown) -> Tensor:
        """What the encoder gives (example, 2 · width): at its end, and the mean of the patches."""

        def question(values: Tensor) -> Tensor:
            found, _, _, there = self.network.encode(context=values)  # type: ignore[operator]
            return last_and_mean(found, there)

        return ask(self.network, question, shown.values)

    def blocks(self) -> Sequence[nn.Module]:
        """Patches, encoder, decoder, quantiles."""
        network: Any = self.network
        return [
            network.shared,
            network.input_patch_embedding,
            *network.encoder.block,
            network.encoder.final_layer_norm,
            *network.decoder.block,
            network.decoder.final_layer_norm,
            network.output_patch_embedding,
        ]


def is_chronos(pipeline: str, config: Config) -> bool:
    """Whether a config is of one of the kinds of the package chronos."""
    found = config.get("chronos_pipeline_class", "ChronosPipeline")
    return isinstance(config.get("chronos_config"), dict) and found == pipeline


def facts(config: Config) -> dict[str, Any]:
    """What a config says of the card of a Chronos-Bolt."""
    own = config["chronos_config"]
    return {
        "context": own["context_length"],
        "horizon": own["prediction_length"],
        "levels": tuple(own["quantiles"]),
        "features": 2 * config["d_model"],
    }


def _make(card: Card, folder: Path) -> Backbone:
    with silence():
        from chronos.chronos_bolt import ChronosBoltModelForForecasting as Network
    return Bolt(card, load(Network, folder))


def load(kind: Any, folder: Path) -> nn.Module:
    """A network of transformers from its folder, every weight of it from the file."""
    with silence():
        config = kind.config_class.from_pretrained(folder, local_files_only=True)
        with torch.device("meta"):
            names = list(kind(config).state_dict())
        refuse_incomplete(folder, names, TIED)
        network: nn.Module = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    return network


def _card(size: str) -> Card:
    width, parameters, windows = SIZES[size]
    return released(
        COMMON,
        name=f"chronos-bolt-{size}",
        parameters=parameters,
        context=2048,
        horizon=64,
        features=2 * width,
        levels=tuple(n / 10 for n in range(1, 10)),
        hub=f"amazon/chronos-bolt-{size}",
        max_examples=windows,
    )


KIND = Kind(
    "chronos-bolt", functools.partial(is_chronos, "ChronosBoltPipeline"), facts, _make, COMMON
)
add_kind(KIND, [_card(size) for size in SIZES])
