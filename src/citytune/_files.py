"""Put a file or a folder in its place whole or not at all, whatever interrupts."""

from __future__ import annotations

import ctypes
import json
import os
import re
import secrets
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from errno import EACCES
from pathlib import Path
from typing import Any

from citytune._errors import InputError, RunError

SECONDS_TO_WAIT = 0.5
"""How long a place may be locked by another process before it is called busy."""
_OURS = re.compile(r"\.(?P<name>.+)\.citytune-(?P<kind>lock|(draft|old)-[0-9a-f]{8})", re.DOTALL)
"""Names of what is written next to a place until it is done."""
_WRITTEN: ContextVar[list[Path] | None] = ContextVar("written", default=None)


@contextmanager
def noting_what_is_written() -> Iterator[list[Path]]:
    """A list of the files and folders put in their place meanwhile, as they were named."""
    written: list[Path] = []
    token = _WRITTEN.set(written)
    try:
        yield written
    finally:
        _WRITTEN.reset(token)


@contextmanager
def locked(place: Path, *, wait: float = SECONDS_TO_WAIT) -> Iterator[Path]:
    """Keep other processes from writing `place`; gives where it really is, links resolved.

    Missing folders above it are made, and taken away if nothing came into them. What killed
    processes left next to `place` is put right: an old folder goes back, drafts are deleted.

    Raises:
        RunError: another process is writing it, or a file stands where a folder is needed.
    """
    from filelock import FileLock, Timeout

    real = place.resolve()
    made = _make_parents(real, place)
    guard = real.with_name(f".{real.name}.citytune-lock")
    lock = FileLock(guard)
    try:
        try:
            lock.acquire(timeout=wait)
        except Timeout:
            if not guard.exists():  # nobody could make it, neither this process nor another
                raise PermissionError(EACCES, os.strerror(EACCES), str(place)) from None
            raise RunError(
                f"another process is writing {place}; wait until it is done, or name another"
            ) from None
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(place)) from error
        try:
            _recover(real)
            yield real
        finally:
            with suppress(OSError):
                guard.unlink()  # while it is held: who waits for it sees that it is gone
            lock.release()
    finally:
        for folder in made:
            with suppress(OSError):  # something came into it
                folder.rmdir()


@contextmanager
def replacing_folder(place: Path, check: Callable[[Path], None]) -> Iterator[Path]:
    """A folder to write into, which becomes `place` at the end; after any failure, no trace.

    Only inside `locked`. Where the system can, it changes places with an old folder in one step;
    elsewhere the old one is moved away first, and comes back by itself after a kill.

    Args:
        place: May hold an older folder, which is then deleted.
        check: Raises if a folder that stands there must be kept. Asked at the start, right before
            the exchange, and of what was moved away.
    """
    real = place.resolve()
    if os.path.lexists(real):
        check(real)
    draft = _beside(real, "draft")
    try:
        draft.mkdir()
        with noting_what_is_written():  # what goes into the draft is in no place yet
            yield draft
        with uninterrupted():
            _swap(draft, real, check)
            _note(place)
    finally:
        with uninterrupted():
            _remove(draft)


@contextmanager
def new_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A file to write, which becomes `path` at the end; after any failure, no trace.

    Raises:
        InputError: `path` is a folder, lies in none, or is there and may not be replaced.
    """
    check_file(path, overwrite)
    leave_no_drafts(path.resolve().parent)
    with locked(path) as real:
        draft = _beside(real, "draft")
        try:
            yield draft
            with uninterrupted():
                _put(draft, real, path, overwrite)
                _note(path)
        finally:
            draft.unlink(missing_ok=True)


def check_file(path: Path, overwrite: bool) -> None:
    """Refuse a name that is a folder's, lies in none, or is taken and must be kept."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file to write, such as forecast.csv")
    if os.path.lexists(path) and not overwrite:
        raise InputError(
            f"{path} already exists and was not overwritten; choose another name, or pass "
            "overwrite=True"
        )
    if path.resolve().parent.is_file():
        raise InputError(f"{path.resolve().parent} is a file and no folder; choose another name")
    if not path.resolve().parent.is_dir():
        raise InputError(f"there is no folder {path.resolve().parent}; make it, or choose another")


def leave_no_drafts(folder: Path) -> None:
    """Put right what killed processes left in a folder; what living ones write there stays."""
    try:
        found = {
            match["name"] for path in folder.iterdir() if (match := _OURS.fullmatch(path.name))
        }
    except OSError:
        return
    for name in found:
        with suppress(OSError, RunError), locked(folder / name, wait=0):
            pass


def names_in(folder: Path) -> set[str]:
    """What a folder holds, without what is written next to places in it."""
    return {path.name for path in folder.iterdir() if not _OURS.fullmatch(path.name)}


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        RunError: it is no file, no JSON or no object, or nested too deeply.
    """
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError, IsADirectoryError, NotADirectoryError) as error:
        raise _damaged(path, str(error) or type(error).__name__) from error
    except FileNotFoundError:
        raise _damaged(path, "it is not there") from None
    if not isinstance(found, dict):
        raise _damaged(path, f"it holds a {type(found).__name__}, not an object")
    return found


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the end of this."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = {number: handler for number, handler in before.items() if handler is not None}
    for number in handlers:
        signal.signal(number, lambda which, _frame: came.append(which))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _damaged(path: Path, why: str) -> RunError:
    return RunError(f"{path} is damaged ({why}); tune anew, or restore it from a copy")


def _make_parents(real: Path, place: Path) -> list[Path]:
    """Make the folders above, the nearest first; what goes wrong is said of `place`."""
    lacking = [folder for folder in real.parents if not folder.exists()]
    nearest = next(folder for folder in real.parents if folder.exists())
    if not nearest.is_dir():
        raise RunError(f"{place} cannot be made, since {nearest} is a file; choose another out=")
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(place)) from error
    return lacking


def _beside(real: Path, kind: str) -> Path:
    return real.with_name(f".{real.name}.citytune-{kind}-{secrets.token_hex(4)}")


def _recover(real: Path) -> None:
    for path in real.parent.iterdir():
        match = _OURS.fullmatch(path.name)
        if match is None or match["name"] != real.name or match["kind"] == "lock":
            continue
        if match["kind"].startswith("old") and not os.path.lexists(real):
            path.rename(real)
        else:
            _remove(path)


def _swap(draft: Path, real: Path, check: Callable[[Path], None]) -> None:
    """Put the finished folder in its place; if one stands there, `draft` holds it afterwards."""
    try:
        draft.rename(real)
        return
    except OSError:
        if not os.path.lexists(real):
            raise
    check(real)
    if _exchange(draft, real):
        _check_or(draft, check, lambda: _exchange(draft, real))
        return
    old = _beside(real, "old")
    real.rename(old)
    try:
        check(old)
        draft.rename(real)
    except BaseException:
        old.rename(real)
        raise
    _remove(old)


def _check_or(folder: Path, check: Callable[[Path], None], undo: Callable[[], object]) -> None:
    try:
        check(folder)
    except BaseException:
        undo()
        raise


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step; False where the system cannot."""
    ends = [os.fsencode(one), os.fsencode(other)]
    exchange = 2
    with suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        if sys.platform == "darwin":
            return bool(library.renamex_np(*ends, exchange) == 0)
        here = -100
        return bool(library.renameat2(here, ends[0], here, ends[1], exchange) == 0)
    return False


def _put(draft: Path, real: Path, path: Path, overwrite: bool) -> None:
    """Give a finished file its name, without taking it from a file that came meanwhile."""
    if not overwrite:
        try:
            os.link(draft, real)
            return
        except FileExistsError:
            pass
        except OSError:
            pass  # a disk without hard links
    check_file(path, overwrite)
    draft.replace(real)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _note(place: Path) -> None:
    if (written := _WRITTEN.get()) is not None:
        written.append(place)
