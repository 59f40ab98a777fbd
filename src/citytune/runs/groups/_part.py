"""A group of sensors, which a worker reads by itself: on one clock with all the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
import polars as pl

from citytune._errors import InputError
from citytune.frame import Clock, Quantity, SensorFrame
from citytune.readers import BadFile, Columns, KnownAhead, Partition
from citytune.runs._reading import Reading
from citytune.runs.groups._city import City

NOTHING = KnownAhead({})


class Taken(NamedTuple):
    """What was read of a group."""

    frame: SensorFrame | None
    """On the clock of all; None if nothing could be read."""
    bad: Mapping[str, str]
    """File, or sensor, that could not be used → why."""
    size: int = 0
    """Bytes of the files that were opened."""


class Part(Protocol):
    """A group of sensors."""

    @property
    def number(self) -> int: ...
    @property
    def sensors(self) -> tuple[str, ...]: ...

    def read(self) -> Taken:
        """Read it: all of its sensors in their order, on the clock of all."""
        ...


@dataclass(frozen=True)
class Span:
    """The rows of all groups, and what is measured."""

    clock: Clock
    rows: int
    quantity: Quantity


@dataclass(frozen=True, eq=False)
class FramePart:
    """A group of the sensors of a frame that is at hand; only these travel to a worker."""

    number: int
    frame: SensorFrame

    @property
    def sensors(self) -> tuple[str, ...]:
        """Names."""
        return self.frame.sensors

    def read(self) -> Taken:
        """It is there."""
        return Taken(self.frame, {})


@dataclass(frozen=True)
class FilePart:
    """A group of sensors that lie in some files."""

    number: int
    sensors: tuple[str, ...]
    files: tuple[Partition, ...]
    columns: Columns
    reading: Reading
    span: Span | None = None
    """None as long as it is not known: the frame then keeps its own."""
    source: str = "the folder"
    known: KnownAhead = NOTHING
    """What is known ahead, besides what its own rows say or in place of that."""

    def read(self) -> Taken:
        """Read its rows from every file; a file that cannot be used is named and left out."""
        bad: dict[str, str] = {}
        tables: list[pl.DataFrame] = []
        for file in self.files:
            try:
                tables.append(file.rows(self.columns, self.sensors))
            except BadFile as error:
                bad[file.path] = str(error)
        size = sum(file.size for file in self.files)
        if not any(len(table) for table in tables):
            return Taken(None, bad, size)
        frames = self._frames(pl.concat(tables, how="vertical_relaxed"), self.sensors, bad)
        if not frames:
            return Taken(None, bad, size)
        span = self.span or _span_of(frames)
        placed = [one for one in frames if self._fits(one, span, bad)]
        return Taken(self._placed(placed, span) if placed else None, bad, size)

    def _frames(
        self, table: pl.DataFrame, sensors: tuple[str, ...], bad: dict[str, str]
    ) -> list[SensorFrame]:
        """The rows as a frame; where one sensor spoils it, as several without that one."""
        try:
            return [self.reading.read(table)]
        except InputError as error:
            if len(sensors) == 1:
                bad[f"sensor {sensors[0]!r}"] = _in_one_line(error)
                return []
        half = len(sensors) // 2
        found = []
        for some in (sensors[:half], sensors[half:]):
            rows = table.filter(pl.col(self.columns.sensor).is_in(list(some)))
            found += self._frames(rows, some, bad) if len(rows) else []
        return found

    def _fits(self, frame: SensorFrame, span: Span, bad: dict[str, str]) -> bool:
        clock, own = span.clock, frame.clock
        row = clock.index(own.start)
        off = clock.moments(row, 1)[0] != np.datetime64(own.start, "us")
        if own.step == clock.step and not off and own.timezone == clock.timezone:
            return True
        for name in frame.sensors:
            bad[f"sensor {name!r}"] = (
                f"it has a row every {own.freq} from {own.text(0)}, and the others one every "
                f"{clock.freq} from {clock.text(0)}"
            )
        return False

    def _placed(self, frames: list[SensorFrame], span: Span) -> SensorFrame:
        """One frame of all sensors on the clock of all; what was not read is NaN."""
        values = np.full((span.rows, len(self.sensors)), np.nan, np.float32)
        city = City(span.rows)
        where = {name: i for i, name in enumerate(self.sensors)}
        for one in frames:
            columns = [where[name] for name in one.sensors]
            row = span.clock.index(one.clock.start)
            _put(values, one.values, row, columns)
            city.add(one, row)
        first = frames[0]
        low = None if any(one.quantity.low is None for one in frames) else span.quantity.low
        return replace(
            first,
            values=values,
            clock=span.clock,
            sensors=self.sensors,
            quantity=replace(span.quantity, low=low),
            covariates=city.tables | self.known.tables,
            places=None,
            faults=tuple(
                fault for one in frames for fault in one.faults if fault.severity == "warning"
            ),
            source=self.source,
            origin=first.origin._replace(beside=self.known.sources),
        )


def _span_of(frames: list[SensorFrame]) -> Span:
    """From the first row of some frames to the last."""
    first = min(frames, key=lambda one: one.clock.start)
    ends = [first.clock.index(one.clock.start) + len(one) for one in frames]
    return Span(first.clock, max(ends), first.quantity)


def _put(table: np.ndarray, part: np.ndarray, row: int, columns: list[int]) -> None:
    """Place rows of some columns; what lies before the first row is left out."""
    part = part[max(0, -row) :]
    row = max(row, 0)
    table[row : row + len(part), columns] = part[: len(table) - row]


def _in_one_line(error: Exception) -> str:
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip()]
    return "; ".join(lines[1:] or lines).removeprefix("the DataFrame: ")[:300]
