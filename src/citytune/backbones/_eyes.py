"""Networks pretrained on pictures, whole, for real pictures: what they see at the last layer."""

from __future__ import annotations

import copy
import functools
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from citytune._errors import InputError, UnknownName
from citytune.backbones import _efficientnet, _resnet
from citytune.backbones._keras_file import SUFFIXES
from citytune.backbones._network import digest_of, frozen, place_of, silence
from citytune.backbones._own_keras import keras_here, network_of
from citytune.backbones._own_keras_picture import KerasWeights, copied, with_weights
from citytune.backbones._shelf import require

PIXELS = 224
"""Side of a picture, as the networks of ImageNet learnt it."""
OURS = ("efficientnet-lite0", "resnet50")
HEADS = ("head", "fc", "classifier")
"""What timm calls a last layer."""
FLAT, MAP = 3, 4
"""Axes of an answer in tokens, and of one that is a picture itself."""


class Eye(nn.Module):
    """A network that sees pictures, without its last layer."""

    name: str
    """What it is called; a name or a file that `eye_of` knows, if `own` is false."""
    own: bool = False
    """Whether it is a person's own object, which no name brings back."""
    pixels: int = PIXELS
    """Side of the pictures it is shown."""

    @abstractmethod
    def forward(self, colours: Tensor) -> Tensor:
        """Activations (picture, channel, row, column) of colours (picture, 3, …) in 0…1."""

    @abstractmethod
    def parts(self) -> Sequence[nn.Module]:
        """Its parts that have weights, nearest the picture first; blocks, where it has such."""

    def numbers(self) -> dict[str, Tensor]:
        """Name → value of all that its answer follows from; a copy has the same names."""
        return self.state_dict()

    def put(self, numbers: Mapping[str, Tensor]) -> list[str]:
        """Give some of them other values; names that it does not have are answered."""
        own = self.numbers()
        with torch.no_grad():
            for name, value in numbers.items():
                if name in own:
                    own[name].copy_(value)
        return [name for name in numbers if name not in own]

    def digest(self) -> str:
        """SHA-256 of its weights, by which a saved model knows it again."""
        return digest_of(self.numbers())

    @property
    def place(self) -> torch.device:
        """Where its weights are."""
        return place_of(self)


class WholeResNet(Eye):
    """All of the ResNet-50 whose first layers are the backbone `resnet50`."""

    def __init__(self) -> None:
        super().__init__()
        self.net = _resnet.whole_network()

    def forward(self, colours: Tensor) -> Tensor:
        """(picture, 2048, row, column), a 32nd of the picture's side."""
        mean = _efficientnet.colour(_resnet.MEAN, colours)
        return self.net(255 * colours - mean)

    def parts(self) -> Sequence[nn.Module]:
        """First convolution and its normalisation, then the blocks."""
        return _unpacked(self.net.children())


class WholeEfficientNet(Eye):
    """All of the network whose first blocks are the backbone `efficientnet-lite0`."""

    def __init__(self, pixels: int = PIXELS) -> None:
        super().__init__()
        self.net = _efficientnet.whole_network(pixels=pixels)

    def forward(self, colours: Tensor) -> Tensor:
        """(picture, 1280, row, column), a 32nd of the picture's side."""
        mean = _efficientnet.colour(_efficientnet.MEAN, colours)
        spread = _efficientnet.colour(_efficientnet.SPREAD, colours)
        seen: Tensor = self.net.extract_features((colours - mean) / spread)
        return seen

    def parts(self) -> Sequence[nn.Module]:
        """First convolution, sixteen blocks, last convolution."""
        net = self.net
        first, last = [net._conv_stem, net._bn0], [net._conv_head, net._bn1]  # noqa: SLF001
        return [*first, *net._blocks, nn.ModuleList(last)]  # noqa: SLF001


class TorchEye(Eye):
    """A person's torch network: one of timm, or any that gives a picture of activations."""

    own = True

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.net = network
        facts = dict(getattr(network, "pretrained_cfg", None) or {})
        self.name = str(facts.get("architecture") or type(network).__name__)
        self.pixels = int((facts.get("input_size") or (PIXELS,))[-1])
        self.mean = tuple(facts.get("mean") or _efficientnet.MEAN)
        self.spread = tuple(facts.get("std") or _efficientnet.SPREAD)

    def forward(self, colours: Tensor) -> Tensor:
        """What it gives before its head; tokens of a transformer are laid out as a picture."""
        mean = _efficientnet.colour(self.mean, colours)
        ask: Callable[[Tensor], Tensor] = getattr(self.net, "forward_features", self.net)
        seen = ask((colours - mean) / _efficientnet.colour(self.spread, colours))
        if seen.ndim == FLAT:
            seen = seen[:, int(getattr(self.net, "num_prefix_tokens", 0)) :]
            side = round(seen.shape[1] ** 0.5)
            if side * side == seen.shape[1]:
                seen = seen.mT.unflatten(2, (side, side))
        elif str(getattr(self.net, "output_fmt", "")).endswith("NHWC"):  # as some of timm say
            seen = seen.permute(0, 3, 1, 2)
        return seen

    def parts(self) -> Sequence[nn.Module]:
        """Its children that have weights, without the last layer of one of timm."""
        return _unpacked(one for name, one in self.net.named_children() if name not in HEADS)


def _unpacked(modules: Iterable[nn.Module]) -> list[nn.Module]:
    """Those that have weights, and of a row of blocks each block."""
    found: list[nn.Module] = []
    for one in modules:
        if isinstance(one, (nn.Sequential, nn.ModuleList)):
            found += _unpacked(one)
        elif any(True for _ in one.parameters()):
            found.append(one)
    return found


class KerasEye(KerasWeights, Eye):
    """A Keras network on pictures, read at the last layer that gives a picture."""

    def __init__(self, model: Any, prepare: Any) -> None:
        super().__init__()
        self.model, self.prepare = model, prepare

    def forward(self, colours: Tensor) -> Tensor:
        """What it gives, channels first; it is shown colours in 0…255, channels last."""
        shown = 255 * colours.permute(0, 2, 3, 1)
        shown = self.prepare(shown) if self.prepare else shown
        seen: Tensor = self.model(shown, training=False).permute(0, 3, 1, 2)
        return seen

    def parts(self) -> Sequence[nn.Module]:
        """Its layers that have weights."""
        return with_weights(self.model)

    def __deepcopy__(self, _memo: object) -> KerasEye:
        other = KerasEye(copy.deepcopy(self.model), self.prepare)
        other.name, other.own, other.pixels = self.name, self.own, self.pixels
        found: KerasEye = copied(self, other)
        return found


def eye_of(network: Any, pixels: int | None = None) -> Eye:
    """A network that sees pictures, frozen.

    Args:
        network: "resnet50", "efficientnet-lite0", the name of a network of `keras.applications`
            such as "MobileNetV2", the path of a `.keras` or `.h5` file, a Keras network, which is
            shown colours in 0…255, or a torch network: one of timm, whose `forward_features` and
            `pretrained_cfg` are used, or any that gives (picture, channel, row, column) of colours
            normalised as for ImageNet.
        pixels: Side of the pictures; by default what the network says, or 224.

    Raises:
        UnknownName: nobody knows the name.
        MissingWeights: its weights or a package are not here.
        InputError: it gives no picture of activations.
    """
    eye = _opened(network, pixels)
    if pixels is not None:
        eye.pixels = pixels
    eye = frozen(eye)
    _try(eye)
    return eye


def _opened(network: Any, pixels: int | None) -> Eye:
    if isinstance(network, str) and network in OURS:
        require(network)
        eye = WholeEfficientNet(pixels or PIXELS) if network == OURS[0] else WholeResNet()
        eye.name = network
        return eye
    if isinstance(network, (str, Path)):
        return _keras_named(str(network), pixels)
    if not isinstance(network, nn.Module):
        raise InputError(
            f"a network on pictures is a name, a file, or a Keras or torch network, and this is a "
            f"{type(network).__name__}"
        )
    if type(network).__module__.partition(".")[0] in ("keras", "keras_hub"):
        return _keras_eye(network, None, str(network.name), own=True)
    return TorchEye(network)


def _keras_named(name: str, pixels: int | None) -> Eye:
    is_file = Path(name).suffix in SUFFIXES
    if not is_file and not _is_application(name):
        known = [*OURS, "a name of keras.applications", "the path of a .keras file"]
        raise UnknownName("network on pictures", name, known)
    model, _, prepare = network_of(keras_here(), name, "imagenet", pixels or PIXELS)
    return _keras_eye(model, prepare, name, own=False)


@functools.cache
def _is_application(name: str) -> bool:
    if not name[:1].isupper():  # as all of theirs are written; Keras takes long to import
        return False
    return callable(getattr(keras_here().applications, name, None))


def _keras_eye(model: Any, prepare: Any, name: str, *, own: bool) -> Eye:
    keras = keras_here()
    maps = [one for one in model.layers if len(getattr(one.output, "shape", ())) == MAP]
    shape = tuple(model.inputs[0].shape) if getattr(model, "inputs", None) else ()
    if not maps or len(shape) != MAP or shape[3] != len("rgb"):
        raise InputError(
            f"the Keras network {name!r} takes {shape}: it must take pictures (picture, row, "
            "column, 3) and have a layer that gives a picture of activations"
        )
    with silence():
        eye = KerasEye(keras.Model(model.inputs, maps[-1].output), prepare)
    eye.name, eye.own = name, own
    eye.pixels = shape[1] or PIXELS
    return eye


def _try(eye: Eye) -> None:
    with torch.no_grad():  # a network may keep what it makes, and be trained later
        shown = torch.full((1, 3, eye.pixels, eye.pixels), 0.5)
        try:
            seen = eye(shown)
        except Exception as error:
            raise InputError(
                f"the network {eye.name!r} cannot be shown pictures of {eye.pixels} × {eye.pixels} "
                f"({type(error).__name__}: {str(error).splitlines()[0][:160]}); say its pixels="
            ) from error
    if not isinstance(seen, Tensor) or seen.ndim != MAP:
        shape = tuple(seen.shape) if isinstance(seen, Tensor) else type(seen).__name__
        raise InputError(
            f"the network {eye.name!r} gives {shape} of one picture: it must give activations "
            "(picture, channel, row, column), so give it without its last layer"
        )
