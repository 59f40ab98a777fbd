"""Promise: exports of loggers and services are read rightly, and quantities are never mixed."""

from __future__ import annotations

import datetime as dt
import json
import re
import zipfile
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from instruments import INSTRUMENTS
from remedies import proposals
from systems import HOUR, hours, waves
from test_readers_exports import is_right

from citytune import InputError
from citytune.readers import read
from citytune.readers.cells._findings import Findings
from citytune.readers.containers._delimited import read_rows


@pytest.mark.parametrize("system", INSTRUMENTS)
def test_exports_of_instruments_are_read_rightly(tmp_path: Path, system: str) -> None:
    (tmp_path / "export.csv").write_bytes(INSTRUMENTS[system].data())
    frame = read(tmp_path / "export.csv")
    assert is_right(INSTRUMENTS[system], frame), frame


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "export.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


WEATHER = {
    "values and flags": ("FF,QFF,T,QT,U,QU,RR1,QRR1", "{a:.1f},1,{b:.1f},{f},{c:.0f},1,0.0,1"),
    "a station at home": ("Temperature,Humidity,Noise", "{b:.1f},{c:.0f},{f}"),
    "a wind": ("Temperature,Dew Point,Wind,Speed", "{b:.1f},{a:.1f},SW,{f}.5"),
    "pressure": ("prec,vmax,pres,hr", "0.0,{f}.5,{p},{c:.0f}"),
    "no header": ("", "{a:.1f},-{b:.1f},{p},{f}"),
}


@pytest.mark.parametrize("kind", WEATHER)
def test_quantities_of_one_place_are_refused_and_each_proposal_works(
    tmp_path: Path, kind: str
) -> None:
    head, row = WEATHER[kind]
    rows = [
        f"{t}," + row.format(a=a, b=a / 4, c=c, f=1 + i % 7, p=1000 + i % 9)
        for i, (t, a, c) in enumerate(zip(hours(480), *waves(2, 480), strict=True))
    ]
    path = written(tmp_path, *([f"time,{head}"] if head else []), *rows)
    with pytest.raises(InputError, match="could be the readings") as refused:
        read(path)
    found = proposals(str(refused.value))
    assert len(found) > 1
    for proposal in found:
        frame = read(path, **proposal)
        assert len(frame.sensors) == 1
    assert not {"QT", "QFF", "Speed"} & {str(one["target"]) for one in found}


def test_a_code_that_never_changes_is_no_reading(tmp_path: Path) -> None:
    rows = [f'72503,{t},7,"+{t.hour:04d},5"' for t in hours(480)]
    with pytest.raises(InputError, match="no column holds numbers that could be readings"):
        read(written(tmp_path, "STATION,DATE,SOURCE,MW1", *rows))


def test_commas_of_thousands_are_no_decimals_next_to_hundreds(tmp_path: Path) -> None:
    flow = (waves(1, 480, 0)[0] * 30).round()
    rows = [f"{t:%m/%d/%Y %H:%M}\t{v:,.0f}" for t, v in zip(hours(480), flow, strict=True)]
    frame = read(written(tmp_path, "Hour\tFlow (Veh/Hour)", *rows))
    np.testing.assert_allclose(frame.values[:, 0], flow)


def test_hours_below_dates_side_by_side_are_one_sensor(tmp_path: Path) -> None:
    (flow,) = waves(1, 480, 0)
    days = [f"{t.month}/{t.day}/{t.year}" for t in hours(480)[::24]]
    rows = [
        f"{h:02d}:00 - {h + 1:02d}:00," + ",".join(f"{v:.0f}" for v in flow[h::24])
        for h in range(24)
    ]
    total = "Total," + ",".join(f"{flow[i : i + 24].sum():.0f}" for i in range(0, 480, 24))
    frame = read(written(tmp_path, "Hour," + ",".join(days), *rows, total))
    assert frame.clock.step == HOUR
    np.testing.assert_allclose(frame.values[:, 0], flow)


def test_hours_of_names_such_as_klo_00_01_are_unfolded(tmp_path: Path) -> None:
    (flow,) = waves(1, 480, 0)
    head = ";".join(f"klo_{h:02d}_{h + 1:02d}" for h in range(24))
    rows = [
        f"{day:%Y%m%d};101;" + ";".join(f"{v:.0f}" for v in flow[24 * i : 24 * i + 24])
        for i, day in enumerate(hours(480)[::24])
    ]
    frame = read(written(tmp_path, f"pvm;piste;{head}", *rows))
    np.testing.assert_allclose(frame.values[:, 0], flow)


@pytest.mark.parametrize(("sound", "bad"), [("{ok}", "{fault}"), ("Good", "Bad")])
def test_readings_that_a_control_system_calls_bad_are_missing(
    tmp_path: Path, sound: str, bad: str
) -> None:
    (load,) = waves(1, 480)
    rows = [
        f"{t},{bad if i % 50 == 9 else sound},{0.0 if i % 50 == 9 else v}"
        for i, (t, v) in enumerate(zip(hours(480), load, strict=True))
    ]
    frame = read(written(tmp_path, "Timestamp,Status,Value", *rows))
    assert np.isnan(frame.values[9::50]).all()
    assert np.isnan(frame.values).sum() == len(frame.values[9::50])


def test_marks_of_summer_time_within_ranges_are_read(tmp_path: Path) -> None:
    start = dt.datetime(2024, 10, 20)
    marks = {(27, 2): " (CEST)"}

    def said(t: dt.datetime) -> str:
        return f"{t:%d/%m/%Y %H:%M:%S}{marks.get((t.day, t.hour), '')}"

    times = [start + i * HOUR for i in range(480)]
    times.insert(times.index(dt.datetime(2024, 10, 27, 3)), dt.datetime(2024, 10, 27, 2))
    rows = []
    for i, t in enumerate(times):
        again = i and t == times[i - 1]
        begin = said(t).replace("CEST", "CET") if again else said(t)
        rows.append(f"{begin} - {said(t + HOUR)},{100 + i % 24}")
    frame = read(written(tmp_path, "MTU (CET/CEST),Load (MW)", *rows), timezone="Europe/Berlin")
    assert len(frame) == 481
    assert not np.isnan(frame.values).any()


def test_a_column_of_names_of_zones_is_no_sensor(tmp_path: Path) -> None:
    zone = ZoneInfo("Europe/Berlin")
    start = dt.datetime(2024, 10, 19, 22, tzinfo=dt.UTC)
    walls = [(start + i * HOUR).astimezone(zone) for i in range(480)]
    rows = [f"{t:%Y-%m-%d %H:%M},{t.tzname()},{100 + i}.5" for i, t in enumerate(walls)]
    frame = read(written(tmp_path, "Time,Zone,Load", *rows), timezone="Europe/Berlin")
    assert frame.sensors == ("Load",)
    assert len(frame) == 480


def test_an_archive_may_hold_a_text_about_its_table(tmp_path: Path) -> None:
    rows = [f"{t},{v}" for t, v in zip(hours(480), waves(1, 480)[0], strict=True)]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt", "About this table")
        archive.writestr("data.csv", "\n".join(["time,load", *rows]))
    assert len(read(tmp_path / "a.zip")) == 480


def test_units_behind_names_of_a_heat_meter_are_of_several_quantities(tmp_path: Path) -> None:
    (power,) = waves(1, 480)
    rows = [f"{t},{v},{70 + i % 9},{50 + i % 7}"
            for i, (t, v) in enumerate(zip(hours(480), power, strict=True))]  # fmt: skip
    path = written(tmp_path, "Zeitstempel,Wärme kW,Vorlauf °C,Rücklauf °C", *rows)
    with pytest.raises(InputError) as refused:
        read(path)
    assert {"target": ["Vorlauf °C", "Rücklauf °C"]} in proposals(str(refused.value))
    np.testing.assert_allclose(read(path, target="Wärme kW").values[:, 0], power, rtol=1e-5)


def shapes() -> dict[str, object]:
    one, two = (v.tolist() for v in waves(2, 480))
    at = [f"{t:%Y-%m-%d %H:%M:%S}" for t in hours(481)]
    both = (one, two)
    return {
        "lists under times": {"data": {"143": {at[i]: [5, 2, one[i], at[i + 1]]
                                               for i in range(480)}}},
        "lists in a list": {"attrs": [{"entities": [{"id": name, "index": at[:-1], "values": v}
                                                    for name, v in zip("AB", both, strict=True)]}]},
        "digits": {"header": [{"ID": "x"}],
                   "data": [{"sort_order": i, "at_full": re.sub(r"\D", "", at[i]), "load": one[i]}
                            for i in range(480)]},
        "features": {"features": [{"attributes": {"OBJECTID": i, "STATION": "AB"[i % 2],
                                                  "at": at[i // 2], "PM25": both[i % 2][i // 2]}}
                                  for i in range(960)]},
    }  # fmt: skip


@pytest.mark.parametrize("shape", shapes())
def test_answers_of_interfaces_are_read(tmp_path: Path, shape: str) -> None:
    (tmp_path / "answer.json").write_text(json.dumps(shapes()[shape]))
    frame = read(tmp_path / "answer.json")
    series = waves(2, 480)[: 2 if shape in ("features", "lists in a list") else 1]
    assert len(frame.sensors) == len(series)
    np.testing.assert_allclose(frame.values, np.c_[*series], rtol=1e-5)


def test_titles_of_a_sheet_are_no_header() -> None:
    (load,) = waves(1, 480)
    body = [[f"{t}", f"{v}", f"{2 * v}"] for t, v in zip(hours(480), load, strict=True)]
    titles = [
        ["State", "Delhi", ""],
        ["Station", "Anand Vihar", ""],
        ["", "", ""],
        ["Site", "", ""],
    ]
    table = read_rows([*titles, ["From Date", "PM2.5", "PM10"], *body], "a", "a", Findings("a"))
    assert table.schema.names() == ["From Date", "PM2.5", "PM10"]
    groups, names = ["", "North", "", "South", ""], ["Date", "PM10", "NO2", "PM10", "NO2"]
    wide = [[*row, *row[1:]] for row in body]
    table = read_rows([groups, names, *wide], "a", "a", Findings("a"))
    assert table.schema.names() == ["Date", *(f"{a} {b}" for a in ("North", "South")
                                              for b in ("PM10", "NO2"))]  # fmt: skip


def test_a_total_of_classes_of_unknown_names_is_read() -> None:
    one, two = waves(2, 480, 0)
    table = pl.DataFrame({"time": hours(480), "site": [401] * 480, "Total": one + two,
                          "MR": one, "PW": two})  # fmt: skip
    np.testing.assert_allclose(read(table).values[:, 0], one + two)


def test_directions_of_one_site_are_proposed_together() -> None:
    one, two = waves(2, 480, 0)
    table = pl.DataFrame({"time": hours(480), "site": ["A"] * 480, "NB": one, "SB": two})
    with pytest.raises(InputError) as refused:
        read(table)
    assert {"target": ["NB", "SB"]} in proposals(str(refused.value))
    assert read(table, target=["NB", "SB"]).sensors == ("NB", "SB")
