"""TinyTimeMixer in plain torch: the released weights' own computation, and nothing else.

Ekambaram et al. 2024, Tiny Time Mixers, arXiv:2401.03955; the reference is IBM's granite-tsfm,
with which a test compares every number. It needs no other package, and mixes patches by a batched
product from the left, not by transposing twice, which nearly doubles its speed on a processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

LEAST_VARIANCE = 1e-5
"""Added to a window's variance before it is divided by."""
NARROWEST = 4
"""A level whose finer patches would have no more channels than this does not split."""


@dataclass(frozen=True)
class Sizes:
    """What a config.json says of a network; by default those of the release 512 → 96."""

    context: int = 512
    """Steps of past."""
    horizon: int = 96
    """Steps ahead."""
    patch: int = 64
    """Steps of past read at once."""
    stride: int = 64
    """Steps from one patch to the next."""
    width: int = 192
    """Channels of a patch in the encoder."""
    layers: int = 2
    """Layers of the encoder, or of each of its levels."""
    levels: int = 3
    """Levels of the encoder, the first on the finest patches; 0 if it has plain layers."""
    state: int = 128
    """Channels of a patch in the decoder."""
    decoder_layers: int = 2
    expansion: int = 2
    """Times as many channels within a mixer."""
    epsilon: float = 1e-5
    """Of its normalisations."""
    clocks: int = 0
    """How many clocks it can be told, as one more patch; 0 if it is told none."""
    raw: bool = False
    """Whether the decoder sees the past itself, too."""

    @property
    def pieces(self) -> int:
        """Patches of the past."""
        return (self.context - self.patch) // self.stride + 1

    @property
    def patches(self) -> int:
        """Patches that are mixed: those of the past, and the clock."""
        return self.pieces + bool(self.clocks)


USUAL = Sizes()
CONTEXT, HORIZON = USUAL.context, USUAL.horizon
PATCHES, STATE = USUAL.patches, USUAL.state


class FeatureMixer(nn.Module):
    """Mix the channels within each patch: normalise, two layers, a gate, and add."""

    def __init__(self, sizes: Sizes, width: int, mixed: int | None = None) -> None:
        super().__init__()
        mixed = mixed or width
        self.norm = nn.LayerNorm(width, eps=sizes.epsilon)
        self.fc1 = nn.Linear(mixed, sizes.expansion * mixed)
        self.fc2 = nn.Linear(sizes.expansion * mixed, mixed)
        self.gate = nn.Linear(mixed, mixed)

    def forward(self, seen: Tensor) -> Tensor:
        """(example, patch, channel) to the same."""
        mixed = self.fc2(gelu(self.fc1(self.norm(seen))))
        return torch.addcmul(seen, mixed, self.gate(mixed).softmax(-1))


class PatchMixer(FeatureMixer):
    """Mix the patches within each channel, in the same way."""

    def __init__(self, sizes: Sizes, width: int, patches: int) -> None:
        super().__init__(sizes, width, patches)

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

    def __init__(self, sizes: Sizes, patches: int, width: int) -> None:
        super().__init__(PatchMixer(sizes, width, patches), FeatureMixer(sizes, width))


class Level(nn.Module):
    """Layers of the encoder on patches split finer."""

    def __init__(self, sizes: Sizes, split: int) -> None:
        super().__init__()
        split = split if sizes.width // split > NARROWEST else 1
        self.finer = sizes.patches * split, sizes.width // split
        self.layers = nn.Sequential(*(Mixer(sizes, *self.finer) for _ in range(sizes.layers)))

    def forward(self, seen: Tensor) -> Tensor:
        """(example, patch, channel) to the same."""
        found: Tensor = self.layers(seen.reshape(len(seen), *self.finer))
        return found.reshape(seen.shape)


class Clock(nn.Sequential):
    """What a network that is told the clock makes of its number: one more patch, at the front."""

    def __init__(self, sizes: Sizes) -> None:
        middle = (sizes.patch + sizes.width) // 2
        super().__init__(
            nn.Embedding(sizes.clocks, sizes.patch),
            nn.Linear(sizes.patch, middle),
            nn.GELU(),
            nn.Linear(middle, sizes.width),
        )


class TinyTimeMixer(nn.Module):
    """Patches of the past, an encoder on several levels, a decoder, and one last layer."""

    def __init__(self, sizes: Sizes = USUAL) -> None:
        super().__init__()
        self.sizes = sizes
        self.patcher = nn.Linear(sizes.patch, sizes.width)
        self.clock = Clock(sizes) if sizes.clocks else None
        self.levels = nn.Sequential(*_encoder(sizes))
        same = sizes.width == sizes.state
        self.adapter = nn.Identity() if same else nn.Linear(sizes.width, sizes.state)
        self.raw = nn.Linear(sizes.patch, sizes.state) if sizes.raw else None
        layers = (Mixer(sizes, sizes.patches, sizes.state) for _ in range(sizes.decoder_layers))
        self.decoder = nn.Sequential(*layers)
        self.head = nn.Linear(sizes.patches * sizes.state, sizes.horizon)

    def state(self, past: Tensor, clock: int = 0) -> Tensor:
        """What the last layer reads (example, patch · state), from a past (example, context).

        Args:
            past: Of any scale.
            clock: Number of the clock, for a network that is told it.
        """
        level, spread = level_and_spread(past)
        sizes = self.sizes
        used = sizes.patch + sizes.stride * (sizes.pieces - 1)
        pieces = ((past - level) / spread)[:, -used:].unfold(1, sizes.patch, sizes.stride)
        seen = self.patcher(pieces)
        if self.clock is not None:
            told = self.clock(torch.full((len(past), 1), clock, device=past.device))
            seen = torch.cat([told, seen], 1)
        seen = self.adapter(self.levels(seen))
        if self.raw is not None:
            before = sizes.patches - sizes.pieces
            seen = seen + self.raw(nn.functional.pad(pieces, (0, 0, before, 0)))
        return self.decoder(seen).flatten(1)

    def forward(self, past: Tensor, clock: int = 0) -> Tensor:
        """Forecast (example, horizon) in the scale of `past` (example, context)."""
        level, spread = level_and_spread(past)
        return self.head(self.state(past, clock)) * spread + level


def _encoder(sizes: Sizes) -> list[nn.Module]:
    if sizes.levels:
        return [Level(sizes, 2**level) for level in reversed(range(sizes.levels))]
    return [Mixer(sizes, sizes.patches, sizes.width) for _ in range(sizes.layers)]


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
    "decoder.decoder_raw_embedding.": "raw.",
    "freq_mod.": "clock.",
    "head.base_forecast_block.": "head.",
    "patch_mixer.": "0.",
    "feature_mixer.": "1.",
    "norm.norm.": "norm.",
    "mlp.": "",
    "gating_block.attn_layer.": "gate.",
}
"""Parts of the names of the released weights, and what they are called here."""


def read_weights(released: Mapping[str, Tensor], sizes: Sizes = USUAL) -> TinyTimeMixer:
    """The network with the weights of IBM's release, every one of them used.

    Raises:
        ValueError: they are of a network of other sizes.
    """
    network = TinyTimeMixer(sizes)
    try:
        network.load_state_dict({_renamed(name): weight for name, weight in released.items()})
    except RuntimeError as error:
        raise ValueError(str(error).splitlines()[1].strip()) from error
    return network


def _renamed(name: str) -> str:
    for theirs, ours in _NAMES.items():
        name = name.replace(theirs, ours)
    return name


_FIXED = {
    "mode": "common_channel",
    "decoder_mode": "common_channel",
    "scaling": "std",
    "norm_mlp": "LayerNorm",
    "gated_attn": True,
    "use_decoder": True,
    "self_attn": False,
    "use_positional_encoding": False,
    "enable_forecast_channel_mixing": False,
    "decoder_adaptive_patching_levels": 0,
    "exogenous_channel_indices": None,
    "prediction_channel_indices": None,
    "categorical_vocab_size_list": None,
}
"""What a config must say, where it says anything: all releases do."""


def unlike(config: Mapping[str, Any]) -> str:
    """What of a config.json is not computed here, such as "self_attn=True"; empty if all is."""
    other = (name for name, value in _FIXED.items() if config.get(name, value) != value)
    found = [f"{name}={config[name]!r}" for name in other]
    if config.get("loss") == "nll":
        found.append("loss='nll'")
    return ", ".join(found)


def sizes_of(config: Mapping[str, Any]) -> Sizes:
    """What IBM's config.json says of the sizes of its network; KeyError where it lacks one."""
    return Sizes(
        context=config["context_length"],
        horizon=config["prediction_length"],
        patch=config["patch_length"],
        stride=config["patch_stride"],
        width=config["d_model"],
        layers=config["num_layers"],
        levels=max(0, config["adaptive_patching_levels"]),
        state=config["decoder_d_model"],
        decoder_layers=config["decoder_num_layers"],
        expansion=config["expansion_factor"],
        epsilon=config.get("norm_eps", USUAL.epsilon),
        clocks=config["frequency_token_vocab_size"] if config["resolution_prefix_tuning"] else 0,
        raw=config.get("decoder_raw_residual", False),
    )
