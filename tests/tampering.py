"""Spoil saved models and runs: by accident, or as somebody would who knows the seals."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as unpack
from safetensors.torch import save as pack

from citytune.forecasting import _store
from citytune.runs._folder import SEAL, Seal, sums_of

STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, 10**30, 1e308, "", "nan", "inf", "text", "../outside/secret.csv",
    "/etc/passwd", [], {}, [[]], {"kind": 1},
)  # fmt: skip
ODD_TEXTS = ("", "[]", "null", "{", "\x00", "[" * 100_000, '{"format": 1}', '{"format": NaN}')


def rewrite(model: Path, **facts: Any) -> None:
    """Change what `model.json` says and seal it anew."""
    told = json.loads((model / "model.json").read_text(encoding="utf-8")) | facts
    told["sha256"] = _store._seal(told, (model / "model.safetensors").read_bytes())
    (model / "model.json").write_text(json.dumps(told), encoding="utf-8")


def leaves(facts: Any, path: str = "") -> Iterator[str]:
    """Every dotted path but those of the file itself."""
    inner = facts.items() if isinstance(facts, dict) else enumerate(facts)
    for name, value in inner:
        if not path and name in ("format", "memory", "sha256"):
            continue
        here = f"{path}.{name}" if path else str(name)
        yield here
        if isinstance(value, dict | list):
            yield from leaves(value, here)


def change(facts: Any, path: str, draw: np.random.Generator) -> None:
    """Put something strange, or nothing, where a dotted path leads."""
    *parents, last = path.split(".")
    for name in parents:
        facts = facts[int(name)] if isinstance(facts, list) else facts[name]
    key = int(last) if isinstance(facts, list) else last
    if draw.random() < 0.2:
        del facts[key]
        return
    facts[key] = STRANGE[draw.integers(len(STRANGE))]


def changed(facts: dict[str, Any], draw: np.random.Generator) -> dict[str, Any]:
    """Facts with one or two strange things in them."""
    paths = list(leaves(facts))
    for _ in range(int(draw.integers(1, 3))):
        path = paths[draw.integers(len(paths))]
        with contextlib.suppress(LookupError, TypeError, ValueError):
            change(facts, path, draw)
    return facts


def spoilt(packed: bytes, draw: np.random.Generator) -> bytes:
    """A safetensors file some of whose numbers are NaN or infinite, or of another shape."""
    tensors = unpack(packed)
    name = sorted(tensors)[draw.integers(len(tensors))]
    part = tensors[name].clone()
    how = draw.integers(4)
    if how == 0 and part.is_floating_point() and part.numel():
        part.view(-1)[0] = torch.nan
    elif how == 1 and part.ndim:
        part = part[:-1].clone()
    elif how == 2:
        part = part.half() if part.dtype == torch.float32 else part.float()
    else:
        del tensors[name]
        tensors["other"] = part
        return pack(tensors)
    return pack(tensors | {name: part})


def tamper_model(model: Path, draw: np.random.Generator) -> None:
    """What a stranger who knows the seal of a model may write."""
    facts = json.loads((model / "model.json").read_text(encoding="utf-8"))
    if draw.random() < 0.25:
        packed = (model / "model.safetensors").read_bytes()
        (model / "model.safetensors").write_bytes(spoilt(packed, draw))
    rewrite(model, **changed(facts, draw))


def forge_model(run: Path, outside: Path, draw: np.random.Generator) -> str:
    """The model of a run changed, and every seal made anew."""
    tamper_model(run / "model", draw)
    Seal(json.loads((run / SEAL).read_text())["reading"], sums_of(run)).write(run)
    return "model"


def forge_seal(run: Path, outside: Path, draw: np.random.Generator) -> str:
    """How the source is read, or which files there are, changed, and sealed anew."""
    facts = json.loads((run / SEAL).read_text())
    told = {"reading": facts["reading"], "files": facts["files"]}
    if draw.random() < 0.3:
        told["files"]["../outside/secret.csv"] = "0" * 64
    told = changed(told, draw)
    with contextlib.suppress(KeyError, TypeError, ValueError):
        Seal(told["reading"], told["files"]).write(run)
    return SEAL


def _any(run: Path, draw: np.random.Generator, *, folders: bool) -> Path:
    """Any file of a run, or also any folder in it."""
    paths = [path for path in sorted(run.rglob("*")) if path.name != "report.html"]
    paths = [path for path in paths if folders or path.is_file()]
    return paths[draw.integers(len(paths))]


def replace_file(run: Path, outside: Path, draw: np.random.Generator) -> str:
    """A file gone, or something else in its place: a link out of the run, a folder, nothing."""
    path = _any(run, draw, folders=True)
    name = path.relative_to(run).as_posix()
    away = outside / "away"
    shutil.move(path, away)
    how = draw.integers(5)
    if how == 0:
        path.symlink_to(away)
    elif how == 1:
        path.symlink_to(outside / "nowhere")
    elif how == 2:
        path.mkdir()
    elif how == 3:
        path.write_bytes(b"")
    return name


def change_bytes(run: Path, outside: Path, draw: np.random.Generator) -> str:
    """A file cut, spoilt in the middle, or written over."""
    path = _any(run, draw, folders=False)
    whole, how = path.read_bytes(), draw.integers(4)
    at = int(draw.integers(len(whole)))
    odd = ODD_TEXTS[draw.integers(len(ODD_TEXTS))].encode()
    flipped = bytes([whole[at] ^ (1 << int(draw.integers(8)))])
    spoilt_bytes = whole[:at] + flipped + whole[at + 1 :]
    path.write_bytes([whole[:at], spoilt_bytes, whole + b"x", odd][how])
    return path.relative_to(run).as_posix()


WAYS: tuple[Callable[[Path, Path, np.random.Generator], str], ...] = (
    forge_model, forge_seal, replace_file, change_bytes,
)  # fmt: skip


def tamper(run: Path, outside: Path, draw: np.random.Generator) -> tuple[str, str]:
    """Spoil a run in one way; which way, and what was spoilt. Links lead to `outside`."""
    way = WAYS[draw.integers(len(WAYS))]
    return way.__name__, way(run, outside, draw)
