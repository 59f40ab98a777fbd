"""Promise: what offices of traffic, air and weather hand out is read rightly, or refused."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from systems import HOUR, given, holds, hours, refusal, waves

from citytune import InputError
from citytune.readers import read

TIMES = hours(480)
ONE, TWO, THREE, FOUR = waves(4, 480)


def said(frame: Any) -> set[str]:
    return {fault.kind for fault in frame.faults}


def test_lines_below_a_table_name_no_sensors(tmp_path: Path) -> None:
    rows = [f"Kelburn\t{t:%Y%m%d:%H%M}\t{v}\tH" for t, v in zip(TIMES, ONE, strict=True)]
    path = given(tmp_path, "Station\tDate(UTC)\tTair(C)\tFreq", *rows, "User = x", "Copyright y")
    assert read(path).sensors == ("Kelburn",)
    assert holds(read(path), ONE)


def test_utc_in_brackets_is_a_zone(tmp_path: Path) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M:%S},{v}" for t, v in zip(TIMES, ONE, strict=True)]
    frame = read(given(tmp_path, "Date (UTC),PM2.5", *rows), timezone="Asia/Bangkok")
    assert frame.clock.start == TIMES[0]


def test_a_header_behind_a_mark_is_found_above_an_empty_comment(tmp_path: Path) -> None:
    rows = [f"  240,{t:%Y%m%d},{t.hour + 1:5d},{v}" for t, v in zip(TIMES, ONE, strict=True)]
    frame = read(given(tmp_path, "# BRON: KNMI", "# STN,YYYYMMDD,   HH,   load", "#", *rows))
    assert frame.sensors == ("240",)
    assert holds(frame, ONE)


def test_notes_to_the_right_of_the_first_rows_lose_none_of_them(tmp_path: Path) -> None:
    rows = [
        f"{t:%Y-%m-%d};{t:%H:%M:%S};{v};G" + (f";;note {i}" if i < 8 else "")
        for i, (t, v) in enumerate(zip(TIMES, ONE, strict=True))
    ]
    head = ["Parameter;Unit", "Temp;celsius", "", "Datum;Tid (UTC);load;Kvalitet;;Tidsutsnitt:"]
    frame = read(given(tmp_path, *head, *rows))
    assert frame.sensors == ("load",)
    assert holds(frame, ONE)


def test_units_below_names_tell_quantities_apart(tmp_path: Path) -> None:
    head = [
        '"TIMESTAMP","RECORD","BattV_Min","AirTC_Avg","WS_ms_Avg"',
        '"TS","RN","Volts","Deg C","meters/second"',
    ]
    rows = [
        f'"{t}",{i},{12 + i % 3},{a},{b}'
        for i, (t, a, b) in enumerate(zip(TIMES, ONE, TWO, strict=True))
    ]
    with pytest.raises(InputError, match="3 kinds of units"):
        read(given(tmp_path, *head, '"","","Min","Avg","Avg"', *rows))


def test_words_that_begin_like_units_are_names(tmp_path: Path) -> None:
    head = [
        "Leg,North,,East,",
        "Direction,Southbound,,Westbound,",
        "Start Time,Right,Thru,Right,Thru",
    ]
    rows = [
        f"{t},{a},{b},{c},{d}" for t, a, b, c, d in zip(TIMES, ONE, TWO, THREE, FOUR, strict=True)
    ]
    frame = read(given(tmp_path, *head, *rows))
    assert "Southbound Thru" in frame.sensors
    assert holds(frame, ONE, TWO, THREE, FOUR)


def test_stations_above_quantities_are_groups(tmp_path: Path) -> None:
    head = [",Diepkloof,Diepkloof,Kliprivier,Kliprivier", "Date Time,PM10,SO2,PM10,SO2"]
    rows = [
        f"{t},{a},{b},{c},{d}" for t, a, b, c, d in zip(TIMES, ONE, TWO, THREE, FOUR, strict=True)
    ]
    frame = read(given(tmp_path, *head, *rows))
    assert frame.sensors == ("Diepkloof PM10", "Kliprivier PM10")
    assert holds(frame, ONE, THREE)


def test_empty_columns_left_of_the_time_are_no_sensors(tmp_path: Path) -> None:
    rows = [
        f"1003;;;{t:%y%m%d};{t.hour + 1:02d};{a:.0f};-;{b:.0f};-"
        for t, a, b in zip(TIMES, 9 * ONE, 9 * TWO, strict=True)
    ]
    head = "Zst;StrZ;StrBuchst;Datum;Stunde;KFZ_R1;K_KFZ_R1;KFZ_R2;K_KFZ_R2"
    frame = read(given(tmp_path, head, *rows))
    assert holds(frame, (9 * ONE).round(), (9 * TWO).round())


def test_classes_and_pollutants_next_to_weather_are_quantities(tmp_path: Path) -> None:
    for column, first, second in (("Weight", "Light", "Heavy"), ("what", "PM2.5", "RAINFALL")):
        rows = [
            f"{t},{site},{kind},{v}"
            for i, t in enumerate(TIMES)
            for site, kind, v in (("a", first, ONE[i]), ("a", second, TWO[i]),
                                  ("b", first, THREE[i]), ("b", second, FOUR[i]))
        ]  # fmt: skip
        path = given(tmp_path, f"time,site,{column},value", *rows)
        if column == "Weight":  # parts of one number, which no row holds
            assert "target='Light' or target='Heavy'" in refusal(path)
            assert holds(read(path, target="Light"), ONE, THREE)
        else:
            assert holds(frame := read(path), ONE, THREE)
            assert "several-quantities" in said(frame)


def test_words_that_describe_the_weather_filter_nothing(tmp_path: Path) -> None:
    rows = [f"{t},{v},{['Light', 'Heavy'][i % 7 > 4]}"
            for i, (t, v) in enumerate(zip(TIMES, ONE, strict=True))]  # fmt: skip
    assert holds(read(given(tmp_path, "time,flow,rain", *rows)), ONE)


def test_hours_to_2400_and_end_times_name_ends(tmp_path: Path) -> None:
    hundreds = [f"{t:%y%m%d},{100 * (t.hour + 1)},{v}" for t, v in zip(TIMES, ONE, strict=True)]
    ends = [f"{t + HOUR:%Y%m%d%H%M%S},{v}" for t, v in zip(TIMES, ONE, strict=True)]
    for path in (
        given(tmp_path, "YYMMDD,hour,load", *hundreds, name="hundreds.csv"),
        given(tmp_path, "End_Time,load", *ends, name="ends.csv"),
    ):
        frame = read(path)
        assert "interval-end" in said(frame)
        assert frame.clock.start == TIMES[0]
        np.testing.assert_allclose(frame.values[:, 0], ONE, rtol=1e-5)


def test_a_clock_of_150_seconds_that_jitters_loses_no_reading(tmp_path: Path) -> None:
    start = dt.datetime(2024, 1, 8, 0, 1, 10)
    times = [start + dt.timedelta(seconds=150 * i + (i * 7) % 5 - 2) for i in range(480)]
    rows = [f"{t},{v}" for t, v in zip(times, ONE, strict=True)]
    frame = read(given(tmp_path, "time,load", *rows))
    assert frame.clock.step == dt.timedelta(seconds=150)
    np.testing.assert_allclose(frame.values[:, 0], ONE, rtol=1e-5)


@pytest.mark.parametrize(
    ("column", "quantity", "unit"),
    [
        ("CO2", "value", ""),
        ("Biossido di Azoto (NO2) - microgrammi/metro cubo", "no2", "µg/m³"),
        ("Feinstaub (PM₁₀)", "pm10", "µg/m³"),
        ("Média Horária µg/m3", "concentration", "µg/m³"),
        ("Speed(miles/hour)", "speed", "mph"),
    ],
)
def test_quantities_and_units_of_names(
    tmp_path: Path, column: str, quantity: str, unit: str
) -> None:
    rows = [f"{t};{v}" for t, v in zip(TIMES, ONE, strict=True)]
    found = read(given(tmp_path, f"time;{column}", *rows)).quantity
    assert (found.name, found.unit) == (quantity, unit)


def test_a_formula_in_brackets_tells_quantities_apart(tmp_path: Path) -> None:
    rows = [f"{t};{a};{b}" for t, a, b in zip(TIMES, ONE, TWO, strict=True)]
    head = "time;Biossido di Azoto (NO2);Monossido di Carbonio (CO)"
    assert holds(read(given(tmp_path, head, *rows)), ONE)


def test_a_unit_above_the_table_is_that_of_the_readings(tmp_path: Path) -> None:
    rows = [f"{t},{v}" for t, v in zip(TIMES, ONE, strict=True)]
    titles = ["Pollutant: NO2", "Units: ppb - parts per billion"]
    assert read(given(tmp_path, *titles, "time,NO2", *rows)).quantity.unit == "ppb"


def test_daily_traffic_and_sums_in_german_are_no_rows(tmp_path: Path) -> None:
    rows = []
    for i, (t, v) in enumerate(zip(TIMES, ONE, strict=True)):
        rows.append(f"{t:%d.%m.%Y};{t:%H:%M};{v}")
        if t.hour == 23:
            rows.append(f"Tagessumme;;{ONE[i - 23 : i + 1].sum():.1f}")
    frame = read(given(tmp_path, "Datum;Zeit;load", *rows, "DTV;;1234.5"))
    assert holds(frame, ONE)
    assert "summaries" in said(frame)


def test_forecasts_next_to_measured_records_are_left_out(tmp_path: Path) -> None:
    def records(first: dt.datetime, values: Any) -> list[dict[str, Any]]:
        return [
            {"fromDateTime": f"{first + i * HOUR:%Y-%m-%dT%H:%M:%SZ}", "value": float(v)}
            for i, v in enumerate(values)
        ]

    document = {
        "current": records(TIMES[-1] + HOUR / 2, [9999])[0],
        "history": records(TIMES[0], ONE),
        "forecast": records(TIMES[-1] + HOUR, TWO[:24]),
    }
    frame = read(given(tmp_path, json.dumps(document), name="export.json"))
    assert holds(frame, ONE)
    assert "forecasts" in said(frame)


def test_json_texts_with_a_decimal_comma_are_numbers(tmp_path: Path) -> None:
    document = [
        {"fecha": f"{t:%Y-%m-%d %H:%M}", "estacion": "a", "load": f"{v:.1f}".replace(".", ",")}
        for t, v in zip(TIMES, ONE, strict=True)
    ]
    assert holds(read(given(tmp_path, json.dumps(document), name="export.json")), ONE)


def test_records_within_records_of_a_list_are_found(tmp_path: Path) -> None:
    items = [
        {"timestamp": f"{t:%Y-%m-%dT%H:%M:%SZ}", "parks": [
            {"number": name, "info": [{"type": "C", "lots_available": str(round(9 * s[i]))}]}
            for name, s in (("HE1", ONE), ("HE2", TWO))]}
        for i, t in enumerate(TIMES)
    ]  # fmt: skip
    frame = read(given(tmp_path, json.dumps({"items": items}), name="export.json"))
    assert frame.sensors == ("HE1", "HE2")
    assert holds(frame, (9 * ONE).round(), (9 * TWO).round())


def test_coordinates_name_no_sensor_that_has_an_id(tmp_path: Path) -> None:
    rows = [
        f"{t},{name},{lat},{s[i]}"
        for i, t in enumerate(TIMES)
        for name, lat, s in (("D1", 51.5, ONE), ("D2", 51.51, TWO))
    ]
    assert read(given(tmp_path, "time,datasourceId,locationLatitude,load", *rows)).sensors == (
        "D1",
        "D2",
    )


def test_coded_reports_of_the_weather_are_refused(tmp_path: Path) -> None:
    rows = [f"{t:%Y%m%d%H%M} METAR EHAM {t:%d%H%M}Z 25017KT 9999 05/02 Q1012=" for t in TIMES]
    with pytest.raises(InputError, match="coded reports of the weather"):
        read(given(tmp_path, *rows, name="metar.txt"))


@pytest.mark.parametrize("before", [60, 1])
def test_ends_may_be_the_last_moment_of_an_interval(tmp_path: Path, before: int) -> None:
    start, quarter = TIMES[0], dt.timedelta(minutes=15)
    ends = [start + (i + 1) * quarter - dt.timedelta(seconds=before) for i in range(192)]
    rows = [f"A1,{t:%d/%m/%Y} 00:00:00,{t:%H:%M:%S},{i % 96},{i + 5}" for i, t in enumerate(ends)]
    head = "Site Name,Report Date,Time Period Ending,Time Interval,Total Volume"
    frame = read(given(tmp_path, head, *rows))
    assert frame.clock.start == start
    assert frame.values[:3, 0].tolist() == [5, 6, 7]


@pytest.mark.parametrize("hour", ["1st Max Hour", "Peak Hour"])
def test_the_hour_of_the_highest_reading_is_no_time(tmp_path: Path, hour: str) -> None:
    dates = [dt.date(2024, 1, 1) + dt.timedelta(i) for i in range(90)]
    rows = [f"{day},{ONE[i]},{i * 7 % 24}" for i, day in enumerate(dates)]
    frame = read(given(tmp_path, f"Date Local,Arithmetic Mean,{hour}", *rows))
    assert frame.clock.freq == "1D"
    assert frame.values[:, 0].tolist() == np.float32(ONE[:90]).tolist()


def test_the_one_place_above_all_names_is_no_part_of_them(tmp_path: Path) -> None:
    rows = [f"{t:%Y-%m-%d},{t:%H:%M},{a},R,{b},R" for t, a, b in zip(TIMES, ONE, TWO, strict=True)]
    head = ["All data GMT", ",,Harbour,,,", "Date,time,Nitrogen dioxide,status,Ozone,status"]
    frame = read(given(tmp_path, *head, *rows), target="Nitrogen dioxide")
    assert frame.sensors == ("Nitrogen dioxide",)
    assert holds(frame, ONE)


@pytest.mark.parametrize(
    ("names", "read_one"),
    [
        (("A Nitrogen dioxide", "A PM<sub>10</sub> particulate matter"), 1),
        (("A Nitrogen oxides as nitrogen dioxide", "A Nitrogen dioxide"), 1),
        (("A Carbon monoxide", "A Sulphur dioxide"), 1),
    ],
)
def test_pollutants_in_words_are_several_quantities(
    tmp_path: Path, names: tuple[str, str], read_one: int
) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M},{a},{b}" for t, a, b in zip(TIMES, ONE, TWO, strict=True)]
    frame = read(given(tmp_path, ",".join(("time", *names)), *rows))
    assert frame.sensors == (names[read_one],)
    assert "several-quantities" in said(frame)


def test_streams_of_several_units_are_several_quantities(tmp_path: Path) -> None:
    streams = [
        {
            "name": name,
            "unitOfMeasurement": {"name": name, "symbol": unit},
            "Observations": [
                {"phenomenonTime": f"{t:%Y-%m-%dT%H:%M:%SZ}", "result": v}
                for t, v in zip(TIMES, values, strict=True)
            ],
        }
        for name, unit, values in (("Anzahl Kfz", "Kfz/h", ONE), ("Tempo", "km/h", TWO))
    ]
    path = tmp_path / "things.json"
    path.write_text(json.dumps({"value": [{"name": "Verkehr", "Datastreams": streams}]}))
    assert holds(read(path), ONE)
