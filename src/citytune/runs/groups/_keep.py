"""Forecast a run's groups and keep a record of each: what `refresh` goes on from."""

from __future__ import annotations

import functools
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from citytune._errors import RunError
from citytune.engines import Engine
from citytune.runs._folder import FORECASTS, GROUPS, own_file
from citytune.runs._made import watches_of
from citytune.runs._progress import Progress, begin
from citytune.runs._record import fill, filled_record, note_forecast, note_readings
from citytune.runs._refresh import Raised, reached_levels
from citytune.runs._safe import served
from citytune.runs.groups._forecast import Group, Written, forecast_group, said_of_notes
from citytune.runs.groups._part import FramePart
from citytune.runs.groups._place import Place

if TYPE_CHECKING:
    from citytune.evaluation import Tally
    from citytune.forecasting import Outlook, TunedModel
    from citytune.frame import SensorFrame
    from citytune.watching import Alarm

WHICH = "sensors.parquet"
"""Which group each sensor belongs to, for good: columns sensor, group."""


class Layout(NamedTuple):
    """The groups of a run, and what it was asked for."""

    folder: Path
    """Of the run, or the draft of one."""
    size: int
    """Sensors of a group."""
    made: Mapping[str, Any]
    """Alerts of the run, as its seal has them."""
    run: str
    """Its name."""
    before: Path | None = None
    """The run as it was, if there was one; whole paths, as workers may stand elsewhere."""


class Kept(NamedTuple):
    """What came of one group, or of several."""

    forecast: tuple[Group, ...]
    outlook: Outlook
    reached: tuple[Raised, ...]
    alarms: tuple[Alarm, ...]
    last: Tally | None
    """Of forecasts whose values are known only now."""
    record: Tally | None
    weeks: dict[str, Tally]
    shown: pl.DataFrame
    """Rows of the record of the sensors that the report shows."""

    @classmethod
    def of(cls, parts: Sequence[Kept]) -> Kept:
        """Of several groups; those of their alerts that matter first come first."""
        ahead = parts[0].outlook.then(*(one.outlook for one in parts[1:]))
        place = {row.sensor: i for i, row in enumerate(ahead.rows)}
        weeks = dict.fromkeys(week for one in parts for week in one.weeks)
        return cls(
            tuple(group for one in parts for group in one.forecast),
            ahead,
            tuple(sorted((r for one in parts for r in one.reached), key=lambda r: place[r.sensor])),
            tuple(alarm for one in parts for alarm in one.alarms),
            _sum(one.last for one in parts),
            _sum(one.record for one in parts),
            {week: _of_week(parts, week) for week in weeks},
            pl.concat([one.shown for one in parts], how="diagonal_relaxed"),
        )

    def written(self, model: TunedModel, freq: str, bad: Mapping[str, str]) -> Written:
        """In words."""
        known = {name for one in self.forecast for name in one.known}
        notes = Counter(note for one in self.forecast for note in one.notes)
        return Written(
            FORECASTS,
            sum(one.sensors for one in self.forecast),
            model.spec.horizon,
            len(self.forecast),
            self.forecast[0].start,
            freq,
            bad,
            said_of_notes(notes, len(model.sensors) - len(known)),
        )


@dataclass(frozen=True, eq=False)
class KeepGroup:
    """Verifies what was forecast of a group last time, forecasts it, and writes both."""

    model: TunedModel
    layout: Layout
    shown: frozenset[str]

    def __call__(self, part: FramePart) -> Kept:
        """A group whose worker was lost is done again, and its files written anew."""
        from citytune.evaluation import tally, tally_by_week
        from citytune.forecasting import outlook, table_of

        layout, frame = self.layout, part.frame
        if not (layout.folder / FORECASTS).is_dir():
            raise RunError(
                f"a worker does not see {layout.folder.parent}, where the run is to be; name a "
                "folder that all machines of the cluster share, or take engine='local'"
            )
        old = None if layout.before is None else _folder(layout.before, part.number)
        draft = _folder(layout.folder, part.number)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        empty = pl.DataFrame(), pl.DataFrame()
        record, fresh = empty if old is None else filled_record(old, frame)
        own = forecast_group(self.model, frame)
        own = replace(own, run=layout.run, alerts=watches_of(layout.made, own.sensors))
        safe = served(own, frame, record)
        found = safe.forecast
        Place(str(layout.folder / FORECASTS)).write(part.number, table_of(found).records())
        if old is not None:
            fill(old, draft, frame)
        note_forecast(draft, safe, frame)
        note_readings(draft, self.model, frame)
        ahead, known = outlook(found), {*self.model.sensors}
        return Kept(
            (Group(len(found.sensors), found.clock.text(0), {}, found.notes, 0,
                   tuple(name for name in found.sensors if name in known)),),
            ahead,
            reached_levels(ahead, found),
            safe.alarms,
            tally(fresh),
            tally(record),
            tally_by_week(record),
            record.filter(pl.col("sensor").is_in(self.shown)) if len(record) else record,
        )  # fmt: skip


def keep_groups(
    model: TunedModel,
    frame: SensorFrame,
    engine: Engine,
    layout: Layout,
    shown: Sequence[str],
    progress: Progress | None,
) -> Kept:
    """Forecast every group of a run, and renew its record.

    Args:
        model: As it is to forecast.
        frame: What was read, in the terms of the model.
        engine: Does the groups.
        layout: Where all of it goes; `forecast` and `groups` are made there.
        shown: Sensors on the report's page.
        progress: Called with the stage and the share done.
    """
    tell = begin(progress, "Forecasting")
    (layout.folder / FORECASTS).mkdir()
    groups = _groups(layout.before, frame.sensors, layout.size)
    present = {*frame.sensors}
    there = {n: [s for s in names if s in present] for n, names in groups.items()}
    _write_groups(layout.folder, groups)
    for number in (number for number, names in there.items() if not names):
        assert layout.before is not None, "a new group has sensors"
        old = _folder(layout.before, number)
        shutil.copytree(old, _folder(layout.folder, number), symlinks=True)
    parts = [(number, names) for number, names in there.items() if names]
    work = KeepGroup(replace(model, memory=None), layout, frozenset(shown))
    found = list[Kept]()
    for one in engine.map(work, _parts(frame, parts)):
        found.append(one)
        tell("", len(found) / len(parts))
    return Kept.of(found)


def _parts(frame: SensorFrame, parts: Iterable[tuple[int, Sequence[str]]]) -> Iterator[FramePart]:
    for number, names in parts:
        yield FramePart(number, frame.select(names))


def _groups(before: Path | None, sensors: Sequence[str], size: int) -> dict[int, list[str]]:
    """Group → its sensors: each stays where it was, and new ones come after all others."""
    found: dict[int, list[str]] = {}
    for name, number in [] if before is None else _known(before):
        found.setdefault(number, []).append(name)
    where = {name for names in found.values() for name in names}
    last = max(found, default=0)
    for name in sensors:
        if name not in where:
            last += len(found.get(last, ())) >= size
            found.setdefault(last, []).append(name)
    return dict(sorted(found.items()))


def _known(run: Path) -> list[tuple[str, int]]:
    if not (run / GROUPS).exists():  # of a version that kept no record
        return []
    path = own_file(run, f"{GROUPS}/{WHICH}")
    try:
        return pl.read_parquet(path, columns=["sensor", "group"]).rows()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise RunError(f"{path} is damaged ({error}); restore it from a copy") from error


def _write_groups(run: Path, groups: Mapping[int, Sequence[str]]) -> None:
    rows = [(name, number) for number, names in groups.items() for name in names]
    (run / GROUPS).mkdir()
    table = pl.DataFrame(rows, schema={"sensor": pl.String, "group": pl.Int32}, orient="row")
    table.write_parquet(run / GROUPS / WHICH)


def _folder(run: Path, number: int) -> Path:
    return run / GROUPS / f"{number:05d}"


def _sum(parts: Iterable[Tally | None]) -> Tally | None:
    found = [one for one in parts if one is not None]
    return functools.reduce(lambda one, other: one.then(other), found) if found else None


def _of_week(parts: Sequence[Kept], week: str) -> Tally:
    found = _sum(one.weeks.get(week) for one in parts)
    assert found is not None, "one of them has this week"
    return found
