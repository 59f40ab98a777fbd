"""Put a model's memory into one safetensors file and take it out again, when it is needed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from citytune._errors import RunError
from citytune.tuning import Memory, Timetable, Windows

FILE = "memory.safetensors"
SMALL = {"sensor": torch.int32, "slot": torch.int32}
"""How whole numbers are kept that need not be long."""


@dataclass(frozen=True)
class MemoryFile:
    """A memory that is left unread until someone asks."""

    path: Path
    sha256: str

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
        return unpack(packed)


def pack(memory: Memory) -> bytes:
    """A safetensors file."""
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {"memory.first": memory.first}
    for name, part in memory.windows._asdict().items():
        tensors[f"memory.windows.{name}"] = part.to(SMALL.get(name, part.dtype))
    tensors |= {f"memory.says.{name}": part for name, part in memory.says.items()}
    if memory.features is not None and memory.unit is not None:
        tensors |= {"memory.features": memory.features, "memory.unit": memory.unit}
    facts: dict[str, object] = {
        "since": memory.since,
        "until": memory.until,
        "known_ahead": memory.known_ahead,
    }
    if (ahead := memory.timetable) is not None:
        tensors |= {"memory.covariates": ahead.covariates, "memory.slot": ahead.slot}
        facts["timetable"] = [ahead.first, ahead.end, ahead.steps_per_day]
    whole = {name: part.contiguous() for name, part in tensors.items()}
    return save(whole, metadata={"memory": json.dumps(facts)})


def unpack(packed: bytes) -> Memory:
    """What `pack` put in."""
    from safetensors.torch import load

    found = load(packed)
    size = int.from_bytes(packed[:8], "little")
    facts = json.loads(json.loads(packed[8 : 8 + size])["__metadata__"]["memory"])
    windows = {name: found[f"memory.windows.{name}"] for name in Windows._fields}
    windows |= {name: windows[name].long() for name in SMALL}
    said = "memory.says."
    timetable = None
    if "timetable" in facts:
        timetable = Timetable(found["memory.covariates"], found["memory.slot"], *facts["timetable"])
    return Memory(
        since=facts["since"],
        until=facts["until"],
        first=found["memory.first"],
        windows=Windows(**windows),
        says={key.removeprefix(said): part for key, part in found.items() if said in key},
        features=found.get("memory.features"),
        unit=found.get("memory.unit"),
        timetable=timetable,
        known_ahead=tuple(facts["known_ahead"]),
    )
