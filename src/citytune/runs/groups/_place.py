"""Where the files of a forecast go: a folder of this machine, or an address that fsspec knows."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citytune._errors import InputError
from citytune._files import leave_no_drafts, locked, names_in, replacing_folder
from citytune.readers import as_given, is_address, masked, told

if TYPE_CHECKING:
    import polars as pl

FILE = "part-{:05d}.parquet"
_PART = "part-"


@dataclass(frozen=True)
class Place:
    """A folder that workers write into."""

    folder: str

    def write(self, number: int, table: pl.DataFrame) -> None:
        """The file of a group, whole or not at all."""
        name = FILE.format(number)
        if is_address(self.folder):
            system, root = _at(self.folder)
            with system.open(f"{root}/{name}", "wb") as file:
                table.write_parquet(file)
            return
        path = Path(self.folder) / name
        draft = path.with_name(f".{name}.{secrets.token_hex(4)}")
        try:
            table.write_parquet(draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def __str__(self) -> str:
        return masked(self.folder)


@contextmanager
def replacing(out: Any, *, overwrite: bool) -> Iterator[Place]:
    """A place to write a forecast to; a folder is there whole at the end, or not at all.

    At an address, where nothing can be exchanged in one step, an old forecast goes first, and what
    was written before a failure stays.

    Raises:
        InputError: something is there that must be kept.
    """
    given = as_given(out)
    if not is_address(given):
        path = Path(given)
        leave_no_drafts(path.resolve().parent)
        with locked(path), replacing_folder(path, _free(path, overwrite=overwrite)) as draft:
            yield Place(str(draft))
        return
    check_place(given, overwrite=overwrite)
    with _clear(str(given)):
        system, root = _at(str(given))
        for path in system.find(root) if system.isdir(root) else []:
            system.rm_file(path)
        system.makedirs(root, exist_ok=True)
    yield Place(str(given))


def check_place(out: Any, *, overwrite: bool, source: object = None) -> None:
    """Refuse a place, before anything is read; also one inside of a folder that is the source."""
    given = as_given(out)
    if isinstance(source, str | Path) and not is_address(given) and Path(source).is_dir():
        inside = Path(given).resolve()
        if Path(source).resolve() in (inside, *inside.parents):
            raise InputError(
                f"{given} lies in {source}, which is read, so the forecast would be read as "
                "readings the next time; name a folder elsewhere"
            )
    if is_address(given):
        with _clear(str(given)):
            system, root = _at(str(given))
            old = system.find(root) if system.isdir(root) else []
        _check(str(given), [path[len(root) + 1 :] for path in old], overwrite=overwrite)
    elif Path(given).exists():
        _free(Path(given), overwrite=overwrite)(Path(given))


def _free(out: Path, *, overwrite: bool) -> Any:
    def check(folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(f"{out} is a file; a forecast by groups is a folder, so name another")
        _check(str(out), names_in(folder), overwrite=overwrite)

    return check


def _check(out: str, held: Any, *, overwrite: bool) -> None:
    held = sorted(held)
    if strange := [name for name in held if not _is_part(name)]:
        raise InputError(
            f"{masked(out)} holds what is no forecast by groups ({', '.join(strange[:5])}), so it "
            "is left alone; name another folder"
        )
    if held and not overwrite:
        raise InputError(
            f"{masked(out)} already holds a forecast and was not overwritten; name another "
            "folder, or replace it with --overwrite (overwrite=True)"
        )


def _is_part(name: str) -> bool:
    return name.startswith(_PART) and name.endswith(".parquet")


def _at(address: str) -> tuple[Any, str]:
    import fsspec

    system, root = fsspec.core.url_to_fs(address)
    return system, root.rstrip("/")


@contextmanager
def _clear(address: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - every file system has errors of its own
        raise InputError(told(address, error)) from None
