"""A SavedModel or TF-Lite file as a backbone, run by TensorFlow itself; its weights stay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from citytune._errors import InputError
from citytune.backbones._levels import check_levels
from citytune.backbones._own_file import FileNetwork, put_file
from citytune.backbones._protocol import Card
from citytune.backbones._shelf import Opener, open_places_with, shelf
from citytune.backbones._tensorflow_file import (
    INSTALL,
    LITE,
    Door,
    Shape,
    is_saved_model,
    open_door,
)


def from_tensorflow(
    path: str | Path,
    *,
    signature: str | None = None,
    output: str | None = None,
    features: str | None = None,
    name: str | None = None,
    context: int | None = None,
    levels: Sequence[float] | None = None,
    title: str = "",
    licence: str = "not stated",
) -> str:
    """Take a SavedModel or TF-Lite file as a pretrained model, run by TensorFlow itself.

    Nothing of it is trained: no gradient passes through. Its forecast takes part as the pretrained
    one does, with a head in closed form on its features, or on recent values and the calendar. A
    Keras file, whose weights may move, is better taken by `from_keras`, which needs no TensorFlow.

    Args:
        path: Folder of a SavedModel, or a `.tflite` file, of whole numbers too. Its one input are
            windows (example, context), or with one more axis of length 1, each around its own mean
            in units of its own spread.
        signature: Which of its signatures is asked. By default "serving_default", or the only one.
        output: Name of the output that is the forecast (example, horizon), or (example, horizon,
            level) with `levels`, in the unit of the windows. By default the only one that is not
            read as features; if there is none, it does not forecast.
        features: Name of the output (example, feature) that a head reads; of more than two axes
            the mean is taken over those between the first and the last. By default a head reads
            recent values and the calendar.
        name: Its name as a backbone; by default that of the folder or file.
        context: Steps of past it takes; by default as the file says.
        levels: Quantile levels of what it gives, such as (0.1, 0.5, 0.9); None for points.
        title: One line for people.
        licence: Of its weights.

    Returns:
        The name, for `citytune.tune(backbone=…)`. A saved run loads the file from where it was.

    Raises:
        InputError: it cannot be used as this, or may run code; it says what it takes and gives,
            and which signatures it has.
        MissingWeights: it, or the package tensorflow, is not there.
    """
    place = Path(path).expanduser().resolve()
    own = None if levels is None else check_levels(levels)
    door = open_door(place, signature)
    return put_file(
        _network(door, place, context, output, features),
        own,
        name=name,
        title=title,
        licence=licence,
        packages=("tensorflow",),
        parameters=door.parameters or None,
        parts=tuple(part or "" for part in (signature, output, features)),
        get=f"{INSTALL}, and bring back {place}.",
    )


def _network(
    door: Door, place: Path, context: int | None, output: str | None, features: str | None
) -> FileNetwork:
    if len(door.takes) != 1:
        raise InputError(
            f"{place.name} takes {len(door.takes)} inputs ({_listed(door.takes)}): it must take one"
        )
    (shape,) = door.takes.values()
    ahead = _ahead(door, place, output, features)
    run = (lambda values: door.ask(values)[ahead]) if ahead else None
    reads = (lambda values: door.ask(values)[features]) if features else None
    return FileNetwork(run, shape, place, context, double=door.double, reads=reads)


def _listed(parts: dict[str, Shape]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in sorted(parts.items()))


def _ahead(door: Door, place: Path, output: str | None, features: str | None) -> str:
    """Name of the output that is the forecast; "" if there is none."""
    for name in (output, features):
        if name is not None and name not in door.gives:
            raise InputError(f"{place.name} has no output {name!r}; it gives {_listed(door.gives)}")
    others = [name for name in door.gives if name != features]
    if output is None and len(others) > 1:
        raise InputError(
            f"{place.name} gives {_listed(door.gives)}: say which is the forecast as `output`, and "
            "which a head may read as `features`"
        )
    return output or next(iter(others), "")


def _open(place: Path, saved: Card | None) -> Card:
    if saved is None:
        name = from_tensorflow(place)
    else:
        signature, output, features = (part or None for part in saved.parts or ("", "", ""))
        name = from_tensorflow(
            place,
            signature=signature,
            output=output,
            features=features,
            name=saved.name,
            context=saved.context,
            levels=saved.levels or None,
        )
    return shelf()[name]


open_places_with(Opener(lambda place: place.suffix == LITE or is_saved_model(place), _open))
