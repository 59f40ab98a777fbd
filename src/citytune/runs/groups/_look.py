"""Look into every file of a folder of Parquet once: what is in it, and when it was measured."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from citytune._errors import InputError
from citytune._text import counted
from citytune.engines import Engine
from citytune.readers import BadFile, Columns, Partition, masked
from citytune.runs._progress import Progress

NO_ZONE = "wall times without a zone"


@dataclass(frozen=True)
class FileFacts:
    """What is in a file."""

    file: Partition
    sensors: tuple[str, ...] = ()
    rows: int = 0
    first: dt.datetime | None = None
    """Of its readings."""
    last: dt.datetime | None = None
    ends: tuple[str, str] = ("", "")
    """The sensors of these two."""
    times: str = ""
    """Their zone, or that they have none."""
    bad: str = ""
    """Why it, or some of it, cannot be used."""


@dataclass(frozen=True)
class LookInto:
    """Looks into a file: three of its columns are read, and nothing is kept."""

    columns: Columns

    def __call__(self, file: Partition) -> FileFacts:
        """What is in it."""
        own = self.columns
        try:
            table = file.rows(replace(own, others=()))
        except BadFile as error:
            return FileFacts(file, bad=str(error))
        sensors = tuple(table[own.sensor].drop_nulls().unique().to_list())
        nobody = table[own.sensor].null_count()
        bad = f"{counted(nobody, 'row')} of it without the name of a sensor" if nobody else ""
        times = getattr(table.schema[own.time], "time_zone", None) or NO_ZONE
        known = table.filter(
            pl.col(own.target).is_finite(), pl.col(own.time, own.sensor).is_not_null()
        )
        if not len(known):
            return FileFacts(file, sensors, len(table), times=times, bad=bad)
        at = known.select(
            pl.col(own.time).arg_min().alias("first"), pl.col(own.time).arg_max().alias("last")
        ).row(0)
        (first, one), (last, other) = (known.select(own.time, own.sensor).row(i) for i in at)
        return FileFacts(file, sensors, len(table), first, last, (one, other), times, bad)


def looked_into(
    files: Sequence[Partition], columns: Columns, engine: Engine, tell: Progress
) -> list[FileFacts]:
    found = []
    for one in engine.map(LookInto(columns), files):
        found.append(one)
        tell("", len(found) / len(files))
    return found


def of_one_kind(facts: Sequence[FileFacts], name: str) -> list[FileFacts]:
    """The same; files whose times are of another kind than those of most are bad."""
    kinds = Counter(one.times for one in facts if one.sensors)
    if len(kinds) < 2:
        return list(facts)
    (usual, count), (other, same), *_ = kinds.most_common()
    if count == same:
        paths = [masked(next(one.file.path for one in facts if one.times == kind))
                 for kind in (usual, other)]  # fmt: skip
        raise InputError(
            f"the times of the files in {name} are {usual}, such as in {paths[0]}, and {other}, "
            f"such as in {paths[1]}, in half of them each; write all in one zone"
        )
    return [
        one
        if one.times in (usual, "")
        else FileFacts(one.file, bad=f"its times are {one.times}, and those of most files {usual}")
        for one in facts
    ]
