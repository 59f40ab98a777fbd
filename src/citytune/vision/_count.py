"""Turn pictures into readings: a folder, a table, the still at an address, or what keeps coming."""

from __future__ import annotations

import csv
import datetime as dt
import time as clock
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from citytune._errors import InputError
from citytune._text import listed
from citytune.readers import download, is_address, masked
from citytune.vision._frame import PictureFrame
from citytune.vision._model import VisionModel
from citytune.vision._picture import look_at, needs_pillow
from citytune.vision._read import picture_files, read_pictures
from citytune.vision._readings import Readings

Now: TypeAlias = Callable[[], dt.datetime]
SETTLED = 2.0
"""Seconds for which a file must not have changed before it counts as whole."""


def count(
    source: Any,
    model: VisionModel,
    *,
    place: str | None = None,
    timezone: str | None = None,
    now: Now = lambda: dt.datetime.now(dt.UTC),
) -> Readings:
    """Read a model's answers off pictures.

    Args:
        source: What `read_pictures` takes, or the address of one still.
        model: Made by `tune_vision`.
        place: The camera of a still, or the column that names it.
        timezone: IANA zone of the cameras.
        now: The time of a still that was fetched.

    Raises:
        InputError: nothing can be read.
    """
    if is_address(source):
        return model.predict(still(str(source), place, timezone, now))
    return model.predict(read_pictures(source, place=place, timezone=timezone, broken="skip"))


def still(address: str, place: str | None, timezone: str | None, now: Now) -> PictureFrame:
    """The picture that stands at an address now."""
    needs_pillow()
    data = download(address)
    if fault := look_at(data).fault:
        raise InputError(f"the picture at {masked(address)} cannot be used: {fault}")
    name = masked(address).removesuffix("?***").rstrip("/").rpartition("/")[2]
    moment = np.array([now().astimezone(dt.UTC).replace(tzinfo=None)], "datetime64[s]")
    return PictureFrame(
        (data,), (masked(address),), (place or Path(name).stem or "camera",),
        moment.astype("datetime64[us]"), timezone or "UTC", source=masked(address),
    )  # fmt: skip


@dataclass(frozen=True)
class Watching:
    """What came in one round."""

    readings: int
    notes: tuple[str, ...] = ()


@dataclass
class _Seen:
    """What was read before, so that nothing is read twice."""

    rows: set[tuple[str, str]] = field(default_factory=set)
    columns: list[str] = field(default_factory=list)
    """Of the file; none as long as it is empty."""
    files: set[Path] = field(default_factory=set)
    last: bytes = b""


def watch(
    source: str,
    model: VisionModel,
    out: Path,
    *,
    interval: float = 60.0,
    rounds: int | None = None,
    place: str | None = None,
    timezone: str | None = None,
    now: Now = lambda: dt.datetime.now(dt.UTC),
    sleep: Callable[[float], None] = clock.sleep,
) -> Iterator[Watching]:
    """Look again and again, and append what is new to a CSV file.

    A still that has not changed, a file that is still being written and a picture that is broken
    give no reading; they are named. Rows that the file holds already are not written again, so a
    watch that was stopped can be started anew.

    Args:
        source: A folder into which pictures come, or the address of one still.
        model: Made by `tune_vision`.
        out: The file.
        interval: Seconds between two looks.
        rounds: After how many looks to stop; None is never.
        place: The camera of a still.
        timezone: IANA zone of the cameras.
        now: What time it is.
        sleep: Waits.

    Raises:
        InputError: the source is no folder and no address, or the file has other columns.
    """
    if not is_address(source) and not Path(source).is_dir():
        raise InputError(f"{source} is neither a folder nor the address of a still to watch")
    seen = _seen(out)
    done = 0
    while rounds is None or done < rounds:
        if done:
            sleep(interval)
        done += 1
        try:
            frame, notes = _look(source, seen, place, timezone, now)
            found = None if frame is None else model.predict(frame).table
        except InputError as error:  # the camera is away for a while, or a picture was taken away
            yield Watching(0, (str(error),))
            continue
        yield Watching(0 if found is None else _append(found, out, seen), notes)


def _look(
    source: str, seen: _Seen, place: str | None, timezone: str | None, now: Now
) -> tuple[PictureFrame | None, tuple[str, ...]]:
    """What is new, and what to know."""
    if is_address(source):
        frame = still(source, place, timezone, now)
        data = frame.pictures[0]
        if data == seen.last:
            return None, (f"the still at {frame.source} has not changed",)
        assert isinstance(data, bytes), "it was downloaded"
        seen.last = data
        return frame, ()
    folder, moment = Path(source), clock.time()
    files = [path for path in picture_files(folder) if path not in seen.files]
    whole = [path for path in files if _is_settled(path, moment)]
    if not whole:
        return None, ()
    seen.files |= set(whole)
    table = pl.DataFrame({"picture": [str(path.resolve()) for path in whole],
                          "place": [place or _place(path, folder) for path in whole]})  # fmt: skip
    try:
        frame = read_pictures(table, timezone=timezone, broken="skip")
    except InputError as error:
        return None, (str(error),)
    if frame.times is None:
        raise InputError(
            f"the pictures in {folder} carry no time, neither in their names, such as "
            f"{listed([path.name for path in whole], 2)}, nor from the camera (EXIF); name them "
            "like cam5_2024-03-31T14-05-00.jpg"
        )
    return frame, tuple(note for note in frame.notes if note.startswith("left out"))


def _is_settled(path: Path, moment: float) -> bool:
    try:
        return moment - path.stat().st_mtime >= SETTLED
    except FileNotFoundError:  # taken away since the folder was looked at
        return False


def _place(path: Path, folder: Path) -> str:
    inner = path.relative_to(folder)
    return inner.parts[0] if len(inner.parts) > 1 else folder.resolve().name


def _seen(out: Path) -> _Seen:
    """What the file holds."""
    if not out.exists() or not out.stat().st_size:
        return _Seen()
    with out.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        columns = list(rows.fieldnames or ())
        if not {"sensor", "time"} <= {*columns}:
            raise InputError(f"{out} was not written by a watch; name another file")
        return _Seen({(row["sensor"], row["time"]) for row in rows}, columns)


def _append(table: pl.DataFrame, out: Path, seen: _Seen) -> int:
    """Append the rows that are new; how many there were."""
    keys = list(zip(table["sensor"].to_list(), table["time"].to_list(), strict=True))
    new = table.filter(pl.Series([key not in seen.rows for key in keys]))
    if seen.columns and seen.columns != table.columns:
        raise InputError(
            f"{out} has the columns {listed(seen.columns)}, and the model gives "
            f"{listed(table.columns)}; name another file"
        )
    with out.open("a", encoding="utf-8", newline="") as file:
        begins = not file.tell()  # also one that was taken away in the meantime
        file.write(new.write_csv(include_header=begins, float_precision=4))
    seen.rows |= set(keys)
    seen.columns = table.columns
    return len(new)
