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
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from citytune.backbones import Card
from citytune.windows import Examples, History

VARIABLE = "CITYTUNE_CACHE"
"""Environment variable that names the folder, or says "off"."""
FORMAT = 1
WORTH = 0.5
"""Seconds that computing must have taken for the answer to be kept."""
MOST = 1_000_000_000
"""Bytes that all entries may take; those not used for longest go first."""
SOURCES = ("backbones", "tuning", "windows")
"""Packages whose code the answers follow from."""
log = logging.getLogger(__name__)


def cached(key: Callable[[], str], compute: Callable[[], Tensor]) -> Tensor:
    """What `compute` gives, from the disk if it was computed before.

    Args:
        key: Gives the name of the entry; see `key_of`.
        compute: Gives the answer.
    """
    folder = cache_folder()
    if folder is None:
        return compute()
    path = folder / f"{key()}.safetensors"
    if (found := _read(path)) is not None:
        return found
    started = time.perf_counter()
    found = compute()
    if time.perf_counter() - started > WORTH:
        _write(path, found)
    return found


def key_of(
    what: str, card: Card, history: History, examples: Examples, horizon: int, context: int
) -> str:
    """SHA-256 over all that an answer follows from: model, readings, calendar, windows, code."""
    said = (FORMAT, _code(), what, card.name, card.sha256, _packages(card), horizon, context)
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


def _read(path: Path) -> Tensor | None:
    """An entry; None if there is none, or if it is damaged, in which case it is dropped."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            found, seal = file.get_tensor("answer"), (file.metadata() or {}).get("sha256")
        if seal == _seal(found):
            os.utime(path)
            return found
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError):
        pass
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    return None


def _write(path: Path, answer: Tensor) -> None:
    """Keep an answer, all or nothing; where that cannot be, go on without."""
    from safetensors.torch import save

    draft = path.with_name(f".{path.stem[:16]}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.write_bytes(save({"answer": answer.contiguous()}, {"sha256": _seal(answer)}))
        draft.replace(path)
        _make_room(path.parent)
    except OSError as error:
        _say_once(f"nothing is cached in {path.parent}: {error}")
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _make_room(folder: Path) -> None:
    """Drop the entries that were not used for longest until the rest is no more than `MOST`."""
    found = sorted(_entries(folder), reverse=True)
    total = 0
    for _, size, path in found:
        total += size
        if total > MOST:
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
