"""MOMENT: patches of the past to features by a T5 encoder; it does not forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from citytune._errors import MissingWeights
from citytune.backbones._guest import Guest, Shown, in_patches, last_and_mean
from citytune.backbones._network import ask, silence
from citytune.backbones._protocol import Backbone, Card, Past
from citytune.backbones.guests._kind import (
    Config,
    Kind,
    add_kind,
    load_plain,
    read_config,
    released,
)

SIZES = {
    "small": (512, 18_887_360, 800),
    "base": (768, 84_960_384, 300),
    "large": (1024, 308_340_224, 100),
}
"""Size → width, weights, and windows worth passing through it on a laptop."""
PLACES = 5000
"""Patches whose place a released file tells."""
UNREAD = ("mask_embedding", "embed_tokens.weight", "head.linear.")
"""What a released file also holds: what stands for hidden patches and words, and its own head."""
COMMON: dict[str, Any] = {
    "licence": "MIT",
    "title": "MOMENT, an encoder pretrained on many kinds of series, for a head of your own",
    "trained_on": "the Time Series Pile: open sets of many fields, among them Monash's and UCR's",
    "source": "Goswami et al. 2024, MOMENT, arXiv:2402.03885; https://huggingface.co/AutonLab",
    "packages": ("transformers",),
    "context": 512,
    "horizon": None,
    "get": "run `pip install 'citytune[hf]'`",
}


class Places(nn.Module):
    """Where a patch stands; the file tells, and it is no weight."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("pe", torch.zeros(1, PLACES, width))


class Network(nn.Module):
    """The part of MOMENT that reads; its weights have the names they were released under."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        with silence():
            from transformers import T5Config, T5EncoderModel

            t5 = T5Config.from_dict(config["t5_config"])
            self.encoder = T5EncoderModel(t5).get_encoder()
        self.encoder.embed_tokens = None  # of words, which it reads none of
        width, self.patch = t5.d_model, int(config["patch_len"])
        self.patch_embedding = nn.ModuleDict(
            {
                "value_embedding": nn.Linear(self.patch, width, bias=False),
                "position_embedding": Places(width),
            }
        )
        self.places = int(config["seq_len"]) // self.patch

    def forward(self, values: Tensor, there: Tensor) -> Tensor:
        """What it makes of the patches.

        Args:
            values: Windows (example, time), in units of their spread around their mean.
            there: (example, patch), False where none of a patch was measured.
        """
        pieces = values.unflatten(1, (-1, self.patch)) * there[..., None]
        seen = self.patch_embedding["value_embedding"](pieces)
        places: Any = self.patch_embedding["position_embedding"].pe
        seen = seen + places[:, self.places - pieces.shape[1] : self.places]
        found: Tensor = self.encoder(
            inputs_embeds=seen, attention_mask=there.to(seen.dtype)
        ).last_hidden_state
        return found


class Moment(Guest):
    """MOMENT as a backbone: features for a head, no forecast.

    Its last 512 steps are read, gaps filled; patches before the first reading are masked. Features
    are what it makes of the last patch, and the mean over the patches.
    """

    chunk = 16

    def forecast(self, past: Past, horizon: int) -> None:  # type: ignore[override]
        """It forecasts nothing."""

    def ahead(self, shown: Shown, horizon: int) -> Tensor:
        """Never asked."""
        raise NotImplementedError

    def state(self, shown: Shown) -> Tensor:
        """What it makes of the past (example, 2 · width): the last patch, and the mean of all."""

        def question(values: Tensor, known: Tensor) -> Tensor:
            there = known.cumsum(1).unflatten(1, (-1, self._network.patch))[..., -1] > 0
            found = self._network(values, there)
            return last_and_mean(found, there)

        return ask(self.network, question, *in_patches(shown, self._network.patch))

    def blocks(self) -> Sequence[nn.Module]:
        """Patches, layers."""
        network = self._network
        return [
            network.patch_embedding,
            *network.encoder.block,
            network.encoder.final_layer_norm,
        ]

    @property
    def _network(self) -> Any:
        return self.network


def facts(config: Config) -> dict[str, Any]:
    """What a config says of the card of a MOMENT."""
    if config.get("patch_stride_len", config["patch_len"]) != config["patch_len"]:
        raise MissingWeights("a MOMENT with patches that overlap is none that is known here")
    return {"context": config["seq_len"], "features": 2 * config["t5_config"]["d_model"]}


def read(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those of a released file's weights that are read."""
    return {
        name: weight for name, weight in weights.items() if not any(part in name for part in UNREAD)
    }


def _make(card: Card, folder: Path) -> Backbone:
    network = load_plain(Network(read_config(folder)), folder, read)
    weights = sum(weight.numel() for weight in network.parameters())
    return Moment(replace(card, parameters=weights), network)


def _card(size: str) -> Card:
    width, parameters, windows = SIZES[size]
    return released(
        COMMON,
        name=f"moment-{size}",
        parameters=parameters,
        features=2 * width,
        hub=f"AutonLab/MOMENT-1-{size}",
        max_examples=windows,
    )


KIND = Kind("moment", lambda config: config.get("model_name") == "MOMENT", facts, _make, COMMON)
add_kind(KIND, [_card(size) for size in SIZES])
