"""Promise: further kinds of files of programs and networks are read, or refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from systems import HOUR, Values, given, holds, hours, refusal, waves

from citytune.readers import read

LENGTH = 24 * 5
TIMES = hours(LENGTH)
A, B, C = waves(3, LENGTH)


def mscons(*series: tuple[str, str, Values], form: str = "203", offset: str = "") -> str:
    """A message of interval readings: (point, register, values)."""
    parts = ["UNB+UNOC:3+99:500+98:500'UNH+1+MSCONS:D:04B:UN:2.4c'DTM+137:202402011000:203'"]
    for point, register, values in series:
        parts.append(f"NAD+DP'LOC+172+{point}'LIN+1'PIA+5+{register}:SRW'\n")
        for t, value in zip(TIMES, values, strict=True):
            parts.append(f"QTY+220:{value}:KWH'DTM+163:{t:%Y%m%d%H%M}{offset}:{form}'")
            parts.append(f"DTM+164:{t + HOUR:%Y%m%d%H%M}{offset}:{form}'\n")
    return "".join([*parts, "UNT+9+1'UNZ+1+R'"])


@pytest.mark.parametrize(
    ("offset", "form", "start"),
    [("", "203", "2024-01-08 00:00:00"), ("?+00", "303", "2024-01-08 00:00:00+00:00"),
     ("?+01", "303", "2024-01-07 23:00:00+00:00")],
)  # fmt: skip
@pytest.mark.parametrize("head", ["", "UNA:+.? '"])
def test_mscons_is_read(tmp_path: Path, head: str, offset: str, form: str, start: str) -> None:
    text = mscons(("DE1", "1-1?:1.29.0", A), ("DE2", "1-1?:1.29.0", B), form=form, offset=offset)
    frame = read(given(tmp_path, head + text, name="load.edi"))
    assert holds(frame, A, B)
    assert (frame.sensors, frame.quantity.unit) == (("DE1", "DE2"), "kWh")
    assert str(frame.clock.start).removesuffix("+00:00") == start.removesuffix("+00:00")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("MSCONS", "INVOIC", "none of readings"), ("UNZ+1+R'", "", "cut short"),
     ("DTM+163", "DTM+7", "no series"), ("QTY+220:", "QTY+220:x", "cannot be read")],
)  # fmt: skip
def test_other_messages_of_edifact_are_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = mscons(("DE1", "1-1?:1.29.0", A)).replace(old, new)
    assert said in refusal(given(tmp_path, text, name="load.edi"))


def zrxp(station: str, values: Values, *, head: str = "", ends: str = " 200") -> list[str]:
    """A series of ZRXP, in which every tenth value is missing."""
    cells = [-777 if i % 10 == 0 else value for i, value in enumerate(values)]
    rows = [f"{t:%Y%m%d%H%M%S} {cell}{ends}" for t, cell in zip(TIMES, cells, strict=True)]
    return [f"#SANR1234|*|SNAME{station}|*|CNAMEWater|*|CUNITm³/s|*|RINVAL-777|*|{head}", *rows]


@pytest.mark.parametrize(
    ("head", "zone"),
    [("", None), ("TZUTC+1|*|", "Etc/GMT-1"), ("LAYOUT(timestamp,value,status)|*|", None),
     ("TZUTC|*|", "UTC"), ("TZMEZ|*|", None)],
)  # fmt: skip
def test_zrxp_is_read(tmp_path: Path, head: str, zone: str | None) -> None:
    lines = [*zrxp("North", A, head=head), *zrxp("South", B, head=head, ends="")]
    frame = read(given(tmp_path, *lines, name="q.zrx"))
    there = np.arange(LENGTH) % 10 > 0
    assert holds(frame, *(np.where(there, series, np.nan)[1:] for series in (A, B)))
    assert (frame.sensors, frame.clock.timezone) == (("North", "South"), zone)
    assert any(fault.kind == "zone-name" for fault in frame.faults) == ("MEZ" in head)


def test_zrxp_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    lines = zrxp("North", A, ends="")
    assert "cut short" in refusal(given(tmp_path, *lines, "2024011", name="q.zrx"))


def lvm(columns: str, date: str = "2024/01/08", **other: str) -> list[str]:
    """A file of LabVIEW with samples each hour, whose times are written or follow from a step."""
    begin = [f"{word}\t{value}\t{other.get(word, value)}" for word, value in
             {"Date": date, "Time": "00:00:00", "Y_Unit_Label": "kW", "X0": "0.0",
              "Delta_X": "3600.0"}.items()]  # fmt: skip
    rows = [f"{3600 * i if columns == 'One' else ''}\t{a}\t{b}\t"
            for i, (a, b) in enumerate(zip(A, B, strict=True))]  # fmt: skip
    return ["LabVIEW Measurement\t", "Separator\tTab", f"X_Columns\t{columns}",
            "***End_of_Header***\t", "\t", "Channels\t2\t\t", *begin, "***End_of_Header***\t\t\t",
            "X_Value\tNorth\tSouth\tComment", *rows]  # fmt: skip


@pytest.mark.parametrize("columns", ["One", "No"])
def test_measurement_files_of_labview_are_read(tmp_path: Path, columns: str) -> None:
    frame = read(given(tmp_path, *lvm(columns), name="test.lvm"))
    assert holds(frame, A, B)
    assert (frame.sensors, frame.quantity.unit) == (("North", "South"), "kW")
    assert str(frame.clock.start) == "2024-01-08 00:00:00"


@pytest.mark.parametrize(
    ("lines", "said"),
    [(lvm("One", Time="01:00:00"), "different times"), (lvm("One", date="08.01.24"), "no begin"),
     (lvm("One")[:9], "segments"), (lvm("One") + lvm("One"), "3 segments")],
)  # fmt: skip
def test_other_files_of_labview_are_refused(tmp_path: Path, lines: list[str], said: str) -> None:
    assert said in refusal(given(tmp_path, *lines, name="test.lvm"))


def features(times: str, **lists: tuple[Values, Values]) -> dict[str, Any]:
    """Two features of GeoJSON, with a list of times and one of each quantity."""
    named = [("North", {name: pair[0].tolist() for name, pair in lists.items()}),
             ("South", {name: pair[1].tolist() for name, pair in lists.items()})]  # fmt: skip
    inside = [{"name": name, times: [f"{t.isoformat()}Z" for t in TIMES], **values}
              for name, values in named]  # fmt: skip
    point = {"type": "Point", "coordinates": [5.1, 52.0]}
    return {"type": "FeatureCollection", "features": [
        {"type": "Feature", "geometry": point, "properties": one} for one in inside
    ]}  # fmt: skip


@pytest.mark.parametrize("times", ["times", "datetime", "timestamps"])
def test_features_of_geojson_may_hold_lists(tmp_path: Path, times: str) -> None:
    path = given(tmp_path, json.dumps(features(times, values=(A, B))), name="a.json")
    assert holds(read(path), A, B)
    assert read(path).sensors == ("North", "South")
    both = features(times, pm10=(A, B), no2=(B, C))
    path = given(tmp_path, json.dumps(both), name="b.json")
    assert holds(read(path, target="no2"), B, C)


LOGS = {
    "plain": lambda t, s, v: f"ts={t.isoformat()}Z value={v} sensor={s}",
    "quoted": lambda t, s, v: (
        f'time="{t}" level=info msg="stored \\"one\\" row" sensor="{s} street" flow={v}'
    ),
}


@pytest.mark.parametrize("form", LOGS)
def test_logfmt_is_read(tmp_path: Path, form: str) -> None:
    lines = [LOGS[form](t, name, value) for t, a, b in zip(TIMES, A, B, strict=True)
             for name, value in (("north", a), ("south", b))]  # fmt: skip
    lines.insert(50, 'level=warn msg="slow disk" device=sda')
    assert holds(read(given(tmp_path, *lines, name="service.log")), A, B)


YAML = {
    "block": lambda t, v: f"- time: {t}\n  flow: {v}  # as counted\n  site: 'Main St'",
    "within": lambda t, v: f'  - time: "{t}"\n    flow: {v}',
    "flow": lambda t, v: f'- {{time: "{t}", flow: {v}, site: Main St}}',
    "nothing": lambda t, v: f"- time: {t}\n  flow: {v}\n  note: ~",
}


@pytest.mark.parametrize("form", YAML)
def test_a_flat_list_of_yaml_is_read(tmp_path: Path, form: str) -> None:
    head = ["---", "readings:"] if form == "within" else []
    rows = [YAML[form](t, a) for t, a in zip(TIMES, A, strict=True)]
    assert holds(read(given(tmp_path, *head, *rows, name="a.yaml")), A)


@pytest.mark.parametrize(
    "row", ["- &a\n  time: x", "- time: x\n  at:\n    lat: 1", "- time: x\n  many: [1, 2]",
            "- !!python/object:os.system {}", "other: 1", "  - time: x"]
)  # fmt: skip
def test_other_yaml_is_refused(tmp_path: Path, row: str) -> None:
    rows = [YAML["block"](t, a) for t, a in zip(TIMES, A, strict=True)]
    assert "YAML" in refusal(given(tmp_path, *rows[:60], row, *rows[60:], name="a.yaml"))
