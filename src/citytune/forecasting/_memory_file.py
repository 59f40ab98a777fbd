"""A model's memory as one safetensors file, which is read only when it is needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from citytune._errors import RunError
from citytune.forecasting._structure import Builder, Misfit, parse, take_apart
from citytune.tuning import Memory

MEMORY = "memory.safetensors"


@dataclass(frozen=True)
class MemoryFile:
    """A memory that is left unread until someone asks."""

    path: Path
    sha256: str
    sizes: Mapping[str, int]
    """Name of an axis → its length in the model it belongs to."""

    def read(self) -> Memory:
        """The memory, or a `RunError` that says what became of it."""
        try:
            packed = self.path.read_bytes()
        except FileNotFoundError:
            raise RunError(
                f"{self.path} is not there, so the model cannot go on learning; bring it back, or "
                "tune anew"
            ) from None
        if hashlib.sha256(packed).hexdigest() != self.sha256:
            raise RunError(
                f"{self.path} is not the file that was written with the model; bring that one "
                "back, load the model again if it was renewed, or tune anew"
            )
        try:
            return unpack_memory(packed, self.sizes)
        except Misfit as error:
            raise RunError(
                f"{self.path} is damaged: {error}; tune anew, or restore it from a copy"
            ) from error


def pack_memory(memory: Memory) -> bytes:
    """A safetensors file."""
    from safetensors.torch import save

    facts, tensors = take_apart(memory, {})
    return save(tensors, metadata={"memory": json.dumps(facts, allow_nan=False)})


def unpack_memory(packed: bytes, sizes: Mapping[str, int]) -> Memory:
    """What `pack_memory` put in, or a `Misfit`."""
    tensors, about = unpack(packed)
    builder = Builder(tensors, {}, dict(sizes), gaps=True)
    memory: Memory = builder.whole(Memory, parse(about.get("memory", "")))
    return memory


def unpack(packed: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a safetensors file, and what is said about them; or a `Misfit`."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(packed)
    except (SafetensorError, ValueError, LookupError, TypeError) as error:
        raise Misfit("", f"its tensors cannot be read ({error})") from error
    header = parse(packed[8 : 8 + int.from_bytes(packed[:8], "little")])
    return tensors, header.get("__metadata__") or {}
