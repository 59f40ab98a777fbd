"""Ways to make one archive look like many cities': each changes a share of a batch of windows.

A window is (example, context + horizon), NaN where nothing was measured, around its own mean in
units of its own spread. The ideas are common in the field (Wen et al. 2021, Time series data
augmentation for deep learning; mixing of series: Ansari et al. 2024, Chronos, arXiv:2403.07815).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

Chance = torch.Generator

FLIPPED, BENT, LIFTED, TILTED, NOISY = 0.05, 0.12, 0.08, 0.08, 0.08
"""Shares of windows that are flipped, bent, given a level shift, a trend, noise."""
SHORT, HOLED, SPARSE = 0.35, 0.15, 0.08
"""Shares of windows with a short history, with blocks cut out, with single values cut out."""


def vary(windows: Tensor, context: int, chance: Chance) -> None:
    """Change windows (example, time) in place as other sensors differ: past and future alike."""
    for share, change in (
        (BENT, bend),
        (FLIPPED, flip),
        (LIFTED, lift),
        (TILTED, tilt),
        (NOISY, disturb),
    ):
        which = _some(windows, share, chance)
        windows[which] = change(windows[which], context, chance)


def hide(windows: Tensor, context: int, period: int, chance: Chance) -> None:
    """Make parts of the past of windows (example, time) NaN in place; the future stays."""
    for share, cut in ((SHORT, shorten), (HOLED, hole), (SPARSE, thin)):
        which = _some(windows, share, chance)
        windows[which] = windows[which].masked_fill(
            cut(windows[which], context, period, chance), torch.nan
        )


def bend(windows: Tensor, context: int, chance: Chance) -> Tensor:
    """Peaks sharpened or flattened: a power of the distance from the window's minimum."""
    low = windows.nan_to_num(torch.inf).amin(1, keepdim=True)
    high = windows.nan_to_num(-torch.inf).amax(1, keepdim=True)
    power = (_normal(windows, chance) * 0.4).exp().clamp(0.4, 2.5)
    bent = ((windows - low) / (high - low).clamp_min(1e-6)).clamp_min(0) ** power
    return bent * (high - low)


def flip(windows: Tensor, context: int, chance: Chance) -> Tensor:
    """Upside down."""
    return -windows


def lift(windows: Tensor, context: int, chance: Chance) -> Tensor:
    """A level shift at a random moment of the past, kept from then on."""
    when = torch.randint(1, context, (len(windows), 1), generator=chance)
    return windows + _normal(windows, chance) * (torch.arange(windows.shape[1]) >= when)


def tilt(windows: Tensor, context: int, chance: Chance) -> Tensor:
    """A straight trend."""
    return windows + torch.linspace(-1, 1, windows.shape[1]) * _normal(windows, chance)


def disturb(windows: Tensor, context: int, chance: Chance) -> Tensor:
    """Noise on every value."""
    size = 0.2 * _uniform(windows, chance)
    return windows + torch.randn(windows.shape, generator=chance) * size


def shorten(windows: Tensor, context: int, period: int, chance: Chance) -> Tensor:
    """Where a sensor with one to all of the context's periods of history was not there yet."""
    kept = period * torch.exp(_uniform(windows, chance) * math.log(context / period))
    return torch.arange(windows.shape[1]) < context - kept


def hole(windows: Tensor, context: int, period: int, chance: Chance) -> Tensor:
    """One block of up to five periods, at times right up to now."""
    size = (period * 5 * _uniform(windows, chance) ** 2).long()
    start = (_uniform(windows, chance) * (context + size)).long() - size
    at = torch.arange(windows.shape[1])
    return (at >= start) & (at < (start + size).clamp_max(context - 1))


def thin(windows: Tensor, context: int, period: int, chance: Chance) -> Tensor:
    """Single values."""
    lost = torch.rand(windows.shape, generator=chance) < 0.4 * _uniform(windows, chance)
    return lost & (torch.arange(windows.shape[1]) < context)


def _some(windows: Tensor, share: float, chance: Chance) -> Tensor:
    """Which windows, as indices."""
    return (torch.rand(len(windows), generator=chance) < share).nonzero().squeeze(1)


def _uniform(windows: Tensor, chance: Chance) -> Tensor:
    return torch.rand((len(windows), 1), generator=chance)


def _normal(windows: Tensor, chance: Chance) -> Tensor:
    return torch.randn((len(windows), 1), generator=chance)
