"""A backbone's identity: a hash over its weights, its code and its card."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import inspect
import weakref
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from citytune.backbones._protocol import Backbone, Card

_known: weakref.WeakKeyDictionary[Any, tuple[object, str]] = weakref.WeakKeyDictionary()
_PLAIN = (type(None), bool, int, float, complex, str, bytes, Path, torch.dtype, torch.device)
_FOREIGN = ("builtins", "torch", "abc", "typing")  # packages whose version tells enough


class _UnknownError(TypeError):
    """Something that a forecast may follow from, and that cannot be hashed."""


def identity_of(backbone: Backbone) -> str | None:
    """SHA-256 over all that a backbone's answers follow from; None where that cannot be known.

    These are its card, with the hashes of its files; everything that its object holds, tensors
    and networks above all; the source files of the classes met on the way; and the versions of
    torch and of the card's packages. A class without a source, or a thing of a kind that cannot be
    hashed (a function, a handle of another library), gives None, and nothing must then be kept.

    It is computed once for each object, and anew when a weight was changed in place.
    """
    try:
        state = tuple(one for part in vars(backbone).items() for one in _state(*part))
        if (known := _known.get(backbone)) is None or known[0] != state:
            known = state, _digest(backbone)
            _known[backbone] = known
        return known[1]
    except (TypeError, OSError, RuntimeError):  # an unknown kind; no source; no version kept
        return None


def _state(name: str, part: object) -> Iterator[object]:
    """What changes whenever an attribute does, without looking at every weight."""
    if isinstance(part, nn.Module):
        for weight in (*part.parameters(), *part.buffers()):
            yield id(weight), weight._version  # noqa: SLF001 - torch's count of changes
    elif isinstance(part, Tensor):
        yield id(part), part._version  # noqa: SLF001
    elif isinstance(part, (*_PLAIN, Card)):
        yield name, part
    else:
        yield object()  # which equals nothing: it is computed each time


def _digest(backbone: Backbone) -> str:
    found = hashlib.sha256(repr((backbone.card, torch.__version__)).encode())
    for package in backbone.card.packages:
        try:
            found.update(f"{package} {importlib.metadata.version(package)}".encode())
        except importlib.metadata.PackageNotFoundError:  # imported under another name
            continue
    for piece in _pieces(backbone, {}):
        found.update(len(piece).to_bytes(8, "big") + piece)
    return found.hexdigest()


def _pieces(part: Any, met: dict[int, Any]) -> Iterator[bytes]:
    """Bytes that tell `part` from another, and what it is made of."""
    if isinstance(part, _PLAIN):
        yield repr(part).encode()
    elif isinstance(part, Tensor):
        yield repr((part.dtype, tuple(part.shape))).encode()
        yield part.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    elif isinstance(part, (np.ndarray, np.generic)):
        if part.dtype.hasobject:
            raise _UnknownError(part.dtype)
        yield repr((part.dtype, part.shape)).encode() + part.tobytes()
    elif id(part) not in met:
        met[id(part)] = part  # held, so that no other thing gets its id meanwhile
        yield from _inside(part, met)


def _inside(part: Any, met: dict[int, Any]) -> Iterator[bytes]:
    if isinstance(part, dict):
        held = [one for pair in part.items() for one in pair]
    elif isinstance(part, (list, tuple, set, frozenset)):
        held = sorted(part, key=repr) if isinstance(part, (set, frozenset)) else list(part)
    else:
        yield from _sources(type(part))
        held = _held(part)
    yield f"{type(part).__qualname__} {len(held)}".encode()
    for one in held:
        yield from _pieces(one, met)


def _held(part: Any) -> list[Any]:
    """What an object of some class holds."""
    if isinstance(part, nn.Module):  # its hooks and caches aside
        own = {k: v for k, v in vars(part).items() if not k.startswith("_") or k in _HELD}
        return [own]
    if is_dataclass(part):
        return [getattr(part, field.name) for field in fields(part)]
    if not hasattr(part, "__dict__") or callable(part):
        raise _UnknownError(type(part))
    return [vars(part)]


_HELD = ("_parameters", "_buffers", "_modules")


def _sources(kind: type) -> Iterator[bytes]:
    """The source files of a class and of those it is made from, but for torch's."""
    for one in kind.__mro__:
        if one.__module__.partition(".")[0] not in _FOREIGN:
            path = inspect.getsourcefile(one)
            if path is None:
                raise _UnknownError(one)
            yield _content(path)


@functools.cache
def _content(path: str) -> bytes:
    return hashlib.sha256(Path(path).read_bytes()).digest()
