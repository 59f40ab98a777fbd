"""A Keras network on pictures as a backbone: read for its features at one of its layers."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from citytune._errors import InputError
from citytune.backbones._own import own_card, put
from citytune.backbones._picture import PIXELS, PictureBackbone, PictureNetwork

COLUMNS, CHUNK = 2, 16
"""Parts of a day told apart in a picture, and pictures a pass."""


class KerasWeights(nn.Module):
    """A torch module around a Keras network, whose weights keep their names in every copy of it.

    Those that Keras says may learn are its parameters: not what a normalisation has counted, nor
    where a dropout's random numbers are. Keras' own names for them change from copy to copy.
    """

    model: Any

    def named_parameters(
        self,
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """The name and value of each weight that may learn."""
        for name, variable in self._numbered():
            if variable.trainable:
                yield prefix + ("." if prefix else "") + name, variable.value

    def numbers(self) -> dict[str, Tensor]:
        """Name → value of all that an answer follows from, what was counted included."""
        named = ((name, variable.value) for name, variable in self._numbered())
        return {name: value for name, value in named if value.is_floating_point()}

    def _numbered(self) -> Iterator[tuple[str, Any]]:
        for i, variable in enumerate(self.model.variables):
            yield f"{i}/{variable.name}", variable


class KerasLayer(nn.Module):
    """The weights of a Keras layer that may learn, under their own names, such as `bias`."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        for i, variable in enumerate(layer.trainable_variables):
            again = hasattr(self, variable.name)
            self.register_parameter(f"{variable.name}/{i}" if again else variable.name,
                                    variable.value)  # fmt: skip


class KerasPicture(KerasWeights, PictureNetwork):
    """A Keras network on pictures; what it sees at one layer."""

    def __init__(self, model: Any, prepare: Any) -> None:
        super().__init__()
        self.model, self.prepare = model, prepare

    def forward(self, grey: Tensor) -> list[Tensor]:
        """Activations (example, channel, row, column) of grey pictures in 0…1."""
        colours = 255 * grey.expand(-1, int(self.model.input_shape[-1]), -1, -1)
        shown = colours.permute(0, 2, 3, 1)
        shown = self.prepare(shown) if self.prepare else shown
        return [self.model(shown, training=False).permute(0, 3, 1, 2)]

    def parts(self) -> Sequence[nn.Module]:
        """Its layers that have weights, in order."""
        return with_weights(self.model)

    def __deepcopy__(self, _memo: object) -> KerasPicture:
        return copied(self, KerasPicture(copy.deepcopy(self.model), self.prepare))


def put_picture(
    keras: Any,
    network: Any,
    layer: str | None,
    prepare: Any,
    facts: dict[str, Any],
) -> None:
    """Put a Keras network on pictures on the shelf, to be read at a layer."""
    shape = network.inputs[0].shape
    if {shape[1], shape[2]} - {None, PIXELS}:
        raise InputError(
            f"the Keras network takes pictures of {shape[1]} × {shape[2]}, and windows are folded "
            f"to {PIXELS} × {PIXELS}: build it with that input shape, or with any"
        )
    seen = [one.name for one in network.layers if len(getattr(one.output, "shape", ())) == 4]
    output = read_at(network, layer or seen[-1])
    if len(output.shape) != 4:
        raise InputError(f"layer {layer!r} gives {tuple(output.shape)}, no picture of activations")
    model = keras.Model(network.inputs, output)
    card = own_card(
        **facts | {"parameters": int(model.count_params())},
        context=672,
        context_days=28,
        horizon=None,
        features=int(output.shape[-1]) * COLUMNS,
    )
    put(card, PictureBackbone(card, KerasPicture(model, prepare), columns=COLUMNS, chunk=CHUNK))


def copied(before: nn.Module, after: Any) -> Any:
    """The copy, frozen where the original is; Keras makes a copy whose weights are all free."""
    for old, new in zip(before.parameters(), after.parameters(), strict=True):
        new.requires_grad_(old.requires_grad)
    return after.train(before.training)


def with_weights(model: Any) -> list[nn.Module]:
    """The weights of its layers that have any that may learn, in order."""
    return [KerasLayer(layer).eval() for layer in model.layers if layer.trainable_variables]


def read_at(network: Any, layer: str) -> Any:
    """What a layer gives, by its name."""
    try:
        return network.get_layer(layer).output
    except ValueError:
        names = ", ".join(one.name for one in network.layers[:20])
        raise InputError(f"the Keras network has no layer {layer!r}; it has {names}") from None
