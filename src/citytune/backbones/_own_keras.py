"""A Keras network as a backbone, on Keras' torch backend: a torch module whose weights move."""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from citytune._errors import InputError, MissingWeights
from citytune.backbones._guest import Shown, SureGuest
from citytune.backbones._keras_file import SUFFIXES, refuse_code
from citytune.backbones._lags import CARD as LAGS
from citytune.backbones._levels import check_levels
from citytune.backbones._network import ask, silence
from citytune.backbones._own import own_card, put
from citytune.backbones._own_keras_picture import (
    KerasWeights,
    copied,
    put_picture,
    read_at,
    with_weights,
)
from citytune.backbones._own_torch import OwnPoints
from citytune.backbones._picture import PIXELS
from citytune.backbones._protocol import Card
from citytune.backbones._shelf import Opener, open_places_with, shelf

INSTALL = "run `pip install 'citytune[keras]'`"


def from_keras(
    model: Any,
    *,
    name: str | None = None,
    context: int | None = None,
    levels: Sequence[float] | None = None,
    layer: str | None = None,
    weights: str | Path | None = "imagenet",
    title: str = "",
    licence: str = "not stated",
) -> str:
    """Take a Keras network as a pretrained model; no TensorFlow is needed.

    One that takes series (example, context), or with one more axis of length 1, forecasts: as
    `from_torch` shows it windows, and every strategy but `lora` may move its weights. One that
    takes pictures is read for its features, of the window folded into a picture.

    Args:
        model: A network, the path of a `.keras` or `.h5` file, or the name of a network of
            `keras.applications` such as "MobileNetV2".
        name: Its name as a backbone; by default that of the file or network.
        context: Steps of past a network takes that takes any; otherwise as it says.
        levels: Quantile levels of what it gives (example, horizon, level); None for points.
        layer: Name of the layer whose output is read as features. By default a network on series
            is read by `lags`, and one on pictures at its last convolution.
        weights: Of a network of `keras.applications`: "imagenet" (which Keras downloads once), the
            path of a file of weights, or None for random ones.
        title: One line for people.
        licence: Of its weights.

    Returns:
        The name, for `citytune.tune(backbone=…)`.

    Raises:
        InputError: it cannot be used as this, or holds code: a Lambda layer, or a pickle.
        MissingWeights: the package keras, or the file, is not there.
    """
    keras = keras_here()
    own = None if levels is None else check_levels(levels)
    network, place, prepare = network_of(keras, model, weights)
    shape = _input_shape(network)
    facts: dict[str, Any] = {
        "name": name or (place.stem if place else str(model if prepare else network.name)),
        "title": title or f"the Keras network {network.name}",
        "parameters": int(network.count_params()),
        "licence": licence,
        "packages": ("keras",),
    } | _kept(network, place, layer)
    if len(shape) == 4:
        put_picture(keras, network, layer, prepare, facts)
    else:
        _put_series(keras, network, layer, context, own, facts)
    return str(facts["name"])


class KerasSeries(KerasWeights):
    """A Keras network on series, behind the door of a module that can be copied."""

    def __init__(self, model: Any, *, axis: bool, read: bool) -> None:
        super().__init__()
        self.model = model
        self.axis, self.reads = axis, read

    def forward(self, values: Tensor) -> Tensor:
        """(example, context) to (example, horizon), or with levels."""
        return self._asked(values)[0]

    def read(self, values: Tensor) -> Tensor:
        """What the layer that is read gives (example, feature)."""
        found = self._asked(values)[1]
        return found if found.ndim == 2 else found.flatten(1, -2).mean(1)

    def _asked(self, values: Tensor) -> list[Tensor]:
        found = self.model(values[..., None] if self.axis else values, training=False)
        parts = list(found) if isinstance(found, (list, tuple)) else [found]
        return [self._flat(parts[0]), *parts[1:]]

    @staticmethod
    def _flat(answer: Tensor) -> Tensor:
        return answer[..., 0] if answer.ndim == 3 and answer.shape[2] == 1 else answer

    def __deepcopy__(self, _memo: object) -> KerasSeries:
        return copied(self, KerasSeries(copy.deepcopy(self.model), axis=self.axis, read=self.reads))


class KerasPoints(OwnPoints):
    """A Keras network on series that gives points."""

    def state(self, shown: Shown) -> Tensor:
        """What the layer that is read gives, or recent values and the calendar."""
        network: Any = self.network
        return ask(network, network.read, shown.values) if network.reads else super().state(shown)

    def blocks(self) -> Sequence[nn.Module]:
        """Its layers that have weights, in order."""
        return with_weights(self.network.model)


class KerasQuantiles(KerasPoints, SureGuest):
    """One that gives quantiles."""


def keras_here() -> Any:
    """The package, on its torch backend.

    Raises:
        MissingWeights: it is not installed.
        InputError: it runs on another backend in this program.
    """
    if importlib.util.find_spec("keras") is None:
        raise MissingWeights(f"a Keras network needs the Python package keras: {INSTALL}")
    with silence():
        import keras
    if keras.backend.backend() != "torch":
        raise InputError(
            f"Keras runs on {keras.backend.backend()} in this program; set KERAS_BACKEND=torch "
            "before it is imported"
        )
    return keras


def network_of(
    keras: Any, model: Any, weights: Any, pixels: int = PIXELS
) -> tuple[Any, Path | None, Any]:
    """The network, its file, and what prepares pictures for it.

    `pixels` is the side of the pictures that a network of `keras.applications` is made for.
    """
    if isinstance(model, keras.Model):
        return model, None, None
    if not isinstance(model, (str, Path)):
        raise InputError(
            f"a Keras network is a keras.Model, a file, or a name of keras.applications, and this "
            f"is a {type(model).__name__}"
        )
    known = getattr(keras.applications, str(model), None)
    if known is not None and callable(known):
        return _application(known, weights, pixels), None, _preparing(known)
    place = Path(model).expanduser().resolve()
    if not place.is_file():
        raise MissingWeights(f"there is no file {place}, and no such network in keras.applications")
    refuse_code(place)
    try:
        with silence():
            network = keras.saving.load_model(place, compile=False, safe_mode=True)
            network.trainable = True  # layers that were frozen when it was made, too
        return network, place, None
    except Exception as error:
        raise InputError(
            f"{place.name} cannot be read as a Keras network ({type(error).__name__}: "
            f"{str(error).splitlines()[0]}); save it by `model.save` of Keras 3"
        ) from error


def _application(kind: Any, weights: Any, pixels: int) -> Any:
    given = str(weights) if isinstance(weights, Path) else weights
    try:
        with contextlib.redirect_stdout(sys.stderr):  # where Keras tells what it downloads
            return kind(weights=given, include_top=False, input_shape=(pixels, pixels, 3))
    except Exception as error:
        remedy = (
            "put the file named there into ~/.keras/models, or give from_keras `weights`, its path"
        )
        if given != "imagenet":
            remedy = "give `weights` the path of a file without the top"
        raise MissingWeights(
            f"the weights {given!r} of {kind.__name__} are not to be had ({type(error).__name__}: "
            f"{str(error).splitlines()[0]}); {remedy}"
        ) from error


def _preparing(kind: Any) -> Any:
    prepare = importlib.import_module(kind.__module__).preprocess_input
    return functools.partial(prepare, data_format="channels_last")


def _input_shape(network: Any) -> tuple[int | None, ...]:
    try:
        (entry,) = network.inputs
        (_,) = network.outputs
    except (AttributeError, ValueError, TypeError):
        raise InputError(
            f"the Keras network {network.name!r} must have one input and one output that are known "
            "before it is run: build it from layers (Sequential or functional)"
        ) from None
    shape = tuple(entry.shape)
    series = len(shape) == 2 or (len(shape) == 3 and shape[2] == 1)
    if not series and not (len(shape) == 4 and shape[3] in (1, 3)):
        raise InputError(
            f"the Keras network {network.name!r} takes {shape}: it must take series (example, "
            "context), or with one more axis of 1, or pictures (example, row, column, 1 or 3)"
        )
    return shape


def _put_series(
    keras: Any,
    network: Any,
    layer: str | None,
    context: int | None,
    levels: tuple[float, ...] | None,
    facts: dict[str, Any],
) -> None:
    shape = _input_shape(network)
    length = shape[1] or context
    if length is None or (context is not None and context != length):
        raise InputError(f"the Keras network takes {shape[1] or 'any'} steps: say that `context`")
    model = network
    if layer is not None:
        model = keras.Model(network.inputs, [network.outputs[0], read_at(network, layer)])
    module = KerasSeries(model, axis=len(shape) == 3, read=layer is not None)
    values = torch.linspace(-1, 1, 2 * length).view(2, length)
    with torch.no_grad():
        answer = module(values)
        width = LAGS.features if layer is None else module.read(values).shape[1]
    if answer.ndim != (2 if levels is None else 3) or (levels and answer.shape[2] != len(levels)):
        raise InputError(
            f"the Keras network gives {tuple(answer.shape)} for 2 windows: it must be (window, "
            "horizon), or (window, horizon, level) with `levels` for each"
        )
    sizes = {"context": length, "horizon": answer.shape[1], "features": width}
    card = own_card(**sizes, levels=levels or (), **facts)
    put(card, (KerasPoints if levels is None else KerasQuantiles)(card, module, None, gaps=False))


def _kept(network: Any, place: Path | None, layer: str | None) -> dict[str, Any]:
    """How a saved run finds it again."""
    if place is not None and layer is None:
        with place.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        get = f"{INSTALL}, and bring back {place}."
        return {"sha256": (digest,), "folders": (str(place),), "get": get}
    found = hashlib.sha256()
    for weight in network.get_weights():
        found.update(repr((weight.dtype, weight.shape)).encode() + weight.tobytes())
    get = f"{INSTALL}, and call citytune.backbones.from_keras with the same network first."
    return {"sha256": (found.hexdigest(),), "get": get}


def _open(place: Path, saved: Card | None) -> Card:
    if saved is None:
        name = from_keras(place)
    else:
        context = None if saved.horizon is None else saved.context
        name = from_keras(place, name=saved.name, context=context, levels=saved.levels or None)
    return shelf()[name]


open_places_with(Opener(lambda place: place.suffix in SUFFIXES, _open))
