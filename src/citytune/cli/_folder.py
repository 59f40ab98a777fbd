"""Write a run folder whole or not at all, and know one when it is met."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citytune._errors import InputError, RunError

if TYPE_CHECKING:
    from citytune.forecasting import TunedModel

MODEL, SCORES, FORECAST, REPORT = "model", "scores.json", "forecast.csv", "report.html"
PARTS = (MODEL, SCORES, FORECAST, REPORT)
"""Everything a run folder holds."""
READING = "reading.json"
"""How the file was read, beside the model: a later file is read in the same way."""


@contextmanager
def new_run(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """A folder to write into, which becomes `out` at the end; after any failure, no trace.

    With `overwrite`, a run that is there gives way once the new one is done, and only if it holds
    nothing but what citytune wrote.
    """
    check_free(out, overwrite=overwrite)
    place = out.resolve()
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    lacking = [folder for folder in draft.parents if not folder.exists()]
    try:
        _make(draft, out)
        yield draft
        _swap(draft, place)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        for folder in filter(Path.exists, lacking):
            folder.rmdir()
        raise


@contextmanager
def renewed_run(run: Path) -> Iterator[Path]:
    """A folder to write some parts of a run into, which replace those at the end, or none does."""
    place = run.resolve()
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        draft.mkdir()
        yield draft
        for path in place.iterdir():
            if not (draft / path.name).exists():
                _copy(path, draft / path.name)
        _swap(draft, place)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _copy(path: Path, to: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, to, symlinks=True)
    else:
        shutil.copy2(path, to, follow_symlinks=False)


def check_free(out: Path, *, overwrite: bool) -> None:
    """Refuse a place where something is that must not be lost."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir():
        raise RunError(f"{out} is a file; a run is a folder, so choose another name for --out")
    held = {path.name for path in out.iterdir()}
    if not held:
        return
    if not held & {MODEL, SCORES}:
        raise RunError(
            f"{out} is there and is not a citytune run, so it is left alone; choose another --out"
        )
    if not overwrite:
        raise RunError(
            f"the run {out} is there already and was kept; choose another --out, or add "
            "--overwrite to replace it"
        )
    if strange := sorted(held - set(PARTS)):
        raise RunError(
            f"{out} holds what citytune did not write ({', '.join(strange[:5])}), so it is not "
            "replaced; move that elsewhere, or choose another --out"
        )


@contextmanager
def new_file(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """A file to write, which becomes `out` at the end; after any failure, no trace."""
    if out.is_dir():
        raise InputError(f"{out} is a folder; --out names the file to write, such as forecast.csv")
    if out.exists() and not overwrite:
        raise InputError(
            f"{out} is there already and was kept; choose another --out, or add --overwrite"
        )
    place = out.resolve()
    if not place.parent.is_dir():
        raise InputError(f"there is no folder {place.parent}; make it, or choose another --out")
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        yield draft
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def load_run(run: Path) -> tuple[TunedModel, dict[str, Any]]:
    """The model of a run folder, and how its file was read."""
    _check_run(run)
    from citytune.forecasting import load

    model = load(run)
    try:
        reading = json.loads((run / MODEL / READING).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return model, {}  # saved from Python
    except ValueError as error:
        raise RunError(f"{run / MODEL / READING} is damaged ({error}); tune anew") from error
    return model, reading if isinstance(reading, dict) else {}


def run_forecast(run: Path) -> Path:
    """The forecast that a run folder was written with."""
    _check_run(run)
    if not (run / FORECAST).is_file():
        raise RunError(
            f"{run} is not a run of citytune, or a damaged one: it holds no {FORECAST}; give a "
            "FILE to forecast from, or name a folder that `citytune tune` wrote"
        )
    return run / FORECAST


def _check_run(run: Path) -> None:
    if not run.exists():
        raise RunError(f"there is no run folder {run}; `citytune tune FILE --out {run}` makes one")
    if not run.is_dir():
        raise RunError(f"{run} is a file; RUN is the folder that `citytune tune` wrote")


def _make(draft: Path, out: Path) -> None:
    """Make the folder to write into; what goes wrong is said of the folder asked for."""
    nearest = next(folder for folder in draft.parents if folder.exists())
    if not nearest.is_dir():
        raise RunError(f"{out} cannot be made, since {nearest} is a file; choose another --out")
    try:
        draft.mkdir(parents=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(out)) from error


def _swap(draft: Path, place: Path) -> None:
    """Put the finished folder in its place; what was there goes only once it stands."""
    if not place.exists():
        draft.rename(place)
        return
    old = draft.with_name(f"{draft.name}.old")
    place.rename(old)
    try:
        draft.rename(place)
    except BaseException:
        old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)
