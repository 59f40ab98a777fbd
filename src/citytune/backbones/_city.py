"""`citytune-base`: our own network, pretrained on open series of many cities, in the package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool1d

from citytune.backbones._city_network import LEVELS, MEDIAN, CityNetwork
from citytune.backbones._city_view import View, look, period_of
from citytune.backbones._network import frozen, in_chunks
from citytune.backbones._protocol import Card, Past

CHUNK = 64
"""Windows a pass, which then stay within a processor's cache."""
PARTS = 3
"""Parts of the next day whose states are features."""


class CityBackbone:
    """Our network behind the door of `Backbone`, with quantiles of every step ahead.

    It sees what was measured and what was not, the calendar of every step, and as much of four
    weeks (half a year on a daily clock) as there is. Features are what its last layer reads of
    the next day, and what it makes of the last hours.
    """

    levels = LEVELS

    def __init__(self, card: Card, network: CityNetwork) -> None:
        self.card = card
        self.network = frozen(network)

    def features(self, past: Past) -> Tensor:
        """States (example, 4 · width): of three parts of the next day, and of the last steps."""
        horizon = period_of(past.steps_per_day)

        def step(view: View) -> Tensor:
            states, _ = self.network.states(view)
            ahead = adaptive_avg_pool1d(states[:, 1:].transpose(1, 2), PARTS)
            return torch.cat([ahead.transpose(1, 2).flatten(1), states[:, 0]], 1)

        return self._each(past, horizon, step)

    def forecast(self, past: Past, horizon: int) -> Tensor:
        """Zero-shot forecast, the median (example, horizon), in the unit of `past.values`."""
        return self.quantiles(past, horizon)[..., MEDIAN]

    def quantiles(self, past: Past, horizon: int) -> Tensor:
        """Quantiles (example, horizon, level) at `levels`, in the unit of `past.values`."""

        def step(view: View) -> Tensor:
            ahead = self.network(view)[:, :horizon].double()
            return (ahead * view.spread[..., None] + view.level[..., None]).to(past.values.dtype)

        return self._each(past, horizon, step)

    def blocks(self) -> Sequence[nn.Module]:
        """Embeddings, the choice of like days, the layers, and the last part."""
        return self.network.parts()

    def _each(self, past: Past, horizon: int, step: Callable[[View], Tensor]) -> Tensor:
        def some(which: Tensor) -> Tensor:
            part = Past(
                past.values[which], past.measured[which], past.calendar[which], past.steps_per_day
            )
            return step(look(part, horizon))

        return in_chunks(self.network, some, torch.arange(len(past.values)), CHUNK)
