"""What a pretrained model said of windows, kept on disk: a second strategy need not ask again.

An entry is named by everything it follows from, so it is never wrong, only unused. It holds numbers
derived from the city's measurements, and stays in the user's cache folder on this machine.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import logging
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from citytune.backbones import Card
from citytune.windows import Examples, History

VARIABLE = "CITYTUNE_CACHE"
"""Environment variable that names the folder, or says "off"."""
FORMAT = 1
SLOW_SECONDS = 0.5
"""Seconds that computing must have taken for the answer to be kept."""
MOST_CACHE_BYTES = 1_000_000_000
"""Bytes that all entries may take; those not used for longest go first."""
SOURCES = ("backbones", "tuning", "windows")
"""Packages whose code the answers follow from."""
log = logging.getLogger(__name__)


def cached(
    key: Callable[[], str],
    names: Sequence[str],
    compute: Callable[[tuple[str, ...]], Mapping[str, Tensor]],
) -> dict[str, Tensor]:
    """What `compute` gives, name by name, from the disk if it was computed before.

    Args:
        key: Gives the name of the entry; see `key_of`.
        names: The answers wanted; an entry may hold others beside them.
        compute: Gives some of them.
    """
    folder = cache_folder()
    if folder is None:
        return dict(compute(tuple(names)))
    path = folder / f"{key()}.safetensors"
    found = _read(path, names)
    if lacking := tuple(name for name in names if name not in found):
        started = time.perf_counter()
        new = compute(lacking)
        if time.perf_counter() - started > SLOW_SECONDS:
            _write(path, {**_read(path), **new})
        found.update(new)
    return found


def key_of(card: Card, history: History, examples: Examples, horizon: int, context: int) -> str:
    """SHA-256 over all that an answer follows from: model, readings, calendar, windows, code."""
    said = (FORMAT, _code(), card.name, card.sha256, _packages(card), horizon, context)
    found = hashlib.sha256(repr((*said, history.steps_per_day, torch.__version__)).encode())
    parts = (history.raw, history.wall, history.weekday, history.holiday, *examples)
    for part in parts:
        found.update(repr((part.dtype, tuple(part.shape))).encode())
        found.update(part.contiguous().numpy().tobytes())
    return found.hexdigest()


def cache_folder() -> Path | None:
    """Where entries are kept: what `CITYTUNE_CACHE` says, or the user's own cache folder."""
    said = os.environ.get(VARIABLE, "").strip()
    if said.lower() == "off":
        return None
    if said:
        return Path(said).expanduser()
    try:
        return _usual()
    except RuntimeError:  # nobody's home
        return None


def _usual() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "citytune"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "citytune"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "citytune"


def _read(path: Path, names: Sequence[str] | None = None) -> dict[str, Tensor]:
    """What an entry holds of some names, or of all; a damaged one is dropped."""
    from safetensors import SafetensorError, safe_open

    found: dict[str, Tensor] = {}
    try:
        with safe_open(path, framework="pt") as file:
            seals = file.metadata() or {}
            for name in set(file.keys()).intersection(file.keys() if names is None else names):
                found[name] = file.get_tensor(name)
        if all(seals.get(name) == _seal(part) for name, part in found.items()):
            os.utime(path)
            return found
    except FileNotFoundError:
        return {}
    except (OSError, SafetensorError):
        pass
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    return {}


def _write(path: Path, answers: Mapping[str, Tensor]) -> None:
    """Keep answers, all or nothing; where that cannot be, go on without."""
    from safetensors.torch import save

    whole = {name: part.contiguous() for name, part in answers.items()}
    packed = save(whole, {name: _seal(part) for name, part in whole.items()})
    draft = path.with_name(f".{path.stem[:16]}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.write_bytes(packed)
        draft.replace(path)
        _make_room(path.parent)
    except OSError as error:
        _say_once(f"nothing is cached in {path.parent}: {error}")
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _make_room(folder: Path) -> None:
    """Drop the least recently used entries until at most `MOST_CACHE_BYTES` are left."""
    found = sorted(_entries(folder), reverse=True)
    total = 0
    for _, size, path in found:
        total += size
        if total > MOST_CACHE_BYTES:
            path.unlink(missing_ok=True)


def _entries(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """When each entry was last used, its bytes, and its file; drafts left behind, too."""
    for path in folder.iterdir():
        if path.suffix in (".safetensors", ".part"):
            with contextlib.suppress(FileNotFoundError):  # someone else was quicker
                state = path.stat()
                yield state.st_mtime, state.st_size, path


def _seal(answer: Tensor) -> str:
    return hashlib.sha256(answer.contiguous().numpy().tobytes()).hexdigest()


@functools.cache
def _say_once(text: str) -> None:
    log.debug(text)


@functools.cache
def _code() -> str:
    """SHA-256 of the code that computes answers: another version of it asks anew."""
    found = hashlib.sha256()
    root = Path(__file__).parents[1]
    for path in sorted(path for name in SOURCES for path in (root / name).rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


def _packages(card: Card) -> tuple[str, ...]:
    """Versions of the packages that a backbone's weights may come with."""
    found = []
    for name in card.packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name} {importlib.metadata.version(name)}")
    return tuple(found)
