"""An ONNX file as a backbone, run by onnxruntime."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from citytune._errors import InputError, MissingWeights
from citytune.backbones._levels import check_levels
from citytune.backbones._own_file import FileNetwork, put_file
from citytune.backbones._protocol import Card
from citytune.backbones._shelf import Opener, open_places_with, shelf

SUFFIX = ".onnx"
INSTALL = "run `pip install 'citytune[onnx]'`"


def from_onnx(
    path: str | Path,
    *,
    name: str | None = None,
    context: int | None = None,
    levels: Sequence[float] | None = None,
    title: str = "",
    licence: str = "not stated",
) -> str:
    """Take an ONNX file of a network that forecasts as a pretrained model.

    Nothing of it is trained: its forecast takes part as the pretrained one does, with a head in
    closed form on recent values and the calendar. A saved run names the file, and loads it again
    from where it was.

    Args:
        path: Its one input are windows (example, context), or with one more axis of length 1, each
            around its own mean in units of its own spread; its first output is (example, horizon),
            or (example, horizon, level) with `levels`, in the same unit. A network that wants the
            unit of the data is asked through `from_forecaster`.
        name: Its name as a backbone; by default that of the file.
        context: Steps of past it takes; by default as the file says.
        levels: Quantile levels of what it gives, such as (0.1, 0.5, 0.9); None for points.
        title: One line for people.
        licence: Of its weights.

    Returns:
        The name, for `citytune.tune(backbone=…)`.

    Raises:
        InputError: the file cannot be used as this; it says what it takes and gives.
        MissingWeights: the file or the package onnxruntime is not there.
    """
    place = Path(path).expanduser().resolve()
    own = None if levels is None else check_levels(levels)
    session = _session(place)
    inputs = session.get_inputs()
    if len(inputs) != 1:
        named = ", ".join(f"{one.name} {one.shape}" for one in inputs)
        raise InputError(f"{place.name} takes {len(inputs)} inputs ({named}): it must take one")
    (entry,) = inputs
    network = FileNetwork(
        lambda values: session.run(None, {entry.name: values})[0],
        entry.shape,
        place,
        context,
        double="double" in str(entry.type),
    )
    get = f"{INSTALL}, and bring back {place}."
    packages = ("onnxruntime",)
    return put_file(
        network, own, name=name, title=title, licence=licence, packages=packages, get=get
    )


def _session(place: Path) -> Any:
    if importlib.util.find_spec("onnxruntime") is None:
        raise MissingWeights(f"{place.name} needs the Python package onnxruntime: {INSTALL}")
    if not place.is_file():
        raise MissingWeights(f"there is no file {place}: name an ONNX file")
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return ort.InferenceSession(place, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InputError(
            f"{place.name} is no ONNX file that can be run, or is cut short; get it anew, as a "
            f"whole ({error})"
        ) from error


def _open(place: Path, saved: Card | None) -> Card:
    if saved is None:
        name = from_onnx(place)
    else:
        levels = saved.levels or None
        name = from_onnx(place, name=saved.name, context=saved.context, levels=levels)
    return shelf()[name]


open_places_with(Opener(lambda place: place.suffix == SUFFIX, _open))
