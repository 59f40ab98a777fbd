"""What a run folder holds, and whether it is still what was written."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from citytune._errors import RunError
from citytune._files import names_in, read_json
from citytune._text import listed
from citytune.runs._reading import Reading

FORMAT = 1
MODEL, SCORES, FORECAST, REPORT = "model", "scores.json", "forecast.csv", "report.html"
FORECASTS = "forecast"
"""Of a run by groups: a folder of Parquet in place of `forecast.csv`."""
PARTS = (MODEL, SCORES, FORECAST, REPORT)
"""What a run is for …"""
RECORD = "record"
"""A folder of earlier forecasts and what came …"""
KEPT_AS = (".parquet", ".safetensors")
"""How the names of its files end."""
GROUPS = "groups"
"""… or of a run by groups: a folder for each group, with a `record` of its own …"""
SEAL = "run.json"
"""… and the file that holds how its source was read, and a sum of every other file."""


@dataclass(frozen=True)
class Seal:
    """What `run.json` says. It finds damage and mix-ups; who forges the sums too is not found."""

    reading: Mapping[str, Any]
    """As `Reading.kept` gives it."""
    sums: Mapping[str, str]
    """File, by its path in the folder → its SHA-256."""
    made: Mapping[str, Any] = field(default_factory=dict)
    """As `kept_of` gives it: how the run was made."""

    @classmethod
    def read(cls, folder: Path) -> Seal:
        """The seal of a run, if it is whole.

        Raises:
            RunError: it is damaged, or of another version.
        """
        facts = read_json(own_file(folder, SEAL))
        if facts.get("format") != FORMAT:
            raise RunError(
                f"{folder} was written in format {str(facts.get('format'))[:20]}, and this "
                f"citytune reads {FORMAT}; update citytune, or tune anew"
            )
        try:
            return cls._opened(facts)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise RunError(
                f"{folder / SEAL} is damaged ({error}); tune anew, or restore it from a copy"
            ) from error

    @classmethod
    def _opened(cls, facts: dict[str, Any]) -> Seal:
        if facts.pop("sha256") != _sum_of(facts):
            raise ValueError("it is no longer what was written")
        Reading.of_run(facts["reading"])
        return cls(facts["reading"], dict(facts["files"]), dict(facts.get("made", {})))

    def write(self, folder: Path) -> None:
        """Put it into a folder."""
        facts = {"format": FORMAT, "reading": dict(self.reading), "files": dict(self.sums)}
        facts["made"] = dict(self.made)
        text = json.dumps(facts | {"sha256": _sum_of(facts)}, indent=2, ensure_ascii=False)
        (folder / SEAL).write_text(f"{text}\n", encoding="utf-8")

    def changed(self, folder: Path, names: Iterable[str] = ()) -> tuple[str, ...]:
        """Files, of some names or of all, that are not there or not what was written."""
        wanted = set(names)
        known = [name for name in self.sums if not wanted or name in wanted]
        return tuple(name for name in known if _sum_of_file(folder / name) != self.sums[name])

    def check_record(self, folder: Path) -> None:
        """Refuse a record that is not as it was written, before a new seal vouches for it.

        Raises:
            RunError: one of its files was changed, taken away or added.
        """
        sealed = {name for name in self.sums if _is_of_record(name)}
        there = [path.relative_to(folder).as_posix() for path in folder.rglob(f"{RECORD}/*.*")]
        added = [name for name in there if name.endswith(KEPT_AS) and name not in sealed]
        wrong = [*(self.changed(folder, sealed) if sealed else ()), *added]
        if wrong:
            raise RunError(
                f"the record of {folder} is not as citytune wrote it ({listed(sorted(wrong), 3)}), "
                "so what it says of past forecasts cannot be trusted; put it back from a copy, or "
                "make the run anew (citytune tune … --overwrite), which begins a new record"
            )


def seal_of(folder: Path) -> Seal | None:
    """The seal of a run; None in the folder of a model saved by itself."""
    if (folder / SEAL).exists() or (folder / SEAL).is_symlink():
        return Seal.read(folder)
    if (folder / MODEL).exists():
        raise RunError(
            f"{folder} holds no {SEAL}, so it is not a run of citytune, or one of an "
            "earlier version; write it anew: citytune tune FILE --horizon N --out "
            f"{folder} --overwrite"
        )
    return None


def sums_of(folder: Path) -> dict[str, str]:
    """The sum of every file in a folder but the seal, by its path in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SEAL)
    return {path.relative_to(folder).as_posix(): str(_sum_of_file(path)) for path in files}


def own_file(folder: Path, name: str) -> Path:
    """The path of a file of a run.

    Raises:
        RunError: it is not there, or a link, which may lead out of the run.
    """
    path = folder / name
    _refuse_link(folder, name)
    if not path.is_file():
        raise RunError(
            f"{folder} is not a run of citytune, or a damaged one: it holds no {name}; tune anew, "
            "or name a folder that `citytune tune` wrote"
        )
    return path


def groups_of(folder: Path) -> list[Path]:
    """The folders of the groups of a run; none if it was made at once."""
    place = folder / GROUPS
    if not place.is_dir():
        return []
    _refuse_link(folder, GROUPS)
    found = [path for path in _entries(place) if path.is_dir()]
    for path in found:
        _refuse_link(place, path.name)
    return found


def check_model(folder: Path) -> None:
    """Refuse a model whose files are links, which may lead out of the run, or no files."""
    _refuse_link(folder, MODEL)
    if not (folder / MODEL).is_dir():  # a model saved by itself
        for path in _entries(folder):
            _refuse_link(folder, path.name)
    for path in _entries(folder / MODEL):
        _refuse_link(folder, f"{MODEL}/{path.name}")
        if not path.is_file():
            raise RunError(f"{path} is a folder and should be a file; tune anew")


def may_take_place(out: Path, *, overwrite: bool) -> Callable[[Path], None]:
    """A check of the folder that a new run is about to replace: what must not be lost is kept."""

    def check(folder: Path) -> None:
        if not folder.is_dir():
            raise RunError(f"{out} is a file; a run is a folder, so choose another out=")
        held = names_in(folder)
        if not held:
            return
        if not held & {MODEL, SCORES}:
            raise RunError(
                f"{out} is there and is not a citytune run, so it is left alone; choose another "
                "out="
            )
        if not overwrite:
            raise RunError(
                f"the run {out} already exists and was not overwritten; choose another out=, or "
                "pass overwrite=True to replace it"
            )
        if strange := sorted(held - {*PARTS, FORECASTS, RECORD, GROUPS, SEAL}):
            raise RunError(
                f"{out} holds what citytune did not write ({', '.join(strange[:5])}), so it is not "
                "replaced; move that elsewhere, or choose another out="
            )

    return check


def only_known(run: Path, known: set[str]) -> Callable[[Path], None]:
    """A check that nothing came into a run while it was being renewed."""

    def check(folder: Path) -> None:
        if strange := sorted(names_in(folder) - known):
            raise RunError(
                f"{', '.join(strange[:5])} came into {run} while it was being renewed, so it was "
                "left as it was; do it again"
            )

    return check


def copy_rest(folder: Path, draft: Path) -> list[str]:
    """Copy into a draft what it lacks of a run, links as links; gives the names."""
    copied = sorted(names_in(folder) - names_in(draft))
    for name in copied:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, draft / name, symlinks=True)
        else:
            shutil.copy2(path, draft / name, follow_symlinks=False)
    return copied


def _is_of_record(name: str) -> bool:
    return name.rpartition("/")[0].rpartition("/")[2] == RECORD


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _refuse_link(folder: Path, name: str) -> None:
    if (folder / name).is_symlink():
        raise RunError(
            f"{name} in {folder} is a link, and citytune reads only what lies in the run itself; "
            "put the file there, or tune anew"
        )


def _sum_of(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _sum_of_file(path: Path) -> str | None:
    """None if it is no file of its own."""
    if path.is_symlink() or not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
