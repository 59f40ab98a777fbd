"""Forecasts of a pretrained model, kept on disk: a second strategy need not ask it again.

An entry is named by the hash of everything it follows from: the model's weights and code, the
readings, the windows. It holds numbers derived from the city's measurements, and stays in the
user's cache folder on this machine. Entries are plain safetensors files: nothing in them can run.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from platformdirs import user_cache_path
from torch import Tensor

from citytune.windows import Examples, History

VARIABLE = "CITYTUNE_CACHE"
"""Environment variable that names the folder, or says "off"."""
FORMAT = 2
SLOW_SECONDS = 0.5
"""Seconds that computing must have taken for the answer to be kept."""
MOST_CACHE_BYTES = 1_000_000_000
"""Bytes that all entries may take; those not used for longest go first."""
SOURCES = ("backbones", "tuning", "windows")
"""Packages whose code the answers follow from."""


def cached(
    key: str | None,
    names: Sequence[str],
    compute: Callable[[tuple[str, ...]], Mapping[str, Tensor]],
) -> dict[str, Tensor]:
    """What `compute` gives, name by name, from the disk if it was computed before.

    Args:
        key: Name of the entry; see `key_of`. None: nothing is read or kept.
        names: The answers wanted; an entry may hold others too.
        compute: Gives some of them.
    """
    folder = cache_folder()
    if folder is None or key is None:
        return dict(compute(tuple(names)))
    path = folder / f"{key}.safetensors"
    found = _read(path, names)
    if lacking := tuple(name for name in names if name not in found):
        started = time.perf_counter()
        new = compute(lacking)
        if time.perf_counter() - started > SLOW_SECONDS:
            with contextlib.suppress(OSError):  # no room, or no right: then without a cache
                _write(path, {**_read(path), **new})
        found.update(new)
    return found


def key_of(
    identity: str | None, history: History, examples: Examples, horizon: int, context: int
) -> str | None:
    """SHA-256 over all that an answer follows from: model, readings, calendar, windows, code.

    Args:
        identity: Of the model; see `citytune.backbones.identity_of`. None gives None.
        history: The readings, their calendar, and what is known ahead, where the model reads it.
        examples: The windows asked of.
        horizon: Steps ahead.
        context: Steps of past.
    """
    if identity is None:
        return None
    about = (FORMAT, _code(), identity, horizon, context, history.steps_per_day, torch.__version__)
    found = hashlib.sha256(repr(about).encode())
    calendar = history.wall, history.weekday, history.holiday
    for part in (history.raw, *calendar, history.covariates, *examples):
        found.update(repr((part.dtype, tuple(part.shape))).encode())
        found.update(part.contiguous().numpy().tobytes())
    return found.hexdigest()


def cache_folder() -> Path | None:
    """Where entries are kept: what `CITYTUNE_CACHE` says, or the user's own cache folder."""
    named = os.environ.get(VARIABLE, "").strip()
    if named.lower() == "off":
        return None
    return Path(named).expanduser() if named else user_cache_path("citytune", False, opinion=False)


def _read(path: Path, names: Sequence[str] | None = None) -> dict[str, Tensor]:
    """What an entry holds of some names, or of all; nothing of a damaged one."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            seals = file.metadata() or {}
            there = set(file.keys()) if names is None else set(names).intersection(file.keys())
            found = {name: file.get_tensor(name) for name in there}
        if all(seals.get(name) == _seal(part) for name, part in found.items()):
            os.utime(path)
            return found
    except (OSError, SafetensorError):
        pass
    return {}


def _write(path: Path, answers: Mapping[str, Tensor]) -> None:
    """Keep answers, all or nothing, and make room for them."""
    from safetensors.torch import save

    whole = {name: part.contiguous() for name, part in answers.items()}
    packed = save(whole, {name: _seal(part) for name, part in whole.items()})
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.stem[:16]}.{secrets.token_hex(4)}.part")
    try:
        draft.write_bytes(packed)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _make_room(path.parent)


def _make_room(folder: Path) -> None:
    """Drop the least recently used entries, drafts left behind too, beyond `MOST_CACHE_BYTES`."""
    total, states = 0, []
    for path in [*folder.glob("*.safetensors"), *folder.glob(".*.part")]:
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            state = path.stat()
            states.append((state.st_mtime, state.st_size, path))
    for _, size, path in sorted(states, reverse=True):
        total += size
        if total > MOST_CACHE_BYTES:
            path.unlink(missing_ok=True)


def _seal(answer: Tensor) -> str:
    return hashlib.sha256(answer.contiguous().numpy().tobytes()).hexdigest()


@functools.cache
def _code() -> str:
    """SHA-256 of the code that computes answers: another version of it asks anew."""
    found = hashlib.sha256()
    root = Path(__file__).parents[1]
    for path in sorted(path for name in SOURCES for path in (root / name).rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()
