"""Forecast with a model that `citytune export` wrote: one file, NumPy and ONNX Runtime alone.

Copy it next to the model; it imports nothing of citytune. `citytune-edge MODEL.onnx loops.csv --out
forecast.csv` does what `citytune forecast` does, and `Edge("model.onnx").forecast(...)` is for
programs. It reads the model's own description, makes the calendar, and fills gaps from the past.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import datetime as dt
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

FORMAT = 1
FACTS, SEAL = "citytune", "citytune_sha256"
SEALED = len(SEAL) + 2 + 2 + 64
MARK = bytes([0x72, SEALED, 0x0A, len(SEAL)]) + SEAL.encode() + bytes([0x12, 64])
"""What stands before the seal, the last 64 bytes of a file."""
WINDOWS_AT_ONCE = 16
SEASON = 8
"""Public holidays at most so many days apart make a season, from the eve of the first on."""
DAY_US = 86_400_000_000
MISSING = {"", "na", "nan", "null", "none", "n/a", "-"}
SHOWN = 5
RUNS, NUMBER = re.compile(r"'*[=+\-@\t\r\n]"), re.compile(r"[+-]?\d+([.,]\d+)?")
Array = np.ndarray[Any, np.dtype[Any]]


class EdgeError(ValueError):
    """The model or the readings cannot be used: the message says what, the rule, what to do."""


class EdgeForecast(NamedTuple):
    """A forecast in the unit of the data; NaN where there is none."""

    times: Array  # (horizon,) UTC, or wall time for a model without a time zone
    sensors: tuple[str, ...]
    mean: Array  # (horizon, sensor)
    quantiles: Array  # (horizon, sensor, level)
    point: Array  # (horizon, sensor) the median, or what it is moved to for rare values
    quality: Array  # (horizon, sensor) what each value is, in words


class Edge:
    """An exported model, ready to forecast.

    Raises:
        EdgeError: the file is none, of another version, or no longer what was written.
    """

    def __init__(self, path: str | Path, *, threads: int = 1) -> None:
        self.path = Path(path)
        whole = _is_whole(self.path)
        self._session = _session(self.path, threads)
        self.facts = _facts(self.path, self._session, whole)
        self._asked = {given.name for given in self._session.get_inputs()}
        try:
            self._take_facts()
        except EdgeError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EdgeError(
                f"{self.path} does not say what a model must say of itself ({error}); export it "
                "again: citytune export RUN --onnx FILE"
            ) from error

    def _take_facts(self) -> None:
        self.sensors = tuple(self.facts["sensors"])
        self._step = np.timedelta64(round(self.facts["step_seconds"] * 1e6), "us")
        zone = self.facts["timezone"]
        self._zone = None if zone is None else _zone_called(zone)
        self._holidays = np.array(sorted(self.facts["holidays"]), "datetime64[D]")

    def forecast(
        self,
        values: Array,
        start: dt.datetime | np.datetime64 | str,
        sensors: Sequence[str] | None = None,
    ) -> EdgeForecast:
        """Forecast from the step after the last row on.

        Args:
            values: (time, sensor), in the unit of the model; NaN is missing.
            start: Time of the first row: UTC, or wall time for a model without a time zone.
            sensors: Names of the columns; by default those of the model.
        """
        table = np.asarray(values, np.float32)
        names = self.sensors if sensors is None else tuple(sensors)
        where = self._check(table, names)
        table = np.where(np.isfinite(table), table, np.nan)
        first = _moment(start)
        self._check_phase(first)
        shared = self._shared(table, first)
        found = [
            self._ask(table[:, part], where[part], shared)
            for part in _parts(len(names), max(1, 24 * WINDOWS_AT_ONCE // self.facts["horizon"]))
        ]
        mean, quantiles, point, few = (np.concatenate(one) for one in zip(*found, strict=True))
        begin = first + len(table) * self._step
        return EdgeForecast(
            begin + np.arange(self.facts["horizon"]) * self._step,
            names,
            mean.T,
            quantiles.transpose(1, 0, 2),
            point.T,
            self._quality(table, first, mean.T, few),
        )

    def _check(self, table: Array, names: tuple[str, ...]) -> Array:
        """(sensor,) which of the model's sensors each column is."""
        if table.ndim != 2 or table.shape[1] != len(names):
            raise EdgeError(
                f"readings are a table of (time, sensor), here of {len(names)} sensors; "
                f"got {'×'.join(map(str, table.shape))}"
            )
        known = {name: i for i, name in enumerate(self.sensors)}
        if unknown := [name for name in names if name not in known]:
            raise EdgeError(
                f"{_listed(unknown)} {'is' if len(unknown) == 1 else 'are'} none of the sensors "
                f"that {self.path.name} was tuned on: {_listed(self.sensors)}; leave out those, or "
                "name what to forecast with --sensors"
            )
        if len(set(names)) < len(names) or not names:
            raise EdgeError("every sensor is given once, and at least one")
        if len(table) < self.facts["least_rows"]:
            raise EdgeError(
                f"there are {len(table)} rows of {self.facts['step']}, and the model needs at "
                f"least {self.facts['least_rows']}; give it a longer past, at best "
                f"{self.facts['reach']}"
            )
        return np.array([known[name] for name in names])

    def _check_phase(self, first: np.datetime64) -> None:
        phase = np.timedelta64(round(self.facts["phase_seconds"] * 1e6), "us")
        off = (first - np.datetime64(0, "us") - phase) % self._step
        off = min(off, self._step - off)
        daily = self._zone is not None and self._step >= np.timedelta64(1, "D")
        if off > (np.timedelta64(2, "h") if daily else np.timedelta64(0, "us")):
            raise EdgeError(
                f"rows begin at {first}, between two steps of the model's clock, which has one "
                f"every {self.facts['step']}; bring them to its times"
            )

    def _shared(self, table: Array, first: np.datetime64) -> dict[str, Array]:
        """What all sensors share: the calendar of the past, as long as the graph wants it, and on.

        What lies before the first row is the clock running on backwards.
        """
        reach, horizon, day = (self.facts[one] for one in ("reach", "horizon", "steps_per_day"))
        rows = min(len(table), reach)
        begin = first + (len(table) - rows) * self._step
        local = self._local(begin + np.arange(rows + horizon) * self._step)
        days = local.astype("datetime64[D]")
        number = int(begin.astype(np.int64) // self._step.astype(np.int64))
        since = (local - days).astype("timedelta64[us]").astype(np.int64)
        wall = days.astype(np.int64) * day + since * day // DAY_US
        if not self.facts["same_slots_every_day"]:
            wall = number + np.arange(len(local))
        weekday = (days.astype(np.int64) + 3) % 7
        early = np.arange(rows - reach, 0)
        slot = wall[0] % day
        backward = (slot + early) // day if day > 1 else early * (weekday[1] - weekday[0])
        none = np.zeros(len(early), bool)
        return {
            "wall": np.concatenate([wall[0] + early, wall]),
            "weekday": np.concatenate([(weekday[0] + backward) % 7, weekday]),
            "holiday": np.concatenate([none, np.isin(days, self._holidays)]),
            "season": np.concatenate([none, self._season(days)]),
            "rows": np.array(rows, np.int64),
            "first": np.array(number - len(early), np.int64),
        }

    def _ask(self, table: Array, which: Array, shared: dict[str, Array]) -> list[Array]:
        rows, early = int(shared["rows"]), self.facts["reach"] - int(shared["rows"])
        raw = np.ascontiguousarray(table[len(table) - rows :].T)
        filled, day = fill_causally(raw, self.facts["steps_per_day"]), self.facts["steps_per_day"]
        before = filled[:, np.arange(-early, 0) % min(day, rows)]
        none = np.zeros(before.shape, bool)
        given = shared | {
            "past": np.concatenate([before, filled], 1),
            "measured": np.concatenate([none, ~np.isnan(raw)], 1),
            "sensor": which.astype(np.int64),
        }
        found: list[Array] = self._session.run(
            None, {name: part for name, part in given.items() if name in self._asked}
        )
        return found

    def _local(self, moments: Array) -> Array:
        """Wall times; those of days on which the clock changes are looked up one by one."""
        if self._zone is None:
            local = moments
        else:
            quarters, which = np.unique(moments.astype("datetime64[15m]"), return_inverse=True)
            aware = (
                one.replace(tzinfo=dt.UTC) for one in quarters.astype("datetime64[us]").tolist()
            )
            offsets = [one.astimezone(self._zone).utcoffset() for one in aware]
            local = moments + np.array(offsets, "timedelta64[us]")[which]
        first, last = (np.datetime64(one, "D") for one in self.facts["calendar"])
        limited = self._zone is not None or self.facts["country"] is not None
        if limited and (local[0].astype("datetime64[D]") < first or local[-1] >= last + 1):
            raise EdgeError(
                f"{self.path.name} knows holidays and clock changes from {first} to {last}, and "
                f"this forecast needs them up to {local[-1].astype('datetime64[D]')}; export the "
                "model again with `citytune export`, best after `citytune update`"
            )
        return local

    def _season(self, days: Array) -> Array:
        """Whether each day lies between public holidays close together."""
        found = np.zeros(len(days), bool)
        for first, last in pairwise(self._holidays):
            if last - first <= np.timedelta64(SEASON, "D"):
                found |= (days >= first - np.timedelta64(1, "D")) & (days <= last)
        return found

    def _quality(self, table: Array, first: np.datetime64, mean: Array, few: Array) -> Array:
        """(horizon, sensor) what each value is, as `citytune forecast` says it."""
        known, day = np.isfinite(table), self.facts["steps_per_day"]
        last = np.where(known.any(0), len(table) - 1 - known[::-1].argmax(0), -1)
        words: list[str] = []
        for i, end in enumerate(last):
            rule = (
                "fallback: yesterday"
                if end >= len(table) - 7 * day
                else "fallback: last day measured"
            )
            word, since = rule if few[i] else "model", int(end) + 1
            usual = (
                known[max(0, since - 7 * day) : len(table) - 7 * day, i]
                if since >= 7 * day
                else known
            )
            if end >= 0 and len(table) - since >= max(3, day) and usual.any():
                when = str(self._local(np.array([first + since * self._step]))[0])[:16]
                word = f"silent since {when.replace('T', ' ')}" + (f"; {rule}" if few[i] else "")
            words.append(word if end >= 0 else "no readings")
        found = np.broadcast_to(np.array(words, object), mean.shape)
        return np.where(np.isnan(mean) & (last >= 0), "never measured at this hour", found)

    def read(self, path: str | Path, wanted: Sequence[str] | None = None) -> Readings:
        """Readings of a CSV file: a column for each sensor, or the columns sensor, time, value.

        Args:
            path: Times are in ISO 8601, in the model's time zone where they say none.
            wanted: Names of sensors to keep; by default all.
        """
        rows = _rows(Path(path))
        faults: list[str] = []
        cells: dict[tuple[np.datetime64, str], float] = {}
        seen: set[tuple[str, str]] = set()
        for line, name, time, text in rows:
            if wanted is not None and name not in wanted:
                continue
            try:
                key = self._when(time, again=(name, time) in seen), name
                _refuse_twice(key, cells)
                cells[key] = np.nan if text.strip().lower() in MISSING else float(text)
                seen.add((name, time))
            except (EdgeError, ValueError) as error:
                what = error if isinstance(error, EdgeError) else f"{time!r}, {text!r}: {error}"
                faults.append(f"line {line}: {what}")
        if faults:
            more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
            raise EdgeError(
                f"{path} cannot be read: {'; '.join(faults[:SHOWN])}{more}; it takes a column for "
                "each sensor, or the columns sensor, time and value, with ISO times and points"
            )
        return self._laid(path, cells, wanted)

    def _when(self, text: str, *, again: bool) -> np.datetime64:
        """The moment of a time as it is written; of one that is there twice, the second."""
        time = dt.datetime.fromisoformat(text.strip())
        if self._zone is None:
            if time.tzinfo is not None:
                raise EdgeError(f"{text} has an offset, and the model knows no time zone")
            return np.datetime64(time, "us")
        own = time if time.tzinfo is not None else time.replace(tzinfo=self._zone, fold=int(again))
        found = own.astimezone(dt.UTC)
        if time.tzinfo is None and found.astimezone(self._zone).replace(tzinfo=None) != time:
            raise EdgeError(f"{text} is skipped by the clocks of {self._zone.key}")
        return np.datetime64(found.replace(tzinfo=None), "us")

    def _laid(
        self,
        path: str | Path,
        cells: dict[tuple[np.datetime64, str], float],
        wanted: Sequence[str] | None,
    ) -> Readings:
        if not cells:
            raise EdgeError(f"{path} holds no readings of the sensors that are asked for")
        times = np.array(sorted({time for time, _ in cells}))
        gaps = np.diff(times)
        names = list(dict.fromkeys(name for _, name in cells)) if wanted is None else list(wanted)
        places = (times - times[0]) / self._step
        daily = self._zone is not None and self._step >= np.timedelta64(1, "D")
        off = np.abs(places - np.round(places)) > (0.1 if daily else 1e-9)
        usual = np.median(gaps) if len(gaps) else self._step
        if off.any() or round(usual / self._step) != 1:
            raise EdgeError(
                f"{path} has a row every {usual.astype('timedelta64[s]').item()}, and the model "
                f"was tuned on steps of {self.facts['step']}; give it a file with that step"
            )
        place = {time: round(at) for time, at in zip(times, places, strict=True)}
        column = {name: i for i, name in enumerate(names)}
        table = np.full((place[times[-1]] + 1, len(names)), np.nan, np.float32)
        for (time, name), value in cells.items():
            table[place[time], column[name]] = value
        return Readings(table, times[0], tuple(names))

    def write(self, found: EdgeForecast, path: str | Path, *, overwrite: bool = False) -> None:
        """Write a forecast as `forecast.csv` of citytune has it, whole or not at all."""
        path = Path(path)
        _check_target(path, overwrite)
        names = ["mean", *(f"q{round(100 * level):02d}" for level in self.facts["levels"])]
        moved = ["point"] if self.facts["moved"] else []
        draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
        try:
            with draft.open("w", encoding="utf-8", newline="") as file:
                out = csv.writer(file, lineterminator="\n")
                out.writerow(["sensor", "time", *names, "quality", *moved])
                times = [self._text(time) for time in found.times]
                for column, name in enumerate(found.sensors):
                    shown = f"'{name}" if RUNS.match(name) and not NUMBER.fullmatch(name) else name
                    for step, time in enumerate(times):
                        numbers = [found.mean[step, column], *found.quantiles[step, column]]
                        last = [found.point[step, column]] if moved else []
                        cells = [[_number(one) for one in part] for part in (numbers, last)]
                        out.writerow(
                            [shown, time, *cells[0], found.quality[step, column], *cells[1]]
                        )
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def _text(self, moment: np.datetime64) -> str:
        time = moment.astype("datetime64[us]").item()
        if self._zone is not None:
            time = time.replace(tzinfo=dt.UTC).astimezone(self._zone)
        return str(time.isoformat(timespec="seconds"))


def _refuse_twice(key: tuple[np.datetime64, str], cells: Mapping[Any, float]) -> None:
    if key in cells:
        raise EdgeError(f"{key[1]!r} has two values at {key[0]}")


class Readings(NamedTuple):
    """What `Edge.forecast` takes."""

    values: Array  # (time, sensor)
    start: np.datetime64
    sensors: tuple[str, ...]


def fill_causally(values: Array, steps_per_day: int) -> Array:
    """Fill gaps of (sensor, time) from the past alone: a day earlier, otherwise the last value."""
    filled = values.copy()
    known = ~np.isnan(values)
    steps = np.arange(values.shape[1])
    first = np.where(known.any(1), known.argmax(1), 0)
    last = np.maximum.accumulate(np.where(known, steps, first[:, None]), axis=1)
    early = ~known & (steps < (first + steps_per_day)[:, None])
    filled[early] = np.take_along_axis(values, last, axis=1)[early]
    for start in range(steps_per_day, values.shape[1], steps_per_day):
        today = filled[:, start : start + steps_per_day]
        before = filled[:, start - steps_per_day : start][:, : today.shape[1]]
        np.copyto(today, before, where=np.isnan(today))
    for sensor in np.flatnonzero(first):
        start = first[sensor]
        day = filled[sensor, start : start + steps_per_day]
        filled[sensor, :start] = day[(steps[:start] - start) % len(day)]
    return np.nan_to_num(filled, copy=False, nan=0.0)


def _is_whole(path: Path) -> bool | None:
    """Whether a file is what was written; None if it has no seal at its end."""
    if not path.is_file():
        raise EdgeError(f"there is no file {path}; `citytune export RUN --onnx FILE` writes one")
    end = len(MARK) + 64
    length, digest = path.stat().st_size - end, hashlib.sha256()
    if length < 0:
        return None
    with path.open("rb") as file:
        left = length
        while left > 0 and (part := file.read(min(left, 1 << 20))):
            digest.update(part)
            left -= len(part)
        seal = file.read()
    return seal[len(MARK) :] == digest.hexdigest().encode() if seal.startswith(MARK) else None


def _session(path: Path, threads: int) -> Any:
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise EdgeError("citytune-edge needs ONNX Runtime: pip install onnxruntime") from error
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        why = str(error).splitlines()[0][:200]
        raise EdgeError(
            f"{path} cannot be opened by ONNX Runtime {ort.__version__} ({why}); it is damaged, no "
            "ONNX file, or made for a newer ONNX Runtime: export it again, or update onnxruntime"
        ) from error


def _facts(path: Path, session: Any, whole: bool | None) -> dict[str, Any]:
    text = session.get_modelmeta().custom_metadata_map.get(FACTS)
    if text is None:
        raise EdgeError(
            f"{path} has no description of citytune in its metadata, so its sensors, unit and "
            "clock are not known; give a file that `citytune export RUN --onnx FILE` wrote"
        )
    try:
        facts: dict[str, Any] = json.loads(text)
        version = facts["format"]
    except (ValueError, TypeError, KeyError):
        whole, facts, version = False, {}, FORMAT
    if version != FORMAT:
        raise EdgeError(
            f"{path} was written in format {version}, and this citytune-edge reads {FORMAT}; "
            "use the citytune_edge.py of the citytune that wrote it, or export it again"
        )
    if not whole:
        raise EdgeError(
            f"{path} is no longer what citytune wrote: it was changed or damaged since; copy it "
            "again, or export it again"
        )
    return facts


def _zone_called(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError) as error:
        raise EdgeError(f"this machine knows no time zone {name!r}: pip install tzdata") from error


def _moment(start: dt.datetime | np.datetime64 | str) -> np.datetime64:
    if isinstance(start, dt.datetime) and start.tzinfo is not None:
        start = start.astimezone(dt.UTC).replace(tzinfo=None)
    return np.array([start], "datetime64[us]")[0]


def _parts(count: int, size: int) -> list[slice]:
    size = min(size, WINDOWS_AT_ONCE)
    return [slice(i, i + size) for i in range(0, count, size)]


def _rows(path: Path) -> Iterator[tuple[int, str, str, str]]:
    """Line, sensor, time and value of every reading."""
    if not path.is_file():
        raise EdgeError(f"there is no file {path}")
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            head = file.readline()
            mark = max(",;\t", key=head.count)
            names = [name.strip() for name in next(csv.reader([head], delimiter=mark), [])]
            lines = csv.reader(file, delimiter=mark)
            if {"sensor", "time", "value"} <= set(names):
                which = [names.index(name) for name in ("sensor", "time", "value")]
                for line, row in enumerate(lines, 2):
                    if row:
                        sensor, time, value = (row[i] for i in which)
                        yield line, sensor, time, value
                return
            if len(names) < 2 or len(set(names)) < len(names):
                raise EdgeError(
                    f"{path} has the columns {_listed(names)}; it needs the time and then one for "
                    "each sensor, each called otherwise, or the columns sensor, time and value"
                )
            for line, row in enumerate(lines, 2):
                if row and len(row) != len(names):
                    raise EdgeError(
                        f"{path}, line {line}: {len(row)} cells under {len(names)} names"
                    )
                for name, text in zip(names[1:], row[1:], strict=False):
                    yield line, name, row[0], text
        except (UnicodeDecodeError, csv.Error, IndexError) as error:
            raise EdgeError(f"{path} cannot be read as CSV in UTF-8: {error}") from error


def _check_target(path: Path, overwrite: bool) -> None:
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise EdgeError(f"{path} cannot be written: name a file in a folder that is there")
    if os.path.lexists(path) and not overwrite:
        raise EdgeError(
            f"{path} already exists and was not overwritten; choose another name, or "
            "add --overwrite"
        )


def _number(value: Any) -> str:
    return "NaN" if np.isnan(value) else f"{value:.8g}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:SHOWN])) + (", …" if len(names) > SHOWN else "")


def _arguments() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="citytune-edge",
        description="Forecast with a model that `citytune export` wrote. Needs NumPy and ONNX "
        "Runtime alone.",
        epilog="Exit codes: 0 done; 2 what was given cannot be used, and one message says why.",
    )
    found.add_argument("model", metavar="MODEL", help="ONNX file that `citytune export` wrote")
    found.add_argument("file", metavar="FILE", nargs="?", help="CSV of readings up to now")
    found.add_argument("--out", metavar="CSV", default="forecast.csv", help="file to write")
    found.add_argument("--sensors", metavar="NAME", nargs="+", help="which to forecast; else all")
    found.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    found.add_argument("--threads", type=int, default=1, help="processor threads (1)")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `citytune-edge`; gives the exit code. Without FILE it says what the model is."""
    given = _arguments().parse_args(arguments)
    try:
        if given.file is not None:
            _check_target(Path(given.out), given.overwrite)
        edge = Edge(given.model, threads=max(1, given.threads))
        if given.file is None:
            shown = {k: v for k, v in edge.facts.items() if k != "holidays"}
            print(json.dumps(shown, indent=2, ensure_ascii=False))
            return 0
        readings = edge.read(given.file, given.sensors)
        found = edge.forecast(*readings)
        edge.write(found, given.out, overwrite=given.overwrite)
    except (EdgeError, OSError) as error:
        with contextlib.suppress(OSError):
            print(f"Error: {error}", file=sys.stderr)
        return 2
    absent = [name for name in edge.sensors if name not in found.sensors]
    if absent and given.sensors is None:
        print(f"Note: {given.file} lacks {_listed(absent)} of the model", file=sys.stderr)
    print(f"{len(found.times)} steps ahead for {len(found.sensors)} sensors: {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
