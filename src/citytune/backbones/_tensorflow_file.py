"""A file of TensorFlow's, opened by TensorFlow's own runtime: what it takes, gives and may do."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from citytune._errors import InputError, MissingWeights
from citytune.backbones._network import silence
from citytune.backbones._tensorflow_code import harmful

INSTALL = "run `pip install 'citytune[tensorflow]'`"
GRAPH, INDEX, LITE = "saved_model.pb", "variables.index", ".tflite"
USUAL = "serving_default"
Shape = list[int | None]


class Door(NamedTuple):
    """One signature of a file: what it takes and gives, by name, and how it is asked."""

    takes: dict[str, Shape]
    gives: dict[str, Shape]
    double: bool
    ask: Callable[[NDArray[Any]], dict[str, NDArray[Any]]]
    parameters: int | None


def is_saved_model(place: Path) -> bool:
    """Whether a folder is a SavedModel."""
    return (place / GRAPH).is_file()


def open_door(place: Path, signature: str | None) -> Door:
    """Open a SavedModel or a TF-Lite file at one of its signatures.

    Raises:
        InputError: it is cut short, may run code, or has no such signature, and says which it has.
        MissingWeights: it, or the package tensorflow, is not there.
    """
    if not place.exists():
        raise MissingWeights(f"there is no {place}: name a SavedModel's folder or a {LITE} file")
    if place.is_dir() and not is_saved_model(place):
        raise InputError(f"{place} is no SavedModel: it has no {GRAPH}; name the folder that has")
    if place.is_file() and place.suffix != LITE:
        raise InputError(
            f"{place.name} is no file of TensorFlow's: name a SavedModel's folder or a {LITE} file"
        )
    tf = _tensorflow(place)
    opened = _lite_door if place.is_file() else _saved_door
    with silence(), _deaf():
        return opened(tf, place, signature)


def _tensorflow(place: Path) -> Any:
    """The package, quiet, on as many threads as torch has, and taking of a GPU what it needs."""
    if importlib.util.find_spec("tensorflow") is None:
        raise MissingWeights(f"{place.name} needs the Python package tensorflow: {INSTALL}")
    first = "tensorflow" not in sys.modules
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault(
        "KERAS_BACKEND", "torch"
    )  # which tensorflow imports, and from_keras needs
    try:
        with silence(), _deaf():
            import tensorflow as tf
    except Exception as error:
        raise MissingWeights(
            f"{place.name} needs tensorflow, and the one installed cannot be imported "
            f"({type(error).__name__}: {_line(error)}): {INSTALL}"
        ) from error
    if first:
        tf.config.threading.set_intra_op_parallelism_threads(torch.get_num_threads())
        tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """What TensorFlow's C++ says to the terminal while it starts goes nowhere."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no terminal
        yield
        return
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "").strip()[:200]


def _cut_short(place: Path, kind: str, error: BaseException) -> InputError:
    return InputError(
        f"{place.name} cannot be read as {kind}, or is cut short ({_line(error)}); get it anew, as "
        "a whole"
    )


def _picked(place: Path, names: Collection[str], signature: str | None) -> str:
    """The signature that was asked for, or the usual one, or the only one."""
    listed = ", ".join(sorted(names))
    if not names:
        raise InputError(
            f"{place.name} has no signature, so nobody knows what it takes: save it by "
            "`model.export`, or by `tf.saved_model.save` with `signatures`"
        )
    if signature is None and (len(names) == 1 or USUAL in names):
        return USUAL if USUAL in names else next(iter(names))
    if signature is None:
        raise InputError(
            f"{place.name} has the signatures {listed}: say which as `signature` of "
            "citytune.backbones.from_tensorflow"
        )
    if signature not in names:
        raise InputError(f"{place.name} has no signature {signature!r}; it has {listed}")
    return signature


def _saved_door(tf: Any, place: Path, signature: str | None) -> Door:
    _refuse_code(place)
    try:
        model = tf.saved_model.load(place)
    except Exception as error:
        raise _cut_short(place, "a SavedModel", error) from error
    asked = model.signatures[_picked(place, model.signatures, signature)]
    takes = asked.structured_input_signature[1]
    kinds = {spec.dtype for spec in takes.values()}
    _refuse_kinds(place, {kind.name for kind in kinds})
    entry = next(iter(takes), "")

    def ask(values: NDArray[Any]) -> dict[str, NDArray[Any]]:
        found = asked(**{entry: tf.constant(values)})
        return {name: part.numpy() for name, part in found.items()}

    def shapes(specs: dict[str, Any]) -> dict[str, Shape]:
        return {
            name: [None] if spec.shape.rank is None else spec.shape.as_list()
            for name, spec in specs.items()
        }

    weights = {one.ref() for one in asked.variables}
    return Door(
        shapes(takes),
        shapes(asked.structured_outputs),
        tf.float64 in kinds,
        _held(ask, model),
        sum(int(np.prod(one.deref().shape)) for one in weights),
    )


def _held(ask: Callable[..., Any], model: Any) -> Callable[..., Any]:
    """A signature does not keep its model's weights alive; whoever asks it does."""
    ask.model = model  # type: ignore[attr-defined]
    return ask


def _refuse_kinds(place: Path, kinds: Collection[str]) -> None:
    if other := sorted(set(kinds) - {"float32", "float64"}):
        raise InputError(
            f"{place.name} takes {', '.join(other)}: it must take windows of float32 or float64"
        )


def _refuse_code(place: Path) -> None:
    """Raise unless a SavedModel's graph is whole, and neither runs Python nor touches files."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    if not (place / "variables" / INDEX).is_file():
        raise InputError(f"{place.name} lacks variables/{INDEX}; get the folder anew, as a whole")
    try:
        saved = SavedModel.FromString((place / GRAPH).read_bytes())
    except Exception as error:
        raise _cut_short(place / GRAPH, "the graph of a SavedModel", error) from error
    if found := harmful(saved):
        raise InputError(
            f"{place.name} holds {', '.join(found)}, which runs Python or touches files when it is "
            "asked, so it is refused: save the network without"
        )


class _Lite:
    """A TF-Lite interpreter, asked by one thread at a time; whole numbers become real ones."""

    def __init__(self, interpreter: Any, runner: Any) -> None:
        self.interpreter, self.runner = interpreter, runner
        self.lock = threading.Lock()
        parts = interpreter if runner is None else runner
        inputs, outputs = parts.get_input_details(), parts.get_output_details()
        self.takes = inputs if runner else {one["name"]: one for one in inputs}
        self.gives = outputs if runner else {one["name"]: one for one in outputs}

    def __call__(self, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
        ((entry, about),) = self.takes.items()
        with self.lock:
            shown = _whole(values, about)
            found = self.runner(**{entry: shown}) if self.runner else self._plain(shown, about)
            return {name: _real(part, self.gives[name]) for name, part in found.items()}

    def _plain(self, shown: NDArray[Any], about: dict[str, Any]) -> dict[str, NDArray[Any]]:
        """By places, of a file without signatures."""
        own = self.interpreter
        if tuple(own.get_input_details()[0]["shape"]) != shown.shape:
            own.resize_tensor_input(about["index"], shown.shape)
            own.allocate_tensors()
        own.set_tensor(about["index"], shown)
        own.invoke()
        return {name: own.get_tensor(one["index"]) for name, one in self.gives.items()}


def _whole(values: NDArray[Any], about: dict[str, Any]) -> NDArray[Any]:
    """Values as a quantised file takes them."""
    kind, (scale, zero) = np.dtype(about["dtype"]), about["quantization"]
    if kind.kind == "f":
        return values.astype(kind)
    limits = np.iinfo(kind)
    return np.clip(np.round(values / scale) + zero, limits.min, limits.max).astype(kind)


def _real(values: NDArray[Any], about: dict[str, Any]) -> NDArray[Any]:
    """The answer of a quantised file in real numbers."""
    scale, zero = about["quantization"]
    if values.dtype.kind == "f" or not scale:
        return values.astype(np.float64)
    return (values.astype(np.float64) - zero) * scale


def _lite_door(tf: Any, place: Path, signature: str | None) -> Door:
    try:  # from its bytes, which are verified; a file that is named and cut short ends the process
        own = tf.lite.Interpreter(
            model_content=place.read_bytes(), num_threads=torch.get_num_threads()
        )
        own.allocate_tensors()
    except Exception as error:
        raise _cut_short(place, "a TF-Lite file", error) from error
    names = own.get_signature_list()
    named = bool(names) or signature is not None
    lite = _Lite(own, own.get_signature_runner(_picked(place, names, signature)) if named else None)
    kinds = {np.dtype(one["dtype"]).name for one in lite.takes.values() if not _scale(one)}
    _refuse_kinds(place, kinds)

    def shapes(parts: dict[str, Any]) -> dict[str, Shape]:
        return {name: _lite_shape(one) for name, one in parts.items()}

    return Door(shapes(lite.takes), shapes(lite.gives), "float64" in kinds, lite, None)


def _scale(about: dict[str, Any]) -> float:
    return float(about["quantization"][0])


def _lite_shape(about: dict[str, Any]) -> Shape:
    signature: Sequence[int] = about["shape_signature"]
    sizes = signature if len(signature) else about["shape"]
    return [None if size < 0 else int(size) for size in sizes]
