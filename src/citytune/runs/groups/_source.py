"""Lay a source out in groups of sensors: which lie in which files, and on which clock all are."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from citytune._errors import InputError
from citytune._text import counted
from citytune.engines import SIZE, Engine, check_group
from citytune.frame import UNNAMED, Faults, Origin, SensorFrame
from citytune.readers import (
    Columns,
    KnownAhead,
    known_ahead,
    masked,
    natural,
    partitions_of,
    spelt,
)
from citytune.runs._progress import Progress, begin
from citytune.runs._reading import Reading
from citytune.runs.groups._city import City, refuse_own
from citytune.runs.groups._columns import columns_of
from citytune.runs.groups._look import FileFacts, looked_into, of_one_kind
from citytune.runs.groups._part import NOTHING, FilePart, FramePart, Part, Span, Taken

MOST_ROWS = 5_000_000
"""Steps from the first to the last reading; more is a wrong time."""


@dataclass(frozen=True)
class Reads:
    """Reads a group, which then travels to whoever asked."""

    def __call__(self, part: Part) -> Taken:
        """What was read of it."""
        return part.read()


@dataclass(frozen=True)
class ReadsAhead:
    """Reads what a group knows ahead; None if nothing of it can be read."""

    def __call__(self, part: Part) -> SensorFrame | None:
        """It comes without sensors."""
        frame = part.read().frame
        return None if frame is None else frame.select(())


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
    known: KnownAhead = NOTHING
    """What second sources know ahead."""

    def __len__(self) -> int:
        """Number of groups."""
        return len(self.groups) or -(-len(self.sensors) // self.group)

    def parts(self) -> Iterator[Part]:
        """The groups, one by one."""
        if self.frame is None:
            yield from self.groups
            return
        yield from parts_of(self.frame, self.group)

    def informed(self, engine: Engine, progress: Progress | None = None) -> Grouped:
        """The same, where each group knows ahead what any of them does: all are read for that.

        Raises:
            InputError: the groups contradict each other.
        """
        if not any(part.columns.ahead for part in self.groups):
            return self
        tell, city = begin(progress, "Reading what is known ahead"), City(self.span.rows)
        for done, one in enumerate(engine.map(ReadsAhead(), self.groups), 1):
            if one is not None:
                city.add(one)
            tell("", done / len(self))
        return self.knowing(self.known._replace(tables=city.tables))

    def knowing(self, known: KnownAhead) -> Grouped:
        """The same, where each group knows that ahead."""
        groups = tuple(replace(part, known=known) for part in self.groups)
        return replace(self, groups=groups, known=known)

    def whole(self, engine: Engine, progress: Progress | None = None) -> SensorFrame:
        """All of it as one frame, read group by group: four bytes a reading."""
        if self.frame is not None:
            return self.frame
        tell = begin(progress, "Reading")
        where = {name: i for i, name in enumerate(self.sensors)}
        values = np.full((self.span.rows, len(where)), np.nan, np.float32)
        low, country = self.span.quantity.low, None
        faults, origin, city = list(self.known.faults), Origin(), City(self.span.rows)
        for done, (part, taken) in enumerate(
            zip(self.groups, engine.map(Reads(), self.groups), strict=True), 1
        ):
            self.bad.update(taken.bad)
            if taken.frame is not None:
                city.add(taken.frame)
                values[:, [where[name] for name in part.sensors]] = taken.frame.values
                low = None if taken.frame.quantity.low is None else low
                country = taken.frame.country
                faults += taken.frame.faults
                origin = taken.frame.origin
            tell("", done / len(self))
        quantity = replace(self.span.quantity, low=low)
        found = SensorFrame(
            values, self.span.clock, self.sensors, quantity, country, city.tables,
            faults=Faults(faults), source=self.groups[0].source, origin=origin,
        )  # fmt: skip
        read = np.flatnonzero(np.isfinite(values).any(0))
        if len(read) == len(self.sensors):
            return found
        return found.select([self.sensors[i] for i in read])


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
        refuse_own(frame.covariates)
        span = Span(frame.clock, len(frame), frame.quantity)
        return Grouped(span, frame.sensors, {}, 1, 0, frame=frame, group=group)
    name = masked(source) if isinstance(source, str | os.PathLike) else "the folder"
    columns, asked, second = columns_of(files, reading, name)
    tell = begin(progress, "Looking into files")
    facts = of_one_kind(looked_into(files, columns, engine, tell), name)
    bad = {one.file.path: one.bad for one in facts if one.bad}
    good = [one for one in facts if one.sensors]
    if not any(one.last for one in good):
        raise InputError(f"{name} has no file that can be used: {spelt(bad) or 'no readings'}")
    groups = _groups(good, columns, asked, group, name)
    span, asked = _span(groups, good, asked, name, bad)
    groups = tuple(replace(one, span=span, reading=asked) for one in groups)
    sensors = tuple(sorted((n for one in groups for n in one.sensors), key=natural))
    size = sum(file.size for file in files)
    found = Grouped(span, sensors, bad, len(files), size, groups, group=group)
    return found.knowing(_second(second, found, asked))


def _second(sources: Sequence[Any], found: Grouped, asked: Reading) -> KnownAhead:
    """What sources besides the folder know ahead, which are read once for all groups."""
    said = {name: value for name, value in asked.said().items() if name != "covariates"}
    span = found.span
    known = known_ahead(sources, span.clock, found.sensors, span.rows, **said)
    refuse_own(known.tables)
    return known


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
