"""Moirai-2 in plain torch: the released weights' own computation, for a series by itself.

Liu et al. 2025, Moirai 2.0, arXiv:2511.11698; the reference is Salesforce's uni2ts 2.0, whose
answers a test keeps. A causal transformer over patches of the past: what it holds at the last one
is turned into quantiles of the steps ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu

from citytune.backbones.guests._patches import allowed_among, turn

HEAD = 64
"""Channels of one head of attention."""
LEAST_SQUARE = 1e-5
"""Added to the mean square of channels before its root is divided by."""
LEAST_VARIANCE = 1e-5
"""Added to a window's variance before it is divided by."""


@dataclass(frozen=True)
class Sizes:
    """What a config.json says of a network."""

    width: int
    inner: int
    """Channels within a layer's feed-forward part."""
    layers: int
    patch: int
    """Steps of past read at once, and of a patch ahead."""
    ahead: int
    """Patches ahead that are answered at once."""
    levels: int

    @classmethod
    def of(cls, config: dict[str, Any]) -> Sizes:
        """Those of a config.json."""
        return cls(
            width=int(config["d_model"]),
            inner=int(config["d_ff"]),
            layers=int(config["num_layers"]),
            patch=int(config["patch_size"]),
            ahead=int(config["num_predict_token"]),
            levels=len(config["quantile_levels"]),
        )


class Residual(nn.Module):
    """Two layers, and one around them."""

    def __init__(self, width: int, inner: int, out: int) -> None:
        super().__init__()
        self.hidden_layer = nn.Linear(width, inner)
        self.output_layer = nn.Linear(inner, out)
        self.residual_layer = nn.Linear(width, out)

    def forward(self, seen: Tensor) -> Tensor:
        """(…, width) to (…, out)."""
        inner = silu(self.hidden_layer(seen))
        found: Tensor = self.output_layer(inner) + self.residual_layer(seen)
        return found


class Attention(nn.Module):
    """Every patch looks at those before it; the first half of each head is turned by its place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width, bias=False)
        self.out_proj = nn.Linear(width, width, bias=False)
        self.q_norm, self.k_norm = (
            nn.RMSNorm(HEAD, eps=LEAST_SQUARE),
            nn.RMSNorm(HEAD, eps=LEAST_SQUARE),
        )
        self.var_attn_bias = nn.ModuleDict({"emb": nn.Embedding(2, width // HEAD)})

    def forward(self, seen: Tensor, allowed: Tensor) -> Tensor:
        """(example, patch, channel) to the same; `allowed` (example, 1, patch, patch)."""
        query, key, value = (
            layer(seen).unflatten(-1, (-1, HEAD)).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        # `var_attn_bias` tells series that are read together apart: for one by itself it adds the
        # same to every patch, which changes nothing.
        found = scaled_dot_product_attention(
            turned(self.q_norm(query)), turned(self.k_norm(key)), value, attn_mask=allowed
        )
        answer: Tensor = self.out_proj(found.transpose(1, 2).flatten(-2))
        return answer


def turned(heads: Tensor) -> Tensor:
    """(example, head, patch, channel), pairs of the first half of channels turned by the place."""
    moved, kept = heads.chunk(2, -1)
    width = moved.shape[-1]
    rate = 10_000.0 ** (-torch.arange(0, width, 2, device=heads.device) / width)
    angle = torch.arange(moved.shape[-2], device=heads.device)[:, None] * rate
    return torch.cat([turn(moved, angle), kept], -1)


class Feed(nn.Module):
    """A gated layer."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, inner, bias=False)
        self.fc2 = nn.Linear(inner, width, bias=False)
        self.fc_gate = nn.Linear(width, inner, bias=False)

    def forward(self, seen: Tensor) -> Tensor:
        """(…, channel) to the same."""
        found: Tensor = self.fc2(silu(self.fc_gate(seen)) * self.fc1(seen))
        return found


class Layer(nn.Module):
    """Attention, then the gated layer."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.self_attn = Attention(sizes.width)
        self.ffn = Feed(sizes.width, sizes.inner)
        self.norm1 = nn.RMSNorm(sizes.width, eps=LEAST_SQUARE)
        self.norm2 = nn.RMSNorm(sizes.width, eps=LEAST_SQUARE)

    def forward(self, seen: Tensor, allowed: Tensor) -> Tensor:
        """(example, patch, channel) to the same."""
        seen = seen + self.self_attn(self.norm1(seen), allowed)
        return seen + self.ffn(self.norm2(seen))


class Encoder(nn.Module):
    """The layers."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.layers))
        self.norm = nn.RMSNorm(sizes.width, eps=LEAST_SQUARE)

    def forward(self, seen: Tensor, there: Tensor) -> Tensor:
        """(example, patch, channel) to the same; `there` (example, patch): which ones were seen."""
        allowed = allowed_among(there)
        for layer in self.layers:
            seen = layer(seen, allowed)
        found: Tensor = self.norm(seen)
        return found


class Moirai2(nn.Module):
    """The network; its weights have the names they were released under."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.in_proj = Residual(2 * sizes.patch, sizes.width, sizes.width)
        self.encoder = Encoder(sizes)
        self.out_proj = Residual(sizes.width, sizes.width, sizes.ahead * sizes.levels * sizes.patch)

    def states(self, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What it holds of each patch.

        Args:
            values: Windows (example, time), a whole number of patches; gaps are filled.
            known: False where a value was not measured, or there is none, as `values`.

        Returns:
            (example, patch, channel), which patches hold more than what lies before the first
            reading (example, patch), and level and spread (example, 1) of what was measured.
        """
        level, spread = _unit(values, known)
        scaled = (values - level) / spread
        pieces = [part.unflatten(1, (-1, self.sizes.patch)) for part in (scaled, known.float())]
        there = known.cumsum(1).unflatten(1, (-1, self.sizes.patch))[..., -1] > 0
        return self.encoder(self.in_proj(torch.cat(pieces, -1)), there), there, level, spread

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        """Quantiles (example, step ahead, level) of windows (example, time); see `states`."""
        states, _, level, spread = self.states(values, known)
        found = self.out_proj(states[:, -1])
        found = found.unflatten(-1, (self.sizes.ahead, self.sizes.levels, self.sizes.patch))
        ahead: Tensor = found.transpose(2, 3).flatten(1, 2)
        return ahead * spread[..., None] + level[..., None]


def _unit(values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    count = known.sum(1, keepdim=True)
    level = (values * known).sum(1, keepdim=True) / count.clamp_min(1)
    errors = ((values - level) * known).square().sum(1, keepdim=True)
    return level, (errors / (count - 1).clamp_min(1) + LEAST_VARIANCE).sqrt()
