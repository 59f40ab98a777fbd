"""Promise: however times, zones, totals and units are written, they are read rightly, or asked."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from systems import HOUR, System, given, holds, hours, is_right, waves

from citytune import InputError
from citytune.readers import read

TIMES = hours(480)
ONE, TWO = waves(2, 480)
DAY = [f"03/04/2026 {i:02d}:00,{v}" for i, v in enumerate(ONE[:24])]
APRIL, MARCH = dt.datetime(2026, 4, 3), dt.datetime(2026, 3, 4)
EASTERN = [
    (dt.datetime(2024, 10, 20, 4, tzinfo=dt.UTC) + i * HOUR).astimezone(
        ZoneInfo("America/New_York")
    )
    for i in range(480)
]


def rows(form: str, *series: Any, times: Any = TIMES, **more: Any) -> list[str]:
    return [
        form.format(*values, t=t, i=i, **more)
        for i, (t, *values) in enumerate(zip(times, *series, strict=False))
    ]


def test_a_day_that_may_be_in_two_months_is_asked_about(tmp_path: Path) -> None:
    path = given(tmp_path, "time,flow", *DAY)
    with pytest.raises(InputError, match=r"3 April 2026 or 4 March 2026.*date_order='day'"):
        read(path)
    assert read(path, date_order="day").clock.start == APRIL
    assert read(path, date_order="month").clock.start == MARCH
    with pytest.raises(InputError, match="date_order is 'day' or 'month'"):
        read(path, date_order="year")  # type: ignore[arg-type]


def test_an_order_that_dates_contradict_is_refused(tmp_path: Path) -> None:
    path = given(tmp_path, "time,flow", *rows("{t:%d/%m/%Y %H:%M},{0}", ONE))
    with pytest.raises(InputError, match="cannot all be read month first"):
        read(path, date_order="month")


@pytest.mark.parametrize(
    ("head", "form", "name", "start"),
    [
        (["Zählung im April 2026", "time,flow"], "{0}", "x", APRIL),
        (["Zeitpunkt,flow"], "{0}", "x", APRIL),
        (["time,flow"], "{0}", "flow_2026-03-04", MARCH),
        (["time,flow,weekday"], "{0},Wed", "x", MARCH),
        (["time,flow,updated"], "{0},2026-04-03T23:59:00", "x", APRIL),
    ],
)
def test_what_tells_the_order_of_day_and_month(
    tmp_path: Path, head: list[str], form: str, name: str, start: dt.datetime
) -> None:
    lines = [form.format(line) for line in DAY]
    assert read(given(tmp_path, *head, *lines, name=f"{name}.csv")).clock.start == start


def test_am_and_pm_next_to_slashes_tell_the_order(tmp_path: Path) -> None:
    lines = [f"03/04/2026 {dt.time(i):%I:%M %p},{v}" for i, v in enumerate(ONE[:24])]
    assert read(given(tmp_path, "time,flow", *lines)).clock.start == MARCH


def test_one_date_in_both_orders_needs_no_question(tmp_path: Path) -> None:
    lines = [line.replace("03/04", "04/04") for line in DAY]
    assert read(given(tmp_path, "time,flow", *lines)).clock.start == dt.datetime(2026, 4, 4)


def test_an_index_is_neither_the_concentration_nor_in_its_unit(tmp_path: Path) -> None:
    head = "Date,Site ID,Daily Max 8-hour Ozone Concentration,Units,Daily AQI Value"
    lines = rows("{t:%Y-%m-%d %H:%M},6001,{0},ppm,{1:.0f}", ONE, TWO)
    path = given(tmp_path, head, *lines)
    frame = read(path)
    assert holds(frame, ONE)
    assert frame.quantity.unit == "ppm"
    index = read(path, target="Daily AQI Value").quantity
    assert (index.name, index.unit) == ("aqi", "")


def test_an_index_of_a_pollutant_is_no_concentration(tmp_path: Path) -> None:
    head = "time,ParameterName,AQI"
    lines = [line for p in ("O3", "PM2.5") for line in rows("{t},{p},{0:.0f}", ONE, p=p)]
    assert read(given(tmp_path, head, *lines)).quantity.name == "aqi"


def test_the_mean_is_read_not_how_many_it_was_made_of(tmp_path: Path) -> None:
    head = "time,Observation Count,Observation Percent,Arithmetic Mean,1st Max Value,AQI"
    lines = rows("{t},24,100,{0},{1},{i}", ONE, TWO + 99)
    frame = read(given(tmp_path, head, *lines))
    assert frame.sensors == ("Arithmetic Mean",)


@pytest.mark.parametrize("turned", [1, -1])
def test_names_of_zones_tell_the_hour_that_comes_twice(tmp_path: Path, turned: int) -> None:
    both = rows("{t:%m/%d/%Y %H:%M:%S},{t:%Z},A,{0}", ONE, times=EASTERN)
    both += rows("{t:%m/%d/%Y %H:%M:%S},{t:%Z},B,{0}", TWO, times=EASTERN)
    path = given(tmp_path, "Time Stamp,Time Zone,Name,Load", *both[::turned])
    assert holds(read(path), ONE, TWO)
    frame = read(path, timezone="America/New_York")
    assert holds(frame, ONE, TWO)
    behind = rows("{t:%Y-%m-%d %H:%M} {t:%Z},{0}", ONE, times=EASTERN)
    frame = read(given(tmp_path, "time,load", *behind[::turned], name="b.csv"))
    assert holds(frame, ONE)
    assert frame.clock.timezone == "America/New_York"


@pytest.mark.parametrize("name", ["utc_offset", "timezone"])
def test_offsets_in_a_column_tell_the_hour_that_comes_twice(tmp_path: Path, name: str) -> None:
    hours_ahead = [-4 if t.dst() else -5 for t in EASTERN]
    said = hours_ahead if name == "utc_offset" else [f"UTC{one}" for one in hours_ahead]
    lines = rows("{t:%Y-%m-%d %H:%M},{0},{1}", said, ONE, times=EASTERN)
    assert holds(read(given(tmp_path, f"time,{name},load", *lines)), ONE)


def test_rows_of_the_newest_first_double_the_hour_the_other_way_round(tmp_path: Path) -> None:
    lines = rows("{t:%Y-%m-%d %H:%M},{0}", ONE * 10, times=EASTERN)[::-1]
    frame = read(given(tmp_path, "time,load", *lines), timezone="America/New_York")
    assert holds(frame, ONE * 10)


def test_rows_in_several_zones_are_brought_together_or_asked_about(tmp_path: Path) -> None:
    lines = rows("{t:%Y-%m-%d %H:%M},{t:%Z},NY,{0}", ONE, times=EASTERN)
    chicago = [t.astimezone(ZoneInfo("America/Chicago")) for t in EASTERN]
    lines += rows("{t:%Y-%m-%d %H:%M},{t:%Z},CHI,{0}", TWO, times=chicago)
    assert holds(read(given(tmp_path, "time,tz,area,load", *lines)), ONE, TWO)
    lines = rows("{t},IST,A,{0}", ONE) + rows("{t},SGT,B,{0}", TWO)
    with pytest.raises(InputError, match="India or Ireland or Israel"):
        read(given(tmp_path, "time,tz,area,load", *lines))


@pytest.mark.parametrize("zone", ["SAST", "AEST", "NZST", "IST", "CET", "WET", "SGT", "BRT"])
def test_one_zone_behind_all_times_is_taken_as_written(tmp_path: Path, zone: str) -> None:
    frame = read(given(tmp_path, "time,load", *rows("{t:%Y-%m-%d %H:%M} {z},{0}", ONE, z=zone)))
    assert holds(frame, ONE)
    assert frame.clock.start == TIMES[0]
    said = next(fault for fault in frame.faults if fault.kind == "zone-name")
    assert ("India or Ireland" in said.message) == (zone == "IST")


@pytest.mark.parametrize("name", ["sensor.energy_total", "Zählerstand [kWh]", "Total energy (kWh)"])
def test_a_total_that_rises_evenly_is_a_total(tmp_path: Path, name: str) -> None:
    total = 1000 + np.arange(480) / 2
    for count in (480, 40):
        frame = read(given(tmp_path, f"time,{name}", *rows("{t},{0}", total[:count])))
        assert np.allclose(frame.values[:-1], 0.5), frame


def test_a_total_that_rises_now_and_then_is_a_total(tmp_path: Path) -> None:
    total = 500 + np.where(np.arange(480) % 3 == 0, 0.25, 0).cumsum()
    frame = read(given(tmp_path, "time,gas (m3)", *rows("{t},{0}", total)))
    assert holds(frame, np.diff(total))


def test_what_only_rises_evenly_under_another_name_is_doubted(tmp_path: Path) -> None:
    total = 1000 + np.arange(480) / 2
    path = given(tmp_path, "time,x", *rows("{t},{0}", total))
    assert "rises-evenly" in {fault.kind for fault in read(path).faults}
    assert np.allclose(read(path, unit="kWh").values[:-1], 0.5)


def test_a_short_rise_of_traffic_is_no_total(tmp_path: Path) -> None:
    climb = np.arange(30.0) ** 2
    times = [TIMES[0] + i * HOUR / 4 for i in range(30)]
    frame = read(given(tmp_path, "time,total_volume", *rows("{t},{0}", climb, times=times)))
    assert is_right(System(b"", [climb], {}, 15), frame)


def test_what_every_row_says_is_the_quantity(tmp_path: Path) -> None:
    records = [
        {
            "value": float(v),
            "parameter": {"id": 2, "name": "no2", "units": "ppm"},
            "period": {"datetimeFrom": {"utc": f"{t:%Y-%m-%dT%H:%M:%SZ}"}},
        }
        for t, v in zip(TIMES, ONE, strict=True)
    ]
    (tmp_path / "a.json").write_text(json.dumps({"results": records}), encoding="utf-8")
    frame = read(tmp_path / "a.json")
    assert (frame.quantity.name, frame.quantity.unit) == ("no2", "ppm")
    head = "MPRN,Meter Serial Number,Read Value,Read Type,Read Date and End Time"
    form = "10001234567,000000000024123456,{0},Active {k} Interval (kW),{t:%d-%m-%Y %H:%M}"
    frame = read(given(tmp_path, head, *rows(form, ONE, k="Import")[::-1]))
    assert (frame.quantity.name, frame.quantity.unit) == ("power", "kW")
    assert frame.sensors == ("10001234567",)
    both = rows(form, TWO, k="Export") + rows(form, ONE, k="Import")
    assert holds(read(given(tmp_path, head, *both)), ONE)


@pytest.mark.parametrize(
    "spelt",
    [
        "1 marca 2026", "1 března 2026", "1. března 2026", "1 марта 2026", "1 марта 2026 г.",
        "1 березня 2026", "1. ožujka 2026.", "1 Μαρτίου 2026", "1. marca 2026", "1 martie 2026",
        "2026. március 1.", "1. maaliskuuta 2026", "1 Mart 2026", "2026 m. kovo 1 d.",
    ],
)  # fmt: skip
def test_months_in_the_genitive(tmp_path: Path, spelt: str) -> None:
    lines = [
        f"{spelt.replace('1', str(day), 1) if spelt[0] == '1' else spelt.replace(' 1', f' {day}')}"
        f" {hour:02d}:00;{ONE[24 * day + hour]}"
        for day in range(1, 20)
        for hour in range(24)
    ]
    frame = read(given(tmp_path, "time;value", *lines))
    assert frame.clock.start == dt.datetime(2026, 3, 1)
    assert holds(frame, ONE[24:])


@pytest.mark.parametrize(("before", "month"), [("30 października", 11), ("30. rujna", 10), ("", 0)])
def test_listopada_is_the_month_of_its_language(tmp_path: Path, before: str, month: int) -> None:
    lines = [f"{i + 1} listopada 2026;{v}" for i, v in enumerate(ONE[:20])]
    path = given(tmp_path, "time;value", *([f"{before} 2026;1"] * bool(before)), *lines)
    if not month:
        with pytest.raises(InputError, match="November in Polish and October in Croatian"):
            read(path)
        return
    assert read(path).clock.text(len(read(path)) - 1).startswith(f"2026-{month}-20")


@pytest.mark.parametrize(
    ("head", "form"),
    [
        ("DATE,TIME,load", "{t:%Y%m%d},{t:%H%M%S},{0}"),
        ("DATE,TIME,load", "{t:%Y%m%d},{clock},{0}"),
        ("date,sec,load", "{t:%Y-%m-%d},{second},{0}"),
        ("date,min,load", "{t:%Y-%m-%d},{minute},{0}"),
        ("date,hour,load", "{era}{t:%m%d},{t.hour},{0}"),
        ("year,month,day,hour,load", "{era},{t.month},{t.day},{t.hour},{0}"),
        ("time,load", "{t.day}-{t:%b-%y} {twelve},{0}"),
        ("time,load", "{t:%m/%d/%Y} {twelve},{0}"),
    ],
)
def test_times_as_numbers_and_without_minutes(tmp_path: Path, head: str, form: str) -> None:
    lines = [
        form.format(
            v, t=t, clock=int(f"{t:%H%M%S}"), second=3600 * t.hour, minute=60 * t.hour,
            era=t.year + 543, twelve=f"{t.hour % 12 or 12} {t:%p}",
        )
        for t, v in zip(TIMES, ONE, strict=True)
    ]  # fmt: skip
    frame = read(given(tmp_path, head, *lines))
    assert frame.clock.start == TIMES[0]
    assert holds(frame, ONE)


def test_ids_of_round_numbers_are_no_times(tmp_path: Path) -> None:
    lines = rows("{t},10000,{0}", ONE) + rows("{t},20000,{0}", TWO)
    assert holds(read(given(tmp_path, "date,site,flow", *lines)), ONE, TWO)


@pytest.mark.parametrize("down", ["{h:02d}:00-{n:02d}:00", "{h:02d}:00", "{h}"])
def test_hours_down_and_a_week_of_days_across(tmp_path: Path, down: str) -> None:
    days = [TIMES[24 * i] for i in range(7)]
    lines = [
        ",".join([down.format(h=h, n=h + 1), *(str(ONE[24 * i + h]) for i in range(7))])
        for h in range(24)
    ]
    head = ",".join(["Hour", *(f"{day:%d-%b-%y}" for day in days)])
    assert holds(read(given(tmp_path, head, *lines)), ONE[: 24 * 7])


def test_units_and_limits_in_cells_of_json(tmp_path: Path) -> None:
    cells = [f"{v} kW" if i % 2 else f"{1000 * v:.0f} W" for i, v in enumerate(ONE)]
    records = [{"time": t.isoformat(), "power": c} for t, c in zip(TIMES, cells, strict=True)]
    (tmp_path / "a.json").write_text(json.dumps(records), encoding="utf-8")
    frame = read(tmp_path / "a.json")
    assert frame.quantity.unit in ("kW", "W")
    assert holds(frame, ONE if frame.quantity.unit == "kW" else ONE * 1000)


def _madrid(codes: str, whole: np.ndarray) -> list[str]:
    return [
        f"{codes}{TIMES[24 * d]:%Y,%m,%d},"
        + ",".join(f"{v:05.0f},V" for v in whole[24 * d : 24 * d + 24])
        for d in range(20)
    ]


def test_days_of_values_and_marks_without_a_header(tmp_path: Path) -> None:
    whole, other = ONE.round(), TWO.round()
    comma = _madrid("28,079,004,8,8,02,", whole)
    assert holds(read(given(tmp_path, *comma, name="a.txt")), whole)
    both = [*comma, *_madrid("28,079,008,8,8,02,", other)]
    assert holds(read(given(tmp_path, *both, name="b.txt")), whole, other)
    two = [*comma, *_madrid("28,079,004,9,8,02,", other)]
    assert holds(read(given(tmp_path, *two, name="c.txt"), target="9"), other)
    fixed = [
        f"28079004080802{TIMES[24 * d]:%y%m%d}"
        + "".join(f"{v:05.0f}V" for v in whole[24 * d : 24 * d + 24])
        for d in range(20)
    ]
    assert holds(read(given(tmp_path, *fixed, name="d.txt")), whole)


def test_readings_and_their_unit_without_a_header(tmp_path: Path) -> None:
    form = '"45.5","-122.6","{t:%Y-%m-%dT%H:%M}","PM2.5","{0}","UG/M3","{1:.0f}","1"'
    frame = read(given(tmp_path, *rows(form, ONE, TWO)))
    assert holds(frame, ONE)
    assert (frame.quantity.name, frame.quantity.unit) == ("pm2.5", "µg/m³")


@pytest.mark.parametrize("says", ["name", "title", "row", "cells", "column"])
def test_files_in_kwh_and_wh_are_read_in_one_unit(tmp_path: Path, says: str) -> None:
    folder = tmp_path / "meters"
    folder.mkdir()
    for name, unit, values in (("m1", "kWh", ONE), ("m2", "Wh", 1000 * TWO)):
        lines = {
            "name": [f"time,energy ({unit})", *rows("{t},{0:.1f}", values)],
            "title": [f"Unit: {unit}", "", "time,energy", *rows("{t},{0:.1f}", values)],
            "row": ["time,energy", f",{unit}", *rows("{t},{0:.1f}", values)],
            "cells": ["time,energy", *rows("{t},{0:.1f} {u}", values, u=unit)],
            "column": ["time,energy,unit", *rows("{t},{0:.1f},{u}", values, u=unit)],
        }[says]
        given(folder, *lines, name=f"{name}.csv")
    frame = read(folder)
    assert (frame.sensors, frame.quantity.unit) == (("m1", "m2"), "kWh")
    assert holds(frame, ONE, TWO)


def test_files_in_units_of_several_kinds_are_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "meters"
    folder.mkdir()
    for name, unit in (("m1", "m3"), ("m2", "kWh")):
        given(folder, f"time,x ({unit})", *rows("{t},{0}", ONE), name=f"{name}.csv")
    with pytest.raises(InputError, match=r"m³ in \S*m1.csv and in kWh in \S*m2.csv"):
        read(folder)


@pytest.mark.parametrize(
    ("head", "form", "options"),
    [
        (["# T : Temperature (in 0.1 degrees Celsius)", "# STN,YYYYMMDD,   HH,    T"],
         "  260,{t:%Y%m%d},{h:5d},{0:5.0f}", {}),
        (["BRON: KNMI", "T   = Temperatuur (in 0.1 graden Celsius)", "U   = %", "",
          "STN,YYYYMMDD,HH,U,T"], "260,{t:%Y%m%d},{h},{i},{0:.0f}", {"target": "T"}),
        (["Mean TG in 0.1 &#176;C", "", "time,TG"], "{t},{0:.0f}", {}),
        (["Unit: 0.1 µg/m3", "", "time,PM10"], "{t},{0:.0f}", {}),
        (["time,Temperature (0.1 °C)"], "{t},{0:.0f}", {}),
        (["time,PM10", "yyyy-mm-dd,0.1 ug/m3"], "{t},{0:.0f}", {}),
        (["time,value,unit"], "{t},{0:.0f},0.1 ug/m3", {}),
        (["Element: TMP, tenths of degrees C", "time,TMP"], "{t},{0:.0f}", {}),
    ],
)  # fmt: skip
def test_parts_of_units_are_multiplied(
    tmp_path: Path, head: list[str], form: str, options: dict[str, Any]
) -> None:
    tenths = (10 * ONE).round()
    lines = [form.format(v, t=t, i=i, h=t.hour + 1)
             for i, (t, v) in enumerate(zip(TIMES, tenths, strict=True))]  # fmt: skip
    assert holds(read(given(tmp_path, *head, *lines), **options), tenths / 10)


def test_a_part_of_a_unit_of_no_column_is_said(tmp_path: Path) -> None:
    frame = read(given(tmp_path, "Air in 1/10 °C", "", "time,TT", *rows("{t},{0}", ONE)))
    assert "parts-of-units" in {fault.kind for fault in frame.faults}


FEED = """<feed xmlns="http://www.w3.org/2005/Atom">{}</feed>"""
METER = """<entry><link rel="self" href="/UsagePoint/{p}/MeterReading/{j}"/>
<link rel="related" href="{host}/ReadingType/{to}"/><content><MeterReading/></content></entry>
<entry><link rel="self" href="/ReadingType/{j}"/><content><ReadingType>
<flowDirection>{flow}</flowDirection><powerOfTenMultiplier>3</powerOfTenMultiplier><uom>72</uom>
</ReadingType></content></entry><entry>
<link rel="self" href="/UsagePoint/{p}/MeterReading/{j}/IntervalBlock/1"/>
<content><IntervalBlock>{values}</IntervalBlock></content></entry>"""
READING = """<IntervalReading><timePeriod><start>{}</start></timePeriod><value>{}</value>
</IntervalReading>"""


def _feed(tmp_path: Path, *meters: dict[str, Any]) -> Path:
    parts = []
    for j, (meter, series) in enumerate(zip(meters, (ONE, TWO), strict=True)):
        values = "".join(
            READING.format(int(t.replace(tzinfo=dt.UTC).timestamp()), v)
            for t, v in zip(TIMES, series, strict=True)
        )
        parts.append(METER.format(**{"p": 1, "host": "", "to": j} | meter, j=j, values=values))
    return given(tmp_path, FEED.format("".join(parts)), name="a.xml")


def test_flows_and_meters_of_green_button_are_told_apart(tmp_path: Path) -> None:
    far = {"host": "https://x.org/espi"}
    path = _feed(tmp_path, {"flow": 1, **far}, {"flow": 19, **far})
    assert holds(read(path), ONE * 1000)
    assert holds(read(path, target="received"), TWO * 1000)
    assert holds(read(_feed(tmp_path, {"flow": 1}, {"flow": 1, "p": 2})), ONE * 1000, TWO * 1000)
    with pytest.raises(InputError, match="does not say of which of them"):
        read(_feed(tmp_path, {"flow": 1}, {"flow": 19, "to": 7}))
