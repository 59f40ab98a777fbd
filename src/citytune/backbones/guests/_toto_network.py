"""Toto in plain torch: the released weights' own computation, for a series by itself.

Cohen et al. 2025, Toto, arXiv:2505.14766; the reference is Datadog's toto-ts 0.2, whose answers
a test keeps. A causal transformer over patches of 64 steps; each step of the next patch is a
mixture of Student's t, of which quantiles are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu, softplus

from citytune.backbones.guests._patches import allowed_among, turn

LEAST_VARIANCE = 0.1
"""Added to a variance of the past before it is divided by, in the unit of what is shown."""
LEAST_SQUARE = 1e-8
"""Added to the mean square of channels before its root is divided by."""
TURNS = 512
"""Patches over which what is remembered fades."""
HALVINGS = 40
"""Of the range in which a quantile is looked for."""


@dataclass(frozen=True)
class Sizes:
    """What a config.json says of a network."""

    width: int
    inner: int
    """Channels within a layer's feed-forward part."""
    layers: int
    heads: int
    patch: int
    every: int
    """One in so many layers looks across series; none does if it is -1."""
    first: bool
    """Whether that one is the first, or the last of them."""
    parts: int
    """Distributions that are mixed."""

    @classmethod
    def of(cls, config: dict[str, Any]) -> Sizes:
        """Those of a config.json."""
        return cls(
            width=int(config["embed_dim"]),
            inner=int(config["mlp_hidden_dim"]),
            layers=int(config["num_layers"]),
            heads=int(config["num_heads"]),
            patch=int(config["patch_size"]),
            every=int(config["spacewise_every_n_layers"]),
            first=bool(config.get("spacewise_first", True)),
            parts=int(config["output_distribution_kwargs"]["k_components"]),
        )

    def across(self, layer: int) -> bool:
        """Whether a layer looks across series, not back in time."""
        place = 0 if self.first else self.every - 1
        return self.every > 0 and layer % self.every == place


class Attention(nn.Module):
    """Every patch looks at those before it; or, across series, one by itself at itself."""

    def __init__(self, sizes: Sizes, across: bool) -> None:
        super().__init__()
        self.wQKV = nn.Linear(sizes.width, 3 * sizes.width)
        self.wO = nn.Linear(sizes.width, sizes.width)
        self.heads, self.across = sizes.heads, across

    def forward(self, seen: Tensor, allowed: Tensor) -> Tensor:
        """(example, patch, channel) to the same; `allowed` (example, 1, patch, patch)."""
        whole = self.wQKV(seen).unflatten(-1, (3, -1, self.heads))  # each channel of all heads
        query, key, value = whole.permute(2, 0, 4, 1, 3)
        if not self.across:
            query, key = turned(query, key)
            value = scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        found: Tensor = self.wO(value.transpose(1, 2).flatten(-2))
        return found


def turned(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Both (example, head, patch, channel), pairs of channels turned by their place, and fading.

    Sun et al. 2022, A length-extrapolatable transformer, arXiv:2212.10554; how fast a channel fades
    goes by the order of the channels, not of the pairs, as the weights were trained.
    """
    count, width = query.shape[-2:]
    places = torch.arange(count, device=query.device, dtype=torch.float32)
    even = torch.arange(0, width, 2, device=query.device)
    angle = places[:, None] * 10_000.0 ** (-even / width)
    base = (even + 0.4 * width) / (1.4 * width)
    scale = (base ** ((places - (count - 1) // 2) / TURNS)[:, None]).repeat(1, 2)
    return turn(query, angle) * scale, turn(key, angle) / scale


class Gate(nn.Module):
    """The first half of the channels gates the second."""

    def forward(self, seen: Tensor) -> Tensor:
        """(…, 2 · channel) to (…, channel)."""
        gate, kept = seen.chunk(2, -1)
        return silu(gate) * kept


class Layer(nn.Module):
    """Attention, then the gated layer."""

    def __init__(self, sizes: Sizes, across: bool) -> None:
        super().__init__()
        self.norm1 = nn.RMSNorm(sizes.width, eps=LEAST_SQUARE)
        self.norm2 = nn.RMSNorm(sizes.width, eps=LEAST_SQUARE)
        self.attention = Attention(sizes, across)
        self.mlp = nn.Sequential(
            nn.Linear(sizes.width, 2 * sizes.inner), Gate(), nn.Linear(sizes.inner, sizes.width)
        )

    def forward(self, seen: Tensor, allowed: Tensor) -> Tensor:
        """(example, patch, channel) to the same."""
        seen = seen + self.attention(self.norm1(seen), allowed)
        found: Tensor = seen + self.mlp(self.norm2(seen))
        return found


class Parts(nn.Module):
    """What is mixed at each step: degrees of freedom, place, size and share."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        for name in ("df", "loc_proj", "scale_proj", "mixture_weights"):
            setattr(self, name, nn.Linear(sizes.width, sizes.parts))

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(…, channel) to four of (…, part)."""
        least = torch.finfo(seen.dtype).eps
        free, place, size, share = (layer(seen) for layer in self.children())
        return (
            2 + softplus(free).clamp_min(least),
            place,
            softplus(size).clamp_min(least),
            share.softmax(-1),
        )


class Toto(nn.Module):
    """The network; its weights have the names they were released under, without `model.`."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.patch_embed = nn.ModuleDict({"projection": nn.Linear(sizes.patch, sizes.width)})
        layers = [Layer(sizes, sizes.across(number)) for number in range(sizes.layers)]
        self.transformer = nn.ModuleDict({"layers": nn.ModuleList(layers)})
        self.unembed = nn.Linear(sizes.width, sizes.patch * sizes.width)
        self.output_distribution = Parts(sizes)

    def states(self, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What it holds of each patch.

        Args:
            values: Windows (example, time), a whole number of patches; gaps are filled.
            known: False where a value was not measured, or there is none, as `values`.

        Returns:
            (example, patch, channel), which patches hold more than what lies before the first
            reading (example, patch), and level and spread (example, patch, 1) of what was measured
            up to the end of each.
        """
        pieces = values.unflatten(1, (-1, self.sizes.patch))
        level, spread = (
            part.unflatten(1, (-1, self.sizes.patch))[..., -1:] for part in so_far(values, known)
        )
        seen = self.patch_embed["projection"]((pieces - level) / spread)
        there = known.cumsum(1).unflatten(1, (-1, self.sizes.patch))[..., -1] > 0
        allowed = allowed_among(there)
        layers: Any = self.transformer["layers"]
        for layer in layers:
            seen = layer(seen, allowed)
        return seen, there, level, spread

    def mixed(self, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What is mixed at each step of the next patch, four of (example, step ahead, part)."""
        seen, _, level, spread = self.states(values, known)
        steps = self.unembed(seen[:, -1]).unflatten(-1, (self.sizes.patch, -1))
        free, place, size, share = self.output_distribution(steps)
        wide = spread[:, -1:]
        return free, place * wide + level[:, -1:], size * wide, share

    def forward(self, values: Tensor, known: Tensor, levels: Tensor) -> Tensor:
        """Quantiles (example, step ahead, level) of windows (example, time); see `states`."""
        return quantiles(*self.mixed(values, known), levels)


def so_far(values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and spread (example, time) of what was measured up to each step."""
    exact, weights = values.double(), known.double()
    count = weights.cumsum(1).clamp_min(1)
    means = (exact * weights).cumsum(1) / count
    before = nn.functional.pad(means[:, :-1], (1, 0))
    squares = ((exact - before) * (exact - means) * weights).cumsum(1)
    spread = (squares / (count - 1).clamp_min(1) + LEAST_VARIANCE).sqrt()
    return means.to(values.dtype), spread.to(values.dtype)


def quantiles(free: Tensor, place: Tensor, size: Tensor, share: Tensor, levels: Tensor) -> Tensor:
    """Quantiles (…, level) of mixtures of Student's t (…, part), by halving.

    A last step by the slope lets a gradient pass.
    """
    parts = tuple(part.unsqueeze(-2) for part in (free, place, size, share))
    with torch.no_grad():
        found = _halved(parts, levels)
    slope = (share.unsqueeze(-2) * _density(found[..., None], *parts[:3])).sum(-1).detach()
    error = _below(found, parts) - levels
    return found - (error - error.detach()) / slope.clamp_min(1e-9)


def _halved(parts: tuple[Tensor, ...], levels: Tensor) -> Tensor:
    free, place, size, _ = parts
    score = torch.special.ndtri(levels.double().clamp(1e-6, 1 - 1e-6)).to(place.dtype)[:, None]
    # where each part by itself has its quantile, which those of the mixture lie between
    far = (free * (_stretch(free) * score.square() / free).expm1()).sqrt()
    own = place + size * score.sign() * far
    low, high = own.amin(-1), own.amax(-1)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        less = _below(middle, parts) < levels
        low, high = torch.where(less, middle, low), torch.where(less, high, middle)
    return (low + high) / 2


def _below(found: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
    """The chance (…, level) of less than `found`; good to 0.002 (Wallace 1959)."""
    free, place, size, share = parts
    ratio = (found[..., None] - place) / size
    square = ratio.square() / free
    square = square.clamp_min(1e-6)  # less is as good as none
    growth = square.log1p() / square
    return (share * torch.special.ndtr(ratio * (growth / _stretch(free)).sqrt())).sum(-1)


def _stretch(free: Tensor) -> Tensor:
    return ((8 * free + 3) / (8 * free + 1)).square()


def _density(found: Tensor, free: Tensor, place: Tensor, size: Tensor) -> Tensor:
    parts = torch.distributions.StudentT(free, place, size, validate_args=False)
    return parts.log_prob(found).exp()
