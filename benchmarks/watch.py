"""How soon faults are noticed, how often there is an alarm without one, and what a fallback saves.

Twenty real series of load, roads and air: a year to learn from, then a year that is watched. In a
copy of each, a fault begins at a known hour and lasts four weeks: six kinds, one at a time. The
forecasts are those of `citytune-base` without fine-tuning, made every midnight. The method was
chosen on twenty other series of other sets (`--half tuned`).

    python benchmarks/watch.py
    python benchmarks/watch.py --half tuned --false-alarms 0.25 0.5 1 2

The first run makes the forecasts, about ten minutes on one core, and keeps them in `--cache`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from sets import need_data
from watch_series import FAULT, FAULTS, REPORTED, TEST, TUNED, YEAR, Floats, Forecaster, Half

from citytune.evaluation import baselines
from citytune.frame import SensorFrame
from citytune.watching import Watch, WatchSettings, WatchState, calibrate, follow

REAL = ("silent", "missing")
"""Alarms that are no false ones: the readings are not there."""
SOON = 7
"""Days within which a fault is to be noticed."""


class Trial(NamedTuple):
    """One fault in one series."""

    fault: str
    series: str
    delay: int | None
    """Days until it was noticed, 1 for its first; None if it was not while it lasted."""
    kind: str
    """What it was called by the end of its first week."""
    model: float
    """Error of the model during the fault, as a multiple of the naive forecast's …"""
    served: float
    """… and that of what was served, the naive forecast while there is a fallback."""


class Clean(NamedTuple):
    """A year of one series as it is."""

    series: str
    kinds: list[str]
    """Of its alarms."""
    years: float
    """Without the days of alarms."""


class Result(NamedTuple):
    """Of one set."""

    trials: list[Trial]
    clean: list[Clean]


def naive_of(frame: SensorFrame, rows: Sequence[int], usual: int) -> Floats:
    """(origin, horizon, sensor): yesterday's or last week's values, what was better before."""
    found = [baselines[name](frame, rows, 24, usual) for name in ("naive-day", "naive-week")]
    past = frame.values[:usual]
    errors = [np.nanmean(np.abs(past[d * 24 :] - past[: -d * 24]), axis=0) for d in (1, 7)]
    return np.where(errors[0] <= errors[1], *found)


def record(frame: SensorFrame, rows: Sequence[int], said: Floats, naive: Floats) -> pl.DataFrame:
    """The table that a watch takes."""
    when = np.asarray(rows)[:, None] + np.arange(said.shape[1])
    local = frame.clock.local(0, len(frame))
    times = np.broadcast_to(local[when][..., None], said.shape[:3]).reshape(-1)
    issued = np.broadcast_to(local[when[:, :1]][..., None], said.shape[:3]).reshape(-1)
    columns = {"point": said[..., 0], "q05": said[..., 1], "q95": said[..., 2], "naive": naive}
    return pl.DataFrame(
        {
            "sensor": list(frame.sensors) * (times.size // len(frame.sensors)),
            "time": times,
            "issued": issued,
            "actual": frame.values[when].reshape(-1),
            **{name: values.reshape(-1) for name, values in columns.items()},
        }
    )


class Watched:
    """One set with all that it takes."""

    def __init__(self, half: Half, cache: Path, settings: WatchSettings) -> None:
        self.source = Forecaster(half, cache)
        self.frame = self.source.frame
        self.usual = len(self.frame) - (YEAR + TEST) * 24
        rows, said = self.source.clean()
        self.table = record(self.frame, rows, said, naive_of(self.frame, rows, self.usual))
        self.first = self._date(len(self.frame) - YEAR * 24)
        self.state = calibrate(self.table, self.frame, settings, before=self.first)

    def clean(self) -> list[Clean]:
        """Alarms of the year as it is."""
        found = follow(self.state, self.table, self.frame)
        alarms = [*found.alarms, *found.state.ended]
        end = self._date(len(self.frame) - 1)
        return [
            Clean(
                f"{self.source.half.city.name}/{name}",
                [one.kind for one in alarms if one.sensor == name],
                (YEAR - sum(_days(a.raised, a.ended, end) for a in alarms if a.sensor == name))
                / 365,
            )
            for name in self.frame.sensors
        ]

    def trials(self) -> list[Trial]:
        """Each fault in each sensor; what comes before it is watched once."""
        state, found = self.state, []
        for fault, start in sorted(self.source.starts.items(), key=lambda one: one[1]):
            state = follow(state, self._before(self._date(start)), self.frame.until(start)).state
            found += self._trials(fault, start, state)
        return found

    def _trials(self, fault: str, start: int, state: WatchState) -> list[Trial]:
        frame, rows, said = self.source.faulty(fault)
        day = self._date(start)
        own = record(frame, rows, said, naive_of(frame, rows, self.usual))
        first = _with_actual(self.table.filter(pl.col("time").dt.date() == day), frame)
        table = pl.concat([first, own])
        return self._follow(fault, state, table, frame, day)

    def _follow(
        self, fault: str, state: WatchState, table: pl.DataFrame, frame: SensorFrame, day: dt.date
    ) -> list[Trial]:
        names = [n for n in frame.sensors if state.sensors[n].alarm is None]
        noticed: dict[str, int] = {}
        kinds: dict[str, str] = {}
        served: dict[str, list[np.ndarray]] = {name: [] for name in names}
        falls: set[str] = set()
        for i in range(FAULT):
            today = day + dt.timedelta(days=i)
            rows = table.filter(pl.col("time").dt.date() == today)
            for name in names:
                served[name].append(_errors(rows.filter(pl.col("sensor") == name), name in falls))
            found = follow(state, rows, self._until(frame, today))
            state, falls = found.state, set(found.fallback)
            for one in _alarms(found):
                noticed.setdefault(one[0], i + 1)
                if i < SOON:
                    kinds[one[0]] = one[1]
        sums = {name: np.sum(errors, axis=0) for name, errors in served.items()}
        return [
            Trial(fault, f"{self.source.half.city.name}/{name}", noticed.get(name),
                  kinds.get(name, ""), *(sums[name][:2] / max(sums[name][2], 1e-9)))
            for name in names
        ]  # fmt: skip

    def _before(self, day: dt.date) -> pl.DataFrame:
        return self.table.filter(pl.col("time").dt.date() < day)

    def _until(self, frame: SensorFrame, day: dt.date) -> SensorFrame:
        """Two days, and the hour after them."""
        end = int(np.searchsorted(self._days, np.datetime64(day) + 1))
        return frame.until(end).since(max(0, end - 51))

    def _date(self, row: int) -> dt.date:
        return self._days[row].astype(dt.date)

    @property
    def _days(self) -> np.ndarray:
        return self.frame.clock.local(0, len(self.frame)).astype("datetime64[D]")


def _with_actual(table: pl.DataFrame, frame: SensorFrame) -> pl.DataFrame:
    """With what a faulty frame measured."""
    local = frame.clock.local(0, len(frame))
    wide = pl.DataFrame({"time": local, **{n: frame.values[:, i] for i, n in
                                           enumerate(frame.sensors)}})  # fmt: skip
    long = wide.unpivot(index="time", variable_name="sensor", value_name="actual")
    order = table.columns
    return (
        table.drop("actual")
        .join(long.unique(["time", "sensor"]), on=["time", "sensor"], how="left")
        .select(order)
    )


def _errors(rows: pl.DataFrame, falls: bool) -> np.ndarray:
    """Sums of absolute errors of the model, of what was served, and of the naive forecast."""
    known = rows.filter(pl.all_horizontal(pl.col("actual", "point", "naive").is_finite()))
    model = float((known["actual"] - known["point"]).abs().sum())
    naive = float((known["actual"] - known["naive"]).abs().sum())
    return np.array([model, naive if falls else model, naive])


def _alarms(found: Watch) -> list[tuple[str, str]]:
    return [(one.sensor, one.kind) for one in (*found.alarms, *found.ended)]


def _days(raised: str, ended: str | None, end: dt.date) -> int:
    return ((dt.date.fromisoformat(ended) if ended else end) - dt.date.fromisoformat(raised)).days


def measure(halves: Sequence[Half], cache: Path, settings: WatchSettings) -> Result:
    """All trials."""
    trials: list[Trial] = []
    clean: list[Clean] = []
    for half in halves:
        watched = Watched(half, cache, settings)
        clean += watched.clean()
        trials += watched.trials()
    return Result(trials, clean)


def show(found: Result, settings: WatchSettings) -> None:
    """The table."""
    kinds = [kind for one in found.clean for kind in one.kinds]
    years = sum(one.years for one in found.clean)
    real = sum(kind in REAL for kind in kinds)
    count = len(kinds) - real
    print(f"\nfalse alarms: {count} in {years:.1f} sensor years, {count / years:.2f} per sensor "
          f"and year; the dial says {settings.false_alarms:g}; {real} more "
          "tell of readings that are missing")  # fmt: skip
    print(f"{'fault':16s}{'series':>8s}{'noticed':>9s}{'in a week':>11s}{'days, median':>14s}"
          f"{'named':>7s}{'model/naive':>13s}{'served/naive':>14s}{'worst':>7s}")  # fmt: skip
    for fault in [*FAULTS, "all"]:
        row(fault, [one for one in found.trials if fault in (one.fault, "all")])


def row(name: str, trials: Sequence[Trial]) -> None:
    """Of one fault."""
    delays = [one.delay or FAULT + 1 for one in trials]
    found = [one.delay is not None for one in trials]
    named = [one.kind == one.fault for one in trials]
    soon = np.mean([delay <= SOON for delay in delays])
    model, served = (np.array([getattr(one, k) for one in trials]) for k in ("model", "served"))
    print(f"{name:16s}{len(trials):8d}{np.mean(found):9.0%}{soon:11.0%}{np.median(delays):14.0f}"
          f"{np.mean(named):7.0%}{_typical(model):13.2f}{_typical(served):14.2f}"
          f"{served.max():7.2f}")  # fmt: skip


def _typical(ratios: np.ndarray) -> float:
    return float(np.exp(np.log(np.maximum(ratios, 1e-3)).mean()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=("tuned", "reported"), default="reported")
    parser.add_argument("--false-alarms", nargs="+", type=float, default=[0.5])
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "citytune-watch"
    )
    parser.add_argument("--sets", nargs="*", default=[], help="parts of names")
    parser.add_argument("--each", action="store_true", help="print every series")
    options = parser.parse_args(arguments)
    need_data()
    for rate in options.false_alarms:
        settings = WatchSettings(false_alarms=rate)
        halves = TUNED if options.half == "tuned" else REPORTED
        halves = [one for one in halves if all(part in one.city.name for part in options.sets)]
        found = measure(halves, options.cache, settings)
        if options.each:
            print(*found.clean, *found.trials, sep="\n")
        show(found, settings)


if __name__ == "__main__":
    main()
