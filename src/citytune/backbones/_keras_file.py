"""Look into a file of a Keras network before it is opened: one that holds code is refused."""

from __future__ import annotations

import importlib.util
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from citytune._errors import CitytuneError, InputError, MissingWeights

SUFFIXES = (".keras", ".h5", ".hdf5")
PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".dill")
CODE = {
    "Lambda": "which is Python code that would run when it is opened",
    "__lambda__": "which is Python code that would run when it is opened",
    "TorchModuleWrapper": "which is a pickle that could run code when it is opened",
    "TFSMLayer": "which opens another folder, with whatever program is in it",
}
"""Classes of a config that stand for code, and why."""
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)
"""Of an archive that is broken, encrypted, or packed in a way that Python does not know."""


def refuse_code(place: Path) -> None:
    """Raise `InputError` unless a file is of a Keras network without code in it."""
    if place.suffix in PICKLES:
        raise InputError(
            f"{place.name} is a pickle, which can run code when it is opened, so it is refused: "
            "save the network by `model.save('NAME.keras')`"
        )
    if place.suffix not in SUFFIXES:
        raise InputError(f"{place.name} is no Keras file: it must end in {' or '.join(SUFFIXES)}")
    for written in _classes(_config(place)):
        name = re.split(r"[.>]", written)[-1]  # Keras also finds "layers.Lambda" in "keras"
        if name in CODE:
            layer = "Lambda" if name == "__lambda__" else name
            raise InputError(
                f"{place.name} holds a {layer} layer, {CODE[name]}, so it is refused: build the "
                "layer from others, or from keras.ops in a layer of its own, and ask it through "
                "from_keras(model)"
            )


def _config(place: Path) -> Any:
    try:
        return json.loads(_zipped(place) if place.suffix == ".keras" else _hdf5(place))
    except CitytuneError:
        raise
    except (*UNREADABLE, OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{place.name} cannot be read as a Keras file, or is cut short ({error}); get it anew"
        ) from error


def _zipped(place: Path) -> bytes:
    with zipfile.ZipFile(place) as archive:
        return archive.read("config.json")


def _hdf5(place: Path) -> str | bytes:
    if importlib.util.find_spec("h5py") is None:
        raise MissingWeights(
            f"{place.name} needs the Python package h5py: run `pip install 'citytune[keras]'`"
        )
    import h5py

    with h5py.File(place) as file:
        if "model_config" not in file.attrs:
            raise InputError(
                f"{place.name} holds weights alone, not the network: save it whole, or give the "
                "network itself"
            )
        found: str | bytes = file.attrs["model_config"]
        return found


def _classes(config: Any) -> Iterator[str]:
    """Every class name in a config, however deep."""
    waiting = [config]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if isinstance(one.get("class_name"), str):
                yield one["class_name"]
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
