"""TinyTimeMixer r2 in plain torch: the released weights' own computation, and nothing else.

Ekambaram et al. 2024, Tiny Time Mixers, arXiv:2401.03955; the reference is IBM's granite-tsfm,
with which a test compares every number. It needs no other package, and mixes patches by a batched
product from the left, not by transposing twice, which nearly doubles its speed on a processor.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

CONTEXT = 512
"""Steps of past."""
HORIZON = 96
"""Steps ahead."""
PATCHES = 8
"""Pieces of past of 64 steps each."""
WIDTH = 192
"""Channels of a patch in the encoder."""
STATE = 128
"""Channels of a patch in the decoder."""
SPLITS = (4, 2, 1)
"""Into how many finer patches each level of the encoder splits a patch."""
LEAST_VARIANCE = 1e-5
"""Added to a window's variance before it is divided by."""


class FeatureMixer(nn.Module):
    """Mix the channels within each patch: normalise, two layers, a gate, and add."""

    def __init__(self, width: int, mixed: int | None = None) -> None:
        super().__init__()
        mixed = mixed or width
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(mixed, 2 * mixed)
        self.fc2 = nn.Linear(2 * mixed, mixed)
        self.gate = nn.Linear(mixed, mixed)

    def forward(self, seen: Tensor) -> Tensor:
        """(example, patch, channel) to the same."""
        mixed = self.fc2(gelu(self.fc1(self.norm(seen))))
        return torch.addcmul(seen, mixed, self.gate(mixed).softmax(-1))


class PatchMixer(FeatureMixer):
    """Mix the patches within each channel, in the same way."""

    def __init__(self, width: int, patches: int) -> None:
        super().__init__(width, patches)

    def forward(self, seen: Tensor) -> Tensor:
        """(example, patch, channel) to the same."""
        mixed = _across(self.fc2, gelu(_across(self.fc1, self.norm(seen))))
        return torch.addcmul(seen, mixed, _across(self.gate, mixed).softmax(1))


def _across(layer: nn.Linear, seen: Tensor) -> Tensor:
    """A linear layer along the middle axis of (example, patch, channel).

    One that was put in the place of a plain layer, a low-rank update say, is called as it is.
    """
    if type(layer) is not nn.Linear:
        found: Tensor = layer(seen.transpose(1, 2)).transpose(1, 2)
        return found
    weight = layer.weight.expand(len(seen), -1, -1)
    return torch.baddbmm(layer.bias[:, None], weight, seen)


class Mixer(nn.Sequential):
    """One layer: patches, then channels."""

    def __init__(self, patches: int, width: int) -> None:
        super().__init__(PatchMixer(width, patches), FeatureMixer(width))


class Level(nn.Module):
    """Two layers of the encoder on patches split finer."""

    def __init__(self, split: int) -> None:
        super().__init__()
        self.split = split
        self.layers = nn.Sequential(*(Mixer(PATCHES * split, WIDTH // split) for _ in range(2)))

    def forward(self, seen: Tensor) -> Tensor:
        """(example, patch, channel) to the same."""
        finer = seen.reshape(len(seen), PATCHES * self.split, WIDTH // self.split)
        return self.layers(finer).reshape(seen.shape)


class TinyTimeMixer(nn.Module):
    """Patches of the past, an encoder of three levels, a decoder, and one last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.patcher = nn.Linear(CONTEXT // PATCHES, WIDTH)
        self.levels = nn.Sequential(*(Level(split) for split in SPLITS))
        self.adapter = nn.Linear(WIDTH, STATE)
        self.decoder = nn.Sequential(*(Mixer(PATCHES, STATE) for _ in range(2)))
        self.head = nn.Linear(PATCHES * STATE, HORIZON)

    def state(self, past: Tensor) -> Tensor:
        """What the last layer reads (example, 1024), from a past (example, 512) of any scale."""
        level, spread = level_and_spread(past)
        patches = ((past - level) / spread).unflatten(1, (PATCHES, CONTEXT // PATCHES))
        return self.decoder(self.adapter(self.levels(self.patcher(patches)))).flatten(1)

    def forward(self, past: Tensor) -> Tensor:
        """Forecast (example, 96) in the scale of `past` (example, 512)."""
        level, spread = level_and_spread(past)
        return self.head(self.state(past)) * spread + level


def level_and_spread(past: Tensor) -> tuple[Tensor, Tensor]:
    """What the network takes off every window, and divides it by, both (example, 1)."""
    level = past.mean(1, keepdim=True)
    variance = (past - level).square().mean(1, keepdim=True)
    return level, (variance + LEAST_VARIANCE).sqrt()


_NAMES = {
    "backbone.encoder.": "",
    "mlp_mixer_encoder.mixers.": "levels.",
    "mixer_layers.": "layers.",
    "decoder.decoder_block.mixers.": "decoder.",
    "decoder.adapter.": "adapter.",
    "head.base_forecast_block.": "head.",
    "patch_mixer.": "0.",
    "feature_mixer.": "1.",
    "norm.norm.": "norm.",
    "mlp.": "",
    "gating_block.attn_layer.": "gate.",
}
"""Parts of the names of the released weights, and what they are called here."""


def read_weights(released: Mapping[str, Tensor]) -> TinyTimeMixer:
    """The network with the weights of IBM's release, every one of them used."""
    network = TinyTimeMixer()
    network.load_state_dict({_renamed(name): weight for name, weight in released.items()})
    return network


def _renamed(name: str) -> str:
    for theirs, ours in _NAMES.items():
        name = name.replace(theirs, ours)
    return name
