"""Lay a source out in groups of sensors: which lie in which files, and on which clock all are."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from citytune._errors import InputError
from citytune._text import counted
from citytune.engines import SIZE, Engine, check_group
from citytune.frame import UNNAMED, Fault, Faults, Origin, SensorFrame
from citytune.readers import (
    BadFile,
    Columns,
    Partition,
    masked,
    natural,
    partitions_of,
    spelt,
)
from citytune.runs._progress import Progress, begin
from citytune.runs._reading import Reading
from citytune.runs.groups._columns import columns_of
from citytune.runs.groups._part import FilePart, FramePart, Part, Span, Taken

MOST_ROWS = 5_000_000
"""Steps from the first to the last reading; more is a wrong time."""
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


@dataclass(frozen=True)
class Reads:
    """Reads a group, which then travels to whoever asked."""

    def __call__(self, part: Part) -> Taken:
        """What was read of it."""
        return part.read()


@dataclass(frozen=True, eq=False)
class Grouped:
    """A source in groups of sensors."""

    span: Span
    sensors: tuple[str, ...]
    """All of them, in the order in which `read` has them."""
    bad: dict[str, str]
    """Files that cannot be used → why."""
    files: int
    size: int
    """Bytes of all files."""
    groups: tuple[FilePart, ...] = ()
    frame: SensorFrame | None = None
    """The source itself, if it is at hand as a whole."""
    group: int = SIZE

    def __len__(self) -> int:
        """Number of groups."""
        return len(self.groups) or -(-len(self.sensors) // self.group)

    def parts(self) -> Iterator[Part]:
        """The groups, one by one."""
        if self.frame is None:
            yield from self.groups
            return
        yield from parts_of(self.frame, self.group)

    def whole(self, engine: Engine, progress: Progress | None = None) -> SensorFrame:
        """All of it as one frame, read group by group: four bytes a reading."""
        if self.frame is not None:
            return self.frame
        tell = begin(progress, "Reading")
        where = {name: i for i, name in enumerate(self.sensors)}
        values = np.full((self.span.rows, len(where)), np.nan, np.float32)
        low, country, faults = self.span.quantity.low, None, list[Fault]()
        origin = Origin()
        for done, (part, taken) in enumerate(
            zip(self.groups, engine.map(Reads(), self.groups), strict=True), 1
        ):
            self.bad.update(taken.bad)
            if taken.frame is not None:
                refuse_covariates(taken.frame)
                values[:, [where[name] for name in part.sensors]] = taken.frame.values
                low = None if taken.frame.quantity.low is None else low
                country = taken.frame.country
                faults += taken.frame.faults
                origin = taken.frame.origin
            tell("", done / len(self))
        quantity = replace(self.span.quantity, low=low)
        found = SensorFrame(
            values, self.span.clock, self.sensors, quantity, country, faults=Faults(faults),
            source=self.groups[0].source, origin=origin,
        )  # fmt: skip
        read = np.flatnonzero(np.isfinite(values).any(0))
        if len(read) == len(self.sensors):
            return found
        return found.select([self.sensors[i] for i in read])


def refuse_covariates(frame: SensorFrame) -> None:
    """What a run by groups keeps of its readings has no room for what is known ahead."""
    if frame.covariates:
        raise InputError("covariates are not known by groups; leave covariates= or engine= out")


def parts_of(frame: SensorFrame, group: int) -> Iterator[FramePart]:
    """The groups of a frame, each copied when it is its turn."""
    for number, first in enumerate(range(0, len(frame.sensors), group)):
        yield FramePart(number, frame.select(frame.sensors[first : first + group]))


def grouped(
    source: object,
    reading: Reading,
    engine: Engine,
    group: int = SIZE,
    progress: Progress | None = None,
) -> Grouped:
    """Look into every file of a folder of Parquet once; any other source is read as a whole.

    Raises:
        InputError: no file can be used, or the columns are not one of times, one of names of
            sensors, and one of readings.
    """
    check_group(group)
    files = None if isinstance(source, SensorFrame) else partitions_of(source)
    begin(progress, "Reading")
    if files is None:
        frame = reading.read(source)
        span = Span(frame.clock, len(frame), frame.quantity)
        return Grouped(span, frame.sensors, {}, 1, 0, frame=frame, group=group)
    name = masked(source) if isinstance(source, str | os.PathLike) else "the folder"
    columns = columns_of(files, reading, name)
    facts = _looked_into(files, columns, engine, begin(progress, "Looking into files"))
    facts = _of_one_kind(facts, name)
    bad = {one.file.path: one.bad for one in facts if one.bad}
    good = [one for one in facts if one.sensors]
    if not any(one.last for one in good):
        raise InputError(f"{name} has no file that can be used: {spelt(bad) or 'no readings'}")
    asked = replace(reading, time=columns.time, sensor=columns.sensor, target=columns.target)
    groups = _groups(good, columns, asked, group, name)
    span, asked = _span(groups, good, asked, name, bad)
    groups = tuple(replace(one, span=span, reading=asked) for one in groups)
    sensors = tuple(sorted((n for one in groups for n in one.sensors), key=natural))
    size = sum(file.size for file in files)
    return Grouped(span, sensors, bad, len(files), size, groups, group=group)


def _looked_into(
    files: Sequence[Partition], columns: Columns, engine: Engine, tell: Progress
) -> list[FileFacts]:
    found = []
    for one in engine.map(LookInto(columns), files):
        found.append(one)
        tell("", len(found) / len(files))
    return found


def _of_one_kind(facts: Sequence[FileFacts], name: str) -> list[FileFacts]:
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


def _groups(
    facts: Sequence[FileFacts], columns: Columns, reading: Reading, group: int, name: str
) -> tuple[FilePart, ...]:
    """Groups of sensors that lie near each other, so that each file is opened by few of them."""
    where: dict[str, list[int]] = {}
    for number, one in enumerate(facts):
        for sensor in one.sensors:
            where.setdefault(sensor, []).append(number)
    order = sorted(where, key=lambda sensor: (where[sensor], natural(sensor)))
    found: list[FilePart] = []
    for first in range(0, len(order), group):
        some = tuple(sorted(order[first : first + group], key=natural))
        files = sorted({number for sensor in some for number in where[sensor]})
        own = tuple(facts[number].file for number in files)
        found.append(FilePart(len(found), some, own, columns, reading, source=name))
    return tuple(found)


def _span(
    groups: Sequence[FilePart],
    facts: Sequence[FileFacts],
    reading: Reading,
    name: str,
    bad: dict[str, str],
) -> tuple[Span, Reading]:
    """The rows of all, and how they are read: as `read` has the first and the last of them."""
    known = [one for one in facts if one.first is not None and one.last is not None]
    first = min(known, key=lambda one: _naive(one.first))
    last = max(known, key=lambda one: _naive(one.last))
    ends, read = [], dict[int, Taken]()
    for one, sensor in ((first, first.ends[0]), (last, last.ends[1])):
        group = next(part for part in groups if sensor in part.sensors)
        if group.number not in read:  # often one holds both
            read[group.number] = group.read()
        taken = read[group.number]
        if taken.frame is None:
            raise InputError(
                f"{name} cannot be read by groups: the readings around {one.file.path} are no "
                f"table ({spelt(dict(taken.bad)) or 'no readings'})"
            )
        ends.append(taken.frame)
    clock, quantity = ends[0].clock, ends[1].quantity
    rows = clock.index(ends[1].clock.moments(len(ends[1]) - 1, 1)[0]) + 1
    if not 0 < rows <= MOST_ROWS or ends[1].clock.step != clock.step:
        raise InputError(
            f"{name} is not on one clock: {masked(first.file.path)} has a row every {clock.freq} "
            f"from {clock.text(0)}, and {masked(last.file.path)} one every {ends[1].clock.freq} "
            f"until {ends[1].clock.text(len(ends[1]) - 1)}; take the file that is wrong away"
        )
    what, unit = None if quantity.name == UNNAMED else quantity.name, quantity.unit or None
    asked = replace(reading, quantity=reading.quantity or what, unit=reading.unit or unit)
    return Span(clock, rows, quantity), asked


def _naive(moment: dt.datetime | None) -> dt.datetime:
    assert moment is not None
    return moment if moment.tzinfo is None else moment.astimezone(dt.UTC).replace(tzinfo=None)


def said_of_bad(bad: dict[str, str]) -> str:
    """A sentence of what could not be used."""
    return f"{counted(len(bad), 'part')} of the source could not be used: {spelt(bad)}"
