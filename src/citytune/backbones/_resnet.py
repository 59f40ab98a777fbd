"""`resnet50`: the classic ImageNet network, looking at the window folded into a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from citytune.backbones._picture import PictureBackbone, PictureNetwork
from citytune.backbones._protocol import Backbone, Card
from citytune.backbones._shelf import register
from citytune.backbones._weights import find_weights

N = TypeVar("N", bound=nn.Module)
CHUNK = 16
"""Pictures a pass."""
MEAN = (123.68, 116.779, 103.939)
"""Of the ImageNet pictures it learnt from, red, green, blue in 0…255; it never divides."""
COLUMNS = 2
"""Parts of a day told apart; four told the head no more at twice the width."""
FILE = "model.fp16.safetensors"

CARD = Card(
    name="resnet50",
    title="ResNet-50, pretrained on pictures; sees the days under one another",
    parameters=1_444_928,
    context=672,
    context_days=28,
    horizon=None,
    features=(64 + 256 + 512) * COLUMNS,
    licence="MIT",
    trained_on="ImageNet-1k, 1.3 million photographs of 1,000 kinds of things",
    source="He et al. 2016, Deep Residual Learning, arXiv:1512.03385; "
    "folded as Chen et al. 2024, VisionTS, arXiv:2408.17253",
    files=(FILE,),
    sha256=("00d600ef8cc23dd65f35efa1ad70b0684d263a75e804fe90ad1f2e6a97d8f43f",),
    folders=("resnet50-imagenet",),
    get=f"put `{FILE}`, the original Caffe weights under torchvision's names in half precision, "
    "into a folder `resnet50` inside a folder named by CITYTUNE_WEIGHTS; for pictures, "
    "`--backbone ResNet50` has Keras download the same (`pip install 'citytune[keras]'`).",
    max_examples=400,
)


class Bottleneck(nn.Module):
    """Three convolutions with a shortcut around them; the first one takes the stride.

    That is the original network, "v1". Later releases (torchvision's, "v1.5") take the stride in
    the second convolution: the weights fit both, and are right in only one.
    """

    def __init__(self, seen: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(seen, width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or seen != 4 * width:
            short_cut = nn.Conv2d(seen, 4 * width, 1, stride, bias=False)
            self.downsample = nn.Sequential(short_cut, nn.BatchNorm2d(4 * width))

    def forward(self, seen: Tensor) -> Tensor:
        """(example, channel, row, column) to the same, smaller by the stride."""
        found = relu(self.bn1(self.conv1(seen)))
        found = relu(self.bn2(self.conv2(found)))
        return relu(self.bn3(self.conv3(found)) + self.downsample(seen))


class ResNet(PictureNetwork):
    """The network's first layers, its parts named as torchvision names them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _layer(64, 64, blocks=3, stride=1)
        self.layer2 = _layer(256, 128, blocks=4, stride=2)

    def forward(self, grey: Tensor) -> list[Tensor]:
        """Activations (example, channel, row, column) after every layer used."""
        mean = torch.tensor(MEAN, device=grey.device)[:, None, None]
        stem = self.stem(255 * grey - mean)
        first = self.layer1(stem)
        return [stem, first, self.layer2(first)]

    def stem(self, colours: Tensor) -> Tensor:
        """The first convolution and the first halving, of colours around their mean."""
        return max_pool2d(relu(self.bn1(self.conv1(colours))), 3, stride=2, padding=1)

    def parts(self) -> Sequence[nn.Module]:
        """First convolution and its normalisation, then the layers."""
        return [self.conv1, self.bn1, self.layer1, self.layer2]


def _layer(seen: int, width: int, *, blocks: int, stride: int) -> nn.Sequential:
    later = [Bottleneck(4 * width, width, 1) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(seen, width, stride), *later)


class WholeNetwork(ResNet):
    """All of its layers but the last, which names the things of ImageNet."""

    def __init__(self) -> None:
        super().__init__()
        self.layer3 = _layer(512, 256, blocks=6, stride=2)
        self.layer4 = _layer(1024, 512, blocks=3, stride=2)

    def forward(self, colours: Tensor) -> Tensor:  # type: ignore[override]
        """(example, 2048, row, column) of colours around their mean."""
        seen = self.layer2(self.layer1(self.stem(colours)))
        found: Tensor = self.layer4(self.layer3(seen))
        return found


def whole_network() -> WholeNetwork:
    """The network without its last layer, for real pictures."""
    return _with_weights(WholeNetwork()).eval()


def _with_weights(network: N) -> N:
    from safetensors import safe_open

    with safe_open(find_weights(CARD)[FILE], framework="pt") as file:
        weights = {name: file.get_tensor(name).float() for name in network.state_dict()}
    network.load_state_dict(weights)
    return network


def _load() -> Backbone:
    return PictureBackbone(CARD, _with_weights(ResNet()), columns=COLUMNS, chunk=CHUNK)


register(CARD, _load)
