"""Read the one table in a zip archive."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from typing import NoReturn

from citytune._errors import InputError
from citytune._text import listed
from citytune.readers.cells._findings import Findings
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers._files import stem_of
from citytune.readers.containers._openers import FREE_BYTES, MOST_RATIO, open_bytes, register
from citytune.readers.containers._several import join

MOST_BYTES = 4_000_000_000
"""Of all members together, unpacked."""
TIMES_AS_LARGE_AS_NOTES = 10
"""Times as large as all others together is a file that they only describe."""
BYTES_AT_A_TIME = 4096
"""Bytes unpacked at a time: the size that an archive names binds nobody, and `read` of all at once
unpacks whatever there is before it cuts off."""


_ABOUT = re.compile(
    r"(^|/)(readme|licen[cs]e|about|metadata|lies_?mich|lisez_?moi)[^/]*$|\.(md|pdf|docx?|html?)$",
    re.IGNORECASE,
)
"""Files that say something of the table in an archive."""


def is_zip(data: bytes) -> bool:
    """Whether a file begins as zip archives do."""
    return data.startswith(b"PK\x03\x04")


def read_zip(data: bytes, name: str, stem: str, findings: Findings) -> SourceTable:
    """The table of an archive: of its one file, of several alike, or of one next to small ones."""
    archive = members(data, findings)
    names = [
        info.filename
        for info in archive.infolist()
        if not info.is_dir() and not re.search(r"(^|/)(__MACOSX/|\.)", info.filename)
    ]
    if any(one.endswith(".npy") for one in names):
        findings.fail(
            "not-a-table",
            "this is a numpy archive (.npz): numbers without times",
            "make a table of it with a column of times: pandas.DataFrame(numpy.load(path)['data']"
            "[..., 0], index=pandas.date_range('2018-01-01', periods=..., freq='5min'))",
        )
    told = [one for one in names if not _ABOUT.search(one)]
    names = told if len(told) == 1 else _alone(archive, told or names, findings)
    if len(names) > 1 and len({one.rsplit(".", 1)[-1] for one in names}) == 1:
        return _joined(archive, names, name, findings)
    if len(names) != 1:
        _fail_several(names, findings)
    return _member(archive, names[0], name, stem, findings)


def _fail_several(names: Sequence[str], findings: Findings) -> NoReturn:
    findings.fail(
        "several-files",
        f"the archive holds {len(names)} files ({listed(names, 3, quoted=True)})",
        "unpack it, and pass one table or a folder of tables alike",
    )


def _alone(archive: zipfile.ZipFile, names: list[str], findings: Findings) -> list[str]:
    """The one member next to which the others are small, if there is one: they describe it."""
    size = {one: archive.getinfo(one).file_size for one in names}
    *others, largest = sorted(names, key=lambda one: size[one])
    if not others or size[largest] < TIMES_AS_LARGE_AS_NOTES * sum(size[one] for one in others):
        return names
    findings.warn(
        "several-files",
        f"the archive holds {len(names)} files; {largest!r} was read, not "
        f"{listed(others, 3, quoted=True)}, which are small",
        "unpack it and pass another one if this is wrong",
        count=len(names),
    )
    return [largest]


def _joined(
    archive: zipfile.ZipFile, names: list[str], name: str, findings: Findings
) -> SourceTable:
    """The tables of an archive as one, if they have the same columns."""
    parts = []
    for one in sorted(names):
        inner = Findings(f"{name}/{one}")
        try:
            parts.append(_member(archive, one, name, stem_of(one), inner))
        except InputError:
            _fail_several(names, findings)
        findings.keep(inner.faults)
    if len({frozenset(part.schema) for part in parts}) > 1:
        _fail_several(names, findings)
    return join(parts, name, findings)


def _member(
    archive: zipfile.ZipFile, one: str, name: str, stem: str, findings: Findings
) -> SourceTable:
    if archive.getinfo(one).flag_bits & 1:
        findings.fail("encrypted", "the archive is encrypted", "unpack it with its password")
    if archive.getinfo(one).compress_type == zipfile.ZIP_BZIP2:
        findings.fail(
            "zip-bomb",
            "the archive is packed by bzip2, of which a few bytes can be a flood",
            "pack it the usual way (deflate)",
        )
    try:
        inner = _unpacked(archive, one)
    except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, EOFError) as error:
        findings.fail("damaged-file", f"the archive is damaged ({error})", "copy it once more")
    return open_bytes(inner, f"{name}/{one}", stem, findings)


def _unpacked(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        return b"".join(iter(lambda: file.read(BYTES_AT_A_TIME), b""))


def members(data: bytes, findings: Findings) -> zipfile.ZipFile:
    """The archive, if it is whole and does not unpack to a flood."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        total = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        findings.fail("damaged-file", f"the archive is damaged ({error})", "copy it once more")
    if total > MOST_BYTES or total > FREE_BYTES + MOST_RATIO * len(data):
        findings.fail(
            "zip-bomb",
            f"the archive of {len(data):,} bytes would unpack to {total:,}",
            "unpack it yourself if you trust it, and pass the table",
        )
    return archive


register(is_zip, read_zip)
