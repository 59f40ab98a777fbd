"""IBM Granite TinyTimeMixer, one sensor at a time; `ttm-r2` is the release of 512 steps to 96."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from citytune.backbones._mixer import (
    CONTEXT,
    HORIZON,
    PATCHES,
    STATE,
    TinyTimeMixer,
    read_weights,
)
from citytune.backbones._network import ask, frozen, in_chunks, standardise
from citytune.backbones._protocol import COARSE, Backbone, Card, Past
from citytune.backbones._shelf import register
from citytune.backbones._weights import find_weights

CHUNK = 64
"""Windows a pass, which then stay within a processor's cache."""
STRONG_LINE = 0.95
"""A line is strong if it explains this share of the variance of the window's daily means …"""
STEADY_PACE = 0.7
"""… and each half of the window moves at least at this share of its pace."""
FEWEST_TREND_DAYS = 6
"""Days from which a trend can be told from a daily cycle."""
CLOCKS = {1440: 1, 720: 2, 288: 3, 144: 4, 96: 5, 48: 6, 24: 7, 1: 8}
"""Steps a day → the number of that clock, for networks that are told it; 0 is any other."""

CARD = Card(
    name="ttm-r2",
    title="TinyTimeMixer r2, a small forecaster pretrained on many kinds of series",
    parameters=805_280,
    context=CONTEXT,
    horizon=HORIZON,
    features=PATCHES * STATE,
    licence="Apache-2.0",
    trained_on="16 public sets: electricity demand, sun and wind power, smart meters of London, "
    "traffic of California (PeMS) and Los Angeles, air of Beijing and London in 2017 (KDD Cup "
    "2018), weather of Australia, a river, sunspots, births, bitcoin",
    source="Ekambaram et al. 2024, Tiny Time Mixers, arXiv:2401.03955; "
    "https://huggingface.co/ibm-granite/granite-timeseries-ttm-r2",
    files=("model.safetensors",),
    sha256=("a706726a7eb01bbcb42994b7dcb3c06ea9557898dbae8d480eb04fe8ccb89710",),
    folders=("ttm-r2-512-96",),
    hub="ibm-granite/granite-timeseries-ttm-r2",
    get="run `hf download ibm-granite/granite-timeseries-ttm-r2 model.safetensors`, or put that "
    "file into a folder `ttm-r2` inside a folder named by CITYTUNE_WEIGHTS.",
    max_examples=2000,
)


class Standardised(NamedTuple):
    """Windows as the network sees them, and what undoes it."""

    values: Tensor  # (example, context), standardised, a strong line taken off
    level: Tensor  # (example, 1), in the unit of the data
    spread: Tensor  # (example, 1), in the unit of the data
    slope: Tensor  # (example, 1), unit of the data a step; 0 without a strong trend
    middle: float  # the step, counted from the origin, at which the line is zero

    def undo(self, ahead: Tensor) -> Tensor:
        """A forecast (example, horizon) of `values`, back in the unit of the data."""
        line = self.slope * (torch.arange(ahead.shape[1]) - self.middle)
        return ahead.double() * self.spread + self.level + line


class TtmBackbone:
    """TinyTimeMixer as a `Backbone`.

    A window is standardised by its own mean and spread, and one with a strong trend is shown
    without its line, which is added again to the forecast: the network, left alone, forecasts a
    trend flat. Features are the decoder's state, the very thing its own last layer reads.
    """

    def __init__(self, network: TinyTimeMixer, card: Card = CARD) -> None:
        self.network, self.card = frozen(network), card

    def features(self, past: Past) -> Tensor:
        """Decoder state (example, patch · state)."""

        def step(values: Tensor) -> Tensor:
            seen = self._show(values, past).values
            return ask(self.network, lambda told: self.network.state(told, self._clock(past)), seen)

        return in_chunks(self.network, step, past.values, CHUNK)

    def forecast(self, past: Past, horizon: int) -> Tensor:
        """Zero-shot forecast (example, horizon), in the unit of `past.values`."""

        def step(values: Tensor) -> Tensor:
            shown = self._show(values, past)
            ahead = ask(
                self.network, lambda told: self.network(told, self._clock(past)), shown.values
            )
            return shown.undo(ahead[:, :horizon]).to(values.dtype)

        return in_chunks(self.network, step, past.values, CHUNK)

    def blocks(self) -> Sequence[nn.Module]:
        """Patch embedding, clock, levels of the encoder, decoder, last layer."""
        own = self.network
        parts = (own.patcher, own.clock, *own.levels, own.adapter, own.raw, *own.decoder, own.head)
        return [part for part in parts if part is not None and list(part.parameters())]

    def _show(self, values: Tensor, past: Past) -> Standardised:
        return show(values, past.steps_per_day, self.card.context)

    def _clock(self, past: Past) -> int:
        number = CLOCKS.get(past.steps_per_day, 0)
        return number if number < self.network.sizes.clocks else 0


def show(values: Tensor, steps_per_day: int, context: int = CONTEXT) -> Standardised:
    """Standardise windows (example, time), take off a strong line, and lengthen to the context."""
    scaled, level, spread = standardise(values[:, -context:])
    slope, middle = strong_slope(scaled, steps_per_day)
    if bool((slope != 0).any()):
        line = slope * (torch.arange(-scaled.shape[1], 0) - middle)
        straight, rest_level, rest = standardise(scaled.double() - line)
        scaled = torch.where(slope == 0, scaled, straight)
        level = torch.where(slope == 0, level, level + rest_level * spread)
        slope, spread = slope * spread, torch.where(slope == 0, spread, rest * spread)
    return Standardised(lengthen(scaled, steps_per_day, context), level, spread, slope, middle)


def strong_slope(scaled: Tensor, steps_per_day: int) -> tuple[Tensor, float]:
    """Slope a step (example, 1) of each window's straight line where it is strong, else 0.

    Judged on the means of whole days (weeks on a coarse clock), which a daily cycle leaves alone:
    a line must explain nearly all of their variance, and both halves of the window must go the
    same way at a like pace. Load that drifts with the season, or a wandering series, does not
    pass, and is not helped by a line; with fewer than six days nothing can be judged.

    Returns:
        Slope and the step, counted from the window's end, at which its line is zero.
    """
    block = steps_per_day if steps_per_day >= COARSE else 7 * steps_per_day
    count = scaled.shape[1] // block
    if count < FEWEST_TREND_DAYS:
        return scaled.new_zeros(len(scaled), 1).double(), 0.0
    days = scaled[:, -count * block :].double().unflatten(1, (count, block)).mean(-1)
    slope = _slope(days)
    around = days - days.mean(1, keepdim=True)
    explained = (
        slope**2 * _slope_weight(count) / around.square().sum(1, keepdim=True).clamp_min(1e-12)
    )
    halves = torch.stack([_slope(days[:, : count // 2]), _slope(days[:, -(count // 2) :])])
    steady = (halves * slope.sign()).amin(0) >= STEADY_PACE * slope.abs()
    kept = torch.where((explained >= STRONG_LINE) & steady, slope / block, torch.zeros_like(slope))
    return kept, -(count * block + 1) / 2


def _slope(days: Tensor) -> Tensor:
    steps = torch.arange(days.shape[1], dtype=days.dtype) - (days.shape[1] - 1) / 2
    return (days @ steps)[:, None] / _slope_weight(days.shape[1])


def _slope_weight(count: int) -> float:
    """Σ (i − mean)² over 0 … count - 1."""
    return count * (count**2 - 1) / 12


def lengthen(values: Tensor, steps_per_day: int, context: int = CONTEXT) -> Tensor:
    """Left-pad windows (example, time) to the context with their own first whole weeks or days."""
    length = values.shape[1]
    lacking = context - length
    if lacking <= 0:
        return values
    unit = next((u for u in (7 * steps_per_day, steps_per_day) if u <= length), length)
    period = length // unit * unit
    return torch.cat([values[:, torch.arange(-lacking, 0) % period], values], dim=1)


def _load() -> Backbone:
    from safetensors.torch import load_file

    return TtmBackbone(read_weights(load_file(find_weights(CARD)["model.safetensors"])))


register(CARD, _load)
