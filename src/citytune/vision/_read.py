"""Bring pictures in, from a table or a folder, and tell everything that is wrong at once."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from citytune._errors import InputError, TableError
from citytune._text import counted, listed
from citytune.readers import Rows, in_utc, rows_of
from citytune.vision._columns import (
    column_named,
    guess_pictures,
    names_of,
    pictures_in,
    stem_of,
    texts_of,
    values_in,
    where,
)
from citytune.vision._faults import Faults, sentence
from citytune.vision._frame import PictureFrame
from citytune.vision._picture import ENDINGS, Look, look_at_all, needs_pillow

FOLDER = "folder"
"""The target that stands for the name of the folder that a picture is in."""
TABLES = (".csv", ".tsv", ".parquet", ".xlsx", ".jsonl")
_TIME = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.:]?([01]\d)[-_.:]?([0-3]\d)[T_\- .]*([0-2]\d)[-_.:h]?([0-5]\d)"
    r"(?:[-_.:m]?([0-5]\d))?(Z(?![A-Za-z]))?"
)
"""A moment in the name of a file; a Z behind it is UTC."""
Broken: TypeAlias = Literal["raise", "skip"]


def read_pictures(
    source: Any,
    *,
    target: str | None = None,
    picture: str | None = None,
    place: str | None = None,
    time: str | None = None,
    group: str | None = None,
    timezone: str | None = None,
    broken: Broken = "raise",
) -> PictureFrame:
    """Bring pictures in as a `PictureFrame`.

    Args:
        source: A folder of pictures, at any depth; or a table, as a file or in memory, with a
            column of their paths (from the table's own folder on) or of their bytes.
        target: Column of what is to be learnt: numbers, or words for classes. Of a folder, a column
            of the one table in it; "folder" for the name of the folder each picture is in. None
            for pictures without labels.
        picture: Column of the paths or bytes; guessed by default.
        place: Column of the camera or place; guessed by default. Of a folder, the camera's name;
            by default the first folder in it that a picture is in.
        time: Column of the times; guessed by default. Of a folder, the times are read from the
            names of the files, or from what the cameras wrote into them (EXIF).
        group: Column of what belongs together, such as a clip; pictures of one group are so alike
            that they are tested together. By default a camera's day.
        timezone: IANA zone of the cameras.
        broken: Whether a picture that cannot be used, or whose name tells no time where others'
            do, stops the reading ("raise"), or is left out and named in `notes` ("skip").

    Raises:
        TableError: pictures are broken, too large or not there, or labels or times are missing;
            the message names every fault.
        InputError: the source cannot be read, or Pillow is not installed.
    """
    needs_pillow()
    if broken not in ("raise", "skip"):
        raise InputError(f"broken is 'raise' or 'skip', got {broken!r}")
    folder = Path(source) if isinstance(source, (str, os.PathLike)) else None
    if folder is not None and folder.is_dir():
        if target is None or target == FOLDER:
            given = {"picture": picture, "time": time, "group": group}
            if asked := [name for name, column in given.items() if column is not None]:
                raise InputError(f"{listed(asked)} names a column, and {folder} is a folder")
            return _of_folder(folder, target, place, timezone, broken)
        source = _table_in(folder, target)
    if folder is not None and folder.suffix.lower() in ENDINGS:
        raise InputError(
            f"{folder} is one picture: name the folder it is in, or a table of pictures"
        )
    rows = rows_of(source)
    base = Path(source).parent if isinstance(source, (str, os.PathLike)) else Path()
    return _of_table(rows, base, target, picture, place, time, group, timezone, broken)


def picture_files(folder: Path) -> list[Path]:
    """The pictures in a folder, at any depth, by name."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def time_in(name: str) -> dt.datetime | None:
    """The moment in a file's name or an EXIF entry, as written; of UTC if it says so.

    >>> time_in("cam5_20240331-140500.jpg"), time_in("IMG_0001.jpg")
    (datetime.datetime(2024, 3, 31, 14, 5), None)
    """
    for found in _TIME.finditer(name):
        try:
            moment = dt.datetime(*(int(part or 0) for part in found.groups()[:-1]))  # type: ignore[arg-type]
            return moment.replace(tzinfo=dt.UTC) if found[7] else moment
        except ValueError:
            continue
    return None


def _of_folder(
    folder: Path, target: str | None, place: str | None, timezone: str | None, broken: Broken
) -> PictureFrame:
    files = picture_files(folder)
    if not files:
        raise InputError(
            f"there are no pictures in {folder}: their names end in {', '.join(ENDINGS)}"
        )
    inner = [path.relative_to(folder) for path in files]
    whole = place or folder.resolve().name
    plain = place is None and target is None  # folders that are classes are no places
    places = [one.parts[0] if plain and len(one.parts) > 1 else whole for one in inner]
    frame = PictureFrame(
        tuple(files), tuple(map(str, inner)), tuple(places), None, timezone,
        np.array([path.parent.name for path in files], object) if target else None,
        tuple(places), target or "value", str(folder),
    )  # fmt: skip
    return _checked(frame, (), Faults(str(folder)), broken)


def _table_in(folder: Path, target: str) -> Path:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in TABLES)
    if len(found) != 1:
        names = listed([path.name for path in found]) if found else "none"
        raise InputError(
            f"target={target!r} is a column of the one table in {folder}, and there "
            f"{'is' if len(found) < 2 else 'are'} {names}; name the table itself, or use "
            f"target={FOLDER!r} if the folders in it are the classes"
        )
    return found[0]


def _of_table(
    rows: Rows,
    base: Path,
    target: str | None,
    picture: str | None,
    place: str | None,
    time: str | None,
    group: str | None,
    timezone: str | None,
    broken: Broken,
) -> PictureFrame:
    column = rows.column(picture) if picture else guess_pictures(rows)
    others = [name for name in rows.table.columns if name not in (column.name, target)]
    place = place or column_named(others, "place")
    group = group or column_named([name for name in others if name != place], "group")
    time = time or next((name for name in rows.moments if name in others), None)
    faults = Faults(rows.name)
    names = names_of(rows, column)
    pictures = pictures_in(column, base, names, faults)
    times, zone = rows.times(time, timezone) if time else (None, timezone)
    if times is not None:
        faults.add(f"column {time!r} holds no time", where(times.is_null(), names))
    places = tuple(texts_of(rows, place, group) or [stem_of(rows.name)] * len(names))
    frame = PictureFrame(
        tuple(pictures), tuple(names), places,
        None if times is None else times.to_numpy().astype("datetime64[us]"), zone,
        None if target is None else values_in(rows, target, names, faults),
        places, target or "value", rows.name,
    )  # fmt: skip
    return _checked(frame, tuple(texts_of(rows, group)), faults, broken)


def _checked(
    frame: PictureFrame, groups: tuple[str, ...], faults: Faults, broken: Broken
) -> PictureFrame:
    """The pictures of a frame that can be used, or every fault at once.

    Args:
        frame: As it was found; its groups and, if there are none, its times are not known yet.
        groups: What goes together; none is a camera's day.
        faults: What was found before.
        broken: See `read_pictures`.
    """
    looks, times = look_at_all(frame.pictures), frame.times
    bad = {i: f"the picture cannot be used: {k.fault}" for i, k in enumerate(looks) if k.fault}
    zone = frame.timezone
    if times is None:
        times, zone, odd = _written(frame.names, looks, zone)
        bad = odd | bad
    named: dict[str, list[str]] = defaultdict(list)
    for i, what in sorted(bad.items()):
        named[what].append(frame.names[i])
    notes = [sentence(what, names) for what, names in named.items()]
    if broken == "raise":
        faults.problems += notes
    faults.stop()
    good = [i for i in range(len(looks)) if i not in bad]
    if not good:
        raise TableError(faults.source, notes)
    frame = replace(
        frame.pick(good),
        times=None if times is None else times[good],
        timezone=zone,
        groups=tuple(groups[i] for i in good) if groups else (),
    )
    changed = _conversions([looks[i] for i in good])
    return replace(
        frame, notes=(*(f"left out: {note}" for note in notes), *changed, *_twins(frame))
    )


def _written(
    names: Sequence[str], looks: Sequence[Look], zone: str | None
) -> tuple[NDArray[Any] | None, str | None, dict[int, str]]:
    """The times in the names, or those that the cameras wrote, on the wall unless they are of UTC.

    A time in the name of a picture that cannot be used is no sign that others have one.

    Returns:
        The times, as a `PictureFrame` has them, or None if there are none; their zone; and of
        which pictures the time cannot be used, and why.
    """
    found = [
        time_in(Path(name).name) or time_in(look.taken)
        for name, look in zip(names, looks, strict=True)
    ]
    told = [moment for moment, look in zip(found, looks, strict=True) if moment and not look.fault]
    if not told:
        return None, zone, {}
    utc = any(moment.tzinfo for moment in told)
    bad = {}
    for i, moment in enumerate(found):
        if moment is None:
            bad[i] = "there is no time in the name, as there is in others"
        elif utc and not moment.tzinfo:
            bad[i] = "its time is not said to be of UTC (Z), as that of others is"
    times = np.array([moment and moment.replace(tzinfo=None) for moment in found], "datetime64[us]")
    if utc or zone is None:
        return times, (zone or "UTC") if utc else None, bad
    moved = in_utc(pl.Series(times), zone).to_numpy()
    skipped = (np.isnat(moved) & ~np.isnat(times)).nonzero()[0].tolist()
    return moved, zone, bad | dict.fromkeys(skipped, f"the clock of {zone} skips its time")


def _conversions(looks: Sequence[Look]) -> list[str]:
    """What was converted, in words."""
    counts = {kind: sum(one.kind == kind for one in looks) for kind in ("grey", "CMYK", "16-bit")}
    said = [
        f"{counted(count, f'{kind} picture')} converted to colours of 8 bits"
        for kind, count in counts.items()
        if count
    ]
    if (sizes := len({look.size for look in looks})) > 1:
        said.append(f"the pictures are of {sizes} sizes; each is resized to the network's")
    return said


def _twins(frame: PictureFrame) -> list[str]:
    """Whether the same picture is in several groups, which no test could then tell apart."""
    seen: dict[str, str] = {}
    twins = 0
    for one, group in zip(frame.pictures, frame.groups, strict=True):
        data = one if isinstance(one, bytes) else one.read_bytes()
        twins += seen.setdefault(hashlib.sha1(data).hexdigest(), group) != group  # noqa: S324
    if not twins:
        return []
    return [f"{counted(twins, 'picture')} stand in several groups, so the test is too kind"]
