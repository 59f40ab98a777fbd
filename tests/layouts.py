"""Draw tables of readings in the layouts that systems write, with the truth that is in them."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from citytune import InputError, SensorFrame
from citytune.readers import read

Row = dict[str, str]
ZONE = "Europe/Oslo"
SHAPES = ("long", "long", "long", "wide", "wide", "unfolded", "unfolded", "calendar")
GERMAN = ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")
FRENCH = ("janvier", "févr.", "mars", "avril", "mai", "juin", "juil.", "août", "sept.", "oct.",
          "nov.", "déc.")  # fmt: skip
ENGLISH = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _lettered(wall: dt.datetime) -> str:
    """The hour, with a letter if it comes twice."""
    zone = ZoneInfo(ZONE)
    first, second = (wall.replace(fold=fold, tzinfo=zone).utcoffset() for fold in (0, 1))
    return f"{wall.hour}{'' if first == second else 'AB'[wall.fold]}"


NOTATIONS: dict[str, Callable[[dt.datetime], Row]] = {
    "iso": lambda t: {"time": f"{t:%Y-%m-%d %H:%M}"},
    "iso T": lambda t: {"timestamp": f"{t:%Y-%m-%dT%H:%M:%S}"},
    "day first": lambda t: {"Datum": f"{t:%d.%m.%Y %H:%M}"},
    "slashes": lambda t: {"Date": f"{t:%d/%m/%Y %H:%M:%S}"},
    "month first": lambda t: {"Date/Time": f"{t:%m/%d/%Y %H:%M}"},
    "am pm": lambda t: {"DATE": f"{t:%m/%d/%Y %I:%M:%S %p}"},
    "compact": lambda t: {"zeit": f"{t:%Y%m%d%H%M}"},
    "month name": lambda t: {"fecha": f"{t:%d-%b-%Y %H:%M}"},
    "range": lambda t: {"MTU": f"{t:%d.%m.%Y %H:%M} - {t + dt.timedelta(hours=1):%d.%m.%Y %H:%M}"},
    "epoch": lambda t: {"ts": f"{t.replace(tzinfo=dt.UTC).timestamp():.0f}"},
    "epoch ms": lambda t: {"time": f"{t.replace(tzinfo=dt.UTC).timestamp() * 1000:.0f}"},
    "date and time": lambda t: {"date": f"{t:%Y-%m-%d}", "time": f"{t:%H:%M}"},
    "date and hour": lambda t: {"date": f"{t:%d/%m/%Y}", "hour": f"{t.hour}"},
    "date and hour 1-24": lambda t: {"Fecha": f"{t:%Y/%m/%d}", "Hora": f"{t.hour + 1}"},
    "date and HHMM": lambda t: {"Date": f"{t:%Y-%m-%d}", "HHMM": f"{t.hour * 100}"},
    "date and HHMM to 2400": lambda t: {"Date": f"{t:%Y-%m-%d}", "hour": f"{t.hour * 100 + 100}"},
    "end 24:00": lambda t: {"Date": f"{t:%m/%d/%Y}", "Hour Ending": f"{t.hour + 1:02d}:00"},
    "hour ending": lambda t: {"Date": f"{t:%m/%d/%Y}", "Hour Ending": f"{t.hour + 1}"},
    "date and lettered hour": lambda t: {"date": f"{t:%Y-%m-%d}", "hour": _lettered(t)},
    "weekday": lambda t: {"Datum": f"{GERMAN[t.weekday()]}, {t:%d.%m.%Y %H:%M}"},
    "French": lambda t: {"date": f"{t.day} {FRENCH[t.month - 1]} {t:%Y %H:%M}"},
    "Taiwan": lambda t: {"time": f"{t.year - 1911}/{t:%m/%d %H:%M}"},
    "Buddhist": lambda t: {"date": f"{t:%d/%m}/{t.year + 543} {t:%H:%M}"},
    "Japan": lambda t: {"日時": f"令和{t.year - 2018}年{t.month}月{t.day}日 {t.hour}時"},
    "parts": lambda t: {"year": f"{t.year}", "month": f"{t.month}", "day": f"{t.day}",
                        "hour": f"{t.hour}"},
}  # fmt: skip
DATES = ("iso", "day first", "month first", "compact")
NUMBERS: dict[str, Callable[[float], str]] = {
    "whole": lambda v: f"{v:.0f}",
    "one decimal": lambda v: f"{v:.1f}",
    "three decimals": lambda v: f"{v:.3f}",
    "comma": lambda v: f"{v:.2f}".replace(".", ","),
    "grouped": lambda v: f"{v:,.1f}",
    "grouped point": lambda v: f"{v:,.2f}".translate(str.maketrans(",.", ".,")),
    "grouped space": lambda v: f"{v:,.1f}".replace(",", " "),
    "exponent": lambda v: f"{v:.3e}",
}
KEYS = (("station",), ("site_id",), ("station", "direction"), ("road", "direction", "lane"))
CELLS = {
    "station": ("North Bridge", "Old Town", "Harbour"), "site_id": ("1001", "1002", "1017"),
    "direction": ("in", "out"), "road": ("E6", "E18"), "lane": ("1", "2"),
}  # fmt: skip
VALUES = ("flow", "value", "intensity", "load_kw", "Messwert", "count")
PREAMBLES = ("none", "none", "titles", "sep", "units", "comment", "blank")
FOOTERS = ("none", "none", "none", "source", "total")
GAPS = ("none", "empty", "NA", "-999", "rows")
MARKS: dict[str, Callable[[str], str]] = {
    "none": str, "star": "{}*".format, "letter": "{} R".format, "limit": "<{}".format,
}  # fmt: skip
"""What stands next to some numbers."""
AMONG = ("none", "none", "none", "totals", "titles")
"""Rows among those of a table that are none of it."""
EXTRAS = ("none", "none", "row id", "constant", "places", "quality", "weather", "end time")


@dataclass
class Drawn:
    """One table as bytes, and what is in it."""

    data: bytes
    options: dict[str, Any]
    truth: dict[str, NDArray[np.float64]]
    """Series → (time,), NaN where missing."""
    moments: list[dt.datetime]
    """In UTC if the table or its options name a zone, else wall time."""
    quantities: dict[str, str] = field(default_factory=dict)
    """Series → what it measures, where that differs."""
    dimensions: dict[str, str] = field(default_factory=dict)
    step: int = 1
    """Hours."""


def draw(seed: int, **fixed: str) -> Drawn:
    """A table of 25 to 40 days of hours, in a layout drawn at random but for what is fixed."""
    rng = np.random.default_rng(seed)

    def one(choices: Sequence[Any]) -> Any:
        return choices[int(rng.integers(len(choices)))]

    shape = fixed.get("shape") or one(SHAPES)
    dims = {
        "shape": shape, "notation": one(DATES if shape == "unfolded" else tuple(NOTATIONS)),
        "numbers": one(tuple(NUMBERS)), "preamble": one(PREAMBLES), "footer": one(FOOTERS),
        "gaps": one(GAPS), "extra": one(EXTRAS) if shape == "long" else "none",
        "parameter": one(("none", "none", "two")) if shape == "long" else "none",
        "flag": one(("none", "none", "valid")) if shape == "long" else "none",
        "summer time": one(("none", "none", "none", "change")),
        "order": one(("by time", "by sensor", "newest first")),
    }  # fmt: skip
    keys, value = one(KEYS) if shape not in ("wide", "calendar") else (), one(VALUES)
    dims |= {
        "marks": one(("none", "none", *MARKS)), "among": one(AMONG),
        "dates": one(("each", "each", "once")), "total": one(("none", "none", "direction")),
        "turns": one(("none", "none", "none", "minutes")), "keys": str(len(keys)),
    }  # fmt: skip
    dims |= fixed
    _settle(dims, keys)
    if shape == "calendar":
        return _calendar(rng, dims)
    return _write(rng, dims, keys, value)


def _settle(dims: dict[str, str], keys: tuple[str, ...]) -> None:
    """Take back what nobody writes together."""
    shape, notation = dims["shape"], dims["notation"]
    if notation in ("epoch", "epoch ms") or shape in ("unfolded", "calendar"):
        dims["summer time"] = "none"
    if notation == "date and lettered hour":
        dims["summer time"] = "change"
    if dims["numbers"] == "exponent" or shape == "unfolded":
        dims["marks"] = "none"
    if dims["numbers"] == "three decimals" and dims["marks"] == "limit":
        dims["marks"] = "none"  # of <1.000 nobody knows what it means
    if shape != "long" or "direction" not in keys:
        dims["total"] = "none"
    whole = "hour" in notation or "24" in notation or notation in ("Japan", "parts", "range")
    if shape != "long" or whole or "HHMM" in notation or dims["extra"] == "end time":
        dims["turns"] = "none"
    if shape not in ("long", "wide") or not notation.startswith("date and"):
        dims["dates"] = "each"
    if shape in ("unfolded", "calendar"):
        dims["among"] = "none"
    if dims["dates"] == "once" or dims["among"] != "none":
        dims["order"] = "by time"


def _calendar(rng: np.random.Generator, dims: dict[str, str]) -> Drawn:
    """Two years of days of one sensor: a row a month and a column a day, or the other way."""
    moments = [dt.datetime(2023, 1, 1) + dt.timedelta(days=i) for i in range(365 + 366)]
    dims |= {"footer": "none", "preamble": "none", "notation": "calendar", "gaps": "none"}
    values, texts = _series(rng, len(moments), dims)
    rows: dict[tuple[int, int], Row] = {}
    across = rng.random() < 0.5
    names = [f"{i}" for i in range(1, 32)] if across else list(ENGLISH)
    for day, text in zip(moments, texts, strict=True):
        beside, place = (day.month, day.day) if across else (day.day, day.month)
        row = {"Year": f"{day.year}", "Month" if across else "Day": f"{beside}"}
        found = rows.setdefault((day.year, beside), row | dict.fromkeys(names, ""))
        found[names[place - 1]] = text
    text = _text([rows[key] for key in sorted(rows)], dims, rng)
    return Drawn(text.encode(), {}, {"": values}, moments, dimensions=dims, step=24)


def _write(
    rng: np.random.Generator, dims: dict[str, str], keys: tuple[str, ...], value: str
) -> Drawn:
    days = int(rng.integers(25, 40))
    start = dt.datetime(2024, 10, 5) if dims["summer time"] == "change" else dt.datetime(2024, 1, 3)
    moments = [start + dt.timedelta(hours=i) for i in range(24 * days)]
    zone = ZoneInfo(ZONE) if dims["summer time"] == "change" else None
    walls = [t.replace(tzinfo=dt.UTC).astimezone(zone).replace(tzinfo=None) if zone else t
             for t in moments]  # fmt: skip
    sensors = (
        _sensors(keys) if keys else [(name,) for name in ("bridge", "Old Town", "quay", "mill")]
    )
    kinds = ("NO2", "PM10") if dims["parameter"] == "two" else ("",)
    truth: dict[str, NDArray[np.float64]] = {}
    cells: dict[str, list[str]] = {}
    quantities = {}
    for sensor in sensors:
        for kind in kinds:
            name = " / ".join((*sensor, kind) if kind else sensor)
            values, texts = _series(rng, len(moments), dims)
            truth[name], cells[name] = values, texts
            quantities[name] = kind
    table = _Table(dims, keys, value, sensors, kinds, walls, truth, cells)
    rows = {"long": table.long, "wide": table.wide, "unfolded": table.unfolded}[dims["shape"]](rng)
    text = _text(rows, dims, rng)
    options = {"timezone": ZONE} if zone else {}
    return Drawn(text.encode(), options, truth, moments, quantities if kinds[0] else {}, dims)


def _sensors(keys: tuple[str, ...]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [()]
    for key in keys:
        found = [(*one, cell) for one in found for cell in CELLS[key]]
    return found


def _series(
    rng: np.random.Generator, length: int, dims: dict[str, str]
) -> tuple[NDArray[np.float64], list[str]]:
    """Values as they can be read back, and their cells."""
    hour = np.arange(length) % 24
    level = float(rng.uniform(200, 1800))
    values = level * (1.2 + np.sin(2 * np.pi * (hour - 6) / 24)) + rng.gamma(2.0, 20.0, length)
    write = NUMBERS[dims["numbers"]]
    texts = [write(v) for v in values]
    exact = {"whole": 0, "one decimal": 1, "three decimals": 3, "comma": 2, "grouped": 1,
             "grouped point": 2, "grouped space": 1}.get(dims["numbers"])  # fmt: skip
    values = np.array([float(f"{v:.3e}") for v in values]) if exact is None else values.round(exact)
    if dims["marks"] != "none":
        few = rng.choice(length, length // 25, replace=False)
        if dims["marks"] == "limit":
            texts = [write(8.0) if i in few else text for i, text in enumerate(texts)]
            values[few] = 4.0
        texts = [MARKS[dims["marks"]](t) if i in few else t for i, t in enumerate(texts)]
    if dims["gaps"] in ("empty", "NA", "-999"):
        for i in rng.choice(length, 12, replace=False):
            values[i], texts[i] = np.nan, "" if dims["gaps"] == "empty" else dims["gaps"]
    return values, texts


@dataclass
class _Table:
    dims: dict[str, str]
    keys: tuple[str, ...]
    value: str
    sensors: list[tuple[str, ...]]
    kinds: tuple[str, ...]
    walls: list[dt.datetime]
    truth: dict[str, NDArray[np.float64]]
    cells: dict[str, list[str]]

    def long(self, rng: np.random.Generator) -> list[Row]:
        dropped = self._dropped(rng)
        rows = []
        for i, wall in enumerate(self.walls):
            for s, sensor in enumerate(self.sensors):
                for kind in self.kinds:
                    name = " / ".join((*sensor, kind) if kind else sensor)
                    if i in dropped:
                        self.truth[name][i] = np.nan
                        continue
                    at = wall + dt.timedelta(minutes=4 * s if self.dims["turns"] != "none" else 0)
                    row = {**NOTATIONS[self.dims["notation"]](at),
                           **dict(zip(self.keys, sensor, strict=True))}  # fmt: skip
                    if kind:
                        row["parameter"] = kind
                    row[self.value] = self.cells[name][i]
                    rows.append((i, s, row | self._beside(rng, name, i, s, wall)))
        if self.dims["total"] == "direction":
            rows += self._totals(rows)
        if self.dims["order"] == "by sensor":
            rows.sort(key=lambda one: (one[1], one[0]))
        if self.dims["order"] == "newest first" and self.dims["summer time"] == "none":
            rows.sort(key=lambda one: -one[0])
        found = [row for *_, row in rows]
        if self.dims["extra"] == "row id":
            found = [{"id": str(5000 + i)} | row for i, row in enumerate(found)]
        return found

    def _totals(self, rows: list[tuple[int, int, Row]]) -> list[tuple[int, int, Row]]:
        """For each pair of the rows of two directions one with their sum."""
        write, found = NUMBERS[self.dims["numbers"]], []
        for i, s, row in rows:
            if row["direction"] != "out":
                continue
            parts = [
                self.truth[" / ".join(
                    [part if key == "direction" else row[key] for key in self.keys]
                    + ([row["parameter"]] if "parameter" in row else [])
                )][i]
                for part in CELLS["direction"]
            ]  # fmt: skip
            total = "" if np.isnan(sum(parts)) else write(sum(parts))
            found.append((i, s, row | {"direction": "total", self.value: total}))
        return found

    def _beside(
        self, rng: np.random.Generator, name: str, i: int, s: int, wall: dt.datetime
    ) -> Row:
        row: Row = {}
        if self.dims["flag"] == "valid":
            good = rng.random() > 0.02
            row["validity"] = "1" if good else "-1"
            if not good:
                self.truth[name][i] = np.nan
        extra = self.dims["extra"]
        if extra == "constant":
            row["network"] = "7"
        elif extra == "places":
            row |= {"lat": f"{59 + s / 10:.3f}", "lon": f"{10 + s / 10:.3f}"}
        elif extra == "quality":
            row["coverage"] = f"{rng.integers(90, 101)}"
        elif extra == "weather":
            row["temperature"] = f"{rng.normal(8, 3):.0f}"
        elif extra == "end time":
            row["end"] = f"{wall + dt.timedelta(hours=1):%Y-%m-%d %H:%M}"
        return row

    def wide(self, rng: np.random.Generator) -> list[Row]:
        dropped = self._dropped(rng)
        rows = []
        for i, wall in enumerate(self.walls):
            if i in dropped:
                for name in self.truth:
                    self.truth[name][i] = np.nan
                continue
            rows.append(NOTATIONS[self.dims["notation"]](wall)
                        | {name: cells[i] for name, cells in self.cells.items()})  # fmt: skip
        backward = self.dims["order"] == "newest first" and self.dims["summer time"] == "none"
        return rows[::-1] if backward else rows

    def unfolded(self, rng: np.random.Generator) -> list[Row]:
        names = [f"H{i + 1:02d}" for i in range(24)]
        if rng.random() < 0.4:
            names = [f"{i:02d}:00" for i in range(24)]
        rows = []
        for day in range(0, len(self.walls), 24):
            form = {"iso": "%Y-%m-%d", "day first": "%d.%m.%Y", "month first": "%m/%d/%Y",
                    "compact": "%Y%m%d"}[self.dims["notation"]]  # fmt: skip
            for sensor in self.sensors:
                cells = self.cells[" / ".join(sensor)][day : day + 24]
                rows.append({"date": self.walls[day].strftime(form)}
                            | dict(zip(self.keys, sensor, strict=True))
                            | dict(zip(names, cells, strict=True)))  # fmt: skip
        return rows

    def _dropped(self, rng: np.random.Generator) -> set[int]:
        if self.dims["gaps"] != "rows":
            return set()
        # Of a wall time that comes twice nobody can tell which one is absent.
        once = [i for i in range(50, len(self.walls) - 50) if self.walls.count(self.walls[i]) == 1]
        return {int(i) for i in rng.choice(once, 9, replace=False)}


def _text(rows: list[Row], dims: dict[str, str], rng: np.random.Generator) -> str:
    commas = dims["numbers"] in ("comma", "grouped point")
    delimiters = [";", "\t"] if commas and rng.random() < 0.7 else [",", ";", "\t", "|"]
    delimiter = delimiters[int(rng.integers(len(delimiters)))]
    dims["delimiter"] = delimiter
    names = list(rows[0])
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    before = dims["preamble"]
    if before == "sep":
        out.write(f"sep={delimiter}\n")
    elif before == "titles":
        out.write("City of Example\nExported 2025-01-07 by the office of roads\n\n")
    elif before == "comment":
        out.write("# exported by a system\n")
    if dims["footer"] == "envelope":
        out.write(delimiter.join(["HDR", "HHDATA", "20250107\n"]))
    writer.writerow(names)
    if before == "units":
        units = {"flow": "veh/h", "load_kw": "kW", "Messwert": "µg/m³", "H01": "kW"}
        writer.writerow([units.get(name, "") or ("kW" if i == len(names) - 1 else "")
                         for i, name in enumerate(names)])  # fmt: skip
    if before == "blank":
        out.write("\n")
    writer.writerows(_among([[row.get(name, "") for name in names] for row in rows], dims))
    if dims["footer"] == "source":
        out.write("Source: City of Example\n")
    elif dims["footer"] == "envelope":
        writer.writerow(["FTR", len(rows)])
    elif dims["footer"] == "total":
        writer.writerow(["Total", *[""] * (len(names) - 1)])
    return out.getvalue()


def _among(rows: list[list[str]], dims: dict[str, str]) -> list[list[str]]:
    """The rows with others among them: a total or a title after each week; dates written once."""
    found, last = list[list[str]](), ""
    each = max(1, len(rows) // 4)
    for i, row in enumerate(rows):
        if dims["among"] == "titles" and i % each == 0:
            found.append([f"Week {i // each + 1}", *[""] * (len(row) - 1)])
        same = dims["dates"] == "once" and row[0] == last
        last = row[0]
        found.append(["", *row[1:]] if same else row)
        if dims["among"] == "totals" and i % each == each - 1:
            found.append(["Total", *[""] * (len(row) - 2), "123"])
    return found


def verdict(drawn: Drawn, source: Any) -> str:
    """ "right", "refused: …", or "WRONG …" of what is read from a drawn table."""
    try:
        frame = read(source, **drawn.options)
    except InputError as error:
        return "refused: " + " ".join(str(error).split())[:300]
    return compare(drawn, frame)


def compare(drawn: Drawn, frame: SensorFrame) -> str:
    """Whether a frame holds each true series in a column of its own, and nothing else."""
    if frame.clock.freq != {1: "1h", 24: "1D"}[drawn.step]:
        return f"WRONG step {frame.clock.freq}"
    start = np.datetime64(frame.clock.start, "h").astype(int)
    hours = np.array([np.datetime64(t, "h").astype(int) for t in drawn.moments]) - start
    steps = hours // drawn.step
    names = list(drawn.truth)
    if drawn.quantities:
        read_kind = {kind for kind in drawn.quantities.values()
                     if any(_found(drawn.truth[n], steps, frame) for n in names
                            if drawn.quantities[n] == kind)}  # fmt: skip
        if len(read_kind) != 1:
            return f"WRONG quantities {sorted(read_kind)}"
        names = [n for n in names if drawn.quantities[n] in read_kind]
    if len(frame.sensors) != len(names):
        return f"WRONG {len(frame.sensors)} sensors, not {len(names)}"
    for name in names:
        if not _found(drawn.truth[name], steps, frame):
            return f"WRONG values of {name!r}"
    return "right"


def _found(truth: NDArray[np.float64], steps: NDArray[np.int64], frame: SensorFrame) -> bool:
    """Whether some column has the values; a label may be the begin or the end of its hour."""
    for shift in (0, -1, 1):
        rows = steps + shift
        inside = (rows >= 0) & (rows < len(frame)) & ~np.isnan(truth)
        if inside.sum() < 0.95 * (~np.isnan(truth)).sum():
            continue
        got, want = frame.values[rows[inside]], truth[inside][:, None]
        close = np.abs(got - want) <= 1e-5 * np.abs(want) + 1e-5
        alike = close.mean(0)
        wrong = (~close & ~np.isnan(got)).mean(0)
        # An hour that the clock repeats may be missing, never another value.
        if ((alike > 0.98) & (wrong == 0)).any():
            empty = (rows >= 0) & (rows < len(frame)) & np.isnan(truth)
            column = int(alike.argmax())
            return bool(np.isnan(frame.values[rows[empty], column]).all())
    return False
