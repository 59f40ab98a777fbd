"""Networks pretrained on pictures as backbones: fold the window, look, keep what is recent."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from citytune.backbones._network import ask, frozen, in_chunks
from citytune.backbones._picture_fold import fold
from citytune.backbones._protocol import Card, Past

PIXELS = 64
"""Side of the picture; 96 told the head hardly more at under half the speed."""
RECENT = 4
"""The last of so many equal parts of the picture's height is read: the last week of four."""


class PictureNetwork(nn.Module):
    """A pretrained network that tells what it sees at several depths."""

    @abstractmethod
    def forward(self, grey: Tensor) -> list[Tensor]:
        """Activations (example, channel, row, column) of grey pictures in 0…1, by depth."""

    @abstractmethod
    def parts(self) -> Sequence[nn.Module]:
        """Its parts, nearest the picture first."""


class PictureBackbone:
    """A picture network behind the door of `Backbone`; it has never seen a future."""

    def __init__(self, card: Card, network: PictureNetwork, *, columns: int, chunk: int) -> None:
        self.card = card
        self.network = frozen(network)
        for weight in self.network.parameters():
            if weight.ndim == 4:  # the way processors like to convolve: a quarter faster
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self.columns = columns
        self.chunk = chunk

    def features(self, past: Past) -> Tensor:
        """What the network sees in the last quarter of the window; see `picture_features`."""

        def step(values: Tensor) -> Tensor:
            grey = fold(values, past.steps_per_day, pixels=PIXELS)
            return ask(self.network, self._read, grey)

        return in_chunks(self.network, step, past.values, self.chunk)

    def _read(self, grey: Tensor) -> Tensor:
        return picture_features(self.network(grey), columns=self.columns)

    def forecast(self, past: Past, horizon: int) -> None:
        """None: it cannot forecast."""

    def blocks(self) -> Sequence[nn.Module]:
        """Its parts in depth order."""
        return self.network.parts()


def picture_features(depths: Sequence[Tensor], *, columns: int) -> Tensor:
    """Read activations (example, channel, row, column) of several depths as features.

    Of every channel the means over the bottom quarter of the picture, which is the last week of
    four, in so many columns, the parts of a day. Means over the whole picture, as ImageNet's own
    last layer reads them, do not tell when something was seen, and a head on them hardly beats
    none.

    Returns:
        (example, channels of all depths × columns).
    """
    recent = [adaptive_avg_pool2d(seen, (RECENT, columns))[:, :, -1] for seen in depths]
    return torch.cat([seen.flatten(1) for seen in recent], dim=1)
