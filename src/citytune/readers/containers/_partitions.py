"""A folder of partitioned Parquet: which files there are, and some rows of one of them.

Folders may name a column, as `sensor=A17/part-0.parquet` does (Hive's way). A file is opened when
it is its turn, and only the columns and rows asked for are kept, so that memory holds some of one
file at a time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import polars as pl

from citytune._errors import InputError
from citytune._text import counted, listed
from citytune.readers.cells._names import name_in
from citytune.readers.containers._files import as_given, is_address, masked, told

ENDINGS = (".parquet", ".pq")
_HIDDEN = ("_", ".")
DATE_PARTS = frozenset({"year", "month", "day", "date", "hour", "week", "dt", "yr", "quarter"})
"""Names of folders that cut time; the rows say it too."""
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""What Hive and Spark call the folder of the rows in which a column is missing."""


class BadFile(InputError):  # noqa: N818 - reads as what it says
    """One of many files cannot be used; the message is the reason alone."""


@dataclass(frozen=True)
class Columns:
    """The columns that are read, of every file alike."""

    time: str
    sensor: str
    target: str
    others: tuple[str, ...] = ()
    """What else is needed of each row, such as its validity."""
    ahead: tuple[str, ...] = ()
    """What is known ahead."""

    @property
    def numbers(self) -> tuple[str, ...]:
        """Those that hold numbers, once."""
        return tuple(dict.fromkeys((self.target, *self.ahead)))

    @property
    def wanted(self) -> tuple[str, ...]:
        """All of them, once."""
        return tuple(dict.fromkeys((self.time, self.sensor, *self.numbers, *self.others)))


@dataclass(frozen=True)
class Partition:
    """One file of many."""

    path: str
    """On this machine, or an address."""
    keys: tuple[tuple[str, str | None], ...] = ()
    """Columns that its folders name, with their one value; None is missing."""
    size: int = 0
    """Bytes."""

    def rows(
        self, columns: Columns | None = None, sensors: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Its rows of some sensors, with moments as moments, names as text, readings as numbers.

        Args:
            columns: Which; all as they are by default.
            sensors: Whose; all by default.

        Raises:
            BadFile: it is damaged, lacks a column, or one is of another kind.
        """
        try:
            table = self._lazy(columns)
            if columns is None:
                return table.collect()
            return _of(_plain(table, columns), columns, sensors).collect()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise BadFile(_reason(error)) from None

    def _lazy(self, columns: Columns | None) -> pl.LazyFrame:
        if not is_address(self.path):
            return self._named(
                pl.scan_parquet(self.path, glob=False, hive_partitioning=False), columns
            )
        import fsspec

        try:
            with fsspec.open(self.path) as file:
                there = pl.read_parquet_schema(file)
                file.seek(0)
                some = [n for n in there if columns is None or n in columns.wanted]
                table = pl.read_parquet(file, columns=some, hive_partitioning=False)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            raise
        except Exception as error:  # noqa: BLE001 - every file system has errors of its own
            raise BadFile(told(self.path, error)) from None
        return self._named(table.lazy(), columns)

    def _named(self, table: pl.LazyFrame, columns: Columns | None) -> pl.LazyFrame:
        """With the columns that its folders name."""
        if columns is not None:
            self._refuse_two_names(table, columns.sensor)
        return table.with_columns(pl.lit(value, pl.String).alias(name) for name, value in self.keys)

    def _refuse_two_names(self, table: pl.LazyFrame, sensor: str) -> None:
        said, kind = dict(self.keys).get(sensor), table.collect_schema().get(sensor)
        if said is None or kind is None:
            return
        names = table.select(name_in(pl.col(sensor), kind).alias(sensor))
        if len(other := names.filter(pl.col(sensor) != said.strip()).head(1).collect()):
            raise BadFile(
                f"its folder says {sensor}={said}, and its column {sensor!r} {other.item()!r}; "
                "take one of the two away"
            )


def partitions_of(source: Any) -> list[Partition] | None:
    """The Parquet files in a folder or below it, by name; None if the source is no such folder.

    Args:
        source: A folder, or an address of one, such as "s3://bucket/loops/".
    """
    if not isinstance(source, str | os.PathLike):
        return None
    source = as_given(source)
    found = _at_address(str(source)) if is_address(source) else _in_folder(Path(source))
    return sorted(found, key=lambda one: one.path) or None


def key_of_sensors(partition: Partition, words: Sequence[str]) -> str | None:
    """The name of the folders that are a sensor each, if there is one.

    Args:
        partition: One of the files.
        words: What columns of sensors are called.
    """
    names = [name for name, _ in partition.keys if name.lower() not in DATE_PARTS]
    known = [name for name in names if name.lower() in words]
    return next(iter((*known, *names)), None)


def _in_folder(folder: Path) -> list[Partition]:
    folder = folder.expanduser()
    if not folder.is_dir():
        return []
    return [
        Partition(str(path), _keys(path.relative_to(folder).as_posix()), path.stat().st_size)
        for path in folder.rglob("*")
        if path.is_file() and _is_part(path.relative_to(folder).as_posix())
    ]


def _at_address(address: str) -> list[Partition]:
    if "://" not in address or address.lower().startswith(("http://", "https://")):
        return []
    try:
        import fsspec

        system, root = fsspec.core.url_to_fs(address)
        if not system.isdir(root):
            return []
        files = system.find(root, detail=True)
    except Exception as error:  # noqa: BLE001 - every file system has errors of its own
        raise InputError(told(address, error)) from None
    root = root.rstrip("/") + "/"
    return [
        Partition(system.unstrip_protocol(path), _keys(path[len(root) :]), facts.get("size") or 0)
        for path, facts in files.items()
        if _is_part(path[len(root) :])
    ]


def _is_part(path: str) -> bool:
    """Whether a file is one of the table; what begins with _ or . is not, as Hive and Spark say."""
    parts = PurePosixPath(path).parts
    hidden = any(part.startswith(_HIDDEN) and "=" not in part for part in parts)
    return path.lower().endswith(ENDINGS) and not hidden


def _keys(path: str) -> tuple[tuple[str, str | None], ...]:
    """The columns that the folders of a file name.

    >>> _keys("region=north/sensor=A%2F17/part-0.parquet")
    (('region', 'north'), ('sensor', 'A/17'))
    """
    pairs = (part.partition("=") for part in PurePosixPath(path).parts[:-1] if "=" in part)
    return tuple((name, None if value == NO_VALUE else unquote(value)) for name, _, value in pairs)


def _of(table: pl.LazyFrame, columns: Columns, sensors: Sequence[str] | None) -> pl.LazyFrame:
    if sensors is None:
        return table
    return table.filter(pl.col(columns.sensor).is_in(list(sensors)))


def _plain(table: pl.LazyFrame, columns: Columns) -> pl.LazyFrame:
    """The wanted columns, of the same kinds in every file."""
    schema = table.collect_schema()
    if lacking := [name for name in columns.wanted if name not in schema]:
        raise BadFile(f"it has no column {', '.join(map(repr, lacking))}")
    moments = schema[columns.time]
    if not isinstance(moments, pl.Datetime | pl.Date):
        raise BadFile(f"its column {columns.time!r} holds {moments}, not moments")
    for name in columns.numbers:
        if not (schema[name].is_numeric() or schema[name] == pl.Null):
            raise BadFile(f"its column {name!r} holds {schema[name]}, not numbers")
    zone = moments.time_zone if isinstance(moments, pl.Datetime) else None
    return table.select(
        pl.col(columns.time).cast(pl.Datetime("us", zone)),
        name_in(pl.col(columns.sensor), schema[columns.sensor]).alias(columns.sensor),
        pl.col(columns.numbers).cast(pl.Float64),
        *(name for name in columns.wanted[2 + len(columns.numbers) :]),
    )


def _reason(error: BaseException) -> str:
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return f"it cannot be read as Parquet: {text[:160]}"


def spelt(bad: dict[str, str], most: int = 5) -> str:
    """Files that could not be used, with their reasons, in a sentence."""
    same: dict[str, list[str]] = {}
    for path, why in bad.items():
        same.setdefault(why, []).append(masked(path))
    shown = [f"{listed(names, 3)}: {why}" for why, names in list(same.items())[:most]]
    if (hidden := len(same) - most) > 0:
        shown.append(f"and others for {counted(hidden, 'other reason')}")
    return "; ".join(shown)
