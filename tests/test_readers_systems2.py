"""Promise: exports in other languages and of other systems are read rightly, or refused."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from systems import given, holds, hours, refusal, waves

from citytune.readers import read

LENGTH = 24 * 20
TIMES = hours(LENGTH)
A, B, C = waves(3, LENGTH)


def half(t: dt.datetime, before: str, after: str, pattern: str) -> str:
    """A time of twelve hours with the word of its half of the day."""
    word = before if t.hour < 12 else after
    return pattern.format(word=word, h=t.hour % 12 or 12, z=t.hour % 12, m=t.minute)


HALVES = [
    ("a.\u00a0m.", "p.\u00a0m.", "{h}:{m:02d}:00 {word}"),
    ("오전", "오후", "{word} {h}:{m:02d}:00"),
    ("上午", "下午", "{word} {h:02d}:{m:02d}"),
    ("午前", "午後", "{word}{z}時{m:02d}分"),
    ("π.μ.", "μ.μ.", "{h}:{m:02d} {word}"),
    ("ص", "م", "{h:02d}:{m:02d} {word}"),
    ("SA", "CH", "{h:02d}:{m:02d} {word}"),
    ("de.", "du.", "{word} {h}:{m:02d}"),
]


@pytest.mark.parametrize("words", HALVES, ids=lambda words: words[0])
@pytest.mark.parametrize("glue", [";", " "])
def test_halves_of_the_day_are_read_in_many_languages(
    tmp_path: Path, words: tuple[str, str, str], glue: str
) -> None:
    clock = [half(t, *words) for t in TIMES]
    rows = [f"{t:%d/%m/%Y}{glue}{at};{a}" for t, at, a in zip(TIMES, clock, A, strict=True)]
    head = "Fecha;Hora;kWh" if glue == ";" else "Fecha;kWh"
    frame = read(given(tmp_path, head, *rows))
    assert holds(frame, A)
    assert frame.clock.start == TIMES[0]


@pytest.mark.parametrize(
    "clock",
    [
        lambda t: f"{t.hour}.{t.minute:02d}",
        lambda t: f"{t.hour / 24:.9f}",
        lambda t: f"{t.hour / 24:.9f}".replace(".", ","),
        lambda t: f"{t.hour}-{t.hour + 1}",
        lambda t: f"{t.hour}時～{t.hour + 1}時",
        lambda t: f"{t.hour}-{t.hour + 1} Uhr",
    ],
)
def test_times_of_the_day_in_odd_notations_are_no_sensors(
    tmp_path: Path, clock: Callable[[dt.datetime], str]
) -> None:
    rows = [f"{t:%d.%m.%Y};{clock(t)};{a}" for t, a in zip(TIMES, A, strict=True)]
    frame = read(given(tmp_path, "Pvm;Klo;kWh", *rows))
    assert holds(frame, A)
    assert frame.clock.start == TIMES[0]


def test_hours_with_decimals_are_times(tmp_path: Path) -> None:
    times = [TIMES[0] + dt.timedelta(minutes=30 * i) for i in range(LENGTH)]
    rows = [f"{t:%Y-%m-%d},{t.hour + t.minute / 60},{a}" for t, a in zip(times, A, strict=True)]
    frame = read(given(tmp_path, "date,hour,flow", *rows))
    assert frame.clock.step == dt.timedelta(minutes=30)
    assert len(frame.sensors) == 1


def test_times_of_the_day_in_an_unknown_notation_are_refused(tmp_path: Path) -> None:
    rows = [
        f"{t:%d.%m.%Y};kell {t.hour}.00 {'el' if t.hour < 12 else 'pl'};{a}"
        for t, a in zip(TIMES, A, strict=True)
    ]
    said = refusal(given(tmp_path, "Kuupäev;Aeg;kWh", *rows))
    assert "'Aeg'" in said
    assert "times of the day in a notation that is not known" in said


@pytest.mark.parametrize(
    "name", ["{0}-{1}", "{0}:00", "{0}-{1} Uhr", "h{0}", "{0}時", "{0:02d}:00-{1:02d}:00"]
)
def test_the_hours_of_a_part_of_the_day_across_are_no_sensors(tmp_path: Path, name: str) -> None:
    across = range(6, 22)
    flow = np.round(A).reshape(-1, 24)
    names = ";".join(name.format(h, h + 1) for h in across)
    rows = [
        f"{TIMES[24 * day]:%d.%m.%Y};" + ";".join(f"{flow[day, h]:g}" for h in across)
        for day in range(20)
    ]
    frame = read(given(tmp_path, f"Datum;{names}", *rows))
    assert frame.clock.start == TIMES[6]
    assert frame.clock.step == dt.timedelta(hours=1)
    assert [*frame.values[:16, 0]] == [*flow[0, 6:22]]
    assert np.isnan(frame.values[16:24, 0]).all()


def test_harmonics_are_no_hours(tmp_path: Path) -> None:
    rows = [
        f"{t:%Y-%m-%d},{t:%H:%M}," + ",".join(f"{a / k:.2f}" for k in range(2, 16))
        for t, a in zip(TIMES, A, strict=True)
    ]
    names = ",".join(f"H{k}" for k in range(2, 16))
    frame = read(given(tmp_path, f"Date,Time,{names}", *rows))
    assert len(frame.sensors) == 14


@pytest.mark.parametrize("name", ["Values_Hour{:02d}", "kWh hour {}"])
def test_numbered_hours_may_stand_behind_other_words(tmp_path: Path, name: str) -> None:
    names = ",".join(name.format(h) for h in range(1, 25))
    rows = [
        "SIN," + ",".join(map(str, A[24 * day : 24 * day + 24])) + f",{TIMES[24 * day]:%Y-%m-%d}"
        for day in range(20)
    ]
    assert holds(read(given(tmp_path, f"Id,{names},Date", *rows)), A)


@pytest.mark.parametrize("word", ["Dekning", "Código calidad", "Abdeckung [%]"])
def test_columns_of_one_name_by_others_are_no_sensors(tmp_path: Path, word: str) -> None:
    rows = [
        f"{t:%Y-%m-%d %H:%M};{a};{100 - i % 4};{b};{99 - i % 3}"
        for i, (t, a, b) in enumerate(zip(TIMES, A, B, strict=True))
    ]
    frame = read(given(tmp_path, f"Fra-tid;Alnabru;{word};Hjortnes;{word}", *rows))
    assert frame.sensors == ("Alnabru", "Hjortnes")
    assert holds(frame, A, B)


def test_codes_called_after_each_sensor_are_no_sensors(tmp_path: Path) -> None:
    rows = [
        f"{t:%Y-%m-%d %H:%M},{a},{1 + i % 2},{b},{1 + i % 3}"
        for i, (t, a, b) in enumerate(zip(TIMES, A, B, strict=True))
    ]
    path = given(tmp_path, "timestamp,Centro,Centro estado,Retiro,Retiro estado", *rows)
    assert holds(read(path), A, B)


def test_what_is_said_of_each_sensor_is_asked_about(tmp_path: Path) -> None:
    rows = [
        f"{t:%Y-%m-%d %H:%M},{a},{a / 10:.2f},{b},{b / 9:.2f}"
        for t, a, b in zip(TIMES, A, B, strict=True)
    ]
    path = given(tmp_path, "time,Kerb,model Kerb,Roof,model Roof", *rows)
    assert "target=['Kerb', 'Roof']" in refusal(path)
    assert holds(read(path, target=["Kerb", "Roof"]), A, B)


def test_directions_of_each_place_are_sensors(tmp_path: Path) -> None:
    rows = [
        f"{t:%Y-%m-%d %H:%M},{a},{b},{c},{a * 2:.1f}"
        for t, a, b, c in zip(TIMES, A, B, C, strict=True)
    ]
    path = given(tmp_path, "time,Elm,Elm north,Oak,Oak north", *rows)
    assert len(read(path).sensors) == 4


def test_gross_and_net_are_asked_about(tmp_path: Path) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M},{a},{a * 0.9:.2f}" for t, a in zip(TIMES, A, strict=True)]
    path = given(tmp_path, "time,Bruttó rendszer,Nettó rendszer", *rows)
    assert "target='Bruttó rendszer' or target='Nettó rendszer'" in refusal(path)


@pytest.mark.parametrize(
    ("column", "one", "other"),
    [
        ("项目", "二氧化氮", "臭氧"),
        ("Poluente", "MP2.5", "O3"),
        ("polluant", "Dioxyde d'azote", "O3"),
    ],
)
def test_pollutants_of_other_languages_are_not_read_together(
    tmp_path: Path, column: str, one: str, other: str
) -> None:
    rows = [
        f"{site};{name};{t:%Y-%m-%d %H:%M};{value}"
        for i, t in enumerate(TIMES)
        for site, name, value in (
            ("k", one, A[i]),
            ("m", one, B[i]),
            ("k", other, C[i]),
            ("m", other, C[i] * 2),
        )
    ]
    frame = read(given(tmp_path, f"站点;{column};time;value", *rows))
    assert len(frame.sensors) == 2
    assert frame.quantity.domain == "air"


@pytest.mark.parametrize("word", ["Итого", "合計", "Toplam", "Celkem", "Σύνολο"])
def test_totals_of_other_languages_are_no_sensors(tmp_path: Path, word: str) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M},{a},{b},{a + b:.1f}" for t, a, b in zip(TIMES, A, B, strict=True)]
    assert holds(read(given(tmp_path, f"time,p1x,p2y,{word}", *rows, f"{word},1,1,2")), A, B)


def test_consumption_and_generation_are_told_apart_in_other_languages(tmp_path: Path) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M},{a},{b}" for t, a, b in zip(TIMES, A, B, strict=True)]
    frame = read(given(tmp_path, 'time,"Споживання, МВт·год","Генерація, МВт·год"', *rows))
    assert holds(frame, A)
    assert frame.quantity.unit == "MWh"


def test_of_a_total_and_that_of_the_day_one_is_read(tmp_path: Path) -> None:
    total = 5000 + A.cumsum()
    day = A.reshape(-1, 24).cumsum(1).ravel()
    rows = [
        f"{t:%Y-%m-%d %H:%M},{d:.2f},{s:.2f}" for t, d, s in zip(TIMES, day, total, strict=True)
    ]
    frame = read(given(tmp_path, "time,Daily energy(kWh),Total yield(kWh)", *rows))
    assert frame.sensors == ("Total yield(kWh)",)


def test_a_volume_next_to_energy_is_no_traffic(tmp_path: Path) -> None:
    rows = [
        f"h{k};{t:%d-%m-%Y %H:%M};{v};{v / 9:.3f};60.1"
        for k, s in enumerate((A, B))
        for t, v in zip(TIMES, s, strict=True)
    ]
    frame = read(given(tmp_path, "Meter;Date;Energy E1 [kWh];Volume V1 [m3];Flow temp [°C]", *rows))
    assert holds(frame, A, B)
    assert frame.quantity.unit == "kWh"


def test_labels_above_and_below_a_header_complete_its_names(tmp_path: Path) -> None:
    rows = [f"{t:%d/%m/%Y %H:%M:%S};{a};{b}" for t, a, b in zip(TIMES, A, B, strict=True)]
    head = [";SN: 211;SN: 212", ";Power;Power", "dd/MM/yyyy HH:mm:ss;kW;kW"]
    frame = read(given(tmp_path, *head, *rows))
    assert frame.sensors == ("SN: 211 Power", "SN: 212 Power")
    assert frame.quantity.unit == "kW"
    head = ["date;PA07;BOB", ";NO2;NO2", ";microg/m3;microg/m3"]
    frame = read(given(tmp_path, *head, *rows))
    assert frame.quantity.name == "no2"
    assert frame.quantity.unit == "µg/m³"


def test_a_row_of_formats_is_no_header(tmp_path: Path) -> None:
    rows = [f"USGS\t0533\t{t:%Y-%m-%d %H:%M}\t{a}\tP" for t, a in zip(TIMES, A, strict=True)]
    head = ["# data", "agency_cd\tsite_no\tdatetime\tflow\tflow_cd", "5s\t15s\t20d\t14n\t10s"]
    frame = read(given(tmp_path, *head, *rows))
    assert holds(frame, A)
    assert frame.quantity.name == "traffic_volume"


def test_a_line_below_the_header_is_no_part_of_the_names(tmp_path: Path) -> None:
    rows = [f"| {t:%Y-%m-%d %H:%M} | {a} | {b} |" for t, a, b in zip(TIMES, A, B, strict=True)]
    frame = read(given(tmp_path, "| time | north | south |", "|---|---:|:--|", *rows))
    assert frame.sensors == ("north", "south")


def test_row_numbers_of_r_have_no_name(tmp_path: Path) -> None:
    rows = [
        f'"{i + 1}","{t:%Y-%m-%d %H:%M}",{a},{b}'
        for i, (t, a, b) in enumerate(zip(TIMES, A, B, strict=True))
    ]
    frame = read(given(tmp_path, '"time","north","south"', *rows))
    assert frame.sensors == ("north", "south")
    assert holds(frame, A, B)


def test_midnight_may_be_written_as_a_date(tmp_path: Path) -> None:
    rows = [
        f"{t:%Y-%m-%d %H:%M:%S},{a}".replace(" 00:00:00", "") for t, a in zip(TIMES, A, strict=True)
    ]
    assert holds(read(given(tmp_path, "time,flow", *rows)), A)
    daily = [f"{t:%Y-%m-%d %H:%M:%S},{a}" for t, a in zip(TIMES, A, strict=True)]
    daily[24:24] = ["2024-01-08,999"]  # next to written midnights it is something else
    assert "cannot be read as time: '2024-01-08'" in refusal(given(tmp_path, "time,flow", *daily))
    means = [f"{t:%Y-%m-%d} {t:%H}:30:00,{a}" for t, a in zip(TIMES, A, strict=True)]
    means[24:24] = ["2024-01-08,999"]
    assert "cannot be read as time: '2024-01-08'" in refusal(given(tmp_path, "time,flow", *means))


@pytest.mark.parametrize(
    ("pattern", "start"),
    [
        ("%y-%m-%d %H:%M", TIMES[0]),
        ("%a %b %d %H:%M:%S %Y", TIMES[0]),
        ("%a %b %d %H:%M:%S CET %Y", TIMES[0]),
        ("%d-%b-%y %I.%M.%S.000000000 %p", TIMES[0]),
    ],
)
def test_further_notations_of_moments(tmp_path: Path, pattern: str, start: dt.datetime) -> None:
    rows = [f"{t.strftime(pattern)},{a}" for t, a in zip(TIMES, A, strict=True)]
    frame = read(given(tmp_path, "time,flow", *rows))
    assert holds(frame, A)
    assert frame.clock.start == start


@pytest.mark.parametrize("head", ["year,julian_day,time,flow", "Year,DOY,hhmm,flow"])
def test_days_of_the_year_with_hours_and_minutes(tmp_path: Path, head: str) -> None:
    rows = [
        f"{t.year},{t.timetuple().tm_yday},{100 * t.hour},{a}"
        for t, a in zip(TIMES, A, strict=True)
    ]
    frame = read(given(tmp_path, head, *rows))
    assert holds(frame, A)
    assert frame.clock.start == TIMES[0]


def test_thousands_are_parted_as_in_switzerland_and_india(tmp_path: Path) -> None:
    large = A.round() * 12_345
    swiss = [
        f"{t:%d.%m.%Y %H:%M};{v:,.1f}".replace(",", "’") for t, v in zip(TIMES, large, strict=True)
    ]
    assert holds(read(given(tmp_path, "Zeit;Wert", *swiss)), large)
    lakhs = [f'{t:%Y-%m-%d %H:%M},"{lakh(int(v))}"' for t, v in zip(TIMES, large, strict=True)]
    assert holds(read(given(tmp_path, "time,load", *lakhs)), large)


def lakh(number: int) -> str:
    """A number as India writes it: 12,34,567."""
    head, tail = divmod(number, 1000)
    parts = [f"{tail:03d}"]
    while head > 99:
        head, rest = divmod(head, 100)
        parts.insert(0, f"{rest:02d}")
    return ",".join([str(head), *parts])


def test_greek_without_utf8(tmp_path: Path) -> None:
    rows = [f"{t:%d/%m/%Y};{t:%H:%M};{a}" for t, a in zip(TIMES, A, strict=True)]
    text = "\n".join(["Ημερομηνία;Ώρα;Κατανάλωση (kWh)", *rows])
    (tmp_path / "meter.csv").write_bytes(text.encode("iso8859-7"))
    frame = read(tmp_path / "meter.csv")
    assert frame.sensors == ("Κατανάλωση (kWh)",)
    assert frame.quantity.unit == "kWh"


def test_names_of_attributes_are_no_solar_roofs(tmp_path: Path) -> None:
    rows = [f"{t:%Y-%m-%d %H:%M},{a},{b}" for t, a, b in zip(TIMES, A, B, strict=True)]
    frame = read(given(tmp_path, "time,AHU1_KW.PV,AHU2_KW.PV", *rows))
    assert frame.quantity.unit == "kW"
    assert frame.quantity.name == "power"


def epoch(t: dt.datetime) -> int:
    return int(t.replace(tzinfo=dt.UTC).timestamp())


def blocks() -> Any:
    """A start, a step and rows of one number, in several blocks, as Netatmo sends them."""
    parts = ((0, 100), (100, LENGTH))
    return {
        "body": [
            {"beg_time": epoch(TIMES[i]), "step_time": 3600, "value": [[v] for v in A[i:j]]}
            for i, j in parts
        ],
        "status": "ok",
    }


def asp_dates() -> Any:
    rows = [{"Time": f"/Date({epoch(t)}000)/", "kW": v} for t, v in zip(TIMES, A, strict=True)]
    return {"d": {"results": rows}}


def names_elsewhere() -> Any:
    """Rows whose names stand deep in an object next to them, as Socrata sends them."""
    named = [{"name": "sid"}, {"name": "Date"}, {"name": "West"}]
    rows = [[f"row-{i}", t.isoformat(), v] for i, (t, v) in enumerate(zip(TIMES, A, strict=True))]
    return {"meta": {"view": {"name": "Counts", "columns": named}}, "data": rows}


def tagged() -> Any:
    """Series told apart by a list of names and values, as Azure sends them."""
    return {
        "timeseries": [
            {
                "metadatavalues": [{"name": {"value": "meter"}, "value": name}],
                "data": [
                    {"timeStamp": f"{t.isoformat()}Z", "average": v}
                    for t, v in zip(TIMES, s, strict=True)
                ],
            }
            for name, s in (("m0", A), ("m1", B))
        ]
    }


def uplinks() -> Any:
    """Messages of a network of radio sensors, with a list of gateways in each."""
    return [
        {
            "end_device_ids": {"device_id": name, "application_ids": {"application_id": "air"}},
            "received_at": f"{t.isoformat()}Z",
            "uplink_message": {
                "decoded_payload": {"pm25": v},
                "rx_metadata": [{"gateway_ids": {"gateway_id": "g"}, "rssi": -101 + i % 7}],
            },
        }
        for i, t in enumerate(TIMES)
        for name, v in (("air-1", A[i]), ("air-2", B[i]))
    ]


@pytest.mark.parametrize("make", [blocks, asp_dates, names_elsewhere, tagged, uplinks])
def test_further_shapes_of_json(tmp_path: Path, make: Callable[[], Any]) -> None:
    (tmp_path / "answer.json").write_text(json.dumps(make()))
    frame = read(tmp_path / "answer.json")
    assert holds(frame, *((A, B) if make in (tagged, uplinks) else (A,)))
    assert frame.clock.start == TIMES[0]


def test_a_short_step_without_a_unit_is_not_guessed(tmp_path: Path) -> None:
    document = {"start": epoch(TIMES[0]), "step": 60, "values": [*A]}
    (tmp_path / "answer.json").write_text(json.dumps(document))
    refusal(tmp_path / "answer.json")
    (tmp_path / "answer.json").write_text(json.dumps(document | {"step": 3600}))
    assert holds(read(tmp_path / "answer.json"), A)


def waterml(place: str, values: Any) -> str:
    """An observation of WaterML."""
    points = "".join(
        f"<w:point><w:MeasurementTVP><w:time>{t.isoformat()}Z</w:time><w:value>{v}</w:value>"
        "</w:MeasurementTVP></w:point>"
        for t, v in zip(TIMES, values, strict=True)
    )
    return (
        '<om:OM_Observation><om:observedProperty x:href="http://a.org/p/PM10"/>'
        f'<om:featureOfInterest x:title="{place}"/><w:uom code="ug/m3"/>{points}'
        "</om:OM_Observation>"
    )


@pytest.mark.parametrize("places", [("41B004",), ("41B004", "41N043")])
def test_points_of_waterml(tmp_path: Path, places: tuple[str, ...]) -> None:
    pytest.importorskip("defusedxml")
    spaces = 'xmlns:w="http://w" xmlns:om="http://om" xmlns:x="http://x"'
    inside = "".join(waterml(place, s) for place, s in zip(places, (A, B), strict=False))
    (tmp_path / "sos.xml").write_text(f"<w:Collection {spaces}>{inside}</w:Collection>")
    frame = read(tmp_path / "sos.xml")
    assert holds(frame, *(A, B)[: len(places)])
    assert frame.quantity.name == "pm10"
    assert frame.quantity.unit == "µg/m³"
