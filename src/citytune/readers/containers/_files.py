"""Bring the bytes of a file in, from this computer or from an address, by fsspec."""

from __future__ import annotations

import difflib
import glob
import os
import re
from pathlib import Path
from typing import Any

from citytune._errors import InputError

ENDINGS = ("csv", "tsv", "txt", "dat", "gz", "parquet", "pq", "arrow", "feather", "ipc", "json",
           "jsonl", "ndjson", "xlsx", "xls", "xlsb", "ods", "zip", "xml", "h5", "hdf5",
           "hdf", "zrx", "zrxp", "lvm", "edi")  # fmt: skip
"""Of files that may hold a table."""
LONGEST_SILENCE = 30.0
"""Seconds without a byte after which an address is given up."""
LONGEST_WAIT = 900.0
"""Seconds that a download may take in all."""
MOST_BYTES = 8_000_000_000
_ADDRESS = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+(::|://)")
_LOST = re.compile(
    r"^(https?|s3|s3a|gs|gcs|az|abfss?|adl|ftp|sftp|hdfs|memory|postgres|postgresql|sqlite|duckdb)"
    r":/(?=[^/])"
)
"""What a path makes of an address: https:/host/file."""
_OF_DATABASE = re.compile(r"(?i)^postgres(ql)?:")
_STEM = re.compile(rf"(?i)(\.({'|'.join(ENDINGS)}))+$")


def as_given(source: Any) -> Any:
    """A path as it is, and an address that was passed as a path as an address again."""
    if isinstance(source, os.PathLike) and (text := os.fspath(source)) and isinstance(text, str):
        return _LOST.sub(r"\1://", text) if _LOST.match(text) else source
    return source


def is_address(source: Any) -> bool:
    """Whether a source is an address such as s3://bucket/file.csv rather than a path."""
    source = as_given(source)
    return isinstance(source, str) and bool(_ADDRESS.match(source))


def masked(source: object) -> str:
    """A path or address without the passwords and keys in it.

    >>> masked("https://me:secret@host/a.csv?token=abc")
    'https://***@host/a.csv?***'
    """
    text = str(as_given(source))
    if not is_address(text):
        return text
    if _OF_DATABASE.match(text):  # whatever a password holds, all up to the last @ is hidden
        text = re.sub(r"://.*@", "://***@", text, flags=re.DOTALL)
        return re.sub(r"\?[^#]*", "?***", text)  # behind a # stands a table
    return re.sub(r"[?#].*$", "?***", re.sub(r"://[^/@\s]*@", "://***@", text))


def stem_of(source: object) -> str:
    """A file's name without its folder and its endings."""
    return _STEM.sub("", re.split(r"[/\\]", masked(source).removesuffix("?***"))[-1])


def expand(source: Any) -> list[Any]:
    """The files that a path, an address, a pattern, a folder or a list of them stands for."""
    if isinstance(source, list | tuple):
        if not source:
            raise InputError("the list of files is empty; pass at least one path")
        return [file for one in source for file in expand(one)]
    source = as_given(source)
    if is_address(source):
        return _expand_address(source) if "*" in source else [source]
    path = Path(source).expanduser()
    try:
        if path.is_dir():
            return _of_folder(path)
        if any(mark in str(path) for mark in "*?[") and not path.exists():
            names = glob.glob(str(path))  # noqa: PTH207 - a pattern may be absolute
            found = sorted(Path(name) for name in names if Path(name).is_file())
            if not found:
                raise InputError(f"no file is called like {str(path)!r}; is the pattern right?")
            return list(found)
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {_reason(error)}") from None
    return [path]


def first_bytes(path: Path) -> bytes:
    """The first bytes of a file on this computer."""
    try:
        with path.open("rb") as file:
            return file.read(16)
    except FileNotFoundError:
        raise InputError(f"there is no file {str(path)!r}.{_near_file(path)}") from None
    except PermissionError:
        raise InputError(
            f"{str(path)!r} may not be read by you: permission denied. Ask its owner, or "
            f"allow it with: chmod u+r {path.name}"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {_reason(error)}") from None


def download(address: str) -> bytes:
    """The bytes at an address; `InputError` in one sentence whatever goes wrong."""
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(address, **_options(address))
        size = (system.info(path) or {}).get("size") or 0
        data = b"" if size > MOST_BYTES else system.cat_file(path)
    except Exception as error:  # noqa: BLE001 - every file system has errors of its own
        raise InputError(told(address, error)) from None
    if size > MOST_BYTES:
        raise InputError(f"{masked(address)} is larger than {MOST_BYTES:,} bytes; cut it first")
    return bytes(data)


def _options(address: str) -> dict[str, Any]:
    if not address.lower().startswith(("http://", "https://")):
        return {}
    import aiohttp

    limits = aiohttp.ClientTimeout(
        total=LONGEST_WAIT, sock_connect=LONGEST_SILENCE, sock_read=LONGEST_SILENCE
    )
    return {"client_kwargs": {"timeout": limits}}


def _expand_address(address: str) -> list[str]:
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(address)
        found = [system.unstrip_protocol(name) for name in sorted(system.glob(path))]
    except Exception as error:  # noqa: BLE001 - every file system has errors of its own
        raise InputError(told(address, error)) from None
    if not found:
        raise InputError(f"nothing is called like {masked(address)}; is the pattern right?")
    return found


def told(address: str, error: Exception) -> str:
    """Why an address cannot be read, in one sentence."""
    name = masked(address)
    if isinstance(error, ImportError):
        return (
            f"{name} needs a driver that is not installed ({error}); install it with: pip install "
            "'citytune[remote]', or download the file first"
        )
    if isinstance(error, TimeoutError) or "timeout" in type(error).__name__.lower():
        waited = f"{LONGEST_SILENCE:g} seconds"
        return f"{name} did not answer within {waited}; try again, or download it first"
    if isinstance(error, FileNotFoundError):
        return f"there is no file {name}; is the address right?"
    if isinstance(error, PermissionError):
        return f"{name} may not be read: permission denied. Are the credentials set?"
    return f"{name} cannot be read ({_without_secrets(_reason(error), address)})"


def _without_secrets(text: str, address: str) -> str:
    """A reason without the address it may quote, whose secrets it would show."""
    text = text.replace(address, masked(address))
    text = re.sub(r"[a-zA-Z][a-zA-Z0-9+.-]+://\S+", lambda found: masked(found[0]), text)
    for secret in re.findall(r"://([^/@\s]*)@|[?&][^=&]*=([^&#]+)", address):
        for part in filter(None, (*secret, *(s.partition(":")[2] for s in secret))):
            text = text.replace(part, "***")
    return text


def _reason(error: BaseException) -> str:
    said = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return str(said).splitlines()[0][:200]


def _of_folder(folder: Path) -> list[Path]:
    """The tables in a folder."""
    found = sorted(
        path
        for path in folder.iterdir()
        if path.is_file()
        and not path.name.startswith(".")
        and path.suffix.lower().lstrip(".") in ENDINGS
    )
    if not found:
        below = next((path for path in folder.glob("*/*.parquet") if path.is_file()), None)
        hint = "; what lies in folders below it is read with --engine local" if below else ""
        raise InputError(
            f"{str(folder)!r} is a folder without a table (CSV, Parquet, …) in it{hint}"
        )
    return found


def _near_file(path: Path) -> str:
    try:
        names = sorted(entry.name for entry in path.parent.iterdir() if entry.is_file())
    except OSError:
        return f" Neither is there a folder {str(path.parent)!r}; is the path right?"
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    return f" Did you mean {str(path.with_name(close[0]))!r}?" if close else " Is the path right?"
