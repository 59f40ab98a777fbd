"""Find pictures, places, groups and labels in the columns of a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from citytune._errors import InputError
from citytune._text import listed
from citytune.readers import Rows
from citytune.vision._faults import Faults
from citytune.vision._picture import ENDINGS, Picture

WORDS = {
    "picture": ("picture", "image", "photo", "file", "filename", "path", "still", "jpeg", "jpg",
                "png", "frame"),
    "place": ("place", "camera", "cam", "site", "sensor", "location", "station"),
    "group": ("clip", "video", "sequence", "group"),
}  # fmt: skip
"""Words in the names of columns, best first."""
MOST_CLASSES = 20


def guess_pictures(rows: Rows) -> pl.Series:
    """The column of paths or bytes."""
    table = rows.table
    for name, kind in table.schema.items():
        if kind == pl.Binary or (isinstance(kind, pl.Struct) and "bytes" in kind.to_schema()):
            return table[name]
    text = [name for name, kind in table.schema.items() if kind == pl.String]
    paths = [
        name
        for name in text
        if table[name].str.to_lowercase().str.contains(r"\.(jpe?g|png|webp|bmp|gif|tiff?)$").any()
    ]
    best = column_named(paths, "picture") or next(iter(paths), None)
    if best is None:
        raise InputError(
            f"{rows.name} has no column of pictures: neither bytes nor names that end in "
            f"{', '.join(ENDINGS)}; it has {listed(table.columns, quoted=True)}. Say picture="
        )
    return table[best]


def column_named(names: Sequence[str], role: str) -> str | None:
    """The column whose name says its role best."""
    for word in WORDS[role]:
        for name in names:
            if word in re.split(r"[^a-z]+", name.lower()):
                return name
    return None


def names_of(rows: Rows, column: pl.Series) -> list[str]:
    """What each picture is called in messages."""
    if column.dtype == pl.String:
        return [str(cell) for cell in column]
    files = column_named([n for n, k in rows.table.schema.items() if k == pl.String], "picture")
    if files:
        return [str(cell) for cell in rows.table[files]]
    return [f"row {i + 1}" for i in range(len(column))]


def pictures_in(
    column: pl.Series, base: Path, names: Sequence[str], faults: Faults
) -> list[Picture]:
    """Paths from a folder on, or bytes."""
    if isinstance(column.dtype, pl.Struct):
        column = column.struct.field("bytes")
    faults.add("there is no picture in the row", where(column.is_null(), names))
    if column.dtype == pl.Binary:
        return [cell or b"" for cell in column]
    twice = column.is_duplicated() & column.is_not_null()
    faults.add("the picture is named in several rows", sorted(set(where(twice, names))))
    return [base / Path(str(cell)).expanduser() for cell in column]


def values_in(rows: Rows, target: str, names: Sequence[str], faults: Faults) -> NDArray[Any]:
    """(picture,) numbers, or words as objects."""
    series = rows.column(target)
    numbers, wrong = rows.numbers(target)
    missing = series.is_null()
    if series.dtype == pl.Boolean or (series.dtype == pl.String and wrong.mean() > 0.5):  # type: ignore[operator]
        text = series.cast(pl.String).str.strip_chars()
        faults.add(f"there is no label in column {target!r}", where(missing | (text == ""), names))
        if (classes := text.n_unique()) > MOST_CLASSES:
            faults.say(
                f"column {target!r} holds {classes} different words, and {MOST_CLASSES} classes "
                "are the most; name a column of numbers or of classes"
            )
        return text.fill_null("").to_numpy().astype(object)
    faults.add(f"the label in column {target!r} is no number", where(wrong, names))
    missing = (numbers.is_null() | numbers.is_nan()) & ~wrong
    faults.add(f"there is no label in column {target!r}", where(missing, names))
    infinite = numbers.is_infinite().fill_null(value=False)
    faults.add(f"the label in column {target!r} is infinite", where(infinite, names))
    return numbers.fill_null(np.nan).to_numpy().astype(np.float64)


def texts_of(rows: Rows, *names: str | None) -> list[str]:
    """The first of some columns that is named, as text; nothing if none is."""
    name = next(filter(None, names), None)
    if name is None:
        return []
    return rows.column(name).cast(pl.String).fill_null("unknown").to_list()


def where(mask: pl.Series, names: Iterable[str]) -> list[str]:
    """Names of the pictures that a mask marks."""
    return [name for name, one in zip(names, mask, strict=True) if one]


def stem_of(name: str) -> str:
    """A place for pictures of which none is told."""
    return Path(name).stem if "/" in name or "." in name else "camera"
